# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# network.bash - a network for the tests: load lib/network, after lib/common
#
# A switch, a DNS server and as many hosts as a test wants, each in a network
# namespace of its own, with real ports 25 and 53. The switch is in a namespace
# too, so the machine's own network is neither used nor changed, and nothing
# is left once the namespaces are gone.
#
#	setup_file() {
#		need_root
#		network_start
#		network_add_host mx1
#		dns <<-END
#			example.test.  MX  10 mx1.hosts.test.
#		END
#		ca_issue mx1 mx1.hosts.test
#		mta_start mx1 mx1
#	}
#	teardown_file() {
#		network_stop
#	}
#
# A host NAME has the addresses $(network_ip4 NAME) and $(network_ip6 NAME), and
# the DNS name NAME.hosts.test. Its namespace is named $network_id-NAME.
# network_exec runs commands on a host; processes that still run there when the
# host is removed are killed.

network_commands=(ip knotd knotc certtool postfix postconf python3 setsid)

# Start the switch and the DNS server. Call it in setup_file(); $network_id and
# $network_dir are exported to the tests.
network_start() {
	need "${network_commands[@]}" || return
	network_remove_forgotten
	export network_id=smtp$$
	export network_dir=$BATS_FILE_TMPDIR/network
	mkdir -p "$network_dir/hosts"
	# Daemons that are not root find their files below it.
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$network_dir"

	network_add_namespace switch
	ip -n "$network_id-switch" link add name switch type bridge \
		forward_delay 0 mcast_snooping 0
	ip -n "$network_id-switch" link set switch up
	ca_start
	dns_start
}

# Stop the network, even if it was not or only partly started.
network_stop() {
	[ -n "${network_id:-}" ] || return 0
	network_remove_all "$network_id"
}

# Remove all namespaces of one network with their processes and /etc.
network_remove_all() {
	local namespace

	for namespace in /run/netns/"$1"-*; do
		[ -e "$namespace" ] || continue
		network_remove_namespace "${namespace##*/}"
	done
	rm -rf "/etc/netns/$1"-*
	rmdir /etc/netns 2>/dev/null || :
}

# A run of the tests that was killed could not clean up after itself.
network_remove_forgotten() {
	local namespace id

	for namespace in /run/netns/smtp*-*; do
		[ -e "$namespace" ] || continue
		id=${namespace##*/}
		id=${id%%-*}
		[[ $id =~ ^smtp[0-9]+$ ]] || continue
		[ -d "/proc/${id#smtp}" ] || network_remove_all "$id"
	done
}

network_add_namespace() {
	local namespace=$network_id-$1

	mkdir -p "/etc/netns/$namespace"
	ip netns add "$namespace"
	ip netns exec "$namespace" sh -c '
		echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6
		echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	ip -n "$namespace" link set lo up
}

network_remove_namespace() {
	local pids

	# A daemon may start another process while it is being killed.
	while pids=$(ip netns pids "$1" 2>/dev/null) && [ -n "$pids" ]; do
		# shellcheck disable=SC2086
		kill -KILL $pids 2>/dev/null || :
		sleep 0.02
	done
	ip netns del "$1" 2>/dev/null || :
	rm -rf "/etc/netns/$1"
}

# A host's number in the network, which is assigned at its first use.
network_number() {
	local file=$network_dir/hosts/$1 used

	if [ ! -e "$file" ]; then
		used=("$network_dir"/hosts/*)
		[ -e "${used[0]}" ] || used=()
		echo $((${#used[@]} + 10)) >"$file"
	fi
	cat "$file"
}

network_ip4() {
	echo "192.0.2.$(network_number "$1")"
}

network_ip6() {
	echo "2001:db8::$(network_number "$1")"
}

# The contents of /etc/resolv.conf on every host.
network_resolv_conf() {
	printf 'nameserver %s\nsearch .\noptions timeout:2 attempts:1\n' \
		"$(network_ip4 dns)"
}

# network_add_host NAME: add and connect a host that runs nothing yet.
network_add_host() {
	local name=$1 etc=/etc/netns/$network_id-$1

	network_add_namespace "$name"
	network_resolv_conf >"$etc/resolv.conf"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$etc/hosts"
	printf 'hosts: files dns\n' >"$etc/nsswitch.conf"
	network_connect "$name" "$network_id-$name"
	network_name_host "$name"
}

# network_join NAME PID: connect the network namespace of a process, such as a
# container, as a host. The caller writes its /etc/resolv.conf, see
# network_resolv_conf. Needs no file of the container.
network_join() {
	ip netns attach "$network_id-$1" "$2"
	network_connect "$1" "$network_id-$1"
	network_name_host "$1"
	# Remove only the name: the owner stops the processes in there.
	ip netns del "$network_id-$1"
}

# network_connect NAME NAMESPACE: link it to the switch, with its addresses.
network_connect() {
	local number

	number=$(network_number "$1")
	ip -n "$network_id-switch" link add "port$number" type veth \
		peer name uplink netns "$2"
	ip -n "$network_id-switch" link set "port$number" master switch up
	ip -n "$2" addr add "$(network_ip4 "$1")/24" dev uplink
	ip -n "$2" link set uplink up
	ip -n "$2" addr add "$(network_ip6 "$1")/64" dev uplink nodad
}

# network_remove_host NAME: kill its processes and take it off the network. Its
# name keeps its addresses, at which nothing answers.
network_remove_host() {
	network_remove_namespace "$network_id-$1"
}

# network_exec NAME COMMAND...: run a command on a host.
network_exec() {
	local name=$1

	shift
	ip netns exec "$network_id-$name" "$@"
}

# network_is_listening NAME PORT: whether a host has a TCP listener there.
network_is_listening() {
	ip netns exec "$network_id-$1" ss -Hltn "sport = :$2" | grep -q .
}

# network_is_quiet NAME: whether nothing runs on a host.
network_is_quiet() {
	[ -z "$(ip netns pids "$network_id-$1")" ]
}

# ---- DNS ---------------------------------------------------------------------

# Knot is the only DNS server, so it serves the root zone: a name that was not
# added does not exist.

dns_start() {
	local dir=$network_dir/dns

	network_add_host dns
	mkdir -p "$dir"
	echo 1 >"$dir/serial"
	cat >"$dir/knot.conf" <<-END
		server:
		    rundir: $dir
		    listen: [ 0.0.0.0@53, ::@53 ]
		    udp-workers: 1
		    tcp-workers: 1
		    background-workers: 1
		control:
		    listen: $dir/knot.sock
		database:
		    storage: $dir
		log:
		  - target: $dir/log
		    any: info
		zone:
		  - domain: .
		    file: $dir/root.zone
		    journal-content: none
	END
	dns_write_zone
	dns_resume
}

# Start the stopped server again.
dns_resume() {
	network_exec dns setsid knotd -c "$network_dir/dns/knot.conf" \
		>>"$network_dir/dns/stderr" 2>&1 3>&- &
	wait_for 10 dns_control zone-read .
}

# Stop the server; its host stays up, so queries are refused at once.
dns_stop() {
	dns_control stop
	wait_for 10 dns_is_stopped
}

dns_is_stopped() {
	! network_exec dns ss -Hlun 'sport = :53' | grep -q .
}

dns_control() {
	knotc -c "$network_dir/dns/knot.conf" -b "$@"
}

dns_write_zone() {
	local dir=$network_dir/dns serial

	serial=$(cat "$dir/serial")
	echo $((serial + 1)) >"$dir/serial"
	{
		printf '%s\n' "\$ORIGIN ." "\$TTL 5" \
			"@ SOA dns.hosts.test. root.hosts.test. $serial 60 60 60 0" \
			"@ NS dns.hosts.test."
		cat "$dir/records" 2>/dev/null || :
	} >"$dir/root.zone"
}

# Add the records on stdin, in the format of a zone file.
dns() {
	cat >>"$network_dir/dns/records"
	dns_write_zone
	dns_control zone-reload . >/dev/null
}

network_name_host() {
	[ "$1" != dns ] || return 0
	grep -q "^$1\.hosts\.test\. A " "$network_dir/dns/records" \
		2>/dev/null && return
	dns <<-END
		$1.hosts.test. A $(network_ip4 "$1")
		$1.hosts.test. AAAA $(network_ip6 "$1")
	END
}

# ---- certificates ------------------------------------------------------------

# The trust anchor is $network_dir/ca/ca.pem; the certificate NAME is in
# $network_dir/ca/NAME.pem, its key in NAME.key.

ca_start() {
	mkdir -p "$network_dir/ca"
	ca_make_key ca
	cat >"$network_dir/ca/ca.template" <<-END
		cn = "Test CA"
		ca
		cert_signing_key
		expiration_days = 30
	END
	ca_run --generate-self-signed --load-privkey ca.key \
		--template ca.template --outfile ca.pem
}

ca_run() {
	(cd "$network_dir/ca" && certtool "$@" >>log 2>&1) ||
		{ tail "$network_dir/ca/log" >&2 && return 1; }
}

# ca_make_key NAME [BITS]: make a key, of RSA if it is to have so many bits.
ca_make_key() {
	local kind=(--key-type ecdsa --curve secp256r1)

	[ -z "${2:-}" ] || kind=(--key-type rsa --bits "$2")
	ca_run --generate-privkey "${kind[@]}" --outfile "$1.key"
}

# ca_issue NAME [OPTION...] SUBJECT...: make a certificate for host names and IP
# addresses.
#
#	--expired	it is no longer valid
#	--self-signed	it is its own issuer
#	--client	it is for clients only
#	--name-only	its name is not among the alternative names
#	--rsa BITS	its key is of RSA
ca_issue() {
	local name=$1 subject mode=--generate-certificate bits=''
	local anchor=(--load-ca-certificate ca.pem --load-ca-privkey ca.key)
	local validity='expiration_days = 30' purpose=tls_www_server
	local has_names=1

	shift
	while [[ $1 = --* ]]; do
		case $1 in
		--expired)
			validity=$(printf '%s\n%s' \
				'activation_date = "2020-01-01 00:00:00"' \
				'expiration_date = "2020-02-01 00:00:00"')
			;;
		--self-signed)
			mode=--generate-self-signed
			anchor=()
			;;
		--client) purpose=tls_www_client ;;
		--name-only) has_names= ;;
		--rsa)
			bits=$2
			shift
			;;
		esac
		shift
	done
	ca_make_key "$name" "$bits"
	{
		printf 'cn = "%s"\n%s\n%s\nsigning_key\nencryption_key\n' \
			"$1" "$validity" "$purpose"
		for subject in ${has_names:+"$@"}; do
			case $subject in
			*:* | *[0-9]) printf 'ip_address = "%s"\n' "$subject" ;;
			*) printf 'dns_name = "%s"\n' "$subject" ;;
			esac
		done
	} >"$network_dir/ca/$name.template"
	ca_run "$mode" --load-privkey "$name.key" "${anchor[@]}" \
		--template "$name.template" --outfile "$name.pem"
}

# ---- real MTAs ---------------------------------------------------------------

# mta_start HOST [CERTIFICATE]: start a Postfix on the host, which takes mail
# for every domain into one maildir. With a certificate it offers STARTTLS.
mta_start() {
	local host=$1 certificate=${2:-} dir=$network_dir/mta-$1

	mkdir -p "$dir/etc" "$dir/queue" "$dir/data" "$dir/mail"
	chmod 755 "$dir" "$dir/etc" "$dir/queue"
	chown postfix "$dir/data" "$dir/mail"
	mta_write_config "$dir" "$host" "$certificate"
	mta_resume "$host"
}

mta_write_config() {
	local dir=$1 host=$2 certificate=$3

	cat >"$dir/etc/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $dir/queue
		data_directory = $dir/data
		daemon_directory = $(postconf -dh daemon_directory)
		maillog_file = $dir/log
		maillog_file_prefixes = /
		myhostname = $host.hosts.test
		mydestination =
		alias_maps =
		alias_database =
		inet_interfaces = all
		inet_protocols = all
		smtpd_peername_lookup = no
		smtpd_recipient_restrictions = reject_unauth_destination
		smtpd_relay_restrictions =
		virtual_mailbox_domains = static:all
		virtual_mailbox_maps = static:mail/
		virtual_mailbox_base = $dir
		local_transport = virtual
		local_recipient_maps =
		virtual_minimum_uid = 1
		virtual_uid_maps = static:$(id -u postfix)
		virtual_gid_maps = static:$(id -g postfix)
	END
	if [ -n "$certificate" ]; then
		cat >>"$dir/etc/main.cf" <<-END
			smtpd_tls_security_level = may
			smtpd_tls_cert_file = $network_dir/ca/$certificate.pem
			smtpd_tls_key_file = $network_dir/ca/$certificate.key
		END
	fi
	# Only the services that receive mail, none of them in a chroot.
	cat >"$dir/etc/master.cf" <<-END
		smtp inet n - n - - smtpd
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		proxymap unix - - n - - proxymap
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
		virtual unix - n n - - virtual
		anvil unix - - n - 1 anvil
		postlog unix-dgram n - n - 1 postlogd
	END
}

# Start a stopped Postfix again.
mta_resume() {
	network_exec "$1" postfix -c "$network_dir/mta-$1/etc" start \
		>>"$network_dir/mta-$1/stderr" 2>&1 3>&-
	wait_for 10 network_is_listening "$1" 25
}

mta_stop() {
	network_exec "$1" postfix -c "$network_dir/mta-$1/etc" stop \
		>>"$network_dir/mta-$1/stderr" 2>&1 3>&-
}

# mta_mail HOST TEXT: the files of received messages that contain the text.
mta_mail() {
	grep -rlF -- "$2" "$network_dir/mta-$1/mail/new" 2>/dev/null
}

# mta_has HOST NUMBER TEXT: whether it has received that many messages that
# contain the text. It files them a moment after its reply: use wait_for.
mta_has() {
	[ "$(mta_mail "$1" "$3" | wc -l)" -eq "$2" ]
}

# mta_content FILE: a received message without the fields that the MTA has added
# at the top: those for the mailbox and its Received.
mta_content() {
	LC_ALL=C sed '0,/^Received: /d' "$1" |
		LC_ALL=C sed -E '/^([^ \t]|$)/,$!d'
}

# ---- hosts that misbehave ----------------------------------------------------

# odd_start HOST ARGUMENT...: run t/lib/misbehave on the host until the test
# ends; its directory is $(odd HOST).
odd_start() {
	local host=$1 dir

	shift
	dir=$(odd "$host")
	rm -rf "$dir"
	mkdir -p "$dir"
	start ip netns exec "$network_id-$host" \
		"$SMTPSERVER_SOURCE/t/lib/misbehave" \
		--name "$host.hosts.test" "$dir" "$@" >"$dir/stderr" 2>&1
	wait_for 10 test -e "$dir/ready"
}

odd() {
	printf '%s/%s\n' "$BATS_TEST_TMPDIR" "$1"
}

# odd_count HOST: how many messages it has taken.
odd_count() {
	find "$(odd "$1")" -name '*.eml' | wc -l
}

# odd_certificate NAME: the options for a host that offers STARTTLS.
odd_certificate() {
	printf '%s\n' --cert "$network_dir/ca/$1.pem" \
		--key "$network_dir/ca/$1.key"
}
