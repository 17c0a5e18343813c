#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# schedule.bats - how smtp-deliver shares out its work: groups of commands,
# connections, destinations, and what it does not try. Counted by what hosts saw.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender odd1 odd2; do
		network_add_host "$host"
	done
	dns <<-END
		odd.test.       MX 10 mx.odd.test.
		second.test.    MX 10 mx.second.test.
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
	END
}

teardown_file() {
	network_stop
}

# ---- how these tests speak ---------------------------------------------------

# said HOST: what the host was told and did, from MAIL on, on one line.
said() {
	cut -d ' ' -f 2- "$(odd "$1")/log" | sed -n '/^MAIL/,$p' |
		sed -E 's/^(MAIL|RCPT) .*/\1/; s/^-- [0-9]+ octets/-- octets/' |
		tr '\n' ','
}

# together HOST...: the most connections that there were at once, by their logs'
# order: it is one host that logs.
together() {
	awk '$2 == "connect" { n++ }
		$2 == "QUIT" || $2 == "disconnect" && !gone[$1] { n-- }
		$2 == "QUIT" { gone[$1] = 1 }
		n > most { most = n }
		END { print most + 0 }' "$(odd "$1")/log"
}

# ---- groups of commands ------------------------------------------------------

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

# comes_to OUTCOMES RULE...: a message for one, two and three ends so, in that
# order, at a host that behaves so whether commands come in groups or not.
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

@test "who is refused in a group is so, and nobody else" {
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

# Which of two messages goes first is not said.
@test "a host that says 354 with nobody accepted gets a lone dot" {
	odd_start odd1 --offer PIPELINING --gullible \
		"rcpt:<one@=550 5.1.1 nobody;ok" "dot=554 5.5.1 for whom?;ok"
	send_many 2 "" one@odd.test >/dev/null
	deliver
	[ "$(grep -c "event=failed .* status=5.1.1" "$trail")" -eq 1 ]
	# The connection is in step: the next message goes over it.
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

@test "a connection that is lost within a group leaves who was refused refused" {
	for end in "421 4.3.2 closing" cut silent; do
		comes_to "failed deferred deferred" \
			"rcpt:<one@=550 5.1.1 nobody" "rcpt:<three@=$end"
		[ "$(odd_count odd1)" -eq 0 ]
	done
	[ "$(saw odd1 "-- taken")" -eq 0 ]
	comes_to "deferred failed deferred" "rcpt:<two@=550 5.1.1 nobody" "data=cut"
	comes_to "deferred deferred deferred" "mail=421 4.3.2 closing"
}

@test "nobody fails by the word of a host that says more than it was asked" {
	odd_start odd1 --offer PIPELINING \
		"rcpt:<one@=raw 250 2.1.5 ok\r\n550 5.1.1 nobody\r\n"
	id=$(send_many 1 "" one@odd.test two@odd.test)
	deliver
	is_deferred "$id"
	[ "$(odd_count odd1)" -eq 0 ]
	not grep -q "event=\(failed\|delivered\)" "$trail"
}

@test "who was refused is so where a host says 421 behind its replies" {
	odd_start odd1 --offer PIPELINING "rcpt=550 5.1.1 nobody" \
		"data=raw 554 5.5.1 nobody\r\n421 4.7.0 too many errors\r\n"
	id=$(send_many 1 "" one@odd.test two@odd.test)
	deliver
	has_failed "$id"
	[ "$(grep -c "event=failed" "$trail")" -eq 2 ]
}

# Its replies are some 1.2 MB: were all commands said first, it would wait for us
# to hear them, and we for it to read on.
@test "a message for 1000 recipients whose host has much to say is sent" {
	local recipients

	mapfile -t recipients < <(printf 'recipient-%s@odd.test\n' {1..1000})
	odd_start odd1 --offer PIPELINING "rcpt=lines 100"
	id=$(send_many 1 "" "${recipients[@]}")
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(grep -c "event=delivered" "$trail")" -eq 1000 ]
}

# ---- several workers for a destination ---------------------------------------

@test "a destination gets more workers as it takes mail, five at the most" {
	odd_start odd1 "dot=wait 0.3"
	send_many 20 "" bob@odd.test >/dev/null
	deliver
	is_queue_empty
	has_all odd1 20
	[ "$(together odd1)" -eq 5 ]
}

@test "SMTP_DESTINATION_WORKERS limits the workers of a destination" {
	odd_start odd1 "dot=wait 0.1"
	send_many 20 "" bob@odd.test >/dev/null
	SMTP_DESTINATION_WORKERS=2 deliver
	has_all odd1 20
	[ "$(together odd1)" -eq 2 ]
}

@test "a destination that has taken nothing yet has one worker" {
	odd_start odd1 "dot=451 4.3.0 later"
	send_many 20 "" bob@odd.test >/dev/null
	deliver
	[ "$(together odd1)" -eq 1 ]
	[ "$(saw odd1 connect)" -eq 1 ]
	[ "$(saw odd1 MAIL)" -eq 20 ]
}

@test "a host that bears two connections only gets two, and all of the mail" {
	odd_start odd1 --sessions 2 "dot=wait 0.2"
	send_many 20 "" bob@odd.test >/dev/null
	deliver
	is_queue_empty
	has_all odd1 20
	# No message was deferred for want of a connection; it was not tried often.
	not grep -q event=deferred "$trail"
	[ "$(saw odd1 "-- too many")" -ge 1 ]
	[ "$(saw odd1 "-- too many")" -le 5 ]
}

@test "SMTP_CONNECTION_MESSAGES limits the messages of a connection" {
	odd_start odd1
	send_many 10 "" bob@odd.test >/dev/null
	SMTP_DESTINATION_WORKERS=1 SMTP_CONNECTION_MESSAGES=4 deliver
	has_all odd1 10
	[ "$(saw odd1 connect)" -eq 3 ]
	[ "$(saw odd1 QUIT)" -eq 3 ]
}

@test "a busy destination leaves a worker to others" {
	odd_start odd1 "dot=wait 0.1"
	odd_start odd2
	send_many 40 "" bob@odd.test >/dev/null
	start ip netns exec "$network_id-sender" env SMTP_QUEUE_WORKERS=2 \
		"$(program smtp-deliver)" 2>>"$trail"
	wait_for 10 test -e "$(odd odd1)/5.eml"
	id=$(send_many 1 "" bob@second.test)
	wait_for 10 is_done "$id"
	[ "$(odd_count odd1)" -lt 40 ]
	[ "$(together odd1)" -eq 1 ]
	wait_for 30 is_gone "$started"
	has_all odd1 40
}

@test "with one worker a busy destination makes room as well" {
	odd_start odd1 "dot=wait 0.02"
	odd_start odd2
	send_many 100 "" bob@odd.test >/dev/null
	start ip netns exec "$network_id-sender" env SMTP_QUEUE_WORKERS=1 \
		"$(program smtp-deliver)" 2>>"$trail"
	wait_for 10 test -e "$(odd odd1)/2.eml"
	id=$(send_many 1 "" bob@second.test)
	wait_for 10 is_done "$id"
	[ "$(odd_count odd1)" -lt 100 ]
	wait_for 30 is_gone "$started"
	has_all odd1 100
}

@test "a run takes what it has left for want of room, too" {
	send_many 30 "" bob@odd.test >/dev/null
	send_many 30 "" carol@second.test bob@odd.test >/dev/null
	odd_start odd1 "dot=wait 0.02"
	odd_start odd2 "dot=wait 0.3"
	deliver
	[ -z "$(find "$spool/queue" -mindepth 2 -type f)" ]
	[ "$(odd_count odd1)" -eq 60 ]
	[ "$(odd_count odd2)" -eq 30 ]
}

@test "stuck destinations do not hold up the others" {
	odd_start odd1 banner=deaf
	odd_start odd2
	for i in {1..10}; do
		printf 'stuck%s.test. MX 10 mx.odd.test.\n' "$i"
	done | dns
	for i in {1..10}; do
		send_many 30 "" "bob@stuck$i.test" >/dev/null
	done
	start ip netns exec "$network_id-sender" env SMTP_REMOTE_TIMEOUT=60 \
		"$(program smtp-deliver)" 2>>"$trail"
	wait_for 10 has_got odd1 connect 10
	# New mail is seen while the run goes on, and goes out at once.
	id=$(send_many 1 "" bob@second.test)
	wait_for 5 is_done "$id"
	[ "$(odd_count odd2)" -eq 1 ]
	kill -KILL "$started"
}
