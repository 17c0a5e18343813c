#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# soak.bats - a short form of make soak, and whether that detects faults.

bats_require_minimum_version 1.5.0

load lib/common

setup() {
	need cc python3
}

soak() {
	timeout --signal=INT 280 "$SMTPSERVER_SOURCE/t/soak" "$@"
}

@test "concurrent programs that are killed neither lose nor repeat mail" {
	need_root
	soak --messages 12000 --seconds 120
}

@test "killed programs neither lose nor repeat mail on a disk either" {
	soak --messages 6000 --seconds 60 --spool "$BATS_TEST_TMPDIR"
}

@test "the soak detects that two processes send one message without locks" {
	cc -shared -fPIC -o "$BATS_TEST_TMPDIR/no-flock.so" \
		"$SMTPSERVER_SOURCE/t/lib/no-flock.c"
	run -1 soak --messages 6000 --seconds 60 --spool "$BATS_TEST_TMPDIR" \
		--preload "$BATS_TEST_TMPDIR/no-flock.so"
	[[ $output == *"violation: two at once: "* ]]
	[[ $output == *"violation: delivered again without a kill: "* ]]
}

@test "the soak detects mail that is lost" {
	run -1 soak --messages 6000 --seconds 60 --spool "$BATS_TEST_TMPDIR" \
		--unnoted
	[[ $output == *"violation: lost: "* ]]
}
