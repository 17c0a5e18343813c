#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cluster.bats - two hosts, one spool: both accept and deliver.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/cluster

setup_file() {
	need_root
	need cc
	network_start
	cluster_start
	cc -shared -fPIC -o "$network_dir/clock.so" \
		"$SMTPSERVER_SOURCE/t/lib/clock.c"
}

teardown_file() {
	network_stop
}

setup() {
	need_root
	trail=$BATS_TEST_TMPDIR/trail
	shared=$(cluster_mount)
	spool=$shared/spool-$BATS_TEST_NUMBER
	export SMTP_QUEUE_PATH=$spool SMTP_REMOTE_PORT=2600
	export ASAN_OPTIONS=verify_asan_link_order=0
}

teardown() {
	stop_started
	grep -E 'event=(trouble|set-aside)' "$trail"* >&2 || :
}

# start_on HOST COMMAND...: run it in the background until the test ends.
start_on() {
	local pid

	pid=$(cat "$(cluster_dir "$1")/pid")
	shift
	start nsenter --target "$pid" --mount --net --uts -- "$@"
}

start_sink() {
	start_on gamma "$SMTPSERVER_SOURCE/t/lib/sink" --port 2600 \
		"$BATS_TEST_TMPDIR/sink" "$(network_ip4 gamma)" >/dev/null
	wait_for 10 network_is_listening gamma 2600
}

# start_source HOST ARGUMENT...: run t/lib/source; its messages are named
# HOST-1 and so on.
start_source() {
	local host=$1

	shift
	: >"$BATS_TEST_TMPDIR/source-$host"
	SMTP_HOSTNAME=$host.test start_on "$host" \
		"$SMTPSERVER_SOURCE/t/lib/source" "$@" "$host-" \
		"$BATS_TEST_TMPDIR/source-$host" "$(program smtp-session)" \
		"$(network_ip4 gamma)" 2>>"$trail-$host"
}

# With one worker a kill can repeat one delivery.
start_deliver() {
	SMTP_DESTINATION_WORKERS=1 SMTP_HOSTNAME=$1.test start_on "$1" "$(program smtp-deliver)" --watch \
		2>>"$trail-$1"
}

# How many messages of a host have been acknowledged.
accepted() {
	grep -c ^A "$BATS_TEST_TMPDIR/source-$1" || :
}

has_accepted() {
	[ "$(accepted "$1")" -ge "$2" ]
}

nothing_queued() {
	[ -z "$(cluster_exec alpha find "$spool/queue/new" \
		"$spool/queue/retry" -type f)" ]
}

# Deliver the rest from the first host, as if hours had passed.
drain() {
	local ahead

	for ((ahead = 3600; ahead <= 36000; ahead += 3600)); do
		! nothing_queued || return 0
		cluster_exec alpha env CLOCK_AHEAD=$ahead \
			LD_PRELOAD="$network_dir/clock.so" SMTP_HOSTNAME=alpha.test \
			timeout 60 "$(program smtp-deliver)" 2>>"$trail-drain"
	done
	nothing_queued
}

# tally ARGUMENT...: run t/lib/tally on all reports of this test.
tally() {
	cluster_exec alpha "$SMTPSERVER_SOURCE/t/lib/tally" --drained "$@" \
		"$spool" "$BATS_TEST_TMPDIR"/{sink,source-*} \
		>"$BATS_TEST_TMPDIR/tally" || {
		cat "$BATS_TEST_TMPDIR/tally"
		return 1
	}
}

refused() {
	! "$@"
}

# Try to lock a file as a claim does.
try_lock() {
	cluster_exec "$1" flock --nonblock "$2" true
}

@test "a lock that one host holds is refused to the other host" {
	cluster_exec alpha touch "$shared/lock"
	start_on alpha flock --no-fork "$shared/lock" sleep 60
	wait_for 10 refused try_lock alpha "$shared/lock"
	refused try_lock beta "$shared/lock"
	kill -KILL "$started"
	wait_for 10 try_lock beta "$shared/lock"
}

@test "two hosts accept and deliver on one spool, every message once" {
	start_sink
	for host in alpha beta; do
		start_deliver "$host"
		start_source "$host" --messages 100 --kill 0.02 --cut 0.02
	done
	wait_for 120 has_accepted alpha 100
	wait_for 120 has_accepted beta 100
	drain
	tally --leftovers 0
	grep -Eq '^accepted \(250 read\) +200$' "$BATS_TEST_TMPDIR/tally"
}

@test "a host that loses its spool sends nothing that it cannot record" {
	start_sink
	start_deliver beta
	deliver=$started
	start_source beta
	wait_for 120 has_accepted beta 50
	cluster_lose_mount beta
	sleep 3
	# smtp-deliver may have noticed, and exited.
	kill -KILL "$deliver" 2>/dev/null || :
	stop_source_of beta
	cluster_mount_again beta
	drain
	tally --kills 1 --leftovers 1
}

@test "a host that is killed loses nothing that it had accepted" {
	start_sink
	for host in alpha beta; do
		start_deliver "$host"
		start_source "$host"
	done
	wait_for 120 has_accepted alpha 50
	wait_for 120 has_accepted beta 50
	cluster_kill beta
	before=$(accepted alpha)
	# The other host goes on.
	wait_for 60 has_accepted alpha $((before + 50))
	stop_source_of alpha
	drain
	# One worker and one session were active there.
	tally --kills 1 --leftovers 1
	[ "$(accepted beta)" -ge 50 ]
}

stop_source_of() {
	local pid

	for pid in "${started_pids[@]}"; do
		if grep -qzx -- "$1-" "/proc/$pid/cmdline" 2>/dev/null; then
			stop "$pid"
		fi
	done
}
