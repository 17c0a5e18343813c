#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# deliver-mx.bats - the hosts of a recipient's domain: which ones the DNS names,
# and in which order smtp-deliver uses them (RFC 5321 section 5).
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender mx1 mx2 odd1 odd2 odd3; do
		network_add_host "$host"
	done
	ca_issue mx1 mx1.hosts.test mx_1.hosts.test no-mx.test \
		"$(network_ip4 mx1)" "$(network_ip6 mx1)"
	ca_issue mx2 mx2.hosts.test
	mta_start mx1 mx1
	mta_start mx2 mx2
	dns <<-END
		client.test. MX 10 mx1.hosts.test.
		odd.test.    MX 10 mx.odd.test.
		two.test.    MX 10 mx.odd.test.
		two.test.    MX 20 mx2.hosts.test.
		mx.odd.test. A $(network_ip4 odd1)
	END
}

teardown_file() {
	network_stop
}

@test "the MX host with the lowest preference number is used" {
	dns <<-END
		low.test. MX 20 odd1.hosts.test.
		low.test. MX 5 odd2.hosts.test.
		low.test. MX 10 odd3.hosts.test.
	END
	for host in odd1 odd2 odd3; do odd_start "$host"; done
	id=$(send bob@low.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd2)" -eq 1 ]
	not has_got odd1 connect
	not has_got odd3 connect
}

@test "MX hosts of equal preference are used in random order" {
	dns <<-END
		equal.test. MX 10 odd1.hosts.test.
		equal.test. MX 10 odd2.hosts.test.
	END
	odd_start odd1
	odd_start odd2
	# A fair coin shows one side 20 times in a row once in 500000 trials.
	for run in {1..20}; do
		send bob@equal.test >/dev/null
		deliver
		[ $(($(odd_count odd1) + $(odd_count odd2))) -eq "$run" ]
		[ "$(odd_count odd1)" -eq 0 ] || [ "$(odd_count odd2)" -eq 0 ] ||
			break
	done
	[ "$(odd_count odd1)" -gt 0 ]
	[ "$(odd_count odd2)" -gt 0 ]
}

@test "the next MX host is used when the first is down" {
	id=$(send bob@two.test)
	deliver
	is_done "$id"
	told "$id" host-passed-over host=mx.odd.test
	told "$id" delivered host=mx2.hosts.test
	wait_for 10 mta_mail mx2 "Message-ID: <test.$BATS_TEST_NUMBER@"
}

@test "the next MX host is used when the first has no address" {
	dns <<-END
		ghost.test. MX 10 nobody.hosts.test.
		ghost.test. MX 20 odd1.hosts.test.
	END
	odd_start odd1
	id=$(send bob@ghost.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "the next MX host is used when the first answers 421, 554 or rubbish" {
	for banner in "421 4.3.2 not now" "554 5.7.1 go away" "raw rubbish\\r\\n"; do
		stop_started
		odd_start odd1 "banner=$banner"
		id=$(send bob@two.test)
		deliver
		is_done "$id"
		has_got odd1 "-- banner: $banner"
		told "$id" delivered host=mx2.hosts.test
	done
}

@test "the next address of a host is used when the first refuses" {
	dns <<-END
		many.test. A $(network_ip4 odd1)
		many.test. AAAA $(network_ip6 odd2)
		many.test. A $(network_ip4 odd3)
	END
	odd_start odd3
	id=$(send bob@many.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd3)" -eq 1 ]
}

@test "a domain without MX is its own host" {
	dns <<-END
		no-mx.test. A $(network_ip4 mx1)
	END
	id=$(send bob@no-mx.test)
	deliver
	is_done "$id"
	told "$id" delivered host=no-mx.test
	wait_for 10 mta_mail mx1 "Delivered-To: bob@no-mx.test"
}

@test "a host that has only an IPv6 address is delivered to" {
	dns <<-END
		six.test. MX 10 host.six.test.
		host.six.test. AAAA $(network_ip6 odd1)
	END
	odd_start odd1
	id=$(send bob@six.test)
	deliver
	is_done "$id"
	has_got odd1 "connect $(network_ip6 sender)"
}

@test "a host that has only an IPv4 address is delivered to" {
	dns <<-END
		four.test. MX 10 host.four.test.
		host.four.test. A $(network_ip4 odd1)
	END
	odd_start odd1
	id=$(send bob@four.test)
	deliver
	is_done "$id"
	has_got odd1 "connect ::ffff:$(network_ip4 sender)"
}

@test "an address literal is delivered to that address" {
	odd_start odd1
	for literal in "[$(network_ip4 odd1)]" "[IPv6:$(network_ip6 odd1)]"; do
		id=$(send "bob@$literal")
		deliver
		is_done "$id"
	done
	[ "$(odd_count odd1)" -eq 2 ]
}

@test "a certificate for its address verifies the host of an address literal" {
	id=$(send "literal@[$(network_ip4 mx1)]")
	deliver
	is_done "$id"
	told "$id" delivered 'tls="TLS1.3 '
}

@test "a null MX fails a message at once" {
	dns <<-END
		null.test. MX 0 .
		null.test. A $(network_ip4 odd1)
		nulls.test. MX 0 .
		nulls.test. MX 10 .
	END
	odd_start odd1
	for domain in null.test nulls.test; do
		id=$(send "bob@$domain")
		deliver
		was_returned "$id"
		told "$id" failed status=5.1.10
	done
	not has_got odd1 connect
}

@test "a domain that does not exist fails a message at once" {
	id=$(send bob@nowhere.invalid.test)
	deliver
	was_returned "$id"
	told "$id" failed status=5.1.2
}

@test "a domain without MX and address fails a message at once" {
	dns <<-END
		nothing.test. TXT "no mail here"
	END
	id=$(send bob@nothing.test)
	deliver
	was_returned "$id"
	told "$id" failed status=5.4.4
}

@test "an alias of a domain is delivered to that domain's hosts" {
	dns <<-END
		alias.test. CNAME odd.test.
	END
	odd_start odd1
	id=$(send bob@alias.test)
	deliver
	is_done "$id"
	has_got odd1 "RCPT TO:<bob@alias.test>"
}

@test "a DNS answer that needs TCP is understood" {
	for i in {10..40}; do
		echo "large.test. MX $i a-rather-long-name-$i.nobody.hosts.test."
	done | dns
	dns <<-END
		large.test. MX 5 mx.odd.test.
	END
	odd_start odd1
	id=$(send bob@large.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a message waits while the DNS does not answer" {
	dns_stop
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	grep -q "event=no-network reason=\"the DNS gave no answer" "$trail"
	dns_resume
	odd_start odd1
	make_due "$id"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "an internationalised domain is looked up as its A-label" {
	dns <<-END
		xn--bcher-kva.test. MX 10 odd1.hosts.test.
	END
	odd_start odd1
	id=$(message | submit " SMTPUTF8" bob@bücher.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a domain that has no valid A-label has no host" {
	id=$(message | submit " SMTPUTF8" bob@odd／x.test)
	deliver
	told "$id" failed status=5.1.2
	grep -q "cannot be written for the DNS" "$trail"
}

@test "local parts that are odd or long reach their host" {
	local long

	long=$(printf '%0100d' 0)
	odd_start odd1
	id=$(send_from "bounce..$long@client.test" two..dots@odd.test \
		dot.@odd.test "$long@odd.test.")
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	has_got odd1 "MAIL FROM:<\"bounce..$long\"@client.test>"
	has_got odd1 'RCPT TO:<"two..dots"@odd.test>'
	has_got odd1 'RCPT TO:<"dot."@odd.test>'
	has_got odd1 "RCPT TO:<$long@odd.test>"
}

@test "the domain and the host have underscores" {
	dns <<-END
		under_score.test.  MX 10 mx_1.hosts.test.
		mx_1.hosts.test.   A $(network_ip4 mx1)
	END
	id=$(send bob@under_score.test)
	deliver
	is_done "$id"
	told "$id" delivered 'tls="TLS1.3 '
}

@test "SMTP_REMOTE_PORT is the port of remote hosts" {
	odd_start odd1 --port 2525
	id=$(send bob@odd.test)
	SMTP_REMOTE_PORT=2525 deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

# ---- what others may not name ------------------------------------------------

@test "an address in an MX record, in any notation, is no host" {
	local ip hex target octets

	ip=$(network_ip4 odd1)
	IFS=. read -ra octets <<<"$ip"
	hex=0x$(printf '%02x' "${octets[@]}")
	for target in "$ip" "$hex" "0x${hex:2:2}.${ip#*.}"; do
		printf 'notation.test. MX 10 %s.\n' "$target"
	done | dns
	dns <<-END
		mixed.test. MX 10 $ip.
		mixed.test. MX 20 odd2.hosts.test.
	END
	odd_start odd1
	odd_start odd2
	id=$(send bob@notation.test)
	deliver
	told "$id" failed "status=5.4.4 "
	told "$id" failed "addresses in place of hosts"
	id=$(send bob@mixed.test)
	deliver
	told "$id" delivered host=odd2.hosts.test
	[ "$(saw odd1 connect)" -eq 0 ]
}

@test "MX hosts are looked up in the DNS alone, relays in /etc/hosts too" {
	local hosts=/etc/netns/$network_id-sender/hosts

	printf '%s %s\n' "$(network_ip4 odd1)" mx.files.test \
		"$(network_ip4 odd1)" own.files.test >>"$hosts"
	dns <<-END
		files.test.     MX 10 mx.files.test.
		own.files.test. TXT "no address"
	END
	odd_start odd1
	for domain in files.test own.files.test; do
		id=$(send "bob@$domain")
		deliver
		told "$id" failed "status=5.4.4 "
	done
	[ "$(saw odd1 connect)" -eq 0 ]
	id=$(send bob@files.test)
	deliver_by "files.test, [mx.files.test]"
	told "$id" delivered host=mx.files.test
	sed -i /files.test/d "$hosts"
}

@test "hosts in link-local, multicast and reserved space get nothing" {
	dns <<-END
		local.test.      MX 10 local4.test.
		local.test.      MX 10 local6.test.
		local.test.      MX 20 multicast.test.
		local4.test.     A 169.254.169.254
		local4.test.     AAAA ::ffff:169.254.169.254
		local6.test.     AAAA fe80::1
		multicast.test.  A 224.0.0.1
		multicast.test.  A 255.255.255.255
		multicast.test.  AAAA ff02::1
		other.test.      MX 10 other4.test.
		other4.test.     A 169.254.169.254
		other4.test.     A $(network_ip4 odd1)
	END
	odd_start odd1
	id=$(send bob@local.test)
	deliver
	told "$id" failed "status=5.4.4 "
	grep -q "event=failed .*mail may go to: .* is a [a-z-]* address" "$trail"
	id=$(send bob@other.test)
	deliver
	told "$id" delivered "host=other4.test[$(network_ip4 odd1)]"
	not grep -q 'host=other4.test\[169' "$trail"
	run -69 network_exec sender "$(program smtp-deliver)" --explain \
		bob@local.test
	[[ $output == *"has no address that mail may go to: "* ]]
}

@test "SMTP_PRIVATE_HOSTS decides on hosts with private addresses" {
	dns <<-END
		private.test.  MX 10 mx.private.test.
		mx.private.test. A 10.0.0.9
	END
	network_exec sender ip addr add 10.0.0.8/24 dev uplink
	network_exec odd1 ip addr add 10.0.0.9/24 dev uplink
	odd_start odd1
	id=$(send bob@private.test)
	SMTP_PRIVATE_HOSTS=0 deliver
	told "$id" failed "10.0.0.9 is a private address"
	id=$(send bob@private.test)
	deliver
	told "$id" delivered host=mx.private.test
}
