#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# pipelining.bats - commands sent in groups (RFC 2920), and one by one to hosts
# that do not offer PIPELINING: the outcome is the same.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender odd1; do
		network_add_host "$host"
	done
	dns <<-END
		odd.test.    MX 10 mx.odd.test.
		mx.odd.test. A $(network_ip4 odd1)
	END
}

teardown_file() {
	network_stop
}

# said HOST: the commands that a host got and its actions, from MAIL on, in one
# line.
said() {
	cut -d ' ' -f 2- "$(odd "$1")/log" | sed -n '/^MAIL/,$p' |
		sed -E 's/^(MAIL|RCPT) .*/\1/; s/^-- [0-9]+ octets/-- octets/' |
		tr '\n' ','
}

@test "MAIL, RCPT and DATA go out together where PIPELINING is offered" {
	odd_start odd1 --offer PIPELINING
	id=$(send_many 1 "" one@odd.test two@odd.test three@odd.test)
	deliver
	is_done "$id"
	[ "$(said odd1)" = "MAIL,-- 4 more at once,RCPT,-- 3 more at once,\
RCPT,-- 2 more at once,RCPT,-- 1 more at once,DATA,-- octets,-- taken,\
QUIT,disconnect quit," ]
}

@test "commands go out one by one where PIPELINING is not offered" {
	odd_start odd1 --offer 8BITMIME
	id=$(send_many 1 "" one@odd.test two@odd.test)
	deliver
	is_done "$id"
	[ "$(said odd1)" = "MAIL,RCPT,RCPT,DATA,-- octets,-- taken,\
QUIT,disconnect quit," ]
}

# comes_to OUTCOMES RULE...: whether a message for recipients one, two and three
# has these outcomes, in that order, at a host with these rules, with commands
# in groups and one by one.
comes_to() {
	local outcomes=$1 offer id

	shift
	for offer in PIPELINING ""; do
		stop_started
		odd_start odd1 --offer "$offer" "$@"
		: >"$trail"
		id=$(send_many 1 "" one@odd.test two@odd.test three@odd.test)
		SMTP_DEBUG=1 SMTP_REMOTE_TIMEOUT=2 deliver
		[ "$(outcomes_of "$id")" = "$outcomes" ]
		rm -rf "$spool/queue/retry"/* "$spool/queue/failed"/* \
			"$spool/queue/attempts"/*
	done
}

outcomes_of() {
	local recipient

	for recipient in one two three; do
		sed -En "s/^.*message=$1 event=([a-z]+) .*address=$recipient@.*/\1/p" \
			"$trail"
	done | paste -sd ' '
}

@test "a refusal of a recipient in a group is for that recipient alone" {
	comes_to "delivered failed deferred" "rcpt:<two@=550 5.1.1 nobody" \
		"rcpt:<three@=451 4.2.1 later"
	[ "$(odd_count odd1)" -eq 1 ]
	comes_to "failed deferred failed" "rcpt:<two@=451 4.2.1 later" \
		"rcpt=550 5.1.1 nobody"
	[ "$(odd_count odd1)" -eq 0 ]
}

@test "a refusal of MAIL or DATA holds for all of a group" {
	comes_to "failed failed failed" "mail=550 5.7.1 no"
	comes_to "deferred deferred deferred" "mail=451 4.7.1 later"
	comes_to "failed failed failed" "data=554 5.7.1 no"
	comes_to "deferred failed deferred" "data=451 4.7.1 later" \
		"rcpt:<two@=550 5.1.1 nobody"
	[ "$(odd_count odd1)" -eq 0 ]
}

# The order of the two messages is not defined.
@test "a host that sends 354 after refusing every recipient gets a dot" {
	odd_start odd1 --offer PIPELINING --gullible \
		"rcpt:<one@=550 5.1.1 nobody;ok" "dot=554 5.5.1 for whom?;ok"
	send_many 2 "" one@odd.test >/dev/null
	deliver
	[ "$(grep -c "event=failed .* status=5.1.1" "$trail")" -eq 1 ]
	# The connection is still in step: the next message uses it.
	[ "$(grep -c "event=delivered" "$trail")" -eq 1 ]
	[ "$(said odd1)" = "MAIL,-- 2 more at once,RCPT,-- 1 more at once,\
-- rcpt: 550 5.1.1 nobody,DATA,-- octets,-- dot: 554 5.5.1 for whom?,\
MAIL,-- 2 more at once,RCPT,-- 1 more at once,DATA,-- octets,-- taken,\
QUIT,disconnect quit," ]
	[ "$(saw odd1 "-- 0 octets")" -eq 1 ]

	stop_started
	odd_start odd1 --offer PIPELINING --gullible "mail=451 4.7.1 later;ok"
	: >"$trail"
	send_many 2 "" one@odd.test >/dev/null
	deliver
	[ "$(grep -c "event=deferred .* status=4.7.1" "$trail")" -eq 1 ]
	[ "$(grep -c "event=delivered" "$trail")" -eq 1 ]
	[ "$(saw odd1 "-- 0 octets")" -eq 1 ]
}

@test "recipients refused before a connection is lost stay refused" {
	for end in "421 4.3.2 closing" cut silent; do
		comes_to "failed deferred deferred" \
			"rcpt:<one@=550 5.1.1 nobody" "rcpt:<three@=$end"
		[ "$(odd_count odd1)" -eq 0 ]
	done
	[ "$(saw odd1 "-- taken")" -eq 0 ]
	comes_to "deferred failed deferred" "rcpt:<two@=550 5.1.1 nobody" "data=cut"
	comes_to "deferred deferred deferred" "mail=421 4.3.2 closing"
}

@test "a host that sends an extra reply fails no recipient" {
	odd_start odd1 --offer PIPELINING \
		"rcpt:<one@=raw 250 2.1.5 ok\r\n550 5.1.1 nobody\r\n"
	id=$(send_many 1 "" one@odd.test two@odd.test)
	deliver
	is_deferred "$id"
	[ "$(odd_count odd1)" -eq 0 ]
	not grep -q "event=\(failed\|delivered\)" "$trail"
}

@test "recipients refused before a host's 421 stay refused" {
	odd_start odd1 --offer PIPELINING "rcpt=550 5.1.1 nobody" \
		"data=raw 554 5.5.1 nobody\r\n421 4.7.0 too many errors\r\n"
	id=$(send_many 1 "" one@odd.test two@odd.test)
	deliver
	has_failed "$id"
	[ "$(grep -c "event=failed" "$trail")" -eq 2 ]
}

# The replies are some 1.2 MB: if all commands were sent first, each side would
# wait for the other to read.
@test "a message for 1000 recipients with long replies is sent" {
	local recipients

	mapfile -t recipients < <(printf 'recipient-%s@odd.test\n' {1..1000})
	odd_start odd1 --offer PIPELINING "rcpt=lines 100"
	id=$(send_many 1 "" "${recipients[@]}")
	SMTP_DESTINATION_RECIPIENTS=1000 deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(grep -c "event=delivered" "$trail")" -eq 1000 ]
}
