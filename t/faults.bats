#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154
#
# faults.bats - a fault in every system call of a session and of a run in turn.
#
# lib/faults does the work, lists what must hold and prints how many points it
# tried; `t/lib/faults --all session` tries all of them.

load lib/common

# Longer than for other files: each test makes many hundreds of runs.
export BATS_TEST_TIMEOUT=900

setup_file() {
	need cc openssl python3
	[ "$(uname -m)" = x86_64 ] || cannot_run "needs x86-64"
	export SMTPSERVER_INJECT=$BATS_FILE_TMPDIR/inject
	cc -std=c17 -D_GNU_SOURCE -O1 -o "$SMTPSERVER_INJECT" \
		"$SMTPSERVER_SOURCE/t/lib/inject.c"
	# In memory: powercut.bats is about what a power cut leaves.
	export fault_dir=$BATS_FILE_TMPDIR
	if [ -w /dev/shm ]; then
		fault_dir=$(mktemp -d /dev/shm/faults.XXXXXX)
	fi
}

teardown_file() {
	if [[ ${fault_dir:-} == /dev/shm/* ]]; then
		rm -rf "$fault_dir"
	fi
}

# Always show its last lines, the numbers of points.
faults() {
	run "$SMTPSERVER_SOURCE/t/lib/faults" --directory "$fault_dir" "$@"
	printf '%s\n' "$output"
	printf '# %s\n' "${lines[@]: -1}" >&3
	[ "$status" -eq 0 ]
}

@test "smtp-session killed before any call loses nothing that it acknowledged" {
	faults --kind kill session
}

@test "smtp-session: no call that fails makes it lose or invent a message" {
	faults --kind error --kind late --kind short session
}

@test "smtp-session loses or invents no message without O_TMPFILE either" {
	faults --no-tmpfile --share 40 session
}

@test "smtp-deliver killed before any call delivers everything once" {
	faults --kind kill deliver
}

@test "smtp-deliver: whatever call fails, everything is delivered once" {
	# smtp-deliver waits for some seconds before some retries.
	faults --jobs 16 --kind error --kind late --kind short deliver
}

# ---- tests of the test -------------------------------------------------------

@test "a session that does not queue a message is detected" {
	faults --lie "linkat .*,[0-9a-f]{24}$" session
}

@test "a session that leaves out a recipient's name is detected" {
	faults --lie "linkat .*[.]eml$" session
}

@test "a session that does not write a message is detected" {
	# The counters' slots have 8 octets.
	faults --lie "pwrite64 (?!.*,0x8,)" session
}

@test "a run that leaves a delivered message queued is detected" {
	faults --lie "unlinkat .*queue/new/" deliver
}
