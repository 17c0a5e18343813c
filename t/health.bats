#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
#
# health.bats - smtp-health on a socket of systemd-socket-activate.

load lib/common

setup() {
	need curl python3 systemd-socket-activate
	log=$BATS_TEST_TMPDIR/log
	body=$BATS_TEST_TMPDIR/body
	mounted=
}

teardown() {
	stop_started
	if [ -n "$mounted" ]; then
		umount "$mounted"
	fi
}

# serve [ARGUMENT...]: listen on a free port and start smtp-health for $spool at
# the first connection. Its process id is $started then.
serve() {
	local variable environment=(-E "SMTP_QUEUE_PATH=$spool")

	# systemd-socket-activate passes on only variables that are named.
	for variable in ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS \
		SMTP_DEBUG SMTP_FREE_SPACE SMTP_HOSTNAME; do
		if [ -n "${!variable:-}" ]; then
			environment+=(-E "$variable=${!variable}")
		fi
	done
	port=$(free_port)
	start systemd-socket-activate -l "127.0.0.1:$port" \
		"${environment[@]}" "$(program smtp-health)" "$@" \
		>"$log" 2>&1
	wait_for 5 is_listening "$port"
}

# get [CURL'S OPTION...] PATH: print the status, and leave the body in $body.
get() {
	curl -sS --max-time 20 --noproxy '*' -o "$body" -w '%{http_code}\n' \
		"${@:1:$#-1}" "http://127.0.0.1:$port${*: -1}"
}

content_type() {
	curl -sS --max-time 20 --noproxy '*' -o /dev/null \
		-w '%{content_type}\n' "$@" "http://127.0.0.1:$port/metrics"
}

# metric NAME: its value.
metric() {
	get /metrics >/dev/null
	python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$body" "$1"
}

is_metric() {
	local value

	value=$(metric "$1")
	echo "$1 is $value, expected $2"
	[ "$value" = "$2" ]
}

# Expect a status of /healthz and a pattern that its whole body matches.
expect_health() {
	local status text

	status=$(get /healthz)
	text=$(cat "$BATS_TEST_TMPDIR/body")
	echo "$status: $text"
	[ "$status" = "$1" ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/body")" -eq 1 ]
	# shellcheck disable=SC2053 # it is a pattern
	[[ $text == $2 ]]
}

# mount_spool OPTIONS: mount a separate file system for the spool.
mount_spool() {
	need_root
	need mount
	mkdir -p "$spool"
	mount -t tmpfs -o "$1" smtp-health-test "$spool" ||
		cannot_run "needs to mount a tmpfs"
	mounted=$spool
}

# Start a session that reads what is written to $to.
open_fifo() {
	[ -x "$(program smtp-session)" ] || cannot_run "needs smtp-session"
	mkfifo "$BATS_TEST_TMPDIR/to"
	exec {to}<>"$BATS_TEST_TMPDIR/to"
}

start_session() {
	# shellcheck disable=SC2016 # sh expands them
	start sh -c 'exec "$1" <"$2"' - \
		"$(program smtp-session)" "$BATS_TEST_TMPDIR/to" \
		>"$log.session" 2>&1
}

# old_id MINUTES: the id of a message that was accepted that long ago.
old_id() {
	printf '%012x%012x\n' $(((${EPOCHREALTIME%[.,]*} - $1 * 60) * 1000)) 1
}

# bucket MINUTES: the bucket of that many minutes ago, or ahead if negative.
bucket() {
	date -u -d "@$((${EPOCHREALTIME%[.,]*} - $1 * 60))" +%Y%m%d%H%M
}

put_into_retry() {
	mkdir "$spool/queue/retry/$1"
	touch "$spool/queue/retry/$1/$(old_id 600)"
}

@test "/healthz is 200 OK while all is well" {
	serve
	expect_health 200 OK
	printf 'OK\n' | cmp - "$body"
}

@test "HEAD is answered as GET is, without a body" {
	serve
	for page in /healthz /metrics /nowhere; do
		get -D "$BATS_TEST_TMPDIR/of-get" "$page"
		[ -s "$body" ]
		size=$(wc -c <"$body")
		: >"$body"
		get -I "$page"
		tr -d '\r' <"$BATS_TEST_TMPDIR/of-get" | grep -v ^Date: >"$log.get"
		tr -d '\r' <"$body" | grep -v ^Date: >"$log.head"
		diff "$log.get" "$log.head"
		grep -qx "Content-Length: $size" "$log.head"
	done
	# No octet follows the fields.
	exec {connection}<>"/dev/tcp/127.0.0.1/$port"
	printf 'HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n' >&"$connection"
	timeout 5 cat <&"$connection" >"$log.raw"
	exec {connection}>&-
	[ "$(tail -c 4 "$log.raw" | od -An -tx1 | tr -d ' ')" = 0d0a0d0a ]
}

@test "both pages are 503 and name the spool when it is missing" {
	spool=$BATS_TEST_TMPDIR/file/spool
	touch "$BATS_TEST_TMPDIR/file"
	serve
	expect_health 503 "spool $spool: Not a directory"
	[ "$(get /metrics)" = 503 ]
	[ "$(cat "$body")" = "spool $spool: Not a directory" ]
}

@test "a spool that comes back is found again without a restart" {
	serve
	expect_health 200 OK
	mv "$spool" "$spool.away"
	touch "$spool"
	expect_health 503 "spool $spool: *"
	rm "$spool"
	mv "$spool.away" "$spool"
	expect_health 200 OK
}

@test "/healthz is 503 while the spool is not writable" {
	mount_spool size=32m
	serve
	expect_health 200 OK
	mount -o remount,ro "$spool"
	expect_health 503 "spool $spool: not writable: Read-only file system"
	mount -o remount,rw "$spool"
	expect_health 200 OK
}

@test "/healthz is 503 while free space is below what mail needs" {
	mount_spool size=20m
	serve
	expect_health 200 OK
	fallocate -l 5M "$spool/ballast"
	expect_health 503 \
		"spool $spool: below the free space that mail needs: No space left on device"
	SMTP_FREE_SPACE=14 serve
	expect_health 200 OK
	rm "$spool/ballast"
	SMTP_FREE_SPACE=30 serve
	expect_health 503 \
		"spool $spool: below the free space that mail needs: No space left on device"
}

@test "/healthz is 503 while too few files can be made in the spool" {
	mount_spool size=32m,nr_inodes=20
	serve
	expect_health 503 \
		"spool $spool: below the free space that mail needs: No space left on device"
}

@test "/healthz is 503 once a message has not been tried for 15 minutes" {
	serve
	expect_health 200 OK
	touch "$spool/queue/new/$(old_id 14)"
	expect_health 200 OK
	touch "$spool/queue/new/$(old_id 17)"
	expect_health 503 \
		"spool $spool: a message due for delivery has been waiting untried for 17 minutes"
}

@test "/healthz is 503 once a retry is 15 minutes late" {
	serve
	expect_health 200 OK
	put_into_retry "$(bucket 13)"
	expect_health 200 OK
	put_into_retry "$(bucket 20)"
	expect_health 503 "spool $spool: a message due * untried for 2[01] minutes"
}

@test "/healthz is 200 while an old message waits for its next attempt" {
	serve
	expect_health 200 OK
	put_into_retry "$(bucket -30)"
	expect_health 200 OK
	is_metric smtp_queue_depth 1
}

@test "/metrics is expvar JSON with cmdline and the five names" {
	serve --stay
	[ "$(get /metrics)" = 200 ]
	[ "$(content_type)" = "application/json; charset=utf-8" ]
	python3 - "$body" "$(program smtp-health)" <<-'END'
		import json, sys
		page = json.load(open(sys.argv[1], encoding="utf-8"))
		assert page == {
		    "cmdline": [sys.argv[2], "--stay"],
		    "smtp_messages_queued_total": 0,
		    "smtp_messages_delivered_total": 0,
		    "smtp_delivery_failures_total": 0,
		    "smtp_queue_depth": 0,
		    "smtp_sessions_active": 0,
		}, page
	END
}

@test "cmdline is valid JSON whatever the program's name" {
	# A quotation mark, a backslash, a newline, an octet that is not UTF-8.
	strange=$BATS_TEST_TMPDIR/$'q"b\\n\nx\xff'
	mkdir "$strange"
	ln -s "$(program smtp-health)" "$strange/smtp-health"
	program() {
		printf '%s\n' "$strange/$1"
	}
	serve
	[ "$(get /metrics)" = 200 ]
	python3 - "$body" <<-'END'
		import json, sys
		name = json.load(open(sys.argv[1], encoding="utf-8"))["cmdline"][0]
		assert name.endswith('/q"b\\n\nx\ufffd/smtp-health'), name
	END
}

@test "/metrics counts what a session does, and the session while it lasts" {
	open_fifo
	serve
	is_metric smtp_sessions_active 0
	start_session
	session=$started
	wait_for 5 is_metric smtp_sessions_active 1

	printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@example.com>' \
		'RCPT TO:<b@example.org>' 'RCPT TO:<c@example.net>' DATA \
		'Subject: test' '' text . >&"$to"
	wait_for 5 is_metric smtp_messages_queued_total 1
	wait_for 5 is_metric smtp_queue_depth 1
	is_metric smtp_messages_delivered_total 0

	printf 'QUIT\r\n' >&"$to"
	wait_for 5 is_metric smtp_sessions_active 0
	wait "$session"
	is_metric smtp_messages_queued_total 1
}

@test "/metrics does not count a session that was killed" {
	open_fifo
	serve
	for _ in 1 2 3; do
		start_session
	done
	wait_for 5 is_metric smtp_sessions_active 3
	kill -KILL "$started"
	{ wait "$started"; } 2>/dev/null || :
	wait_for 5 is_metric smtp_sessions_active 2
}

@test "/metrics is in the format that the Accept field asks for" {
	json="application/json; charset=utf-8"
	open="application/openmetrics-text; version=1.0.0; charset=utf-8"
	text="text/plain; version=0.0.4; charset=utf-8"
	serve --stay

	expect() {
		local type

		type=$(content_type -H "$2")
		echo "$2 -> $type, expected $1"
		[ "$type" = "$1" ]
	}
	expect "$json" 'Accept:'
	expect "$json" 'Accept;'
	expect "$json" 'Accept: */*'
	expect "$json" 'Accept: application/json'
	expect "$json" 'Accept: application/*'
	expect "$json" 'Accept: image/png'
	expect "$json" 'Accept: ,;,q=1;version=0.0.4,/,*,text'
	expect "$json" "Accept: text/plain;version=0.0.4;q=0.1,$(printf '%05000d' 0)"
	# A browser, and a library for browsers.
	expect "$json" 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8'
	expect "$json" 'Accept: application/json, text/plain, */*'

	expect "$text" 'Accept: text/plain;version=0.0.4'
	expect "$text" 'Accept: Text/Plain ; Charset=UTF-8 ; Version="0.0.4"'
	expect "$text" 'Accept: text/plain'
	expect "$text" 'Accept: text/*;q=0.3'
	expect "$text" 'Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
	expect "$text" 'Accept: application/json;q=0, application/openmetrics-text;q=0, */*'
	expect "$json" 'Accept: text/plain;version=1.0.0'
	expect "$json" 'Accept: text/plain;version=0.0.4;q=0'
	expect "$json" 'Accept: text/plain;version=0.0.4;q=much'
	expect "$json" 'Accept: text/plain;version=0.0.4;q=7, */*;q=0.1'
	expect "$json" 'Accept: text/plain;q=0.4, application/json;q=0.5'

	expect "$open" 'Accept: application/openmetrics-text'
	expect "$open" 'Accept: application/openmetrics-text; version=1.0.0'
	expect "$json" 'Accept: application/openmetrics-text; version=2.0.0'
	# Several lines are one list.
	type=$(content_type -H 'Accept: image/png' \
		-H 'Accept: text/plain;version=0.0.4')
	[ "$type" = "$text" ]
	# The fields of Prometheus 2.20, 2.50 and 3.0.
	expect "$text" 'Accept: application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
	expect "$open" 'Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
	expect "$open" 'Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1'
	expect "$text" 'Accept: text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.9'
}

@test "the Prometheus text describes each metric and gives its value" {
	serve
	expect_health 200 OK
	touch "$spool/queue/new/$(old_id 1)" "$spool/queue/new/$(old_id 2)"
	[ "$(get -H 'Accept: text/plain;version=0.0.4' /metrics)" = 200 ]
	diff - "$body" <<-'END'
# HELP smtp_messages_queued_total Messages accepted into the queue.
# TYPE smtp_messages_queued_total counter
smtp_messages_queued_total 0
# HELP smtp_messages_delivered_total Recipients that a remote host has accepted.
# TYPE smtp_messages_delivered_total counter
smtp_messages_delivered_total 0
# HELP smtp_delivery_failures_total Failed delivery attempts, per recipient.
# TYPE smtp_delivery_failures_total counter
smtp_delivery_failures_total 0
# HELP smtp_queue_depth Messages in the queue.
# TYPE smtp_queue_depth gauge
smtp_queue_depth 2
# HELP smtp_sessions_active SMTP sessions that are open.
# TYPE smtp_sessions_active gauge
smtp_sessions_active 0
	END
}

@test "OpenMetrics describes counters without _total and ends in EOF" {
	serve
	[ "$(get -H 'Accept: application/openmetrics-text' /metrics)" = 200 ]
	diff - "$body" <<-'END'
# HELP smtp_messages_queued Messages accepted into the queue.
# TYPE smtp_messages_queued counter
smtp_messages_queued_total 0
# HELP smtp_messages_delivered Recipients that a remote host has accepted.
# TYPE smtp_messages_delivered counter
smtp_messages_delivered_total 0
# HELP smtp_delivery_failures Failed delivery attempts, per recipient.
# TYPE smtp_delivery_failures counter
smtp_delivery_failures_total 0
# HELP smtp_queue_depth Messages in the queue.
# TYPE smtp_queue_depth gauge
smtp_queue_depth 0
# HELP smtp_sessions_active SMTP sessions that are open.
# TYPE smtp_sessions_active gauge
smtp_sessions_active 0
# EOF
	END
}

@test "other methods are 405, with a list of those allowed" {
	serve
	for method in POST PUT DELETE OPTIONS PATCH TRACE FROB; do
		echo "$method"
		[ "$(get -X "$method" -D "$log.fields" /metrics)" = 405 ]
		tr -d '\r' <"$log.fields" | grep -qx 'Allow: GET, HEAD'
	done
	head -c 1000000 /dev/zero >"$log.large"
	[ "$(get -H 'Expect: 100-continue' --expect100-timeout 60 \
		--data-binary "@$log.large" /healthz)" = 405 ]
	# Who does not wait may not see the reply: the connection is closed, and
	# what is still sent to it resets it (RFC 9112 section 9.6).
	get -H 'Expect:' --data-binary "@$log.large" /healthz || :
	expect_health 200 OK
}

@test "other paths are 404, whatever the method" {
	serve
	for path in / /healthz/ /metrics/x /HEALTHZ /debug/vars; do
		echo "$path"
		[ "$(get "$path")" = 404 ]
		[ "$(get -X POST "$path")" = 404 ]
	done
	[ "$(get '/healthz?verbose=1')" = 200 ]
}

@test "fields that are too large are refused and do no harm" {
	serve
	status=$(get -H "X-Large: $(printf '%032000d' 0)" /healthz)
	echo "$status"
	[[ $status == 4?? ]]
	expect_health 200 OK
}

@test "cookies of 8 to 16 KiB get one answer, and so do more" {
	local size

	serve --stay
	for size in 8000 9000 12000 16000 17000 20000 40000 100000; do
		timeout 20 python3 - "$port" "$size" <<-'END'
			import socket, sys

			size = int(sys.argv[2])
			client = socket.create_connection(
			    ("127.0.0.1", int(sys.argv[1])))
			client.sendall(b"GET /healthz HTTP/1.1\r\n"
			               b"Host: localhost\r\nCookie: "
			               + (b"c=%s; " % (b"x" * 46) * size)[:size]
			               + b"\r\n\r\n")
			answer = b""
			while data := client.recv(65536):
			    answer += data
			header, _, body = answer.partition(b"\r\n\r\n")
			print(size, answer)
			assert answer.count(b"HTTP/1.1 ") == 1
			assert b"\r\nContent-Length: %d" % len(body) in header
			assert header.split()[1] == (
			    b"200" if size <= 16000 else b"431")
		END
	done
	[ "$(get -H "Cookie: $(yes 'a;' | head -n 8000 | tr -d '\n')" \
		/healthz)" = 200 ]
}

@test "a target in absolute form is for the host that it names" {
	serve --stay
	for target in http://localhost/healthz "HTTP://127.0.0.1:$port/healthz" \
		"http://[::1]/healthz?verbose"; do
		echo "$target"
		[ "$(get -H 'Host: elsewhere.test' --request-target "$target" \
			/)" = 200 ]
	done
	[ "$(get --request-target http://localhost /)" = 404 ]
	[ "$(get --request-target http://elsewhere.test/healthz /)" = 421 ]
}

@test "a host that is not this one's is 421, so that no web page reads this" {
	local host

	SMTP_HOSTNAME=mail.example.org serve --stay
	for host in localhost localhost:8080 127.0.0.1 '[::1]:80' 192.0.2.1 \
		Mail.example.org.:9090; do
		echo "$host"
		[ "$(get -H "Host: $host" /metrics)" = 200 ]
	done
	for host in attacker.example 127.0.0.1.attacker.example \
		localhost.attacker.example mail.example.org.attacker.example; do
		echo "$host"
		for page in /healthz /metrics /nowhere; do
			[ "$(get -H "Host: $host" "$page")" = 421 ]
		done
	done
	[ "$(get -0 -H Host: /healthz)" = 200 ]
	[ "$(get -H Host: /healthz)" = 400 ]
	ask 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: x\r\n\r\n' | grep ' 400 '
}

@test "the system's name is this host's" {
	serve
	[ "$(get -H "Host: $(uname -n)" /healthz)" = 200 ]
}

# ask TEXT: send a request of these octets, a Python string; print the first
# line of the response.
ask() {
	timeout 30 python3 - "$port" "$1" <<-'END'
		import ast, socket, sys

		text = ast.literal_eval("b'" + sys.argv[2] + "'")
		text = text.replace(b"{1M}", b"x" * 2 ** 20)
		with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
		    answer = b""
		    try:
		        s.sendall(text)
		        while data := s.recv(65536):
		            answer += data
		    except ConnectionError:
		        pass
		print(ascii(answer.split(b"\r\n")[0].decode()))
	END
}

@test "lines of 1 MiB and control characters in a request do no harm" {
	local text

	serve --stay
	for text in 'GET /{1M} HTTP/1.1\r\n\r\n' '{1M}\r\n\r\n' '{1M} / HTTP/1.1' \
		'GET / {1M}\r\n\r\n' 'GET /healthz HTTP/1.1\r\n{1M}: x\r\n\r\n' \
		'GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n' \
		'GET /%0d%0aX: HTTP/1.1\r\nHost: x\r\n\r\n' \
		'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n' \
		'EHLO client.test\r\n\r\n' '\x00\r\n\r\n'; do
		run ask "$text"
		echo "${text:0:40}: $output"
		[[ $output == "''" || $output == "'HTTP/1."?" 4"* ]]
		expect_health 200 OK
	done
	# Bytes that a peer sent without being asked do not appear in the log.
	[ "$(grep -c 'x1b\|xxx' "$log")" -eq 0 ]
}

@test "smtp-health exits with 0 when idle, and stays with --stay" {
	serve --stay
	staying=$started staying_port=$port
	[ "$(get /healthz)" = 200 ]
	serve
	[ "$(get /healthz)" = 200 ]
	wait_for 20 is_gone "$started"
	wait "$started"
	kill -0 "$staying"
	port=$staying_port
	[ "$(get /healthz)" = 200 ]
}

@test "on SIGTERM smtp-health answers open requests and exits with 0" {
	serve --stay
	[ "$(get /healthz)" = 200 ]
	exec {connection}<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /healthz HTTP/1.1\r\nHost: loc' >&"$connection"
	# Connections are accepted in order: the one above was.
	[ "$(get /healthz)" = 200 ]
	kill -TERM "$started"
	wait_for 5 grep -qx $'ShdPnd:\t0*' "/proc/$started/status"
	printf 'alhost\r\n\r\n' >&"$connection"
	timeout 5 cat <&"$connection" >"$log.answer"
	exec {connection}>&-
	grep -qx OK "$log.answer"
	wait_for 5 is_gone "$started"
	wait "$started"
}

@test "the socket that was passed serves the next process" {
	timeout 60 python3 - "$(program smtp-health)" <<-'END'
		import os, signal, socket, sys, urllib.request

		# Keep the socket as systemd does, and pass it to one process
		# after another.
		listener = socket.create_server(("127.0.0.1", 0))
		url = "http://127.0.0.1:%d/healthz" % listener.getsockname()[1]
		urllib.request.install_opener(urllib.request.build_opener(
		    urllib.request.ProxyHandler({})))

		def start():
		    pid = os.fork()
		    if pid == 0:
		        os.dup2(listener.fileno(), 3)
		        os.execve(sys.argv[1], [sys.argv[1]], dict(
		            os.environ, LISTEN_FDS="1", LISTEN_PID=str(os.getpid())))
		    return pid

		for _ in range(3):
		    pid = start()
		    assert urllib.request.urlopen(url, timeout=10).read() == b"OK\n"
		    os.kill(pid, signal.SIGTERM)
		    assert os.waitpid(pid, 0)[1] == 0
	END
}

@test "a client that drips octets is cut off after 10 seconds" {
	serve --stay
	timeout 60 python3 - "$port" <<-'END'
		import socket, sys, time

		client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		client.settimeout(0.2)
		client.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
		start = time.monotonic()
		try:
		    while time.monotonic() < start + 20:
		        client.sendall(b"x")
		        try:
		            assert client.recv(100) == b""
		            break
		        except TimeoutError:
		            pass
		except (BrokenPipeError, ConnectionResetError):
		    pass
		elapsed = time.monotonic() - start
		assert 9 < elapsed < 15, elapsed
	END
	expect_health 200 OK
}

@test "600 clients that say nothing, or little, delay nobody" {
	serve --stay
	timeout 60 python3 - "$port" <<-'END'
		import socket, sys, time

		address = ("127.0.0.1", int(sys.argv[1]))

		def connect(text):
		    connection = socket.create_connection(address, timeout=9)
		    connection.sendall(text)
		    return connection

		def expect_ok(client):
		    answer = b""
		    while data := client.recv(1000):
		        answer += data
		    assert answer.endswith(b"\r\n\r\nOK\n"), answer

		half = connect(b"GET /healthz HTTP/1.1\r\nHost: local")
		start = time.monotonic()
		for text in b"", b"GET /healthz HTTP/":
		    idle = [connect(text) for _ in range(600)]
		    expect_ok(connect(b"GET /healthz HTTP/1.0\r\n\r\n"))
		    # The last of them could still go on.
		    idle[-1].sendall(b"GET /healthz HTTP/1.0\r\n\r\n"[len(text):])
		    expect_ok(idle[-1])
		half.sendall(b"host\r\n\r\n")
		expect_ok(half)
		elapsed = time.monotonic() - start
		assert elapsed < 8, elapsed
	END
}

@test "trouble is logged once until it is over" {
	serve
	expect_health 200 OK
	for _ in 1 2; do
		touch "$spool/queue/new/$(old_id 17)"
		expect_health 503 '*'
		expect_health 503 '*'
		rm "$spool/queue/new/"*
		expect_health 200 OK
	done
	grep '^smtp-health: event=trouble ' "$log"
	[ "$(grep -c 'event=trouble .*untried for 17 minutes' "$log")" -eq 2 ]
}

@test "without exactly one listening socket it exits with EX_USAGE" {
	run "$(program smtp-health)"
	echo "$output"
	[ "$status" -eq 64 ]
	[[ $output == *"0 sockets were passed; expected one"* ]]

	run bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" 3</dev/null' \
		"$(program smtp-health)"
	echo "$output"
	[ "$status" -eq 64 ]
	[[ $output == *"does not listen"* ]]
}

@test "an unknown argument exits EX_USAGE" {
	for argument in --leave spool; do
		run "$(program smtp-health)" "$argument"
		echo "$output"
		[ "$status" -eq 64 ]
		[[ $output == *"usage: smtp-health [--stay]"* ]]
	done
}

@test "an invalid variable is what both pages say, until it exits" {
	export SMTP_DEBUG=loud
	serve
	for page in /healthz /metrics; do
		[ "$(get "$page")" = 503 ]
		grep -x 'SMTP_DEBUG is "loud"; expected 1, true, 0 or false' \
			"$body"
	done
	[ "$(get /nowhere)" = 404 ]
	[ "$(grep -c 'smtp-health: SMTP_DEBUG is' "$log")" -eq 1 ]
	wait_for 20 is_gone "$started"
	wait "$started"
}

@test "an invalid variable is named, and the exit is EX_CONFIG" {
	SMTP_DEBUG=loud run "$(program smtp-health)"
	echo "$output"
	[ "$status" -eq 78 ]
	[[ $output == *'SMTP_DEBUG is "loud"; expected 1, true, 0 or false'* ]]
}
