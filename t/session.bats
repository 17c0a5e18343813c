#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# session.bats - what dialogue files cannot test of smtp-session: TCP, other
# programs as clients, faults of the spool.
#
# shellcheck disable=SC2154 # common.bash sets more variables

bats_require_minimum_version 1.5.0

load lib/common

setup() {
	export SMTP_HOSTNAME=mail.test
	log=$BATS_TEST_TMPDIR/log
}

teardown() {
	stop_started
	if [ -n "${namespace:-}" ]; then
		ip netns del "$namespace-a" 2>/dev/null || :
		ip netns del "$namespace-b" 2>/dev/null || :
	fi
	# For a test that has failed.
	cat "$log" >&2 2>/dev/null || :
}

# client_lines [RECIPIENT [SENDER]]: the lines of a client that submits one
# message.
client_lines() {
	printf '%s\r\n' "EHLO client.test" \
		"MAIL FROM:<${2:-a@example.com}>" "RCPT TO:<${1:-b@example.org}>" \
		DATA "Subject: test" "" "one line" "..a dot" . QUIT
}

# Hold a session on standard input and output.
session() {
	"$(program smtp-session)" 2>>"$log"
}

# listen ADDRESS [COMMAND...]: serve sessions on a TCP port, $port, as systemd
# does, until the test ends; the command, if any, runs the listener.
listen() {
	local address=$1 settings

	shift
	need systemd-socket-activate
	port=$(free_port)
	mapfile -t settings < <(pass_settings)
	start "$@" systemd-socket-activate --accept --inetd \
		-l "$address:$port" "${settings[@]}" \
		"$(program smtp-session)" 2>>"$log" >/dev/null
	wait_for 5 grep -q "^Listening on" "$log"
}

# systemd-socket-activate passes on only variables that are named.
pass_settings() {
	local name

	for name in ${!SMTP_*} ${!CREDENTIALS_*}; do
		printf '%s\n' -E "$name"
	done
}

# Make a self-signed certificate for localhost: NAME.pem, NAME.key.
make_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 2 -subj "/CN=$1" -addext subjectAltName=DNS:localhost \
		-out "$BATS_TEST_TMPDIR/$1.pem" \
		-keyout "$BATS_TEST_TMPDIR/$1.key" 2>/dev/null
}

use_certificate() {
	cp "$BATS_TEST_TMPDIR/$1.pem" "$BATS_TEST_TMPDIR/cert.pem"
	cp "$BATS_TEST_TMPDIR/$1.key" "$BATS_TEST_TMPDIR/key.pem"
	export SMTP_TLS_CERT=$BATS_TEST_TMPDIR/cert.pem
	export SMTP_TLS_KEY=$BATS_TEST_TMPDIR/key.pem
}

# start_tls PRIORITIES: a GnuTLS client's handshake with the listener.
start_tls() {
	printf 'EHLO client.test\nQUIT\n' | timeout 20 gnutls-cli --crlf \
		--starttls-proto=smtp --port="$port" --priority="$1" \
		--x509cafile="$SMTP_TLS_CERT" --verify-hostname=localhost \
		127.0.0.1
}

# Whether that many messages are queued, with that many recipients' names.
is_spool() {
	local queued=("$spool"/queue/new/*) names=("$spool"/20*/*.eml)

	[ -e "${queued[0]}" ] || queued=()
	[ -e "${names[0]}" ] || names=()
	[ ${#queued[@]} -eq "$1" ] && [ ${#names[@]} -eq "$2" ] ||
		! find "$spool" -type f >&2
}

# Whether nothing is left of messages that were not committed.
is_tidy() {
	[ -z "$(ls -A "$spool/scratch")" ] || ! ls -lA "$spool/scratch" >&2
}

@test "a message is stored under its UTC day, id and recipient token" {
	local before after id

	before=$(date -u +%F)
	run --separate-stderr session < <(client_lines)
	after=$(date -u +%F)
	[ "$status" -eq 0 ]
	id=$(sed -n 's/.*queued as \([0-9a-f]\{24\}\)\r$/\1/p' <<<"$output")
	[ -n "$id" ]
	is_spool 1 1
	find "$spool/$before" "$spool/$after" -name '*.eml' |
		grep -E "/${id}_[0-9a-f]{32}\.eml$"
	[ -f "$spool/queue/new/$id" ]
}

@test "the day is in UTC, whatever the time zone" {
	client_lines | TZ=UTC-14 session
	client_lines | TZ=UTC+14 session
	for folder in "$spool"/20*; do
		[ "${folder##*/}" = "$(date -u +%F)" ] ||
			[ "${folder##*/}" = "$(date -u -d yesterday +%F)" ]
	done
	is_spool 2 2
}

@test "a recipient's token is HMAC-SHA-256 under the spool's key" {
	local token expected

	need openssl
	client_lines b@example.org | session
	client_lines b@example.org | session
	client_lines c@example.org | session
	[ "$(stat -c '%s %a' "$spool/key")" = "32 600" ]
	expected=$(printf b@example.org | openssl dgst -sha256 -mac HMAC \
		-macopt "hexkey:$(od -An -v -tx1 "$spool/key" | tr -d ' \n')" | sed 's/.* //')
	[ "$(find "$spool" -name "*_${expected:0:32}.eml" | wc -l)" -eq 2 ]
	[ "$(find "$spool" -name '*.eml' | wc -l)" -eq 3 ]

	# No name contains a plain hash of the address.
	token=$(printf b@example.org | sha256sum)
	[ -z "$(find "$spool" -name "*${token:0:16}*")" ]

	# Another spool has another key.
	SMTP_QUEUE_PATH=$spool.other session < <(client_lines b@example.org)
	run -1 cmp "$spool/key" "$spool.other/key"
}

@test "the key of tokens may be in another file than the spool's" {
	export SMTP_QUEUE_KEY_PATH=$BATS_TEST_TMPDIR/our.key
	run -78 --separate-stderr session </dev/null
	grep "SMTP_QUEUE_KEY_PATH is \"$BATS_TEST_TMPDIR/our.key\"; No such" "$log"
	(umask 077 && head -c 31 /dev/urandom >"$SMTP_QUEUE_KEY_PATH")
	run -78 --separate-stderr session </dev/null
	grep "SMTP_QUEUE_KEY_PATH is .*; it has 31 octets; expected a key of 32" \
		"$log"
	printf x >>"$SMTP_QUEUE_KEY_PATH"
	client_lines b@example.org | session
	[ ! -e "$spool/key" ]
	# As if it were the spool's.
	mv "$SMTP_QUEUE_KEY_PATH" "$spool/key"
	unset SMTP_QUEUE_KEY_PATH
	client_lines b@example.org | session
	[ "$(find "$spool" -name '*.eml' | sed 's/.*_//' | sort -u | wc -l)" -eq 1 ]
	[ "$(find "$spool" -name '*.eml' | wc -l)" -eq 2 ]
}

@test "no file name has an address, and modes are 0700 and 0600" {
	umask 0
	client_lines hidden@example.org hidden@example.com | session
	is_spool 1 1
	[ -z "$(find "$spool" -name '*hidden*' -o -name '*@*')" ]
	[ -z "$(find "$spool" -type d ! -perm 0700)" ]
	[ -z "$(find "$spool" -type f ! -perm 0600)" ]
}

@test "a stored message can be retrieved with any mail reader" {
	client_lines | session
	python3 - "$spool"/20*/*.eml <<-'END'
		import email, email.policy, sys

		with open(sys.argv[1], "rb") as file:
		    mail = email.message_from_binary_file(
		        file, policy=email.policy.SMTP)
		assert not mail.defects, mail.defects
		assert mail["Return-Path"] == "<a@example.com>"
		assert mail["Envelope-To"] == "<b@example.org>"
		assert mail["Subject"] == "test"
		assert mail["Date"].datetime is not None
		assert mail["Message-ID"] and mail["Received"]
		assert mail.get_content() == "one line\n.a dot\n", mail.get_content()
	END
}

@test "README's command shows a stored message in s-nail" {
	local command

	need s-nail
	session < <(printf '%s\r\n' "EHLO client.test" \
		"MAIL FROM:<a@client.test>" "RCPT TO:<b@example.org>" DATA \
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=" "MIME-Version: 1.0" \
		"Content-Type: text/plain; charset=utf-8" \
		"Content-Transfer-Encoding: quoted-printable" "" \
		"H=C3=A4llo" "From here on" . QUIT)
	command=$(sed -n 's/^    \(s-nail .*\)FILE$/\1/p' \
		"$SMTPSERVER_SOURCE/README")
	[ -n "$command" ]
	export HOME=$BATS_TEST_TMPDIR LC_ALL=C.UTF-8
	run -0 timeout 20 bash -c "$command$(echo "$spool"/20*/*.eml)" \
		< <(printf 'type\nexit\n')
	[[ $output == *"Subject: Grüße"*"Hällo"*"From here on"* ]]
}

@test "SMTP_QUEUE_PATH names the spool; unset, it is ./data/spool" {
	client_lines | session
	is_spool 1 1
	cd "$BATS_TEST_TMPDIR"
	unset SMTP_QUEUE_PATH
	client_lines | session
	cmp data/spool/20*/*.eml data/spool/queue/new/*
	is_spool 1 1
}

@test "arguments are refused with EX_USAGE" {
	for argument in --stay spool; do
		run -64 "$(program smtp-session)" "$argument" </dev/null
		[[ $output == *"smtp-session(8)"* ]]
	done
}

@test "memory does not grow with the message" {
	local small large

	small=$(peak_kib 1)
	large=$(peak_kib 10)
	echo "peak memory: $small KiB, with 10 MiB $large KiB" >&2
	[ $((large - small)) -lt 1024 ]
	is_spool 2 2
}

# Peak memory of a session after a message of that many MiB.
peak_kib() {
	python3 - "$(program smtp-session)" "$1" 2>>"$log" <<-'END'
		import re, subprocess, sys

		lines = ["EHLO client.test", "MAIL FROM:<a@example.com>",
		         "RCPT TO:<b@example.org>", "DATA", "Subject: x", ""]
		text = "\r\n".join(lines).encode() + b"\r\n"
		text += (b"x" * 998 + b"\r\n") * (1048 * int(sys.argv[2]))
		run = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE,
		                       stdout=subprocess.PIPE)
		run.stdin.write(text + b".\r\n")
		run.stdin.flush()
		while b"queued as" not in (line := run.stdout.readline()):
		    assert line and line[:1] in b"23", line
		with open(f"/proc/{run.pid}/status") as status:
		    print(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1])
		run.communicate(b"QUIT\r\n")
	END
}

@test "a client on the loopback is served over TCP, IPv4" {
	listen 127.0.0.1
	run python3 -c "import smtplib, sys
smtplib.SMTP('127.0.0.1', $port).sendmail('a@b', ['c@d'], 'Subject: x\n\ny\n')"
	[ "$status" -eq 0 ]
	wait_for 5 is_spool 1 1
	grep -q '^Received: from .* (\[127.0.0.1\])' "$spool"/20*/*.eml
}

@test "a client on the loopback is served over TCP, IPv6 and mapped IPv4" {
	[ -e /proc/sys/net/ipv6 ] || cannot_run "needs IPv6"
	listen '[::]'
	for host in ::1 127.0.0.1; do
		python3 -c "import smtplib
smtplib.SMTP('$host', $port).sendmail('a@b', ['c@d'], 'Subject: x\n\ny\n')"
	done
	wait_for 5 is_spool 2 2
	grep -q '^Received: from .* (\[IPv6:::1\])' "$spool"/20*/*.eml
	grep -q '^Received: from .* (\[127.0.0.1\])' "$spool"/20*/*.eml
}

# The output for a client that connects to an address and waits for the end.
connect() {
	python3 -c "import socket, sys
with socket.create_connection(('$1', $port), 10) as s:
    s.sendall(b'EHLO client.test\r\n')
    try:
        sys.stdout.write(s.recv(1000).decode())
    except ConnectionResetError:
        pass"
}

@test "localhost only: another peer gets no banner, and is logged" {
	need_root
	need ip
	namespace=smtpserver-session-$$
	ip netns add "$namespace-a"
	ip netns add "$namespace-b"
	ip -n "$namespace-a" link add eth0 type veth \
		peer name eth0 netns "$namespace-b"
	ip -n "$namespace-a" link set lo up
	for end in a b; do
		ip -n "$namespace-$end" link set eth0 up
	done
	ip -n "$namespace-a" address add 192.0.2.1/24 dev eth0
	ip -n "$namespace-b" address add 192.0.2.2/24 dev eth0
	ip -n "$namespace-a" address add 2001:db8::1/64 dev eth0 nodad
	ip -n "$namespace-b" address add 2001:db8::2/64 dev eth0 nodad
	listen '[::]' ip netns exec "$namespace-a"

	for address in 192.0.2.1 2001:db8::1; do
		run --separate-stderr \
			ip netns exec "$namespace-b" bash -c "$(declare -f connect)
			port=$port; connect $address"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
	done
	wait_for 5 grep -q 'event=peer-refused peer=\[192.0.2.2\]' "$log"
	wait_for 5 grep -q 'event=peer-refused peer=\[IPv6:2001:db8::2\]' "$log"
	[ ! -e "$spool" ]

	# An address of this host that is not a loopback address.
	run --separate-stderr ip netns exec "$namespace-a" bash -c \
		"$(declare -f connect); port=$port; connect 192.0.2.1"
	[ -z "$output" ]
	run --separate-stderr ip netns exec "$namespace-a" bash -c \
		"$(declare -f connect); port=$port; connect 127.0.0.1"
	[[ $output == "220 mail.test "* ]]
}

@test "README's command finds the mail for an address, and no other" {
	local command

	command=$(sed -n "/^    awk -v to=/,/\\.eml\$/p" \
		"$SMTPSERVER_SOURCE/README")
	[ -n "$command" ]
	for recipient in you@example.org them@example.org; do
		session < <(printf '%s\r\n' "EHLO client.test" \
			"MAIL FROM:<a@client.test>" "RCPT TO:<$recipient>" DATA \
			"Envelope-To: <you@example.org>" "" \
			"Envelope-To: <you@example.org>" . QUIT)
	done
	cd "$spool"
	[ "$(bash -euc "$command")" = "$(grep -lF 'Envelope-To: <you@' -- */*.eml |
		xargs grep -LF 'Envelope-To: <them@')" ]
	[ "$(bash -euc "$command" | wc -l)" -eq 1 ]
}

@test "STARTTLS needs TLS 1.2 at least" {
	need gnutls-cli openssl
	make_certificate one
	use_certificate one
	listen 127.0.0.1
	for version in 1.3 1.2; do
		run start_tls "NORMAL:-VERS-ALL:+VERS-TLS$version"
		[ "$status" -eq 0 ]
		[[ $output == *"TLS$version"* ]]
		[[ $output == *"250-mail.test"* ]]
	done
	for version in 1.1 1.0; do
		run ! start_tls "LEGACY:-VERS-ALL:+VERS-TLS$version:%COMPAT"
		[[ $output != *"250-PIPELINING"* ]]
	done
	wait_for 5 grep -q event=tls-failed "$log"
}

# s_client ARGUMENT...: OpenSSL's client at the listener, which sends the lines
# of stdin.
s_client() {
	timeout 20 openssl s_client -connect "127.0.0.1:$port" -starttls smtp \
		-crlf "$@" 2>&1
}

@test "a client may have any name for the server (SNI)" {
	need openssl
	make_certificate one
	use_certificate one
	listen 127.0.0.1
	for name in localhost mail_1.test 'my laptop' $'b\xc3\xbc.test' '*'; do
		for version in -tls1_2 -tls1_3; do
			run s_client -servername "$name" $version -ign_eof <<<quit
			echo "$name $version: $output"
			[[ $output == *"CN = one"* ]]
			[[ $output == *"221 2.0.0"* ]]
		done
	done
}

@test "a handshake that fails says why by an alert" {
	need openssl
	make_certificate one
	use_certificate one
	listen 127.0.0.1
	run s_client -tls1_1 -cipher ALL:@SECLEVEL=0 -ign_eof <<<quit
	echo "$output"
	[[ $output == *"alert protocol version"* ]]
	run s_client -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 \
		-ign_eof <<<quit
	echo "$output"
	[[ $output == *"alert handshake failure"* ]]
	wait_for 5 grep -q event=tls-failed "$log"
}

@test "a request for renegotiation is answered" {
	need openssl
	make_certificate one
	use_certificate one
	listen 127.0.0.1
	run s_client -tls1_2 < <(sleep 2 && echo R && sleep 5)
	echo "$output"
	[[ $output == *RENEGOTIATING*"no renegotiation"* ]]
	# A client that takes no for an answer goes on.
	need gnutls-cli
	run timeout 20 gnutls-cli --crlf --starttls-proto=smtp --port="$port" \
		--priority="NORMAL:-VERS-ALL:+VERS-TLS1.2" --inline-commands \
		--x509cafile="$SMTP_TLS_CERT" --verify-hostname=localhost \
		127.0.0.1 < <(sleep 2 && echo '^renegotiate^' && sleep 2 &&
			echo 'EHLO client.test' && sleep 4)
	echo "$output"
	[[ $output == *"250-mail.test"* ]]
}

@test "certificate files that have changed are used by the next connection" {
	need gnutls-cli openssl
	make_certificate one
	make_certificate two
	use_certificate one
	listen 127.0.0.1
	run start_tls NORMAL
	[ "$status" -eq 0 ]
	[[ $output == *"CN=one"* ]]

	use_certificate two
	run start_tls NORMAL
	[ "$status" -eq 0 ]
	[[ $output == *"CN=two"* ]]

	: >"$BATS_TEST_TMPDIR/key.pem"
	run ! start_tls NORMAL
	client_lines | session | grep "250-STARTTLS\|250 STARTTLS"
}

@test "certificate and key may be systemd credentials" {
	local offer="printf '%s\r\n' 'EHLO client.test' STARTTLS QUIT"

	need gnutls-cli openssl
	make_certificate one
	export SMTP_TLS_CERT=our.pem SMTP_TLS_KEY=our.key
	run -78 --separate-stderr session < <(eval "$offer")
	grep '^421 4.3.5 ' <<<"$output"
	grep 'SMTP_TLS_CERT is "our.pem"; it is the name of a credential, but CREDENTIALS_DIRECTORY is not set' "$log"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	mkdir "$CREDENTIALS_DIRECTORY"
	install -m 400 "$BATS_TEST_TMPDIR/one.pem" "$CREDENTIALS_DIRECTORY/our.pem"
	run -78 --separate-stderr session < <(eval "$offer")
	grep "SMTP_TLS_KEY is \"our.key\"; the credential was not found in $CREDENTIALS_DIRECTORY: " "$log"
	install -m 400 "$BATS_TEST_TMPDIR/one.key" "$CREDENTIALS_DIRECTORY/our.key"
	listen 127.0.0.1
	SMTP_TLS_CERT=$BATS_TEST_TMPDIR/one.pem run -0 start_tls NORMAL
	[[ $output == *"CN=one"* ]]
}

@test "a key of another certificate gives no STARTTLS" {
	need openssl
	make_certificate one
	make_certificate two
	use_certificate one
	cp "$BATS_TEST_TMPDIR/two.key" "$SMTP_TLS_KEY"
	run --separate-stderr session < <(
		printf '%s\r\n' "EHLO client.test" STARTTLS NOOP QUIT
	)
	[ "$status" -eq 0 ]
	grep "^454 4.7.0 " <<<"$output"
	grep -q event=tls-failed "$log"
}

@test "GnuTLS is loaded only where a certificate is configured" {
	need openssl
	can_trace
	make_certificate one
	run ! loads libgnutls
	use_certificate one
	loads libgnutls
}

@test "libsystemd is not loaded for one client" {
	can_trace
	run ! loads libsystemd
	loads libbsd
}

# loads LIBRARY
loads() {
	strace -e trace=openat "$(program smtp-session)" 2>&1 <<<"" |
		grep "$1.* = [0-9]"
}

# ask_for_tls PROGRAM: its replies to a client that sends STARTTLS.
ask_for_tls() {
	printf '%s\r\n' "EHLO client.test" STARTTLS NOOP QUIT |
		"$1" 2>>"$log" || :
}

@test "without its module for TLS a session has no STARTTLS" {
	need cc openssl
	make_certificate one
	use_certificate one
	# The module is looked for beside the program.
	local copy=$BATS_TEST_TMPDIR/sbin/smtp-session
	local module=$BATS_TEST_TMPDIR/lib/smtpserver/smtp-tls.so

	mkdir -p "${copy%/*}" "${module%/*}"
	cp "$(program smtp-session)" "$copy"
	ask_for_tls "$copy" >"$log.replies"
	if grep "^220 2.0.0 " "$log.replies"; then
		cannot_run "must not find a module that is installed"
	fi
	grep "^454 4.7.0 " "$log.replies"
	grep "^250 2.0.0 " "$log.replies"
	grep 'event=tls-failed .*/smtp-tls\.so: cannot open' "$log"

	: >"$log"
	echo 'const char *const tls_functions[4] = { "0.0" };' |
		cc -shared -fPIC -xc -o "$module" -
	ask_for_tls "$copy" | grep "^454 4.7.0 "
	grep 'event=tls-failed .*is version 0\.0; expected ' "$log"

	cp "$SMTPSERVER_BUILD/lib/smtpserver/smtp-tls.so" "$module"
	ask_for_tls "$copy" | grep "^220 2.0.0 "
}

@test "no mix of CR, LF, NUL and dots smuggles in a second message" {
	local mode

	for mode in reject normalize; do
		SMTP_BARE_NEWLINE=$mode SMTP_QUEUE_PATH=$spool.$mode \
			"$SMTPSERVER_SOURCE/t/lib/smuggle" \
			"$(program smtp-session)" 4 2>>"$log"
	done
}

# inject CALL FAULT NUMBER: hold a session with that fault in the NUMBER-th such
# call; fails if there are fewer calls.
inject() {
	client_lines | strace -o "$BATS_TEST_TMPDIR/calls" \
		-e "trace=$1" -e "inject=$1:$2:when=$3" \
		"$(program smtp-session)" >"$replies" 2>>"$log" || :
	grep -q 'INJECTED\|killed by SIGKILL' "$BATS_TEST_TMPDIR/calls"
}

# Whether the call that failed wrote a counter: mail is accepted regardless.
is_counter() {
	grep -q 'pwrite64(.*, 8, [0-9]*) .*INJECTED' "$BATS_TEST_TMPDIR/calls"
}

can_trace() {
	need strace
	strace -o /dev/null true || cannot_run "strace may not trace here"
	# LeakSanitizer does not work under strace.
	export ASAN_OPTIONS=detect_leaks=0
	replies=$BATS_TEST_TMPDIR/replies
	client_lines | session
}

@test "a write, link or flush that fails gives 4yz, and leaves nothing" {
	local call fault number faults=0 stored=1

	can_trace
	for call in pwrite64 linkat fsync flock; do
		for fault in error=ENOSPC error=EIO; do
			number=1
			while inject "$call" "$fault" "$number"; do
				echo "$call $fault $number" >&2
				cat "$replies" >&2
				number=$((number + 1))
				if is_counter; then
					grep 'queued as' "$replies"
					stored=$((stored + 1))
					continue
				fi
				grep '^45[12] 4\.3\.[01] ' "$replies"
				run ! grep 'queued as' "$replies"
				is_spool "$stored" "$stored"
				is_tidy
				faults=$((faults + 1))
				[ "$number" -le 10 ]
			done
			# The next message is accepted.
			grep 'queued as' "$replies"
			stored=$((stored + 1))
			is_spool "$stored" "$stored"
		done
	done
	# A write, two links, a flush and a lock, with two errors each.
	[ "$faults" -ge 10 ]
	grep -q 'event=trouble' "$log"
}

# Whether each queued file is as long as its seal says.
are_whole() {
	python3 - "$spool"/queue/new/* <<-'END'
		import re, sys

		for name in sys.argv[1:]:
		    with open(name, "rb") as file:
		        text = file.read()
		    seal = re.search(
		        rb"^X-Smtpserver-Content: size=(\d+) xxh3=[0-9a-f]+\r\n",
		        text, re.MULTILINE)
		    assert seal, name
		    assert len(text) - seal.end() == int(seal[1]), name
	END
}

@test "a session killed at any step leaves no torn message in the queue" {
	local call number kills=0

	can_trace
	for call in openat pwrite64 linkat fsync flock write sendto; do
		number=1
		while inject "$call" signal=KILL "$number"; do
			are_whole
			number=$((number + 1))
			kills=$((kills + 1))
			[ "$number" -le 60 ]
		done
	done
	[ "$kills" -ge 10 ]
	client_lines | session | grep 'queued as'
	are_whole
}

@test "mail that the spool has no room for is refused with 452, by SIZE=" {
	need_root
	need unshare
	mkdir "$spool"
	run unshare -m bash -c "mount -t tmpfs -o size=20M none '$spool'
		printf '%s\r\n' 'EHLO x' 'MAIL FROM:<a@b> SIZE=9000000' \
			'MAIL FROM:<a@b> SIZE=1000' QUIT |
			'$(program smtp-session)'"
	[ "$status" -eq 0 ]
	grep '^452 4.3.1 ' <<<"$output"
	grep '^250 2.1.0 ' <<<"$output"
	run unshare -m bash -c "mount -t tmpfs -o size=10M none '$spool'
		printf '%s\r\n' 'EHLO x' 'MAIL FROM:<a@b>' NOOP QUIT |
			'$(program smtp-session)'"
	[ "$status" -eq 0 ]
	grep '^452 4.3.1 ' <<<"$output"
	grep '^250 2.0.0 ' <<<"$output"
}

@test "a spool that cannot be written to gives 451, not a lost session" {
	need_root
	need unshare
	client_lines | session
	run unshare -m bash -c "mount --bind '$spool' '$spool' &&
		mount -o remount,bind,ro '$spool'
		printf '%s\r\n' 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' \
			DATA NOOP QUIT | '$(program smtp-session)'"
	[ "$status" -eq 0 ]
	grep '^451 4.3.0 ' <<<"$output"
	grep '^221 2.0.0 ' <<<"$output"
	grep 'event=trouble' <<<"$output"
	is_spool 1 1
	is_tidy
}

@test "of concurrent clients the spool has every message that got 250" {
	local i pids=()

	for i in {1..20}; do
		client_lines "r$i@example.org" | session \
			>"$BATS_TEST_TMPDIR/replies.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat "$BATS_TEST_TMPDIR"/replies.* | grep -c 'queued as')" -eq 20 ]
	is_spool 20 20
	are_whole
}
