#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# trust.bats - which TLS policy applies to a host, and the outcome of a message
# there: DANE (RFC 7672), MTA-STS and verified STARTTLS, with signed zones and a
# validating resolver.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail
load lib/dnssec

# One host serves the MTA-STS policies of all domains.
policy_domains=(enforce testing other tested pattern dane none kept late aged)

# The hosts are named after the records that are published for them. They are
# one machine, which presents the certificate that a test chooses.
setup_file() {
	need_root
	need certtool
	network_start
	for host in sender mx odd web; do network_add_host "$host"; done
	clock_build
	make_certificates
	make_policies
	make_zones
	dnssec_start
	dnssec_use sender trust-ad
	mta_start mx self
}

teardown_file() {
	network_stop
}

# The CA of the network is the one that smtp-deliver trusts; ta is another.
make_certificates() {
	ca_issue good mx.plain.signed.test mx.mismatch.signed.test \
		mx.pkix.signed.test \
		mx.tlsa.insecure.test mx.ee.signed.test mx.odd.signed.test
	ca_issue expired --expired mx.plain.signed.test
	ca_issue wrong-name mx.elsewhere.test
	ca_issue own mx.own.signed.test
	ca_issue self --self-signed mx.plain.signed.test
	ca_issue anything --self-signed anything.test
	ca_issue old --expired anything.test
	ca_issue client --client mx.plain.signed.test
	ca_issue name-only --name-only mx.sts.test
	ca_issue small --rsa 1024 mx.plain.signed.test
	ca_issue small-own --self-signed --rsa 1024 mx.small.signed.test
	ca_issue rsa --rsa 2048 mx.plain.signed.test
	make_ca ta
	make_ca evil
	issue_below ta leaf mx.ta.signed.test
	issue_below ta domain-leaf ta.signed.test
	issue_below ta other-leaf mx.elsewhere.test
	issue_below ta old-leaf --expired mx.ta.signed.test
	issue_below ta client-leaf --client mx.ta.signed.test
	issue_below ta small-leaf --rsa 1024 mx.ta.signed.test
	issue_below evil evil-leaf mx.ta.signed.test
	# Another CA signed it; it merely carries the true anchor.
	cat "$network_dir"/ca/{evil-leaf,evil,ta}.pem >"$network_dir/ca/forged.pem"
	cp "$network_dir/ca/evil-leaf.key" "$network_dir/ca/forged.key"
	cat "$network_dir"/ca/{leaf,ta,ta}.pem >"$network_dir/ca/twice.pem"
	cp "$network_dir/ca/leaf.key" "$network_dir/ca/twice.key"
}

# make_ca NAME: another trust anchor, with the same name inside.
make_ca() {
	ca_make_key "$1"
	ca_run --generate-self-signed --load-privkey "$1.key" \
		--template ca.template --outfile "$1.pem"
}

# issue_below CA NAME [--expired] SUBJECT: a chain that ends with the CA.
issue_below() {
	local anchor=$1 name=$2 dir=$network_dir/ca

	shift 2
	mkdir -p "$dir/real"
	mv "$dir"/ca.{pem,key} "$dir/real/"
	cp "$dir/$anchor.pem" "$dir/ca.pem"
	cp "$dir/$anchor.key" "$dir/ca.key"
	ca_issue "$name" "$@"
	cat "$dir/$anchor.pem" >>"$dir/$name.pem"
	mv "$dir"/real/ca.{pem,key} "$dir/"
}

make_policies() {
	local domain names=()

	for domain in "${policy_domains[@]}" strange unusable; do
		names+=("mta-sts.$domain.sts.test")
	done
	ca_issue policies "${names[@]}" mx.sts.test
	ca_issue policies-self --self-signed "${names[@]}"
	ca_issue policies-client --client "${names[@]}"
	ca_issue policies-small --rsa 1024 "${names[@]}"
	ca_issue policies-rsa --rsa 2048 "${names[@]}"
	ca_issue policies-name --name-only mta-sts.strange.sts.test
	dns < <(
		for domain in "${policy_domains[@]}" strange; do
			[ "$domain" = dane ] ||
				printf '%s.sts.test. MX 10 mx.sts.test.\n' \
					"$domain"
			printf '_mta-sts.%s.sts.test. TXT "v=STSv1; id=1;"\n' \
				"$domain"
			printf 'mta-sts.%s.sts.test. A %s\n' "$domain" \
				"$(network_ip4 web)"
		done
		printf 'mx.sts.test. A %s\n' "$(network_ip4 odd)"
		printf 'dane.sts.test. MX 10 mx.ee.signed.test.\n'
	)
}

make_zones() {
	local ip ee
	ip=$(network_ip4 odd)
	ee=$(tlsa 3 1 1 anything)

	dnssec_zone signed.test <<-END
		plain       MX 10 mx.plain
		mx.plain    A $ip

		ee          MX 10 mx.ee
		mx.ee       A $ip
		_25._tcp.mx.ee  $ee
		full        MX 10 mx.full
		mx.full     A $ip
		_25._tcp.mx.full $(tlsa 3 0 0 anything)
		old         MX 10 mx.old
		mx.old      A $ip
		_25._tcp.mx.old $(tlsa 3 0 2 old)
		several     MX 10 mx.several
		mx.several  A $ip
		_25._tcp.mx.several $(tlsa 3 1 1 self)
		_25._tcp.mx.several $(tlsa 1 1 1 self)
		_25._tcp.mx.several $ee

		ta          MX 10 mx.ta
		mx.ta       A $ip
		_25._tcp.mx.ta  $(tlsa 2 0 1 ta)
		_25._tcp.mx.ta  $(tlsa 2 1 1 ta)

		own         MX 10 mx.own
		mx.own      A $ip
		_25._tcp.mx.own $(tlsa 2 0 1 own)
		_25._tcp.mx.own $(tlsa 2 1 1 own)

		small       MX 10 mx.small
		mx.small    A $ip
		_25._tcp.mx.small $(tlsa 3 1 1 small-own)

		mismatch    MX 10 mx.mismatch
		mx.mismatch A $ip
		_25._tcp.mx.mismatch $ee

		pkix        MX 10 mx.pkix
		mx.pkix     A $ip
		_25._tcp.mx.pkix $(tlsa 1 1 1 anything)
		_25._tcp.mx.pkix TLSA 3 1 1 abcd
		_25._tcp.mx.pkix TLSA 3 9 1 ${ee##* }

		alias       MX 10 mx.alias
		mx.alias    CNAME mx.ee
		first       MX 10 mx.first
		mx.first    CNAME mx.plain
		_25._tcp.mx.first $ee
		away        MX 10 mx.away
		mx.away     CNAME mx.insecure.test.
		_25._tcp.mx.away $ee

		two         MX 10 mx.mismatch
		two         MX 20 mx.real
		nomx        A $ip
		_25._tcp.nomx $ee
		real        MX 10 mx.real
		mx.real     A $(network_ip4 mx)
		_25._tcp.mx.real $(tlsa 3 1 1 self)

		lost        MX 10 mx.lost
		mx.lost     A $ip
		_tcp.mx.lost NS dns.hosts.test.
		_tcp.mx.lost DS 1 13 2 $(printf '%064d' 1)
	END
	dnssec_zone _tcp.mx.lost.signed.test --unsigned <<-END
		_25 $ee
	END
	dnssec_zone broken.test --broken <<-END
		@ MX 10 mx
		mx A $ip
		_25._tcp.mx $ee
	END
	dns <<-END
		mx.insecure.test.      A $ip
		insecure.test.         MX 10 mx.ee.signed.test.
		tlsa.insecure.test.    MX 10 mx.tlsa.insecure.test.
		mx.tlsa.insecure.test. A $ip
		_25._tcp.mx.tlsa.insecure.test. $ee
		half.test.             MX 10 mx.broken.test.
	END
}

# ---- helpers -----------------------------------------------------------------

# host_has CERTIFICATE [OPTION...]: start the host, which offers STARTTLS with
# this certificate, or no STARTTLS for "none".
host_has() {
	local options=()

	[ "$1" = none ] || mapfile -t options < <(odd_certificate "$1")
	odd_start odd "${options[@]}" "${@:2}"
}

# try DOMAIN: submit a message to it and run smtp-deliver; its id is in $id.
try() {
	id=$(send "bob@$1")
	deliver
}

# delivers DOMAIN CERTIFICATE POLICY: whether a message for the domain goes to a
# host with the certificate, and the trail names that policy.
delivers() {
	host_has "$2"
	try "$1"
	told "$id" delivered "policy=$3"
	[ "$(odd_count odd)" -eq 1 ]
	[ "$2" = none ] || {
		told "$id" delivered 'tls="TLS1.3 '
		told "$id" delivered "fingerprint=$(fingerprint "$2")"
	}
}

# defers DOMAIN CERTIFICATE POLICY WHY: whether a message for the domain is
# deferred, and the host does not get it.
defers() {
	host_has "$2"
	try "$1"
	told "$id" deferred "policy=$3"
	told "$id" deferred "$4"
	[ -n "$(find "$spool/queue/retry" -name "$id")" ]
	run ! grep -q MAIL "$(odd odd)/log"
}

# policies_start [CERTIFICATE [VERSION [CIPHERS]]]: start the host with the
# policies, until the test ends; VERSION is the latest TLS version that it
# speaks, CIPHERS are its cipher suites.
policies_start() {
	local certificate=$network_dir/ca/${1:-policies}

	web=$BATS_TEST_TMPDIR/web
	mkdir -p "$web"
	rm -f "$web/ready"
	start ip netns exec "$network_id-web" \
		"$SMTPSERVER_SOURCE/t/lib/policy-server" \
		"$certificate.pem" "$certificate.key" "$web" "${@:2}" \
		2>>"$web/stderr"
	wait_for 10 test -e "$web/ready"
}

# policy DOMAIN MODE [HOST...]: set the policy that the host serves.
policy() {
	{
		printf '200\ntext/plain; charset=utf-8\n'
		printf 'version: STSv1\r\nmode: %s\r\n' "$2"
		printf 'max_age: 86400\r\n'
		[ $# -lt 3 ] || printf 'mx: %s\r\n' "${@:3}"
	} >"$web/$1"
}

# How often a domain's policy was fetched.
fetches() {
	grep -c "^$1 " "$web/log" 2>/dev/null || [ -e "$web/log" ] || echo 0
}

# The SHA-256 fingerprint of a certificate of the network's.
fingerprint() {
	openssl x509 -in "$network_dir/ca/$1.pem" -outform DER |
		sha256sum | cut -c 1-64
}

# ---- without TLSA records ----------------------------------------------------

@test "plain TLS: a certificate that verifies is accepted" {
	delivers plain.signed.test good verify
}

@test "plain TLS: no message for an expired certificate" {
	defers plain.signed.test expired verify expired
}

@test "plain TLS: no message for a certificate of another name" {
	defers plain.signed.test wrong-name verify "name"
}

@test "plain TLS: no message for a self-signed certificate" {
	defers plain.signed.test self verify "NOT trusted"
}

@test "plain TLS: no message for a certificate for clients only" {
	defers plain.signed.test client verify purpose
}

@test "plain TLS: no message for a key of less than 2048 bits" {
	defers plain.signed.test small verify "1024 bits"
}

@test "plain TLS: no RSA key transport, no CBC with SHA-1" {
	for ciphers in AES128-GCM-SHA256 ECDHE-RSA-AES128-SHA; do
		host_has rsa --tls-most 1.2 --ciphers "$ciphers"
		try plain.signed.test
		told "$id" deferred "status=4.7.5 "
		[ "$(saw odd MAIL)" -eq 0 ]
		stop_started
	done
	host_has rsa --tls-most 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256
	try plain.signed.test
	told "$id" delivered policy=verify
}

@test "without a policy a host without STARTTLS gets mail in plain text" {
	delivers plain.signed.test none none
	run ! grep -q fingerprint "$trail"
}

@test "SNI has the host's name, or that of its TLSA records" {
	host_has good
	try plain.signed.test
	[ "$(saw odd "-- asked for")" -eq 1 ]
	has_got odd "-- asked for mx.plain.signed.test"
	try alias.signed.test
	has_got odd "-- asked for mx.ee.signed.test"
	# An address is no name (RFC 6066 section 3).
	try "[$(network_ip4 odd)]"
	[ "$(saw odd STARTTLS)" -eq 3 ]
	[ "$(saw odd "-- asked for")" -eq 2 ]
}

# ---- DANE-EE -----------------------------------------------------------------

@test "DANE-EE: a certificate is accepted if its key matches" {
	delivers ee.signed.test anything dane
}

@test "DANE-EE: the whole certificate in the DNS matches" {
	delivers full.signed.test anything dane
}

@test "DANE-EE: an expired certificate is accepted if its SHA-512 matches" {
	delivers old.signed.test old dane
}

@test "DANE-EE: one of several records is enough" {
	delivers several.signed.test anything dane
}

@test "DANE-EE: a real MTA with a self-signed certificate gets mail" {
	try real.signed.test
	told "$id" delivered policy=dane
	told "$id" delivered "fingerprint=$(fingerprint self)"
	wait_for 10 mta_mail mx "Delivered-To: bob@real.signed.test"
}

@test "DANE-EE: a certificate that verifies but does not match is refused" {
	defers mismatch.signed.test good dane "TLSA"
}

@test "DANE-EE: the next host is used when the first does not match" {
	host_has good
	try two.signed.test
	told "$id" host-passed-over policy=dane
	told "$id" host-passed-over "fingerprint=$(fingerprint good)"
	told "$id" delivered host=mx.real.signed.test
	run ! grep -q MAIL "$(odd odd)/log"
}

@test "DANE: a host that does not offer STARTTLS gets nothing" {
	defers ee.signed.test none dane STARTTLS
}

@test "DANE: a host that refuses STARTTLS gets nothing" {
	mapfile -t options < <(odd_certificate anything)
	odd_start odd "${options[@]}" "starttls=454 4.7.0 not now"
	try ee.signed.test
	told "$id" deferred policy=dane
	run ! grep -q MAIL "$(odd odd)/log"
}

@test "DANE-EE: no message for a key of less than 2048 bits" {
	defers small.signed.test small-own dane "1024 bits"
}

# ---- DANE-TA -----------------------------------------------------------------

@test "DANE-TA: a certificate for the host's name is accepted" {
	delivers ta.signed.test leaf dane
}

@test "DANE-TA: a certificate for the domain is accepted" {
	delivers ta.signed.test domain-leaf dane
}

@test "DANE-TA: an anchor that is sent twice is accepted" {
	delivers ta.signed.test twice dane
}

@test "DANE-TA: no message for a certificate of another name" {
	defers ta.signed.test other-leaf dane "another host name"
}

@test "DANE-TA: no message for an expired certificate" {
	defers ta.signed.test old-leaf dane expired
}

@test "DANE-TA: another CA's certificate sent with the anchor is refused" {
	defers ta.signed.test forged dane trusted
}

@test "DANE-TA: a host certificate that is itself the anchor is refused" {
	defers own.signed.test own dane "TLSA"
}

@test "DANE-TA: no message for a certificate for clients only" {
	defers ta.signed.test client-leaf dane purpose
}

@test "DANE-TA: no message for a key of less than 2048 bits" {
	defers ta.signed.test small-leaf dane "1024 bits"
}

# ---- records that cannot be used ---------------------------------------------

@test "DANE: with unusable records only, any certificate is accepted" {
	delivers pkix.signed.test good encrypt
	stop_started
	delivers pkix.signed.test anything encrypt
	stop_started
	delivers pkix.signed.test old encrypt
}

@test "DANE: with unusable records only, STARTTLS is still required" {
	defers pkix.signed.test none encrypt STARTTLS
}

@test "DANE: with unusable records only, an MTA-STS policy holds" {
	dns <<-END
		unusable.sts.test.          MX 10 mx.pkix.signed.test.
		_mta-sts.unusable.sts.test. TXT "v=STSv1; id=1;"
		mta-sts.unusable.sts.test.  A $(network_ip4 web)
	END
	policies_start
	policy unusable.sts.test enforce mx.pkix.signed.test
	defers unusable.sts.test anything sts "NOT trusted"
	stop_started
	delivers unusable.sts.test good sts
}

# ---- names -------------------------------------------------------------------

@test "DANE: the records of the name that an alias leads to are used" {
	delivers alias.signed.test anything dane
}

@test "DANE: the records of an alias are used where its host has none" {
	delivers first.signed.test anything dane
}

@test "DANE: the records of an alias are used where only the alias is signed" {
	delivers away.signed.test anything dane
}

@test "DANE: a domain without MX records is its own host" {
	delivers nomx.signed.test anything dane
}

@test "DANE: a host is checked even if the MX record is not signed" {
	delivers insecure.test anything dane
}

# ---- DNSSEC ------------------------------------------------------------------

@test "unsigned TLSA records are ignored" {
	delivers tlsa.insecure.test good verify
	stop_started
	defers tlsa.insecure.test anything verify "NOT trusted"
}

@test "broken DNSSEC: a host with bogus TLSA records is not connected to" {
	host_has anything
	try lost.signed.test
	told "$id" host-passed-over host=mx.lost.signed.test
	told "$id" deferred 4.4.3
	run ! grep -q connect "$(odd odd)/log"
}

@test "broken DNSSEC: a host with bogus addresses is not connected to" {
	host_has anything
	try half.test
	told "$id" deferred 4.4.3
	run ! grep -q connect "$(odd odd)/log"
}

@test "broken DNSSEC: mail for a domain with bogus MX records waits" {
	host_has anything
	try broken.test
	told "$id" deferred 4.4.3
	run ! grep -q connect "$(odd odd)/log"
}

@test "there is no DANE without a trusted resolver" {
	dnssec_use sender
	defers ee.signed.test anything verify "NOT trusted"
	stop_started
	delivers mismatch.signed.test good verify
	dnssec_use sender trust-ad
}

# ---- MTA-STS -----------------------------------------------------------------

@test "STS enforce: a verified host that the policy names gets mail" {
	policies_start
	policy enforce.sts.test enforce mx.sts.test
	delivers enforce.sts.test policies sts
	stop_started
	# A host whose certificate does not verify gets none.
	defers enforce.sts.test anything sts "NOT trusted"
}

@test "STS enforce: a host that does not offer STARTTLS gets nothing" {
	policies_start
	policy enforce.sts.test enforce mx.sts.test
	defers enforce.sts.test none sts STARTTLS
}

@test "STS enforce: a host that the policy does not name is not connected to" {
	policies_start
	policy other.sts.test enforce mx.other.test
	defers other.sts.test policies sts "does not name"
	run ! grep -q connect "$(odd odd)/log"
}

@test "STS enforce: a pattern names hosts" {
	policies_start
	policy pattern.sts.test enforce mx.other.test '*.sts.test'
	delivers pattern.sts.test policies sts
}

@test "STS enforce: the host is among the alternative names" {
	policies_start
	policy enforce.sts.test enforce mx.sts.test
	defers enforce.sts.test name-only sts "alternative name"
	stop_started
	# Without such a policy the name that is not among them counts.
	policies_start
	policy testing.sts.test testing mx.sts.test
	delivers testing.sts.test name-only verify
}

@test "STS testing: mail that enforce would hold is sent, and logged" {
	policies_start
	policy testing.sts.test testing mx.sts.test
	delivers testing.sts.test none none
	told "$id" policy-missed "does not offer STARTTLS"
	stop_started

	policies_start
	policy tested.sts.test testing mx.other.test
	delivers tested.sts.test policies verify
	told "$id" policy-missed "does not name"
}

@test "STS testing: mail that enforce would send is sent without a note" {
	policies_start
	policy testing.sts.test testing mx.sts.test
	delivers testing.sts.test policies verify
	run ! grep -q policy-missed "$trail"
}

@test "STS none: nothing is required of a host" {
	policies_start
	policy none.sts.test none
	delivers none.sts.test none none
	run ! grep -q policy-missed "$trail"
}

@test "STS: TLSA records have precedence" {
	policies_start
	policy dane.sts.test enforce mx.other.test
	delivers dane.sts.test anything dane
	[ "$(fetches dane.sts.test)" -eq 0 ]
}

@test "STS: a policy is fetched once, and again when its id changes" {
	policies_start
	policy kept.sts.test enforce mx.sts.test
	delivers kept.sts.test policies sts
	policy kept.sts.test none
	try kept.sts.test
	told "$id" delivered policy=sts
	[ "$(fetches kept.sts.test)" -eq 1 ]
	# No name of a domain is the name of a file (promise P6).
	[ -n "$(find "$spool/policies" -type f)" ]
	run ! grep -q sts.test <(find "$spool")

	sed -i 's/^\(_mta-sts.kept.*id=\)1;/\12;/' "$network_dir/dns/records"
	dns </dev/null
	try kept.sts.test
	told "$id" delivered policy=verify
	[ "$(fetches kept.sts.test)" -eq 2 ]
}

@test "STS: a cached policy holds while it cannot be fetched" {
	policies_start
	policy late.sts.test enforce mx.sts.test
	delivers late.sts.test policies sts
	stop_started
	# Neither by HTTPS, nor by its record.
	sed -i 's/^\(_mta-sts.late.*id=\)1;/\12;/' "$network_dir/dns/records"
	dns </dev/null
	defers late.sts.test none sts STARTTLS
	told "$id" policy-missed "cannot be fetched" || grep -q policy-missed "$trail"
	stop_started
	sed -i '/^_mta-sts.late/d' "$network_dir/dns/records"
	dns </dev/null
	defers late.sts.test none sts STARTTLS
}

@test "STS: a policy that is not served correctly is ignored" {
	policies_start
	policy strange.sts.test enforce mx.other.test
	sed 's,text/plain,text/html,' "$web/strange.sts.test" >"$web/html"
	sed '1s/.*/404/' "$web/strange.sts.test" >"$web/missing"
	sed 's/^mode.*/mode: strict/' "$web/strange.sts.test" >"$web/wrong"
	printf '302\nhttps://mta-sts.enforce.sts.test/.well-known/mta-sts.txt\n' \
		>"$web/redirect"
	{ cat "$web/strange.sts.test" && head -c 70000 /dev/zero | tr '\0' '\n'; } \
		>"$web/large"
	policy enforce.sts.test enforce mx.other.test
	host_has none
	for kind in html missing wrong redirect large; do
		cp "$web/$kind" "$web/strange.sts.test"
		try strange.sts.test
		told "$id" delivered policy=none
		grep -q "event=policy-missed" "$trail"
		: >"$trail"
		rm "$spool"/policies/*
	done
	[ "$(fetches strange.sts.test)" -eq 5 ]
	[ "$(fetches enforce.sts.test)" -eq 0 ]
}

@test "STS: a policy that could not be fetched is retried after 5 minutes" {
	policies_start
	printf '404\ntext/plain\n' >"$web/strange.sts.test"
	host_has none
	for ahead in "" 1 240; do
		try strange.sts.test
		told "$id" delivered policy=none
	done
	[ "$(fetches strange.sts.test)" -eq 1 ]
	policy strange.sts.test enforce mx.other.test
	# shellcheck disable=SC2034 # deliver has it
	ahead=400
	try strange.sts.test
	told "$id" host-passed-over policy=sts
	[ "$(fetches strange.sts.test)" -eq 2 ]
}

@test "STS: a policy from a host that does not verify is ignored" {
	policies_start policies-self
	policy strange.sts.test enforce mx.other.test
	delivers strange.sts.test none none
	grep "event=policy-missed" "$trail" | grep -q certificate
	[ "$(fetches strange.sts.test)" -eq 0 ]
}

@test "STS: policies come over TLS as strict as that for mail" {
	for server in policies-client: policies-small: policies-name: \
		policies-rsa:1.2:AES128-GCM-SHA256 \
		policies-rsa:1.2:ECDHE-RSA-AES128-SHA; do
		IFS=: read -r certificate version ciphers <<<"$server"
		policies_start "$certificate" ${version:+"$version" "$ciphers"}
		policy strange.sts.test enforce mx.other.test
		delivers strange.sts.test none none
		grep "event=policy-missed" "$trail" | grep -q "cannot be fetched"
		: >"$trail"
		rm -f "$spool"/policies/*
		stop_started
	done
	policies_start policies-rsa 1.2 ECDHE-RSA-AES128-GCM-SHA256
	policy strange.sts.test enforce mx.other.test
	host_has none
	try strange.sts.test
	told "$id" deferred "does not name"
}

@test "STS: policies do not come from hosts that nobody may name" {
	dns <<-END
		meta.sts.test.          MX 10 mx.sts.test.
		_mta-sts.meta.sts.test. TXT "v=STSv1; id=1;"
		mta-sts.meta.sts.test.  A 169.254.169.254
		mta-sts.meta.sts.test.  A 127.0.0.1
		mta-sts.meta.sts.test.  AAAA ::
	END
	delivers meta.sts.test none none
	grep -q "event=policy-missed .*no address that may be used: " "$trail"
}

@test "STS: a policy that is torn on disk is fetched again" {
	policies_start
	policy kept.sts.test enforce mx.sts.test
	delivers kept.sts.test policies sts
	for size in 0 20 60 100; do
		truncate -s "$size" "$spool"/policies/*
		try kept.sts.test
		told "$id" delivered policy=sts
	done
	[ "$(fetches kept.sts.test)" -eq 5 ]
	try kept.sts.test
	[ "$(fetches kept.sts.test)" -eq 5 ]
}

@test "STS: a policy that was kept does not hold beyond its time" {
	policies_start
	policy aged.sts.test enforce mx.other.test
	host_has none
	try aged.sts.test
	told "$id" deferred "does not name"
	# It cannot be fetched again.
	rm "$web/aged.sts.test"
	ahead=$((86400 - 3600)) try aged.sts.test
	told "$id" deferred "does not name"
	ahead=$((86400 + 3600)) try aged.sts.test
	told "$id" delivered policy=none
}

@test "STS: what is kept of one domain is not taken for another's" {
	policies_start
	policy pattern.sts.test enforce mx.sts.test
	policy other.sts.test enforce mx.other.test
	host_has policies
	try pattern.sts.test
	told "$id" delivered policy=sts
	cp "$spool"/policies/* "$BATS_TEST_TMPDIR/foreign"
	try other.sts.test
	told "$id" deferred "does not name"
	for file in "$spool"/policies/*; do
		cp "$BATS_TEST_TMPDIR/foreign" "$file"
	done
	try other.sts.test
	told "$id" deferred "does not name"
	[ "$(fetches other.sts.test)" -eq 2 ]
}

@test "STS: a policy is fetched by TLS 1.2, and by nothing less" {
	policies_start policies 1.2
	policy enforce.sts.test enforce mx.other.test
	policy strange.sts.test enforce mx.other.test
	host_has none
	try enforce.sts.test
	told "$id" deferred "does not name"
	stop_started
	policies_start policies 1.1
	host_has none
	try strange.sts.test
	told "$id" delivered policy=none
	grep -q "event=policy-missed host=strange.sts.test" "$trail"
	[ "$(fetches strange.sts.test)" -eq 0 ]
}

@test "STS: where the process that fetches policies dies mail waits" {
	odd_start web --port 443 banner=silent
	host_has policies
	id=$(send bob@enforce.sts.test)
	SMTP_REMOTE_TIMEOUT=60 start ip netns exec "$network_id-sender" \
		"$(program smtp-deliver)" 2>>"$trail"
	wait_for 10 has_got web connect
	kill -KILL "$(child_of "$(child_of "$started")")"
	wait_for 20 is_gone "$started"
	told "$id" deferred attempt=1
	is_deferred "$id"
	[ "$(saw odd connect)" -eq 0 ]
}

# ---- --explain ---------------------------------------------------------------

# explain STATUS ADDRESS...: run --explain; $output has what it prints.
explain() {
	local status=$1

	shift
	run -"$status" network_exec sender timeout 60 \
		"$(program smtp-deliver)" --explain "$@"
	printf '%s\n' "$output"
}

# line TEXT: whether a line is that text, apart from leading spaces.
line() {
	printf '%s\n' "$output" | sed 's/^ *//' | grep -qxF -- "$1"
}

# The same as the user nobody, which has no access to the spool and to the build
# directory.
explain_as_nobody() {
	local dir=$network_dir/installed status=$1

	shift
	install -m 755 -D "$(program smtp-deliver)" "$dir/bin/smtp-deliver"
	install -m 755 -D -t "$dir/lib/smtpserver" \
		"$SMTPSERVER_BUILD"/lib/smtpserver/*.so
	chmod a+rx "$dir" "$dir/bin" "$dir/lib" "$network_dir/ca"
	chmod a+r "$network_dir/ca/ca.pem"
	run -"$status" network_exec sender \
		setpriv --reuid=nobody --regid=nogroup --clear-groups \
		timeout 60 "$dir/bin/smtp-deliver" --explain "$@"
	printf '%s\n' "$output"
}

@test "--explain prints the MTA-STS policy, its source and its effect" {
	policies_start
	policy enforce.sts.test enforce mx.other.test '*.sts.test'
	host_has policies
	explain 0 bob@enforce.sts.test
	line "MTA-STS policy of enforce.sts.test: enforce, fetched now"
	line "mx: mx.other.test"
	line "mx: *.sts.test"
	line "the MTA-STS policy names this host"
	line "policy sts: TLS, and its certificate must verify"
	line usable
	# There was no spool, and there still is not.
	[ ! -e "$spool" ]

	try enforce.sts.test
	told "$id" delivered policy=sts
	explain 0 bob@enforce.sts.test carol@other.sts.test
	line "MTA-STS policy of enforce.sts.test: enforce, kept from before"
	grep -F "MTA-STS policy: cannot be fetched: " <<<"$output"
	line "MTA-STS policy of other.sts.test: unknown"
	line "policy verify: TLS if the host offers it, and then its certificate must verify"
	# Before there was a spool, for the message, and now again.
	explain_as_nobody 0 bob@enforce.sts.test
	line "MTA-STS policy of enforce.sts.test: enforce, fetched now"
	[ "$(fetches enforce.sts.test)" -eq 3 ]
}

@test "--explain prints what an MTA-STS policy does not let through" {
	policies_start
	policy other.sts.test enforce mx.other.test
	policy testing.sts.test testing mx.sts.test
	policy tested.sts.test testing mx.other.test
	policy dane.sts.test enforce mx.other.test
	host_has policies
	explain 69 bob@other.sts.test
	line "not used mx.sts.test: 4.7.0 the MTA-STS policy of the domain does not name this host"
	line "not usable"
	explain 0 bob@tested.sts.test
	line "only tested: mx.sts.test: 4.7.0 the MTA-STS policy of the domain does not name this host"
	line usable
	run ! grep -q MAIL "$(odd odd)/log"
	stop_started

	policies_start
	host_has none
	explain 0 bob@testing.sts.test
	line "only tested: the MTA-STS policy of the domain requires TLS"
	stop_started

	# It does not count where there are TLSA records.
	policies_start
	host_has anything
	explain 0 bob@dane.sts.test
	line "policy dane: TLS with a certificate that its TLSA records match"
	not grep -q "only tested\|names this" <<<"$output"
}
