#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# instructions.bats - what a session costs that does nothing.

load lib/common

# The figure to be at is 1.5; what is asked here is that nothing has crept in.
@test "a session with QUIT alone costs less than two empty programs" {
	local counts=$BATS_TEST_TMPDIR/counts

	need openssl python3 valgrind
	run "$SMTPSERVER_SOURCE/t/bench/instructions" --json "$counts"
	printf '# %s\n' "${lines[@]}" >&3
	[ "$status" -eq 0 ]
	python3 -c "import json, sys
counts = json.load(open(sys.argv[1]))
sys.exit(counts['quit'] >= 2 * counts['nothing'])" "$counts"
}
