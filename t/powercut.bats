#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# powercut.bats - acknowledged mail survives power cuts. t/powercut simulates
# the disk; "make check-powercut POINTS=n" runs a longer test.
#
# shellcheck disable=SC2154 # common.bash sets more variables

load lib/common

POINTS=300
BATS_TEST_TIMEOUT=900
export BATS_TEST_TIMEOUT

filesystems=(ext4 xfs btrfs)

setup() {
	need_root
	need losetup unshare mkfs.ext4 mkfs.xfs mkfs.btrfs
	[ -x "$SMTPSERVER_BUILD/t/powercut/disk" ] ||
		cannot_run "was built without libfuse3"
	[ -c /dev/fuse ] || cannot_run "needs /dev/fuse"
	export TMPDIR=$BATS_TEST_TMPDIR
}

powercut=$SMTPSERVER_SOURCE/t/powercut/powercut

# Whether there is a loop device of this test. Its mounts are in a private mount
# namespace.
has_loop() {
	grep -sF "$TMPDIR" /sys/block/loop*/loop/backing_file
}

# is_caught HOW FILESYSTEM...: whether cuts show that a program is broken.
is_caught() {
	local how=$1 filesystem

	shift
	run -0 "$powercut" --broken "$how" --points 80 "$@"
	for filesystem; do
		[[ "$output" == *"$filesystem: $how was caught"* ]]
	done
}

@test "no power cut loses, tears or repeats what was acknowledged" {
	run "$powercut" --points "$POINTS"
	printf '# %s\n' "${lines[@]}" >&3
	[ "$status" -eq 0 ]
	[ "$(grep -c " $POINTS points" <<<"$output")" -eq 4 ]
}

@test "a session that does not flush is caught" {
	is_caught unflushed "${filesystems[@]}"
}

@test "a session that says 250 before it flushes is caught" {
	is_caught early-reply "${filesystems[@]}"
}

@test "names that are made after the flush are caught" {
	is_caught late-names "${filesystems[@]}"
}

@test "a day's folder that is named after the flush is caught" {
	is_caught late-day "${filesystems[@]}"
}

@test "folders that are not flushed on ext4 with fast_commit are caught" {
	is_caught unflushed-folders ext4-fast_commit
}

@test "a delivery whose end is not flushed is caught" {
	is_caught unflushed-queue "${filesystems[@]}"
}

@test "a message that is delivered with a wrong octet is caught" {
	is_caught garbled ext4
}

@test "a run that is stopped leaves no disk" {
	start "$powercut" --points 1000 ext4 >/dev/null
	wait_for 20 has_loop
	kill "$started"
	wait_for 60 is_gone "$started"
	[ -z "$(ls "$TMPDIR")" ]
	run ! has_loop
}
