#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mixed.bats - a short form of make mixed, and whether that detects faults.

bats_require_minimum_version 1.5.0

load lib/common

setup() {
	need cc python3
}

mixed() {
	timeout --signal=INT 280 "$SMTPSERVER_SOURCE/t/mixed" "$@"
}

@test "each recipient of mixed mail is delivered, returned, failed or queued" {
	mixed --messages 1000
}

@test "a recipient in none of these states is detected" {
	run -1 mixed --messages 300 --lose
	[[ $output == *"violation: not in one place: "* ]]
}
