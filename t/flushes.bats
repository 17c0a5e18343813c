#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# flushes.bats - how often the disk is flushed, and the other system calls of a
# message. Flushes are most of its cost: a change that adds one fails here.
#
# shellcheck disable=SC2154 # common.bash sets more variables

load lib/common
load lib/mail

calls=fsync,fdatasync,sync,syncfs,sync_file_range,msync

setup_file() {
	need_root
	need mkfs.ext4 strace
	truncate -s 600M "$BATS_FILE_TMPDIR/disk"
	mkfs.ext4 -q "$BATS_FILE_TMPDIR/disk"
	mkdir "$BATS_FILE_TMPDIR/mounted"
	mount -o loop "$BATS_FILE_TMPDIR/disk" "$BATS_FILE_TMPDIR/mounted"
}

teardown_file() {
	if mountpoint -q "$BATS_FILE_TMPDIR/mounted"; then
		umount "$BATS_FILE_TMPDIR/mounted"
	fi
}

setup() {
	mail_setup
	need mkfs.ext4 strace
	spool=$BATS_FILE_TMPDIR/mounted/$BATS_TEST_NUMBER
	export SMTP_QUEUE_PATH=$spool SMTP_HOSTNAME=mail.test
	SMTP_REMOTE_PORT=$(free_port)
	export SMTP_REMOTE_PORT
	# The first message creates folders and key, the first run sweeps.
	send nobody@mail.test >/dev/null
	find "$spool/queue" -type f -delete
	deliver
}

# counted COMMAND...: count in $flushes how often any process flushed the disk.
counted() {
	: >"$trail"
	run_under strace -f -qq -e signal=none -e "trace=$calls" \
		-o "$BATS_TEST_TMPDIR/trace"
	"$@"
	run_under
	flushes=$(grep -c '(' "$BATS_TEST_TMPDIR/trace" || :)
	cat "$BATS_TEST_TMPDIR/trace"
}

# ten_more PATTERN: how many more of these calls were made than in trace.1.
ten_more() {
	local one eleven

	one=$(grep -cE " $1\(" "$BATS_TEST_TMPDIR/trace.1" || :)
	eleven=$(grep -cE " $1\(" "$BATS_TEST_TMPDIR/trace" || :)
	echo $((eleven - one))
}

# hold_dialogue: hold a session whose whole input is available at once.
hold_dialogue() {
	"${wrapper[@]}" "$(program smtp-session)" <"$BATS_TEST_TMPDIR/input" \
		>"$BATS_TEST_TMPDIR/replies" 2>>"$trail"
}

# delivery COUNT RECIPIENT...: submit and deliver, and count flushes. Repeat it
# if the run took so long that it also flushed the queue's folders.
delivery() {
	local start tries

	for tries in 1 2 3 4 5; do
		send_many "$1" a@client.test "${@:2}" >/dev/null
		start=${EPOCHREALTIME/[.,]/}
		counted deliver
		[ $((${EPOCHREALTIME/[.,]/} - start)) -ge 1000000 ] || return 0
	done
	echo "a run took over a second, $tries times" >&2
	return 1
}

@test "a message that is accepted costs one flush" {
	counted send_many 5 a@client.test one@mail.test
	[ "$(grep -c 'message-accepted' "$trail")" -eq 5 ]
	[ "$flushes" -eq 5 ]
}

@test "a message for a hundred recipients costs one flush, too" {
	local recipients=()

	for i in {1..100}; do
		recipients+=("r$i@mail.test")
	done
	counted send_many 1 a@client.test "${recipients[@]}"
	grep -q 'message-accepted' "$trail"
	[ "$flushes" -eq 1 ]
}

@test "each further message opens one file and writes it once" {
	calls='?openat,?readlink,?newfstatat,?fstat,?fstatfs,?pwrite64,?linkat'
	counted send_many 1 a@client.test one@mail.test
	mv "$BATS_TEST_TMPDIR/trace" "$BATS_TEST_TMPDIR/trace.1"
	counted send_many 11 a@client.test one@mail.test
	[ "$(grep -c 'message-accepted' "$trail")" -eq 11 ]
	[ "$(ten_more openat)" -eq 10 ]
	[ "$(ten_more pwrite64)" -eq 20 ] # a counter each, too
	[ "$(ten_more linkat)" -eq 20 ]
	[ "$(ten_more fstatfs)" -eq 10 ] # is there room?
	[ "$(ten_more '(readlink|newfstatat|fstat)')" -eq 0 ]
}

@test "replies to commands that come together are sent together" {
	printf '%s\r\n' 'EHLO client.test' 'MAIL FROM:<a@client.test>' \
		'RCPT TO:<one@mail.test>' DATA 'Subject: x' '' x . QUIT \
		>"$BATS_TEST_TMPDIR/input"
	calls='write'
	counted hold_dialogue
	[ "$(grep -c ' write(1,' "$BATS_TEST_TMPDIR/trace")" -eq 2 ]
	grep -qF 'write(1, "220 ' "$BATS_TEST_TMPDIR/trace"
	[ "$(grep -c '^[2-5][0-9][0-9] ' "$BATS_TEST_TMPDIR/replies")" -eq 7 ]
}

@test "a session without a message costs no flush" {
	counted send_many 0 a@client.test
	[ "$flushes" -eq 0 ]
}

@test "several messages delivered cost the flushes of one" {
	host_start
	delivery 1 "one@[127.0.0.1]"
	local flushes_of_one=$flushes
	delivery 5 "one@[127.0.0.1]"
	[ "$(grep -c 'event=message-done' "$trail")" -eq 5 ]
	[ "$flushes" -eq "$flushes_of_one" ]
	[ "$flushes" -eq 3 ]
}

@test "a message delivered to one of two recipients costs one flush more" {
	host_start rcpt:two="450 later"
	delivery 1 "one@[127.0.0.1]" "two@[127.0.0.2]"
	grep -q 'event=delivered' "$trail"
	grep -q 'event=deferred' "$trail"
	[ -n "$(ls "$spool/queue/attempts")" ]
	[ "$flushes" -eq 5 ]
}

@test "several deferred messages cost one more flush per retry minute" {
	host_start rcpt="450 later"
	delivery 5 "one@[127.0.0.1]"
	[ "$(grep -c 'event=deferred' "$trail")" -eq 5 ]
	# Jitter spreads them over a minute or two.
	buckets=$(find "$spool/queue/retry" -mindepth 1 -type d | wc -l)
	[ "$flushes" -eq $((3 + buckets)) ]
}

@test "a run without work costs no flush" {
	counted deliver
	[ "$flushes" -eq 0 ]
}
