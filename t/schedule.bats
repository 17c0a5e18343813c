#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# schedule.bats - how smtp-deliver schedules its work: connections, workers and
# destinations, as counted by the hosts.
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

# ---- helpers -----------------------------------------------------------------

# together HOST...: the maximum number of simultaneous connections, by the order
# of lines in the logs, which one host writes.
together() {
	awk '$2 == "connect" { n++ }
		$2 == "QUIT" || $2 == "disconnect" && !gone[$1] { n-- }
		$2 == "QUIT" { gone[$1] = 1 }
		n > most { most = n }
		END { print most + 0 }' "$(odd "$1")/log"
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

@test "a host that takes only two connections gets two, and all mail" {
	odd_start odd1 --sessions 2 "dot=wait 0.2"
	send_many 20 "" bob@odd.test >/dev/null
	deliver
	is_queue_empty
	has_all odd1 20
	# No message was deferred without a connection; few connections were
	# refused.
	not grep -q event=deferred "$trail"
	[ "$(saw odd1 "-- too many")" -ge 1 ]
	[ "$(saw odd1 "-- too many")" -le 5 ]
}

@test "what a connection too many is told is nobody's attempt" {
	for crowded in "ehlo=432 4.3.2 too many" "mail=432 4.3.2 too many" \
		"mail=421 4.3.2 too many" "mail=451 4.7.0 too many" \
		"dot=432 4.3.2 too many"; do
		stop_started
		odd_start odd1 --sessions 3 --crowded "$crowded" "dot=wait 0.1"
		send_many 20 "" bob@odd.test >/dev/null
		deliver
		is_queue_empty
		has_all odd1 20
		not grep -q event=deferred "$trail"
		[ "$(saw odd1 "-- too many")" -ge 1 ]
		[ "$(saw odd1 "-- too many")" -le 3 ]
	done
}

@test "a sender who is deferred at MAIL keeps no other message" {
	odd_start odd1 "mail:<slow@=451 4.7.1 later" "dot=wait 0.1"
	send_many 15 "" bob@odd.test >/dev/null
	id=$(send_from slow@client.test bob@odd.test)
	send_many 15 "" bob@odd.test >/dev/null
	deliver
	is_deferred "$id"
	told "$id" deferred "451 4.7.1"
	[ "$(odd_count odd1)" -eq 30 ]
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
	SMTP_QUEUE_WORKERS=2 deliver_start
	wait_for 10 test -e "$(odd odd1)/5.eml"
	id=$(send_many 1 "" bob@second.test)
	wait_for 10 is_done "$id"
	[ "$(odd_count odd1)" -lt 40 ]
	[ "$(together odd1)" -eq 1 ]
	wait_for 30 is_gone "$started"
	has_all odd1 40
}

@test "with one worker a busy destination yields to others" {
	odd_start odd1 "dot=wait 0.02"
	odd_start odd2
	send_many 100 "" bob@odd.test >/dev/null
	SMTP_QUEUE_WORKERS=1 deliver_start
	wait_for 10 test -e "$(odd odd1)/2.eml"
	id=$(send_many 1 "" bob@second.test)
	wait_for 10 is_done "$id"
	[ "$(odd_count odd1)" -lt 100 ]
	wait_for 30 is_gone "$started"
	has_all odd1 100
}

@test "a run also takes messages that it had no room for at first" {
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
	SMTP_REMOTE_TIMEOUT=60 deliver_start
	wait_for 10 has_got odd1 connect 10
	# New mail is delivered at once during the run.
	id=$(send_many 1 "" bob@second.test)
	wait_for 5 is_done "$id"
	[ "$(odd_count odd2)" -eq 1 ]
	kill -KILL "$started"
}
