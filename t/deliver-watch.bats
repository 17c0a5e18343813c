#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# deliver-watch.bats - smtp-deliver --watch.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	clock_build
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

@test "--watch delivers what is queued, and new mail within a second" {
	odd_start odd1
	first=$(send bob@odd.test)
	deliver_start --watch
	wait_for 5 is_done "$first"
	second=$(send bob@odd.test)
	began=${EPOCHREALTIME/./}
	wait_for 5 is_done "$second"
	[ $((${EPOCHREALTIME/./} - began)) -lt 1000000 ]
	not is_gone "$started"
}

@test "--watch tries again when a message is due" {
	odd_start odd1 "rcpt=451 4.3.0 later;ok"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	# Start three seconds before the minute at which it is due.
	ahead=$((60 - EPOCHSECONDS % 60 - 3))
	bucket=$(date -u -d "@$((EPOCHSECONDS + ahead + 3))" +%Y%m%d%H%M)
	from=$spool/queue/retry/$(place "$id")
	mkdir -p "$spool/queue/retry/$bucket"
	[ "$from" = "$spool/queue/retry/$bucket" ] ||
		mv "$from/$id" "$spool/queue/retry/$bucket/"
	: >"$(odd odd1)/log"
	deliver_start --watch
	sleep 1
	not has_got odd1 connect
	wait_for 10 is_done "$id"
}

@test "SIGTERM and SIGINT end --watch" {
	for signal in TERM INT; do
		deliver_start --watch
		pid=$started
		wait_for 5 grep -q "^Name:.smtp-deliver" "/proc/$pid/status"
		id=$(send bob@odd.test)
		wait_for 5 is_deferred "$id"
		kill -"$signal" "$pid"
		wait_for 5 is_gone "$pid"
		run -0 wait "$pid"
		wait_for 5 network_is_quiet sender
	done
}

@test "SIGTERM ends --watch during a delivery, which is repeated later" {
	odd_start odd1 "content=deaf;ok"
	id=$(send bob@odd.test)
	SMTP_REMOTE_TIMEOUT=60 deliver_start --watch
	wait_for 10 has_got odd1 "-- content: deaf"
	kill "$started"
	wait_for 15 is_gone "$started"
	wait_for 5 network_is_quiet sender
	[ "$(place "$id")" = new ] || make_due "$id"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}
