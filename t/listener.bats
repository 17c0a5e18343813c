#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# listener.bats - smtp-session with a listening socket: its children, their
# limits, and its exit. systemd.bats tests it under systemd.
#
# shellcheck disable=SC2154 # common.bash sets more variables

bats_require_minimum_version 1.5.0

load lib/common

setup() {
	need ss
	export SMTP_HOSTNAME=mail.test
	log=$BATS_TEST_TMPDIR/log
	: >"$log"
	port=$(free_port)
}

teardown() {
	stop_started
	if [ -n "${mounted:-}" ]; then
		umount --lazy "$mounted"
	fi
	if [ -n "${namespace:-}" ]; then
		ip netns del "$namespace-a" 2>/dev/null || :
		ip netns del "$namespace-b" 2>/dev/null || :
	fi
	# For a test that has failed.
	tail -n 30 "$log" >&2 || :
}

# Python that opens a listening socket as standard input, as inetd does for
# "wait", and executes the command: ADDRESS PORT COMMAND..., or PATH -
# COMMAND...
listen_py='
import os, socket, sys
if sys.argv[2] == "-":
    s = socket.socket(socket.AF_UNIX)
    s.bind(sys.argv[1])
    os.chmod(sys.argv[1], 0o666)
else:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[1], int(sys.argv[2])))
s.listen(4096)
os.dup2(s.fileno(), 0)
s.close()
os.execvp(sys.argv[3], sys.argv[3:])'

# Start a listener on $port of 127.0.0.1; its process id is left in $started.
listen() {
	start /usr/bin/python3 -c "$listen_py" 127.0.0.1 "$port" \
		"$(program smtp-session)" 2>>"$log"
	wait_for 10 is_bound
}

# Whether it listens, without a connection, which would start a session.
is_bound() {
	ss -Hltn "sport = :$port" | grep -q .
}

# connect NAME: connect, and leave the descriptor in that variable.
connect() {
	local -n descriptor=$1

	exec {descriptor}<>"/dev/tcp/127.0.0.1/$port"
	: "$descriptor"
}

say() {
	printf '%s\r\n' "${@:2}" >&"$1"
}

# expect DESCRIPTOR CODE...: read replies, which must begin with these codes.
expect() {
	local fd=$1 code reply

	shift
	for code; do
		while :; do
			IFS= read -t 20 -r reply <&"$fd" || {
				echo "hung up, expected $code" >&2
				return 1
			}
			[[ $reply == ???-* ]] || break
		done
		[[ $reply == "$code"* ]] || {
			echo "expected $code: $reply" >&2
			return 1
		}
	done
}

# Whether the server has closed the connection without another reply.
is_closed() {
	local reply status=0

	read -t 20 -r reply <&"$1" || status=$?
	[ -z "$reply" ] && [ "$status" -eq 1 ]
}

# Hold a complete session with one message.
run_session() {
	local client

	connect client
	expect "$client" 220
	say "$client" "EHLO client.test" "MAIL FROM:<a@example.com>" \
		"RCPT TO:<b@example.org>" DATA
	expect "$client" 250 250 250 354
	say "$client" "Subject: test" "" "one line" . QUIT
	expect "$client" 250 221
	exec {client}<&-
}

children() {
	cat "/proc/$1/task/$1/children"
}

has_children() {
	[ "$(children "$1" | wc -w)" -eq "$2" ]
}

# Print the exit status of a process that the test has started.
ends_with() {
	local status=0

	wait_for 40 is_gone "$1"
	wait "$1" || status=$?
	[ "$status" -eq "$2" ]
}

is_logged() {
	grep -qE "$1" "$log"
}

# ---- sockets -----------------------------------------------------------------

@test "every dialogue is the same with a listener" {
	"$SMTPSERVER_SOURCE/t/dialogue/run" --listener >"$BATS_TEST_TMPDIR/tap" || {
		grep -v ^ok "$BATS_TEST_TMPDIR/tap"
		false
	}
	[ "$(grep -c ^ok "$BATS_TEST_TMPDIR/tap")" -gt 100 ]
}

@test "several sockets of systemd are served until no client comes" {
	local other client queued

	need systemd-socket-activate
	other=$(free_port)
	start systemd-socket-activate -l "127.0.0.1:$port" \
		-l "127.0.0.1:$other" -E SMTP_QUEUE_PATH -E SMTP_IDLE_TIMEOUT=1 \
		"$(program smtp-session)" 2>>"$log"
	wait_for 10 is_logged "^Listening on 127.0.0.1:$other"
	run_session
	port=$other run_session
	# It stays while there is a session.
	connect client
	expect "$client" 220
	sleep 1.5
	say "$client" NOOP
	expect "$client" 250
	exec {client}<&-
	ends_with "$started" 0
	queued=("$spool"/queue/new/*)
	[ ${#queued[@]} -eq 2 ]
}

# Whether a listener leaves its clients to the next process after the command
# "$@" has changed the spool.
leaves_after() {
	local client

	listen
	run_session
	wait_for 10 has_children "$started" 0
	"$@"
	connect client
	ends_with "$started" 0
	exec {client}<&-
	listen
	run_session
}

@test "a listener exits when its spool was emptied or its key replaced" {
	leaves_after rm -r "$spool/scratch" "$spool/queue" "$spool/key"
	stop_started
	cp "$spool/key" "$spool/key.new"
	leaves_after mv "$spool/key.new" "$spool/key"
}

@test "a listener exits when a link on the way to its certificate is swapped" {
	local tls=$BATS_TEST_TMPDIR/tls

	need openssl
	mkdir -p "$tls"/{one,two}
	for name in one two; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
			-nodes -days 2 -subj "/CN=$name" -out "$tls/$name/cert" \
			-keyout "$tls/$name/key" 2>/dev/null
	done
	ln -s one "$tls/data"
	ln -s data/cert data/key "$tls"
	export SMTP_TLS_CERT=$tls/cert SMTP_TLS_KEY=$tls/key
	leaves_after ln -sfn two "$tls/data"
	run openssl s_client -connect "127.0.0.1:$port" -starttls smtp \
		-ign_eof <<<quit
	[[ $output == *"subject=CN = two"*"221 2.0.0"* ]]
}

@test "a spool that becomes usable later is used by the next process" {
	local client

	need_root
	mounted=$BATS_TEST_TMPDIR/there
	mkdir "$mounted"
	mount -t tmpfs -o size=16k tmpfs "$mounted"
	export SMTP_QUEUE_PATH=$mounted/spool
	head -c 16k /dev/zero >"$mounted/ballast" || :
	listen
	connect client
	expect "$client" 220
	say "$client" "EHLO client.test" "MAIL FROM:<a@example.com>" QUIT
	expect "$client" 250 45 221
	exec {client}<&-
	mount -o remount,size=32m "$mounted"
	rm "$mounted/ballast"
	sleep 6
	connect client
	ends_with "$started" 0
	exec {client}<&-
	listen
	run_session
}

@test "a listening standard input is served, as by inetd with \"wait\"" {
	listen
	run_session
	run_session
	wait_for 10 has_children "$started" 0
	# The socket is not what it reads and writes.
	[ "$(readlink "/proc/$started/fd/0")" = /dev/null ]
	[ "$(readlink "/proc/$started/fd/1")" = /dev/null ]
	run -0 stop "$started"
}

@test "a child has no socket but its client's" {
	local first second child

	listen
	connect first
	expect "$first" 220
	connect second
	expect "$second" 220
	for child in $(children "$started"); do
		ls -l "/proc/$child/fd"
		[ "$(find "/proc/$child/fd" -lname 'socket:*' | wc -l)" -eq 1 ]
		[ "$(find "/proc/$child/fd" -lname '*signalfd*' | wc -l)" -eq 0 ]
	done
}

@test "systemd is notified of readiness, of sessions and of the exit" {
	local client

	start python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)' "$BATS_TEST_TMPDIR/notify" \
		>"$BATS_TEST_TMPDIR/notes"
	wait_for 10 test -S "$BATS_TEST_TMPDIR/notify"
	NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify SMTP_IDLE_TIMEOUT=1 listen
	wait_for 10 grep -qx READY=1 "$BATS_TEST_TMPDIR/notes"
	connect client
	expect "$client" 220
	wait_for 10 grep -q '^STATUS=1 session' "$BATS_TEST_TMPDIR/notes"
	exec {client}<&-
	ends_with "$started" 0
	wait_for 10 grep -qx STOPPING=1 "$BATS_TEST_TMPDIR/notes"
}

@test "localhost only: another peer gets no banner, and is logged" {
	need_root
	need ip
	namespace=smtpl$$
	ip netns add "$namespace-a"
	ip netns add "$namespace-b"
	ip link add va netns "$namespace-a" type veth peer name vb netns \
		"$namespace-b"
	ip -n "$namespace-a" addr add 192.0.2.1/24 dev va
	ip -n "$namespace-b" addr add 192.0.2.2/24 dev vb
	ip -n "$namespace-a" link set va up
	ip -n "$namespace-b" link set vb up
	start ip netns exec "$namespace-a" /usr/bin/python3 -c "$listen_py" 0.0.0.0 \
		"$port" "$(program smtp-session)" 2>>"$log"
	wait_for 10 ip netns exec "$namespace-b" bash -c \
		": <>/dev/tcp/192.0.2.1/$port"
	ip netns exec "$namespace-b" timeout 20 bash -c \
		"cat <>/dev/tcp/192.0.2.1/$port" >"$BATS_TEST_TMPDIR/heard" || :
	[ ! -s "$BATS_TEST_TMPDIR/heard" ]
	is_logged 'event=peer-refused peer=\[192\.0\.2\.2\]'
	# A session would have created the folder of the day.
	[ -z "$(find "$spool" -name '20*')" ]
}

# ---- limits ------------------------------------------------------------------

@test "clients beyond SMTP_SESSIONS get 421 until another one leaves" {
	local first second third

	SMTP_SESSIONS=2 SMTP_SESSIONS_PER_CLIENT=2 listen
	connect first
	expect "$first" 220
	connect second
	expect "$second" 220
	for _ in 1 2 3; do
		connect third
		# Also for clients that do not wait for the greeting.
		say "$third" "EHLO client.test"
		expect "$third" "421 4.7.0 too many sessions"
		is_closed "$third"
		exec {third}<&-
	done
	say "$first" QUIT
	expect "$first" 221
	wait_for 10 has_children "$started" 1
	run_session
	say "$second" NOOP
	expect "$second" 250
	wait_for 10 is_logged 'event=session-refused peer=\[127.0.0.1\] reply="421 4.7.0 .* reason="SMTP_SESSIONS; '
	grep -o 'turned away: [0-9]*' "$log" |
		awk '{ n += $3 } END { exit n != 3 }'
}

@test "one user cannot take all sessions, whatever the addresses" {
	need_root
	SMTP_SESSIONS=6 listen
	python3 - "$port" <<-'END'
		import os, socket, sys
		port = int(sys.argv[1])

		def greeting(source):
		    s = socket.create_connection(("127.0.0.1", port), 20,
		        (f"127.0.0.{source}", 0))
		    clients.append(s)
		    return s.recv(999)

		clients = []
		for number in range(1, 6):
		    assert greeting(number).startswith(b"220")
		reply = greeting(6)
		assert reply.startswith(b"421 4.7.0"), reply
		os.seteuid(65534)
		assert greeting(1).startswith(b"220")
		reply = greeting(2)
		assert reply.startswith(b"421 4.7.0"), reply
	END
	wait_for 10 is_logged 'reason="SMTP_SESSIONS_PER_CLIENT; clients turned away: 1"'
	wait_for 10 is_logged 'reason="SMTP_SESSIONS; clients turned away: 1"'
}

@test "clients of a UNIX socket are counted by user" {
	local path=$BATS_TEST_TMPDIR/socket

	need_root
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
	SMTP_SESSIONS_PER_CLIENT=2 start /usr/bin/python3 -c "$listen_py" "$path" - \
		"$(program smtp-session)" 2>>"$log"
	wait_for 10 test -S "$path"
	python3 - "$path" <<-'END'
		import os, socket, sys

		def greeting():
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect(sys.argv[1])
		    clients.append(s)
		    return s.recv(999)

		clients = []
		for user in 65534, 1:
		    os.seteuid(0)
		    os.seteuid(user)
		    for code in b"220", b"220", b"421":
		        reply = greeting()
		        assert reply.startswith(code), (user, reply)
	END
}

@test "1000 idle clients of one address take half a MiB each" {
	listen
	python3 - "$port" "$started" <<-'END' >"$BATS_TEST_TMPDIR/figures"
		import resource, socket, sys, time
		port, listener = int(sys.argv[1]), sys.argv[2]

		def connect():
		    s = socket.create_connection(("127.0.0.1", port), 60)
		    return s, s.recv(999)

		def children():
		    with open(f"/proc/{listener}/task/{listener}/children") as f:
		        return f.read().split()

		def pss(pid):
		    with open(f"/proc/{pid}/smaps_rollup") as f:
		        return next(int(line.split()[1]) for line in f
		            if line.startswith("Pss:"))

		def say(s, line, code):
		    s.sendall(line)
		    reply = s.recv(999)
		    assert reply.startswith(code), reply

		hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
		limits = (min(4096, hard), hard)
		resource.setrlimit(resource.RLIMIT_NOFILE, limits)
		clients = []
		for count in 50, 1000:
		    while len(clients) < count:
		        s, reply = connect()
		        assert reply.startswith(b"220"), (len(clients), reply)
		        clients.append(s)
		    sizes = [pss(pid) for pid in children()]
		    assert len(sizes) == count, len(sizes)
		    print(f"PSS of {count} idle sessions: {sum(sizes) // count} KiB"
		        f" each, {max(sizes)} KiB at the most")
		    assert max(sizes) <= 512

		# There is room for other clients of that address.
		s, reply = connect()
		assert reply.startswith(b"220"), reply
		clients.append(s)
		before = {pid: pss(pid) for pid in children()}
		s = clients[0]
		say(s, b"EHLO client.test\r\n", b"250")
		say(s, b"MAIL FROM:<a@example.com>\r\n", b"250")
		say(s, b"RCPT TO:<a@example.com>\r\n", b"250")
		say(s, b"DATA\r\n", b"354")
		for _ in range(9 * 1024 * 1024 // 6400):
		    s.sendall((b"x" * 62 + b"\r\n") * 100)
		busy = max(pss(pid) - before[pid] for pid in children())
		busy += max(before.values())
		s.sendall(b".\r\n")
		assert s.recv(999).startswith(b"250")
		print(f"PSS of one that is receiving 10 MiB: {busy} KiB")
		assert busy <= 1024
	END
	sed 's/^/# /' "$BATS_TEST_TMPDIR/figures" >&3
}

# ---- bursts, and a kernel without resources ----------------------------------

@test "each client of a burst of 500 is served" {
	listen
	"$SMTPSERVER_SOURCE/t/lib/burst" "$port" 500 b@example.org \
		>"$BATS_TEST_TMPDIR/ids" 2>"$BATS_TEST_TMPDIR/ends"
	cat "$BATS_TEST_TMPDIR/ends"
	[ "$(sort -u "$BATS_TEST_TMPDIR/ids" | wc -l)" -eq 500 ]
	diff <(sort "$BATS_TEST_TMPDIR/ids") <(ls "$spool/queue/new")
	wait_for 10 has_children "$started" 0
}

@test "a client gets 421 if no process can be made, and the next is served" {
	local client

	need strace
	start strace -o /dev/null --quiet=all \
		-e inject=clone,clone3,fork,vfork:error=EAGAIN:when=1..2 \
		/usr/bin/python3 -c "$listen_py" 127.0.0.1 "$port" \
		"$(program smtp-session)" 2>>"$log"
	wait_for 20 is_bound
	for _ in 1 2; do
		connect client
		expect "$client" "421 4.3.2"
		is_closed "$client"
		exec {client}<&-
	done
	run_session
	wait_for 10 is_logged 'event=session-refused .*clients turned away'
	[ "$(grep -c 'event=trouble reason="no process for a session: Resource temp' \
		"$log")" -eq 1 ]
}

@test "without a free descriptor a listener waits without spinning" {
	wait_out 3
}

@test "a listener that cannot wait for clients does not spin" {
	# poll(2) fails with more descriptors than that.
	wait_out 1
}

@test "a listener that cannot accept for another reason does not spin" {
	need strace
	start strace -o /dev/null --quiet=all \
		-e inject=accept4:error=EPERM:when=1..100 \
		/usr/bin/python3 -c "$listen_py" 127.0.0.1 "$port" \
		"$(program smtp-session)" 2>>"$log"
	wait_for 20 is_bound
	run_session
	is_logged 'event=trouble reason="accepting a client: Operation not permitted"'
}

# wait_out DESCRIPTORS: allow the listener only that many for some time.
wait_out() {
	local before client

	listen
	run_session
	prlimit --pid "$started" --nofile="$1:"
	before=$(ticks "$started")
	connect client
	# The latter if it waits again, for the exit of an earlier child.
	wait_for 10 is_logged \
		'event=trouble reason="(accepting a client: Too many|waiting for clients: Inv)'
	sleep 3
	[ $(($(ticks "$started") - before)) -lt 20 ]
	prlimit --pid "$started" --nofile=256:
	expect "$client" 220
	say "$client" QUIT
	expect "$client" 221
	[ "$(grep -c event=trouble "$log")" -eq 1 ]
}

# CPU time that a process has taken, in hundredths of a second.
ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# ---- crashes and the end -----------------------------------------------------

@test "a child that crashes affects no other, and is logged" {
	local first second child

	listen
	connect first
	expect "$first" 220
	child=$(children "$started")
	child=${child% }
	connect second
	expect "$second" 220
	say "$second" "EHLO client.test" "MAIL FROM:<secret@example.com>" \
		"RCPT TO:<b@example.org>" DATA
	expect "$second" 250 250 250 354
	kill -SEGV "$child"
	is_closed "$first"
	say "$second" "Subject: test" "" "one line" .
	expect "$second" 250
	run_session
	wait_for 10 is_logged "event=session-broken peer=\[127.0.0.1\] reason=\"process $child: signal 11, Segmentation fault\""
	run ! grep secret "$log"
}

@test "on SIGTERM a transaction ends normally, and idle clients get 421" {
	local idle busy between

	listen
	connect idle
	expect "$idle" 220
	connect between
	expect "$between" 220
	say "$between" "EHLO client.test"
	expect "$between" 250
	connect busy
	expect "$busy" 220
	say "$busy" "EHLO client.test" "MAIL FROM:<a@example.com>" \
		"RCPT TO:<b@example.org>" DATA
	expect "$busy" 250 250 250 354
	say "$busy" "Subject: test" ""
	kill "$started"
	expect "$idle" "421 4.3.2"
	is_closed "$idle"
	expect "$between" "421 4.3.2"
	is_closed "$between"
	run ! is_listening "$port"
	wait_for 10 has_children "$started" 1
	say "$busy" "one line" .
	expect "$busy" 250 "421 4.3.2"
	is_closed "$busy"
	ends_with "$started" 0
	[ "$(find "$spool/queue/new" -type f | wc -l)" -eq 1 ]
}

@test "a client that does not end is cut off after SIGTERM, and logged" {
	local client

	listen
	connect client
	expect "$client" 220
	say "$client" "EHLO client.test" "MAIL FROM:<a@example.com>"
	expect "$client" 250 250
	kill "$started"
	ends_with "$started" 0
	is_closed "$client"
	is_logged 'event=session-broken .*signal 9, Killed, at the end of the time for a stop'
}
