# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# common.bash - loaded first by every bats file: load lib/common
#
# t/run sets SMTPSERVER_BUILD and SMTPSERVER_SOURCE to what is tested. Each test
# gets its own spool, $spool, which is in the programs' environment, and none of
# the caller's SMTP_ variables. A file with its own teardown() calls
# stop_started in it.

: "${SMTPSERVER_BUILD:?is not set: run the tests with make check or t/run}"
: "${SMTPSERVER_SOURCE:?is not set: run the tests with make check or t/run}"

bats_require_minimum_version 1.5.0

for variable in ${!SMTP_*}; do
	unset "$variable"
done
unset variable

# The programs make it.
spool=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/spool
export SMTP_QUEUE_PATH=$spool

# The path of a built program.
program() {
	printf '%s/%s/%s\n' "$SMTPSERVER_BUILD" "$1" "$1"
}

# Skip a test that cannot run; in CI it fails.
cannot_run() {
	if [ -n "${CI:-}" ]; then
		printf 'cannot run: %s\n' "$1" >&2
		return 1
	fi
	skip "$1"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || cannot_run "needs root"
}

need() {
	local command

	for command; do
		command -v "$command" >/dev/null ||
			cannot_run "needs $command" || return 1
	done
}

# bats lets a bare "!" pass.
not() {
	! "$@"
}

# wait_for SECONDS COMMAND...: wait until the command succeeds. Fail and show
# its last output after that time.
wait_for() {
	local seconds=$1 end output

	shift
	end=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
	until output=$("$@" 2>&1); do
		if [ "${EPOCHREALTIME/[.,]/}" -ge "$end" ]; then
			printf 'not within %s s: %s\n%s\n' \
				"$seconds" "$*" "$output" >&2
			return 1
		fi
		sleep 0.05
	done
}

# A TCP port of 127.0.0.1 that nothing listens on.
free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# Whether something listens on a TCP port of 127.0.0.1.
is_listening() {
	(: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

started_pids=()

# start COMMAND...: run it in the background until the test ends; its process id
# is left in $started. Redirect its output as needed. A function must exec,
# since otherwise only its subshell is stopped.
start() {
	"$@" 3>&- &
	started=$!
	started_pids+=("$started")
}

is_gone() {
	! kill -0 "$1" 2>/dev/null
}

# End one process that this test started: SIGTERM, after 5 s SIGKILL.
stop() {
	kill "$1" 2>/dev/null || :
	wait_for 5 is_gone "$1" 2>/dev/null || kill -KILL "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}

stop_started() {
	local pid

	for pid in "${started_pids[@]}"; do
		stop "$pid"
	done
	started_pids=()
}

teardown() {
	stop_started
}
