#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# submitter.bats - the kernel tells whose each session is, and the journal names
# the user and the unit. t/unit/submitter.c asks the kernel directly.
#
# shellcheck disable=SC2154 # common.bash sets more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/mail
load lib/sources

uid=54321

setup() {
	mail_setup
	need setpriv python3
	export SMTP_HOSTNAME=mail.test SMTP_DEBUG=1
	log=$trail
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
}

teardown() {
	stop_started
	if [ -n "${group:-}" ]; then
		[ ! -e "$group" ] || wait_for 10 rmdir "$group" || :
		[ ! -e "${group%/*}" ] || rmdir "${group%/*}" || :
	fi
	mail_teardown
}

# Python that serves clients of a socket: "each" client by a process of its own,
# or "all" by one: FLAVOUR ADDRESS COMMAND..., where ADDRESS is a path, or an IP
# address; the port is written to the file "port".
server_py='
import os, socket, subprocess, sys
flavour, address, *command = sys.argv[1:]
if address.startswith("/"):
    s = socket.socket(socket.AF_UNIX)
    s.bind(address)
    os.chmod(address, 0o666)
else:
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if address == "::":
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((address, 0))
s.listen(64)
with open("port.new", "w") as file:
    print(s.getsockname()[1], file=file)
os.rename("port.new", "port")
if flavour == "all":
    os.dup2(s.fileno(), 0)
    os.execv(command[0], command)
while True:
    client = s.accept()[0]
    subprocess.Popen(command, stdin=client, stdout=client)
    client.close()
'

# Python for a client that holds a session with one message: its address, port
# and commands. It leaves when the server closes.
client_py='
import socket, sys
address, port = sys.argv[1:]
if address.startswith("/"):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(address)
else:
    s = socket.create_connection((address, int(port)), 30)
s.sendall(b"EHLO client.test\r\nMAIL FROM:<a@example.com>\r\n"
          b"RCPT TO:<b@example.org>\r\nDATA\r\n")
replies = b""
while b"354 " not in replies:
    replies += s.recv(9999)
s.sendall(b"Subject: test\r\n\r\ntext\r\n.\r\nNOSUCH\r\nQUIT\r\n")
while data := s.recv(9999):
    replies += data
assert b"\n221 " in replies, replies
'

# serve FLAVOUR ADDRESS [COMMAND...]: start a server there.
serve() {
	cd "$BATS_TEST_TMPDIR" || return
	rm -f port socket
	start "${@:3}" /usr/bin/python3 -c "$server_py" "$1" "$2" \
		"$(program smtp-session)" 2>>"$log"
	wait_for 10 test -e port
}

# session_at ADDRESS [COMMAND...]: hold a session there, as user $uid.
session_at() {
	: >"$log"
	"${@:2}" setpriv --reuid="$uid" --regid="$uid" --clear-groups \
		/usr/bin/python3 -c "$client_py" "$1" "$(cat port)"
	wait_for 10 grep -q event=session-closed "$log"
}

# Make the control group of a unit, $group.
make_group() {
	local tree=/sys/fs/cgroup

	[ ! -e $tree/unified ] || tree=$tree/unified
	group=$tree/smtpservertest$$.slice/mail\\x2dtest.service
	mkdir -p "$group" || cannot_run "needs control groups"
}

# session_in_group ADDRESS: hold a session there, from a process of that unit.
session_in_group() {
	# shellcheck disable=SC2016 # the inner shell's variables
	session_at "$1" sh -c 'echo $$ >"$0" && exec "$@"' \
		"$group/cgroup.procs"
}

# Python that passes sockets to a command as systemd does: KINDS COMMAND...,
# where each of KINDS is tcp, udp, netlink, or "unread", a netlink socket with
# an answer that nobody has read. The ports of TCP are written to the file
# "ports". When the command has ended, "left" has the number of netlink sockets
# that can be read.
pass_py='
import os, select, socket, struct, sys
kinds, command = sys.argv[1].split(), sys.argv[2:]
passed, ports, netlink = [], [], []
for kind in kinds:
    if kind in ("tcp", "udp"):
        s = socket.socket(type=socket.SOCK_STREAM if kind == "tcp"
                          else socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 0))
        if kind == "tcp":
            s.listen(64)
            ports.append(str(s.getsockname()[1]))
    else:
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
        s.bind((0, 0))
        netlink.append(s)
    if kind == "unread":  # NLMSG_NOOP, to be acknowledged
        s.sendto(struct.pack("=IHHII", 16, 1, 5, 7, 0), (0, 0))
    passed.append(s)
pid = os.getpid()
if os.fork() == 0:
    for s in passed:
        if s not in netlink:
            s.close()
    select.select([os.pidfd_open(pid)], [], [])
    with open("left.new", "w") as file:
        print(len(select.select(netlink, [], [], 0)[0]), file=file)
    os.rename("left.new", "left")
    os._exit(0)
for i, s in enumerate(passed):
    os.dup2(s.fileno(), 50 + i)
for i in range(len(passed)):
    os.dup2(50 + i, 3 + i)
os.closerange(3 + len(passed), 99)
with open("ports.new", "w") as file:
    print(*ports, file=file)
os.rename("ports.new", "ports")
os.environ.update(LISTEN_FDS=str(len(passed)), LISTEN_PID=str(pid))
os.execvp(command[0], command)
'

# pass KINDS [COMMAND...]: start a listener with these sockets.
pass() {
	cd "$BATS_TEST_TMPDIR" || return
	rm -f ports left
	: >"$log"
	start /usr/bin/python3 -c "$pass_py" "$1" "${@:2}" \
		"$(program smtp-session)" 2>>"$log"
	wait_for 10 test -e ports
}

# Whether the listener ends with this status.
ends_with() {
	local status=0

	wait_for 20 is_gone "$started"
	wait "$started" || status=$?
	[ "$status" -eq "$1" ]
}

# Whether each event of the session has this at its end.
all_say() {
	[ "$(grep -c event= "$log")" -ge 5 ]
	grep event= "$log" | grep -v " $1\$" | nothing
}

@test "each event of a session names the user at the other end" {
	local flavour address

	for flavour in each all; do
		for address in "$BATS_TEST_TMPDIR/socket" 127.0.0.1 ::1; do
			serve "$flavour" "$address"
			session_at "$address"
			all_say "uid=$uid\( unit=.*\)\?"
			stop_started
		done
		serve "$flavour" ::
		session_at 127.0.0.1
		all_say "uid=$uid\( unit=.*\)\?"
		stop_started
	done
}

@test "each event of a session names the unit at the other end" {
	local flavour address

	make_group
	for flavour in each all; do
		for address in "$BATS_TEST_TMPDIR/socket" 127.0.0.1 ::1; do
			serve "$flavour" "$address"
			session_in_group "$address"
			all_say "uid=$uid unit=mail\\\\x5cx2dtest.service"
			stop_started
		done
	done
}

@test "a client of a pipe has no user" {
	printf '%s\r\n' "EHLO client.test" NOSUCH QUIT |
		"$(program smtp-session)" 2>"$log"
	grep event=command-refused "$log"
	not grep uid= "$log"
}

@test "a user whose socket is closed is not taken for root" {
	cd "$BATS_TEST_TMPDIR"
	cat >"$BATS_TEST_TMPDIR/late" <<-'END'
		#!/bin/sh
		# Begin when the client is gone.
		while [ ! -e gone ]; do sleep 0.05; done
		exec "$1"
	END
	chmod +x late
	start /usr/bin/python3 -c "$server_py" each 127.0.0.1 ./late \
		"$(program smtp-session)" 2>>"$log"
	wait_for 10 test -e port
	setpriv --reuid="$uid" --regid="$uid" --clear-groups /usr/bin/python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
s.sendall(b"NOSUCH\r\n")' "$(cat port)"
	touch gone
	wait_for 10 grep -q event=session-closed "$log"
	grep event=session-opened "$log"
	not grep uid= "$log"
}

# The file of the only stored message.
message_file() {
	cat "$spool"/20*/*.eml
}

@test "the submitter is in the envelope, in Received and in each event" {
	local id

	serve each 127.0.0.1
	session_at 127.0.0.1
	message_file | grep -qx "X-Smtpserver-Submitter: uid=$uid\( unit=.*\)\?"$'\r'
	message_file | grep -qx "Received: from client.test (\[127.0.0.1\]) (uid $uid)"$'\r'
	id=$(sed -n 's/.*message=\([0-9a-f]*\) event=message-accepted.*/\1/p' \
		"$log")
	: >"$log"
	# Nobody answers there; then the message is delivered.
	SMTP_RELAYHOST="[127.0.0.1]:$(free_port)" deliver
	grep "message=$id event=unreached .* uid=$uid" "$log"
	grep "message=$id event=deferred .* uid=$uid" "$log"
}

@test "SMTP_RECEIVED_UID=0 keeps the submitter out of Received" {
	SMTP_RECEIVED_UID=0 serve each 127.0.0.1
	session_at 127.0.0.1
	message_file | grep -qx "X-Smtpserver-Submitter: uid=$uid\( unit=.*\)\?"$'\r'
	message_file | grep -qx "Received: from client.test (\[127.0.0.1\])"$'\r'
}

# serve_with FAULT: start a server at 127.0.0.1 whose sessions have it.
serve_with() {
	cd "$BATS_TEST_TMPDIR" || return
	rm -f port
	start /usr/bin/python3 -c "$server_py" each 127.0.0.1 \
		strace -qq -o /dev/null -e inject="$1" \
		"$(program smtp-session)" 2>>"$log"
	wait_for 10 test -e port
}

@test "a kernel that does not answer leaves the submitter unknown" {
	local fault

	need strace
	for fault in socket:error=EAFNOSUPPORT:when=1 \
		sendto:error=ENOBUFS:when=1 recvfrom:error=ENOMEM:when=1 \
		getsockname:error=ENOBUFS; do
		serve_with "$fault"
		session_at 127.0.0.1
		grep event=message-accepted "$log"
		not grep uid= "$log"
		stop_started
	done
}

@test "control groups that cannot be read leave the unit unknown" {
	need strace
	make_group
	# This one does not occur.
	serve_with getdents64:error=EIO:when=65535
	session_in_group 127.0.0.1
	all_say "uid=$uid unit=mail.*"
	stop_started
	serve_with getdents64:error=EIO
	session_in_group 127.0.0.1
	grep event=message-accepted "$log"
	all_say "uid=$uid"
}

@test "the netlink socket may be anywhere among those of systemd" {
	local kinds port all

	for kinds in "tcp tcp netlink" "tcp netlink tcp tcp" "netlink tcp tcp" \
		"netlink tcp netlink tcp"; do
		# The socket of another network namespace would not know.
		pass "$kinds" unshare --net
		read -ra all <ports
		for port in "${all[@]}"; do
			echo "$port" >port
			session_at 127.0.0.1
			all_say "uid=$uid\( unit=.*\)\?"
		done
		stop_started
	done
}

@test "a listener names a descriptor that does not listen, and exits" {
	local kinds

	for kinds in "tcp udp" "tcp udp netlink" "tcp netlink udp tcp"; do
		pass "$kinds"
		ends_with 64
		grep 'smtp-session: descriptor [45] does not listen' "$log"
	done
	pass netlink
	ends_with 64
	grep 'smtp-session: no socket to listen on was passed' "$log"
}

@test "a listener that exits leaves no answer in its netlink socket" {
	need strace
	# Of the listener before it, which was killed.
	SMTP_IDLE_TIMEOUT=1 pass "tcp unread"
	ends_with 0
	wait_for 10 grep -qx 0 left
	# Its own: the first call is before any client.
	SMTP_IDLE_TIMEOUT=1 pass "tcp netlink" strace -D -qq -o /dev/null \
		-e inject=recvfrom:error=ENOMEM:when=1..2
	cp ports port
	session_at 127.0.0.1
	not grep uid= "$log"
	ends_with 0
	wait_for 10 grep -qx 0 left
}
