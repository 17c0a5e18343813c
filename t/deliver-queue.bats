#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# deliver-queue.bats - the queue: retries and expiry, damaged files, runs and
# workers that are killed, concurrent runs.
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
	for host in sender odd1 odd2 odd3; do
		network_add_host "$host"
	done
	dns <<-END
		odd.test.    MX 10 mx.odd.test.
		second.test. MX 10 mx.second.test.
		third.test.  MX 10 mx.third.test.
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
		mx.third.test.  A $(network_ip4 odd3)
	END
}

teardown_file() {
	network_stop
}

# seconds_until BUCKET: from now to the minute that a bucket is named after.
seconds_until() {
	local minute

	minute=$(date -u -d "${1:0:8} ${1:8:2}:${1:10:2}" +%s)
	echo $((minute - EPOCHSECONDS))
}

@test "a message that gets 451 waits a minute, and is delivered after 250" {
	odd_start odd1 "dot=451 4.7.1 greylisted;ok"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	wait_sec=$(seconds_until "$(place "$id")")
	# A minute plus a quarter of jitter, rounded up to a full minute.
	[ "$wait_sec" -ge 55 ]
	[ "$wait_sec" -le 140 ]
	[ "$(counter 3)" -eq 1 ]

	# Nothing happens before it is due.
	: >"$(odd odd1)/log"
	deliver
	is_deferred "$id"
	not has_got odd1 connect

	ahead=150 deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(counter 2)" -eq 1 ]
	[ "$(counter 3)" -eq 1 ]
}

@test "--next prints when the first retry is due; nothing without one" {
	local next=("$(program smtp-deliver)" --next) minute ahead_sec

	[ -z "$("${next[@]}")" ]
	odd_start odd1 "dot=451 4.7.1 greylisted"
	id=$(send bob@odd.test)
	[ -z "$("${next[@]}")" ]
	deliver
	minute=$(place "$id")
	[ "$("${next[@]}")" = "$(date -u -d "${minute:0:8} ${minute:8:4}" \
		'+%F %T UTC')" ]

	# Soon if it is due, or was planned before the clock was set back.
	for other in 202001010000 299901010000; do
		mv "$spool/queue/retry"/{2*,$other}
		ahead_sec=$(($(date -d "$("${next[@]}")" +%s) - EPOCHSECONDS))
		echo "$other: $ahead_sec s ahead"
		[ "$ahead_sec" -gt 0 ]
		[ "$ahead_sec" -le 121 ]
	done
}

@test "the time between attempts doubles up to 64 minutes, with jitter" {
	odd_start odd1 "rcpt=450 4.2.0 later"
	id=$(send bob@odd.test)
	for minutes in 1 2 4 8 16 32 64 64 64; do
		deliver
		is_deferred "$id"
		wait_sec=$(seconds_until "$(place "$id")")
		[ "$wait_sec" -ge $((minutes * 60 - 5)) ]
		[ "$wait_sec" -le $((minutes * 75 + 65)) ]
		make_due "$id"
	done
	told "$id" deferred attempt=9
}

@test "the time between attempts does not grow after one that delivered" {
	odd_start odd1 "rcpt:<r2@=451 4.2.0 later;ok" \
		"rcpt:<r3@=451 4.2.0 later;451 4.2.0 later;ok" \
		"rcpt:<never@=450 4.2.0 later"
	id=$(send r1@odd.test r2@odd.test r3@odd.test never@odd.test)
	for minutes in 1 1 1 1 2; do
		deliver
		is_deferred "$id"
		wait_sec=$(seconds_until "$(place "$id")")
		[ "$wait_sec" -ge $((minutes * 60 - 5)) ]
		[ "$wait_sec" -le $((minutes * 75 + 65)) ]
		make_due "$id"
	done
	[ "$(odd_count odd1)" -eq 3 ]
}

@test "after five days and several attempts a message has failed" {
	odd_start odd1 "rcpt=450 4.2.0 later"
	id=$(message | submit "" bob@odd.test)
	deliver
	# A clock that was set forward does not expire it.
	ahead=$((6 * 86400)) deliver
	for attempt in {3..8}; do
		is_deferred "$id"
		make_due "$id"
		deliver
		told "$id" deferred "attempt=$attempt"
	done
	ahead=$((5 * 86400 - 3600)) deliver
	is_deferred "$id"
	make_due "$id"
	ahead=$((5 * 86400 + 3600)) deliver
	has_failed "$id"
	told "$id" failed
	[ "$(counter 2)" -eq 0 ]
}

@test "a damaged queue file is set aside and the others are delivered" {
	odd_start odd1
	torn=$(send bob@odd.test)
	changed=$(send bob@odd.test)
	whole=$(send bob@odd.test)
	truncate -s -5 "$spool/queue/new/$torn"
	printf X | dd of="$spool/queue/new/$changed" bs=1 conv=notrunc status=none \
		seek=$(($(stat -c %s "$spool/queue/new/$changed") - 5))
	: >"$spool/queue/new/0123456789abcdef01234567"
	echo rubbish >"$spool/queue/new/rubbish"
	mkdir "$spool/queue/new/folder"
	mkfifo "$spool/queue/new/fifo"
	ln -s /etc/passwd "$spool/queue/new/link"
	deliver
	is_done "$whole"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(place "$torn")" = damaged ]
	[ "$(place "$changed")" = damaged ]
	[ -e "$spool/queue/damaged/0123456789abcdef01234567" ]
	[ -z "$(ls "$spool/queue/new")" ]
	told "$torn" set-aside
	told "$changed" set-aside
	grep "event=set-aside .*rubbish" "$trail"
}

@test "missing folders of the queue are made again" {
	odd_start odd1
	id=$(send bob@odd.test)
	find "$spool/queue" -mindepth 1 -type d -empty -delete
	deliver
	is_done "$id"
}

@test "a message is left alone while it is being accepted" {
	odd_start odd1
	id=$(send bob@odd.test)
	other=$(send bob@odd.test)
	exec 9<"$spool/queue/new/$id"
	flock 9
	deliver 3>&- 9<&- &
	pid=$!
	wait_for 5 is_done "$other"
	[ "$(place "$id")" = new ]
	exec 9<&-
	wait "$pid"
	is_done "$id"
	[ "$(odd_count odd1)" -eq 2 ]
}

@test "the queue survives a run that is killed" {
	odd_start odd1 "content=deaf;ok"
	id=$(send bob@odd.test)
	deliver_start
	wait_for 10 has_got odd1 "-- content: deaf"
	kill -KILL "$started"
	# Its workers end with it.
	wait_for 5 network_is_quiet sender
	[ "$(place "$id")" = new ]
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a worker that is killed leaves its message for later" {
	odd_start odd1 "content=deaf;ok"
	id=$(send bob@odd.test)
	deliver_start
	wait_for 10 has_got odd1 "-- content: deaf"
	worker=$(ip netns pids "$network_id-sender" | grep -vx "$started")
	kill -KILL "$worker"
	wait_for 5 is_gone "$started"
	is_deferred "$id"
	make_due "$id"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "hundreds of messages for one destination are each delivered once" {
	odd_start odd1
	send_many 450 sender@client.test bob@odd.test
	deliver
	is_queue_empty
	has_all odd1 450
	# Connections are reused.
	[ "$(grep -c ' connect ' "$(odd odd1)/log")" -lt 20 ]
}

@test "a host that hangs up after each message gets a new connection" {
	for action in "dot=after-cut" "mail=ok;421 4.3.2 enough;ok" \
		"mail=ok;cut;ok"; do
		stop_started
		odd_start odd1 "$action"
		send_many 3 sender@client.test bob@odd.test
		deliver
		is_queue_empty
		has_all odd1 3
	done
}

@test "a refusal over a used connection is final only over a fresh one" {
	export SMTP_DESTINATION_WORKERS=1
	for action in "mail=ok;503 5.5.1 nested;ok" \
		"mail=ok;452 4.3.1 enough;ok" "mail=ok;550 5.7.1 no more;ok" \
		"mail=ok;ok;554 5.7.1 two at most;ok" \
		"rcpt=ok;503 5.5.1 MAIL first;ok" \
		"data=ok;503 5.5.1 RCPT first;ok"; do
		stop_started
		odd_start odd1 "$action"
		send_many 3 sender@client.test bob@odd.test
		deliver
		is_queue_empty
		has_all odd1 3
		[ "$(saw odd1 connect)" -eq 2 ]
	done

	stop_started
	odd_start odd1 "mail=ok;554 5.7.1 no;554 5.7.1 no;ok"
	send_many 3 "" bob@odd.test
	deliver
	[ "$(odd_count odd1)" -eq 2 ]
	[ "$(grep -c event=failed "$trail")" -eq 1 ]
}

@test "two runs at once deliver each message exactly once" {
	odd_start odd1
	odd_start odd2
	send_many 60 sender@client.test a@odd.test b@second.test
	deliver 3>&- &
	pid=$!
	deliver
	wait "$pid"
	is_queue_empty
	has_all odd1 60
	has_all odd2 60
	[ "$(counter 2)" -eq 120 ]
}

# together HOST...: how many hosts had a connection at once, in the second
# before their banner. The next worker does not wait for the reply to QUIT.
together() {
	local host

	for host; do
		awk -v OFMT=%.6f '{ print $1, 1; print $1 + 0.9, -1 }' "$(odd "$host")/spans"
	done | sort -n | awk '{ n += $2; if (n > most) most = n }
		END { print most + 0 }'
}

# Three slow destinations.
deliver_to_three() {
	for host in odd1 odd2 odd3; do odd_start "$host" "banner=wait 1"; done
	send bob@odd.test >/dev/null
	send bob@second.test >/dev/null
	send bob@third.test >/dev/null
	deliver
	for host in odd1 odd2 odd3; do
		[ "$(odd_count "$host")" -eq 1 ]
		wait_for 5 test -s "$(odd "$host")/spans"
	done
}

@test "several destinations are delivered to at once" {
	deliver_to_three
	[ "$(together odd1 odd2 odd3)" -eq 3 ]
}

@test "SMTP_QUEUE_WORKERS limits the destinations delivered to at once" {
	SMTP_QUEUE_WORKERS=1 deliver_to_three
	[ "$(together odd1 odd2 odd3)" -eq 1 ]
	rm -r "$BATS_TEST_TMPDIR"/odd*
	stop_started
	SMTP_QUEUE_WORKERS=2 deliver_to_three
	[ "$(together odd1 odd2 odd3)" -eq 2 ]
}

@test "a run without work ends at once and logs nothing" {
	deliver
	[ ! -s "$trail" ]
}

@test "the log names no address unless SMTP_DEBUG is on" {
	odd_start odd1
	send bob@odd.test
	deliver
	not grep -q "bob@\|sender@" "$trail"
	id=$(send bob@odd.test)
	SMTP_DEBUG=1 deliver
	told "$id" delivered address=bob@odd.test
}

@test "an invalid setting is named, and nothing is sent" {
	id=$(send bob@odd.test)
	run -78 env SMTP_QUEUE_WORKERS=none "$(program smtp-deliver)"
	[[ $output == *SMTP_QUEUE_WORKERS* ]]
	run -64 "$(program smtp-deliver)" --nonsense
	run -75 env SMTP_QUEUE_PATH=/dev/null "$(program smtp-deliver)"
	[ "$(place "$id")" = new ]
}
