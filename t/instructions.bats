#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# instructions.bats - the cost of a session that does nothing.

load lib/common

# The target is 1.5; this limit only catches code that was added by accident.
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
