#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# recording.bats - each recipient's outcome is recorded before anything else is
# sent; while it cannot be recorded nothing more is sent.
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
	for host in sender odd1 odd2; do
		network_add_host "$host"
	done
	dns <<-END
		two.test.    MX 10 mx.odd.test.
		two.test.    MX 20 mx.second.test.
		odd.test.    MX 10 mx.odd.test.
		second.test. MX 10 mx.second.test.
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
	END
}

teardown_file() {
	network_stop
}

is_connected() {
	grep -q connect "$(odd "$1")/log"
}

# How often a host got RCPT for a recipient.
tries() {
	grep -c "RCPT TO:<$2" "$(odd "$1")/log" || :
}

records() {
	cat "$spool"/queue/attempts/*
}

# A host has accepted the message for one recipient. The next host, for the
# other one, does not answer.
deliver_in_part() {
	odd_start odd1 "rcpt:<two@=451 4.2.1 later"
	odd_start odd2 banner=silent
	send one@two.test two@two.test >&2
	deliver_start
	wait_for 10 is_connected odd2
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a recipient is recorded while another host is tried for others" {
	deliver_in_part
	kill -KILL "$started"
	wait_for 10 is_gone "$started"
	[ "$(records | grep -c delivered)" -eq 1 ]
}

@test "a run stopped while it waits for a host ends, and repeats nothing" {
	deliver_in_part
	kill -TERM "$started"
	wait_for 8 is_gone "$started"
	stop_started
	: >"$(odd odd1)/log"
	odd_start odd1
	ahead=200 deliver
	[ "$(tries odd1 one@)" -eq 0 ]
	[ "$(tries odd1 two@)" -eq 1 ]
}

# deliver_in_vain WHAT COMMAND...: a run under the command, which is killed two
# seconds after its log has WHAT.
deliver_in_vain() {
	local what=$1

	shift
	run_under "$@"
	deliver_start
	run_under
	wait_for 10 grep -qF "$what" "$trail"
	sleep 2
	kill -KILL "$started"
	wait "$started" || :
}

@test "nothing is sent while a delivered message cannot leave the queue" {
	need strace
	send_many 4 sender@client.test bob@odd.test
	odd_start odd1
	deliver_in_vain "cannot move the message within the queue" \
		strace -D -o /dev/null --quiet=all \
		-e inject=unlinkat,renameat,renameat2:error=EIO
	[ "$(odd_count odd1)" -eq 1 ]
	wait_for 5 deliver
	is_queue_empty
	# The first message was sent again.
	[ "$(odd_count odd1)" -eq 5 ]
}

@test "nothing is sent while a delivery cannot be recorded" {
	send_many 4 sender@client.test bob@odd.test carol@second.test
	odd_start odd1
	odd_start odd2 banner=silent
	# shellcheck disable=SC2016 # the inner shell's
	deliver_in_vain "cannot record the results of deliveries" \
		unshare --mount sh -c '
		mount --bind "$SMTP_QUEUE_PATH/queue/attempts" \
			"$SMTP_QUEUE_PATH/queue/attempts"
		mount -o remount,bind,ro "$SMTP_QUEUE_PATH/queue/attempts"
		exec "$0"'
	[ "$(odd_count odd1)" -eq 1 ]
	stop "${started_pids[1]}"
	odd_start odd2
	wait_for 5 deliver
	is_queue_empty
	[ "$(odd_count odd1)" -eq 5 ]
	has_all odd2 4
}
