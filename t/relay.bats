#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# relay.bats - with SMTP_RELAYHOST all mail goes to the relays that it names and
# to no other host: Postfix, and hosts that misbehave.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	local host

	need_root
	network_start
	for host in sender relay odd1 odd2; do
		network_add_host "$host"
	done
	ca_issue relay relay.hosts.test "$(network_ip4 relay)"
	# No connection to port 25 is expected.
	mta_start relay relay
	cat >>"$network_dir/mta-relay/etc/master.cf" <<-END
		587 inet n - n - - smtpd
		    -o smtpd_tls_security_level=encrypt
		465 inet n - n - - smtpd
		    -o smtpd_tls_wrappermode=yes
	END
	network_exec relay postfix -c "$network_dir/mta-relay/etc" reload \
		>>"$network_dir/mta-relay/stderr" 2>&1 3>&-
	wait_for 10 network_is_listening relay 587
	wait_for 10 network_is_listening relay 465
	dns <<-END
		one.test.   MX 10 odd2.hosts.test.
		two.test.   MX 10 odd2.hosts.test.
		relay.test. MX 20 odd2.hosts.test.
		relay.test. MX 10 odd1.hosts.test.
		relay.test. A     $(network_ip4 odd2)
		null.test.  MX 0  .
	END
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	export SMTP_REMOTE_TIMEOUT=20
}

# ---- next hops ---------------------------------------------------------------

@test "one message for several domains goes to the relay in one transaction" {
	odd_start odd1 --port 2525
	odd_start odd2
	id=$(send a@one.test b@two.test "c@[192.0.2.200]" d@nowhere.test)
	deliver_by "[odd1.hosts.test]:2525"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(saw odd1 MAIL)" -eq 1 ]
	[ "$(saw odd1 RCPT)" -eq 4 ]
	[ ! -s "$(odd odd2)/spans" ]
	told "$id" message-done "delivered to all"
}

@test "many messages for many domains share a connection to the relay" {
	local i

	odd_start odd1
	for i in {1..5}; do
		send "a@domain$i.test" >/dev/null
	done
	SMTP_DESTINATION_WORKERS=1 deliver_by "[$(network_ip4 odd1)]"
	[ "$(odd_count odd1)" -eq 5 ]
	[ "$(wc -l <"$(odd odd1)/spans")" -eq 1 ]
}

@test "a relay's name without brackets stands for its MX hosts" {
	odd_start odd1
	odd_start odd2
	send a@one.test
	deliver_by relay.test
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(odd_count odd2)" -eq 0 ]
}

@test "a relay's name in brackets stands for the host" {
	odd_start odd1
	odd_start odd2
	send a@one.test
	deliver_by "[relay.test]"
	[ "$(odd_count odd1)" -eq 0 ]
	[ "$(odd_count odd2)" -eq 1 ]
}

@test "the next relay is used when the first one is down, or defers" {
	odd_start odd1 'rcpt=451 not now'
	odd_start odd2
	id=$(send a@one.test)
	deliver_by "[sender.hosts.test]:2626, [odd1.hosts.test] [odd2.hosts.test]"
	[ "$(odd_count odd2)" -eq 1 ]
	[ "$(saw odd1 RCPT)" -ge 1 ]
	told "$id" host-passed-over "sender.hosts.test["
}

@test "the relay's refusal of a recipient is final" {
	odd_start odd1 'rcpt:b@=550 no such user'
	id=$(send a@one.test b@one.test)
	deliver_by "[odd1.hosts.test]"
	told "$id" delivered
	told "$id" failed "no such user"
}

@test "--explain prints the route through the relays" {
	SMTP_RELAYHOST="[relay.hosts.test]:465" run -0 network_exec sender \
		timeout 60 "$(program smtp-deliver)" --explain a@one.test
	[[ $output == *"route: SMTP_RELAYHOST, [relay.hosts.test]:465"* ]]
	[[ $output == *"host relay.hosts.test, port 465"* ]]
	[[ $output == *"TLS: TLS1.3"*"  usable"* ]]
}

# ---- trouble with a relay fails no recipient ---------------------------------

@test "a relay that does not exist, or has no address, makes mail wait" {
	id=$(send a@one.test)
	deliver_by "nowhere.test null.test"
	told "$id" deferred "status=4.4.4"
	told "$id" deferred "relay null.test"
	is_deferred "$id"
	id=$(send a@one.test)
	deliver_by "[nowhere.test]:587"
	told "$id" deferred "status=4.4.4"
	is_deferred "$id"
}

@test "an invalid relay is named, and nothing is sent" {
	odd_start odd2
	id=$(send a@one.test)
	run -78 deliver_by "[odd2.hosts.test] odd2.hosts.test:smtp"
	grep -F 'SMTP_RELAYHOST has "odd2.hosts.test:smtp"; expected' "$trail"
	[ -e "$spool/queue/new/$id" ]
	[ ! -s "$(odd odd2)/spans" ]
}

# ---- TLS ---------------------------------------------------------------------

@test "Postfix takes mail on port 587, with STARTTLS" {
	id=$(send a@one.test b@two.test)
	deliver_by "[relay.hosts.test]:587"
	told "$id" delivered 'tls="TLS1.3'
	wait_for 10 mta_has relay 2 "$id"
}

@test "Postfix takes mail on port 465, with TLS from the first octet" {
	id=$(send a@one.test)
	deliver_by "[relay.hosts.test]:465"
	told "$id" delivered 'tls="TLS1.3'
	told "$id" delivered 'policy=verify'
	wait_for 10 mta_has relay 1 "$id"
	id=$(send a@one.test)
	deliver_by "[$(network_ip4 relay)]:465"
	told "$id" delivered 'tls="TLS1.3'
}

@test "a relay with another host's certificate is not used on port 465" {
	dns <<-END
		other.hosts.test. A $(network_ip4 relay)
	END
	id=$(send a@one.test)
	deliver_by "[other.hosts.test]:465"
	told "$id" deferred "status=4.7.5"
	is_deferred "$id"
	[ -z "$(mta_mail relay "$id")" ]
}

@test "a relay on port 465 without TLS is not used" {
	odd_start odd1 --port 465
	id=$(send a@one.test)
	deliver_by "[odd1.hosts.test]:465"
	told "$id" deferred "TLS:"
	[ "$(odd_count odd1)" -eq 0 ]
	[ "$(saw odd1 EHLO)" -eq 0 ]
}
