#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# connect.bats - which of a host's addresses smtp-deliver connects to, from
# which of ours, and which hosts it does not use. Tests compare orders and
# counts; they measure time only where a failure takes many times as long.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender odd1 odd2 silent; do
		network_add_host "$host"
	done
	# Connections to this host get no answer, not even a refusal.
	ip -n "$network_id-silent" route add blackhole "$(network_ip4 sender)/32"
	ip -n "$network_id-silent" route add blackhole "$(network_ip6 sender)/128"
	dns <<-END
		two.test.  A    $(network_ip4 odd1)
		two.test.  A    $(network_ip4 odd2)
		two.test.  AAAA $(network_ip6 odd1)
		two.test.  AAAA $(network_ip6 odd2)
		half.test. AAAA $(network_ip6 silent)
		half.test. A    $(network_ip4 odd1)
	END
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	export SMTP_REMOTE_TIMEOUT=20
}

# ---- helpers -----------------------------------------------------------------

# passed_over ID: the addresses that were passed over, in order.
passed_over() {
	sed -n "s/.*message=$1 event=host-passed-over .*host=[^[]*\[\([^]]*\)\].*/\1/p" \
		"$trail"
}

# The families of the addresses on stdin, as a string of 4 and 6.
families() {
	sed 's/.*:.*/6/; s/.*\..*/4/' | tr -d '\n'
}

# ---- several addresses -------------------------------------------------------

@test "the addresses of a host are tried in turns by family, IPv6 first" {
	id=$(send bob@two.test)
	deliver
	is_deferred "$id"
	passed_over "$id"
	[ "$(passed_over "$id" | families)" = 6464 ]
	[ "$(passed_over "$id" | sort -u | wc -l)" -eq 4 ]
}

@test "one connection is made where the first address answers" {
	odd_start odd1
	odd_start odd2
	id=$(send bob@two.test)
	deliver
	is_done "$id"
	[ "$(cat "$(odd odd1)/log" "$(odd odd2)/log" | grep -c ' connect ')" -eq 1 ]
	[ "$(passed_over "$id" | wc -l)" -eq 0 ]
}

@test "an address that does not answer does not hold up the next one" {
	odd_start odd1
	id=$(send bob@half.test)
	deliver
	is_done "$id"
	has_got odd1 "connect ::ffff:$(network_ip4 sender)"
	[ "$(passed_over "$id")" = "$(network_ip6 silent)" ]
	told "$id" host-passed-over "another address has answered"
	not told "$id" host-passed-over "timed out"
}

@test "a slow address is tried again when the faster one is unusable" {
	odd_start odd1 "banner=421 4.3.2 not now"
	id=$(send bob@half.test)
	SMTP_REMOTE_TIMEOUT=2 deliver
	is_deferred "$id"
	passed_over "$id"
	[ "$(passed_over "$id" | families)" = 646 ]
	told "$id" host-passed-over "another address has answered"
	told "$id" host-passed-over 421
	told "$id" deferred "no connection: Connection timed out"
}

@test "421, a cut connection or rubbish leads to the next address" {
	dns <<-END
		first.test. AAAA $(network_ip6 odd1)
		first.test. A    $(network_ip4 odd2)
	END
	for banner in "421 4.3.2 not now" cut "raw rubbish\\r\\n"; do
		stop_started
		odd_start odd1 "banner=$banner"
		odd_start odd2
		id=$(send bob@first.test)
		deliver
		is_done "$id"
		[ "$(passed_over "$id")" = "$(network_ip6 odd1)" ]
		[ "$(odd_count odd2)" -eq 1 ]
	done
}

@test "addresses that do not answer are waited for at the same time" {
	for i in {1..8}; do
		ip -n "$network_id-silent" addr add "2001:db8::ff:$i/64" \
			dev uplink nodad
		echo "crowd.test. AAAA 2001:db8::ff:$i"
	done | dns
	id=$(send bob@crowd.test)
	SECONDS=0
	SMTP_REMOTE_TIMEOUT=5 deliver
	# One after another they would take 40 seconds.
	[ "$SECONDS" -lt 25 ]
	is_deferred "$id"
	[ "$(passed_over "$id" | sort -u | wc -l)" -eq 8 ]
	told "$id" deferred "no connection"
}

# ---- settings ----------------------------------------------------------------

@test "SMTP_IP_FAMILY chooses the addresses that are used, and their order" {
	for row in any=6464 ipv4=44 ipv6=66 prefer-ipv4=4646 \
		prefer-ipv6=6464; do
		forget_unreached
		id=$(send bob@two.test)
		SMTP_IP_FAMILY=${row%=*} deliver
		is_deferred "$id"
		[ "$(passed_over "$id" | families)" = "${row#*=}" ]
	done
}

@test "mail for a domain without an address of SMTP_IP_FAMILY waits" {
	dns <<-END
		six.test. AAAA $(network_ip6 odd1)
	END
	odd_start odd1
	id=$(send bob@six.test)
	SMTP_IP_FAMILY=ipv4 deliver
	is_deferred "$id"
	told "$id" deferred status=4.4.4
	told "$id" deferred SMTP_IP_FAMILY
	not has_got odd1 connect
}

@test "connections come from SMTP_BIND_ADDRESS" {
	ip -n "$network_id-sender" addr add 192.0.2.200/24 dev uplink
	ip -n "$network_id-sender" addr add 2001:db8::c8/64 dev uplink nodad
	export SMTP_BIND_ADDRESS="192.0.2.200, 2001:db8::c8"
	odd_start odd1
	for literal in "[$(network_ip4 odd1)]" "[IPv6:$(network_ip6 odd1)]"; do
		id=$(send "bob@$literal")
		deliver
		is_done "$id"
	done
	has_got odd1 "connect ::ffff:192.0.2.200"
	has_got odd1 "connect 2001:db8::c8"

	# The other family is not bound.
	SMTP_BIND_ADDRESS=192.0.2.200
	id=$(send "bob@[IPv6:$(network_ip6 odd1)]")
	deliver
	is_done "$id"
}

@test "mail waits while SMTP_BIND_ADDRESS is not an address of this host" {
	odd_start odd1
	id=$(send bob@half.test)
	SMTP_BIND_ADDRESS="192.0.2.250 2001:db8::fa" deliver
	is_deferred "$id"
	told "$id" deferred "no connection from SMTP_BIND_ADDRESS 192.0.2.250:"
	told "$id" host-passed-over "SMTP_BIND_ADDRESS 2001:db8::fa:"
	not has_got odd1 connect
}

# ---- this host, and too many -------------------------------------------------

@test "MX hosts not preferred to this host itself are not used" {
	dns <<-END
		name.test.    MX 10 odd1.hosts.test.
		name.test.    MX 20 sender.hosts.test.
		name.test.    MX 20 odd2.hosts.test.
		name.test.    MX 30 odd2.hosts.test.
		address.test. MX 10 odd1.hosts.test.
		address.test. MX 20 odd2.hosts.test.
		address.test. MX 20 alias.address.test.
		address.test. MX 30 odd2.hosts.test.
		alias.address.test. AAAA $(network_ip6 sender)
	END
	odd_start odd2
	for domain in name address; do
		id=$(send "bob@$domain.test")
		deliver
		is_deferred "$id"
		told "$id" host-passed-over host=odd1.hosts.test
	done
	not has_got odd2 connect

	# The host with the better preference is used.
	forget_unreached
	odd_start odd1
	id=$(send bob@address.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "mail for a domain whose host is this one fails at once" {
	# Even if another program listens there.
	odd_start sender
	dns <<-END
		own-name.test. MX 10 sender.hosts.test.
		own-ip4.test.  A     $(network_ip4 sender)
		own-ip6.test.  MX 10 host.own-ip6.test.
		host.own-ip6.test. AAAA $(network_ip6 sender)
		loop4.test.    A    127.0.0.1
		loop4b.test.   A    127.9.9.9
		loop6.test.    AAAA ::1
		mapped.test.   AAAA ::ffff:127.0.0.1
		any4.test.     A    0.0.0.0
		any6.test.     AAAA ::
	END
	for domain in own-name own-ip4 own-ip6 loop4 loop4b loop6 mapped any4 \
		any6; do
		id=$(send "bob@$domain.test")
		deliver
		told "$id" failed status=5.4.6
		told "$id" failed "loops back to myself"
	done
	not has_got sender connect
}

@test "an address literal may name this host" {
	odd_start sender
	for literal in "[127.0.0.1]" "[IPv6:::1]" "[$(network_ip4 sender)]"; do
		id=$(send "bob@$literal")
		deliver
		is_done "$id"
	done
	[ "$(odd_count sender)" -eq 3 ]
}

@test "at most SMTP_MX_HOSTS hosts that have an address are tried" {
	for i in {1..7}; do
		echo "seven.test. MX $((10 + i)) host$i.seven.test."
		echo "host$i.seven.test. A $(network_ip4 odd1)"
		echo "seven.test. MX $i nobody$i.hosts.test."
	done | dns
	id=$(send bob@seven.test)
	deliver
	is_deferred "$id"
	[ "$(passed_over "$id" | wc -l)" -eq 5 ]
	forget_unreached
	id=$(send bob@seven.test)
	SMTP_MX_HOSTS=2 deliver
	is_deferred "$id"
	[ "$(passed_over "$id" | wc -l)" -eq 2 ]
	told "$id" host-passed-over host=host1.seven.test
	told "$id" host-passed-over host=host2.seven.test
}
