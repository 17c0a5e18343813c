#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# probe.bats - a spool on a file system that lacks a required operation.
#
# shellcheck disable=SC2154 # lib/common sets $spool

bats_require_minimum_version 1.5.0

load lib/common
load lib/mail

setup_file() {
	need_root
	need cc pkg-config
	# shellcheck disable=SC2046 # several words
	cc -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/lacking" $(pkg-config --cflags fuse3) \
		"$SMTPSERVER_SOURCE/t/lib/lacking.c" \
		$(pkg-config --libs fuse3)
}

setup() {
	mail_setup
	below=$BATS_TEST_TMPDIR/below
	mount=$BATS_TEST_TMPDIR/mount
	mkdir "$below" "$mount"
	export SMTP_QUEUE_PATH=$mount/spool
}

teardown() {
	umount --lazy "$mount" 2>/dev/null || :
	mail_teardown
}

is_mounted() {
	mountpoint -q "$mount"
}

mount_lacking() {
	start "$BATS_FILE_TMPDIR/lacking" "$1" "$below" "$mount"
	wait_for 10 is_mounted
}

# The session of a client that submits a message.
session() {
	message | transaction a@client.test b@remote.test | hold_session
}

# refuses WHAT: whether neither program uses the spool, and both say why.
refuses() {
	run -78 deliver
	[[ $(<"$trail") == *"$mount/spool cannot be the spool: its file system lacks "*"$1"* ]]
	run --separate-stderr session
	[[ $output != *"queued as"* ]]
	[[ $output == *$'\n45'[12]' '* ]]
	[[ $stderr == *"event=trouble"*"$1"* ]]
	[ -z "$(find "$below" -type f -size +0)" ]
	[ -z "$(ls "$below/spool/scratch")" ]
}

@test "a spool on a file system without flock is refused" {
	mount_lacking flock
	refuses "flock(2)"
}

@test "a spool where flock grants a lock twice is refused" {
	mount_lacking exclusion
	refuses "flock(2)"
}

@test "a spool on a file system without link is refused" {
	mount_lacking link
	refuses "link(2)"
}

@test "a spool on a file system without rename is refused" {
	mount_lacking rename
	refuses "rename(2)"
}

@test "a spool on a FUSE file system that lacks nothing takes mail" {
	mount_lacking nothing
	run -0 --separate-stderr session
	[[ $output == *"queued as"* ]]
	[ "$(find "$mount/spool/queue/new" -type f | wc -l)" -eq 1 ]
	[ -z "$(ls "$below/spool/scratch")" ]
}
