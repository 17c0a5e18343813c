#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# sandbox.bats - the programs in their sandbox, and on kernels that lack a part
# of it. t/unit/sandbox.c tests from inside what the sandbox forbids.
#
# shellcheck disable=SC2030,SC2031 # each test has variables of its own
# shellcheck disable=SC2154 # lib/common sets $spool and $started

load lib/common
load lib/mail

# The version that landlock_create_ruleset(2) returns; glibc has no wrapper.
landlock_version() {
	python3 -c 'import ctypes
print(ctypes.CDLL(None).syscall(444, None, 0, 1))'
}

setup_file() {
	need cc curl flock prlimit python3 systemd-socket-activate
	[ "$(landlock_version)" -ge 6 ] ||
		cannot_run "needs Linux 6.12 with Landlock"
	[ "$(sed -n 's/^#define NO_SANDBOX //p' "$SMTPSERVER_BUILD/config.h")" != 1 ] ||
		skip "built without walls"
	cc -std=c17 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/refuse" \
		"$SMTPSERVER_SOURCE/t/lib/refuse.c"
	cc -std=c17 -D_GNU_SOURCE -fPIC -shared -o "$BATS_FILE_TMPDIR/abi.so" \
		"$SMTPSERVER_SOURCE/t/lib/abi.c"
}

setup() {
	# Not mail_setup: this needs no root.
	trail=$BATS_TEST_TMPDIR/trail
	: >"$trail"
	SMTP_REMOTE_PORT=$(free_port)
	export SMTP_HOSTNAME=mail.test SMTP_REMOTE_PORT
}

# Submit, deliver, and see the message arrive.
mail_flows() {
	send 'b@[127.0.0.1]'
	host_start
	deliver
	cat "$trail"
	grep -q event=message-done "$trail"
	[ -e "$BATS_TEST_TMPDIR/host/1.eml" ]
}

missing() {
	grep -c 'event=wall-incomplete' "$trail" || :
}

# status_of PID NAME: that field of the status of a process.
status_of() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

is_walled() {
	[ "$(status_of "$1" NoNewPrivs)" = 1 ]
	[ "$(status_of "$1" Seccomp)" = 2 ]
	[ "$(prlimit --pid "$1" --core --noheadings --output HARD | xargs)" = 0 ]
}

# children PID: the children of its first thread, a line each.
children() {
	tr ' ' '\n' <"/proc/$1/task/$1/children" | grep .
}

has_child() {
	[ -n "$(children "$1")" ]
}

@test "on a kernel with everything needed no gap is logged" {
	mail_flows
	[ "$(missing)" -eq 0 ]
}

@test "without Landlock mail flows, and the gap is logged once a day" {
	run_under "$BATS_FILE_TMPDIR/refuse" landlock
	mail_flows
	[ "$(missing)" -eq 1 ]
	grep -q 'event=wall-incomplete.*Landlock.*access to files is not restricted' "$trail"
	deliver
	[ "$(missing)" -eq 1 ]
}

@test "without seccomp mail flows, and the gap is logged" {
	run_under "$BATS_FILE_TMPDIR/refuse" seccomp
	mail_flows
	[ "$(missing)" -eq 1 ]
	grep -q 'event=wall-incomplete.*seccomp' "$trail"
}

@test "without both mail flows, and each gap is logged" {
	run_under "$BATS_FILE_TMPDIR/refuse" both
	mail_flows
	[ "$(missing)" -eq 2 ]
}

@test "with Landlock of Linux 6.1 mail flows, and the gap is logged" {
	run_under env "LD_PRELOAD=$BATS_FILE_TMPDIR/abi.so" LANDLOCK_ABI=2
	mail_flows
	[ "$(missing)" -eq 3 ]
	grep -q 'event=wall-incomplete.*truncate' "$trail"
	grep -q 'event=wall-incomplete.*TCP' "$trail"
	grep -q 'event=wall-incomplete.*signals' "$trail"
}

@test "Landlock that cannot link across folders is not used" {
	run_under env "LD_PRELOAD=$BATS_FILE_TMPDIR/abi.so" LANDLOCK_ABI=1
	mail_flows
	[ "$(missing)" -eq 1 ]
}

@test "a session logs a gap only with SMTP_DEBUG" {
	run_under "$BATS_FILE_TMPDIR/refuse" both
	send 'b@[127.0.0.1]' >/dev/null
	[ "$(missing)" -eq 0 ]
	SMTP_DEBUG=1 send 'b@[127.0.0.1]' >/dev/null
	[ "$(missing)" -eq 2 ]
}

@test "a session that waits for its client is sandboxed" {
	mkfifo "$BATS_TEST_TMPDIR/in"
	# shellcheck disable=SC2016 # the inner shell's variables
	start sh -c 'exec "$1" <>"$2"' sh "$(program smtp-session)" \
		"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 2>>"$trail"
	wait_for 5 grep -q '^220' "$BATS_TEST_TMPDIR/out"
	is_walled "$started"
}

@test "smtp-health is sandboxed" {
	local port

	port=$(free_port)
	start systemd-socket-activate -l "127.0.0.1:$port" \
		-E "SMTP_QUEUE_PATH=$spool" "$(program smtp-health)" \
		2>>"$trail"
	wait_for 5 is_listening "$port"
	curl -sS --max-time 10 --noproxy '*' "http://127.0.0.1:$port/healthz"
	wait_for 5 has_child "$started"
	is_walled "$(children "$started")"
}

@test "a worker is sandboxed, and has only its own messages, to read" {
	local run worker fd flags messages=0

	send 'b@[127.0.0.1]' >/dev/null
	send 'b@[127.0.0.2]' >/dev/null
	host_start banner=silent
	deliver_start
	run=$started
	wait_for 10 grep -q connect "$BATS_TEST_TMPDIR/host/log"
	is_walled "$run"
	[ "$(children "$run" | wc -l)" -eq 2 ]
	worker=$(children "$run" | head -n 1)
	is_walled "$worker"
	for fd in "/proc/$worker/fd"/*; do
		[[ $(readlink "$fd") == "$spool"* ]] || continue
		messages=$((messages + 1))
		flags=$(sed -n 's/^flags:[[:space:]]*//p' \
			"/proc/$worker/fdinfo/${fd##*/}")
		[ $((0$flags & 3)) -eq 0 ]
	done
	[ "$messages" -eq 1 ]
	# The run still holds the claims.
	for fd in "$spool"/queue/new/*; do
		run ! flock --nonblock "$fd" true
	done
}

@test "sandboxed, smtp-deliver --watch goes on in a spool made again" {
	local parent first

	deliver_start --watch
	parent=$started
	wait_for 5 has_child "$parent"
	first=$(children "$parent")
	wait_for 5 is_walled "$first"
	rm -r "$spool"
	host_start
	send 'b@[127.0.0.1]' >/dev/null
	wait_for 10 test -e "$BATS_TEST_TMPDIR/host/1.eml"
	[ "$(children "$parent")" != "$first" ]
	kill "$parent"
	wait "$parent"
}

@test "smtp-deliver --watch and its child end together" {
	local child

	deliver_start --watch
	wait_for 5 has_child "$started"
	child=$(children "$started")
	kill -KILL "$started"
	wait_for 5 is_gone "$child"
	deliver_start --watch
	wait_for 5 has_child "$started"
	kill -ILL "$(children "$started")"
	status=0
	wait "$started" || status=$?
	[ "$status" -eq $((128 + $(kill -l ILL))) ]
}

has_filter() {
	[ "$(status_of "$1" Seccomp)" = 2 ]
}

@test "--watch by root for another user's spool ends with its parent" {
	local child

	need_root
	chmod a+rx "$BATS_TEST_TMPDIR"
	install -d -o nobody "$spool"
	deliver_start --watch
	wait_for 5 has_child "$started"
	child=$(children "$started")
	wait_for 5 has_filter "$child"
	[ "$(stat -c %U "$spool/queue")" = nobody ]
	kill -KILL "$started"
	wait_for 5 is_gone "$child"
}

@test "smtp-deliver --watch finds a spool that replaced its own" {
	deliver_start --watch
	wait_for 5 has_child "$started"
	wait_for 5 is_walled "$(children "$started")"
	mv "$spool" "$spool.old"
	host_start
	send 'b@[127.0.0.1]' >/dev/null
	# It checks once a minute.
	wait_for 80 test -e "$BATS_TEST_TMPDIR/host/1.eml"
}

@test "smtp-deliver --watch reads a file of trust anchors that was replaced" {
	local parent first

	need openssl
	export SMTP_TLS_CA_FILE=$BATS_TEST_TMPDIR/ca.pem
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 2 -subj /CN=test -keyout /dev/null -out "$SMTP_TLS_CA_FILE" \
		2>/dev/null
	deliver_start --watch
	parent=$started
	wait_for 5 has_child "$parent"
	first=$(children "$parent")
	wait_for 5 is_walled "$first"
	cp "$SMTP_TLS_CA_FILE" "$SMTP_TLS_CA_FILE.new"
	mv "$SMTP_TLS_CA_FILE.new" "$SMTP_TLS_CA_FILE"
	host_start
	send 'b@[127.0.0.1]' >/dev/null
	wait_for 10 test -e "$BATS_TEST_TMPDIR/host/1.eml"
	[ "$(children "$parent")" != "$first" ]
}

@test "smtp-deliver --watch reads files again that were edited in place" {
	local parent first file dir=$BATS_TEST_TMPDIR

	need openssl
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test \
		-keyout "$dir/dkim" -out "$dir/ca" 2>/dev/null
	echo '# one' | tee "$dir/routes" >"$dir/auth"
	chmod 600 "$dir/auth" "$dir/dkim"
	export SMTP_TLS_CA_FILE=$dir/ca SMTP_ROUTES=$dir/routes \
		SMTP_AUTH_FILE=$dir/auth SMTP_DKIM_KEY_PATH=$dir/dkim \
		SMTP_DKIM_SELECTOR=a
	deliver_start --watch
	parent=$started
	host_start
	for file in ca routes auth dkim; do
		wait_for 5 has_child "$parent"
		first=$(children "$parent")
		wait_for 5 is_walled "$first"
		# The same size.
		cp "$dir/$file" "$dir/copy"
		cat "$dir/copy" >"$dir/$file"
		send 'b@[127.0.0.1]' >/dev/null
		wait_for 10 is_gone "$first"
	done
}

@test "smtp-deliver --watch can be stopped while it looks for its spool" {
	deliver_start --watch
	wait_for 5 has_child "$started"
	wait_for 5 is_walled "$(children "$started")"
	rm -r "$spool"
	# Its child waits for a second before it asks for another one.
	sleep 0.4
	kill "$started"
	wait_for 5 is_gone "$started"
	[ ! -e "$spool" ]
}

# lie NAME: submit a message, and deliver it by a run whose workers send invalid
# reports of that kind (t/lib/liar.c). The run must not fail.
lie() {
	[ -e "$BATS_TEST_TMPDIR/liar.so" ] ||
		cc -std=c17 -D_GNU_SOURCE -I"$SMTPSERVER_SOURCE" -fPIC -shared \
			-o "$BATS_TEST_TMPDIR/liar.so" \
			"$SMTPSERVER_SOURCE/t/lib/liar.c"
	send 'b@[127.0.0.1]' >/dev/null
	deliver LIE="$1" LD_PRELOAD="$BATS_TEST_TMPDIR/liar.so"
}

@test "invalid reports of a worker do not end the run" {
	host_start
	for lie in outcome recipient endless silent kind; do
		echo "$lie" >&2
		rm -rf "$spool"
		: >"$trail"
		lie "$lie"
		grep 'event=deferred .*status=4.3.0' "$trail"
		run ! grep 'event=\(delivered\|failed\)' "$trail"
		[ "$(find "$spool/queue/retry" -type f | wc -l)" -eq 1 ]
	done
}

@test "a failure that a worker reports after the delivery is ignored" {
	host_start
	lie final
	grep event=delivered "$trail"
	run ! grep 'event=\(deferred\|failed\)' "$trail"
	[ -z "$(find "$spool/queue" -mindepth 2 -type f)" ]
}

# journal HOW COUNT: run a session with a journal that fails.
journal() {
	need_root
	run -0 unshare --mount --propagation private \
		"$SMTPSERVER_SOURCE/t/lib/journal" "$1" \
		"$(program smtp-session)" "$2"
	echo "$output"
}

@test "a sandboxed session logs to stderr what the journal does not take" {
	journal gone 3
	[ "$output" = "3 accepted, 3 logged" ]
}

@test "a journal that nobody reads holds up no mail" {
	# As many as its socket holds, and more.
	journal unread $(($(cat /proc/sys/net/unix/max_dgram_qlen) + 3))
	[[ $output =~ ^([0-9]+)" accepted, "([0-9]+)" logged"$ ]]
	[ "${BASH_REMATCH[1]}" -eq "${BASH_REMATCH[2]}" ]
}
