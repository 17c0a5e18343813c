# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# dnssec.bash - signed zones, and a resolver that validates: load lib/dnssec,
# after lib/network
#
#	network_start
#	dnssec_zone signed.test <<-END
#		mx A 192.0.2.1
#		_25._tcp.mx $(tlsa 3 1 1 mx1)
#	END
#	dnssec_start
#
# Knot serves the zones and the root of dns_start, which is unsigned. The
# resolver, an unbound on a host named "resolver", has a trust anchor for each
# signed zone instead.

dnssec_commands=(keymgr openssl unbound)

# dnssec_zone NAME [--unsigned | --broken]: add a zone with the records on
# stdin. For a broken zone the resolver's trust anchor is that of another key.
# Call it before dnssec_start.
dnssec_zone() {
	local dir=$network_dir/dns zone=$1 kind=${2:-}

	{
		printf '%s\n' "\$ORIGIN $zone." "\$TTL 5" \
			"@ SOA dns.hosts.test. root.hosts.test. 1 60 60 9999 0" \
			"@ NS dns.hosts.test."
		cat
	} >"$dir/$zone.zone"
	{
		[ -e "$dir/zones" ] || echo zone:
		printf '  - domain: %s\n    file: %s\n' \
			"$zone" "$dir/$zone.zone"
		printf '    journal-content: none\n    zonefile-sync: -1\n'
		[ "$kind" = --unsigned ] ||
			printf '    dnssec-signing: on\n    dnssec-policy: one\n'
	} >>"$dir/zones.conf"
	[ "$kind" = --unsigned ] || echo "$zone $kind" >>"$dir/zones"
}

# dnssec_start: serve the zones, and start the resolver. dnssec_use makes a host
# ask it.
dnssec_start() {
	local dir=$network_dir/dns zone kind

	need "${dnssec_commands[@]}" || return
	{
		printf 'policy:\n  - id: one\n    single-type-signing: on\n'
		printf '    algorithm: ecdsap256sha256\n'
		sed '/^zone:/,$d' "$dir/knot.conf"
		sed -n '/^zone:/,$p' "$dir/knot.conf"
		sed '/^zone:$/d' "$dir/zones.conf"
	} >"$dir/knot.conf.new"
	mv "$dir/knot.conf.new" "$dir/knot.conf"
	dns_control reload >/dev/null
	while read -r zone kind; do
		wait_for 10 dnssec_is_signed "$zone"
		dnssec_anchor "$zone" "$kind" >>"$dir/anchors"
	done <"$dir/zones"

	network_add_host resolver
	dnssec_write_resolver >"$network_dir/unbound.conf"
	network_exec resolver setsid unbound -d -c "$network_dir/unbound.conf" \
		>>"$network_dir/unbound.log" 2>&1 3>&- &
	wait_for 10 dnssec_answers
}

dnssec_is_signed() {
	dns_control zone-read "$1" @ RRSIG 2>/dev/null | grep -q RRSIG
}

dnssec_answers() {
	network_exec resolver ss -Hlun 'sport = :53' | grep -q .
}

# Print the resolver's trust anchor for a zone, a line of its configuration.
dnssec_anchor() {
	local ds

	ds=$(keymgr -c "$network_dir/dns/knot.conf" "$1" ds | grep ' 13 2 ')
	# Change the last digit of the digest.
	[ "$2" != --broken ] || ds=${ds%?}$(tr 0-9a-f 1-9a-f0 <<<"${ds: -1}")
	printf '    trust-anchor: "%s"\n' "$ds"
}

dnssec_write_resolver() {
	cat <<-END
		server:
		    directory: "$network_dir"
		    chroot: ""
		    username: ""
		    pidfile: ""
		    use-syslog: no
		    interface: 0.0.0.0
		    access-control: 192.0.2.0/24 allow
		    do-ip6: no
		    num-threads: 1
		    module-config: "validator iterator"
		    qname-minimisation: no
		    aggressive-nsec: no
		    cache-max-ttl: 0
		    cache-max-negative-ttl: 0
		    local-zone: "test." nodefault
		$(cat "$network_dir/dns/anchors")
		forward-zone:
		    name: "."
		    forward-addr: $(network_ip4 dns)
		remote-control:
		    control-enable: no
	END
}

# dnssec_use HOST [OPTION]: make the host use the resolver, with that option of
# resolv.conf(5), such as trust-ad.
dnssec_use() {
	printf 'nameserver %s\nsearch .\noptions timeout:5 attempts:1 %s\n' \
		"$(network_ip4 resolver)" "${2:-}" \
		>"/etc/netns/$network_id-$1/resolv.conf"
}

# tlsa USAGE SELECTOR MATCHING CERTIFICATE: a TLSA record of a certificate of
# the network's.
tlsa() {
	local pem=$network_dir/ca/$4.pem

	printf 'TLSA %s %s %s ' "$1" "$2" "$3"
	case $2 in
	0) openssl x509 -in "$pem" -outform DER ;;
	1) openssl x509 -in "$pem" -noout -pubkey |
		openssl pkey -pubin -outform DER ;;
	esac | case $3 in
	0) cat ;;
	1) openssl dgst -sha256 -binary ;;
	2) openssl dgst -sha512 -binary ;;
	esac | od -An -v -tx1 | tr -d ' \n'
}
