#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mixed.bats - the short form of make mixed, and whether that sees what it is
# there to see.

bats_require_minimum_version 1.5.0

load lib/common

setup() {
	need cc python3
}

mixed() {
	timeout --signal=INT 280 "$SMTPSERVER_SOURCE/t/mixed" "$@"
}

@test "each recipient of mixed mail ends in one of delivered, returned, failed, still queued" {
	mixed --messages 1000
}

@test "a recipient who is in none of these is seen" {
	run -1 mixed --messages 300 --lose
	[[ $output == *"violation: not in one place: "* ]]
}
