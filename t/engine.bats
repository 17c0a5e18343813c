#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# engine.bats - how the parts of smtp-deliver work together: what waits for
# what, and what happens when a part fails.

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	need strace
	network_start
	for host in sender asker odd1 odd2 names; do network_add_host "$host"; done
	dns <<-END
		two.test.    MX 10 mx.one.test.
		two.test.    MX 20 mx.other.test.
		one.test.    MX 10 mx.one.test.
		*.one.test.  MX 10 mx.one.test.
		other.test.  MX 10 mx.other.test.
		mx.one.test.   A $(network_ip4 odd1)
		mx.other.test. A $(network_ip4 odd2)
	END
	clock_build
	for library in deaf late; do
		cc -shared -fPIC -I"$SMTPSERVER_SOURCE" \
			-I"$SMTPSERVER_BUILD" -o "$network_dir/$library.so" \
			"$SMTPSERVER_SOURCE/t/lib/$library.c"
	done
	chmod a+r "$network_dir"/*.so
}

teardown_file() {
	network_stop
}

is_connected() {
	grep -q connect "$(odd "$1")/log"
}

# How often a host got RCPT for a recipient.
tries() {
	grep -c "RCPT TO:<$2" "$(odd "$1")/log" || :
}

# has_taken HOST NUMBER: whether it has taken that many messages.
has_taken() {
	[ "$(odd_count "$1")" -ge "$2" ]
}

# fields NAME: that header field of all stored messages.
fields() {
	grep -ah "^$1:" "$spool"/20*/*.eml
}

# ---- what waits for what -----------------------------------------------------

@test "a host that defers is not tried again while another host is busy" {
	odd_start odd1 "rcpt=450 4.2.0 greylisted"
	odd_start odd2 "dot=wait 1"
	send_many 40 "" bob@other.test >&2
	send alice@one.test bob@other.test >&2
	deliver_start
	wait_for 60 has_taken odd2 6
	[ "$(tries odd1 alice@)" -le 1 ]
}

@test "mail queued after a thousand messages for a stuck host goes out" {
	odd_start odd1 dot=silent
	odd_start odd2
	send_many 500 "" alice@one.test >&2
	send_many 5 "" bob@other.test >&2
	send_many 500 "" alice@one.test >&2
	deliver_start
	wait_for 30 has_taken odd2 5
}

@test "mail goes out while a run that was replaced waits for a host" {
	local ca=$BATS_TEST_TMPDIR/ca.pem

	cp "$network_dir/ca/ca.pem" "$ca"
	chmod a+rx "$BATS_TEST_TMPDIR"
	chmod a+r "$ca"
	export SMTP_TLS_CA_FILE=$ca
	odd_start odd1 banner=silent
	odd_start odd2
	send alice@one.test >&2
	deliver_start --watch
	wait_for 10 is_connected odd1
	cp "$ca" "$ca.new"
	mv "$ca.new" "$ca"
	send bob@other.test >&2
	wait_for 30 has_taken odd2 1
}

@test "a host without 8BITMIME is passed over while another may have it" {
	odd_start odd2 --offer PIPELINING
	id=$(printf 'Subject: x\r\n\r\n\303\251\r\n' |
		submit "sender@other.test BODY=8BITMIME" alice@two.test)
	deliver
	is_deferred "$id"
	told "$id" host-passed-over "8BITMIME"
	odd_start odd1
	ahead=400 deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a message that no host can take fails" {
	odd_start odd1 --offer PIPELINING
	odd_start odd2 --offer PIPELINING
	id=$(printf 'Subject: x\r\n\r\n\303\251\r\n' |
		submit "sender@client.test BODY=8BITMIME" alice@two.test)
	deliver
	told "$id" failed status=5.6.3
}

# ---- parts that fail ---------------------------------------------------------

@test "with few descriptors a run opens fewer messages at a time" {
	odd_start odd1
	for i in {1..30}; do send_many 4 "" "alice@d$i.one.test" >&2; done
	network_exec sender timeout 60 prlimit --nofile=64:64 \
		"$(program smtp-deliver)" 2>>"$trail"
	[ "$(odd_count odd1)" -eq 120 ]
	not grep -q event=trouble "$trail"
	not grep -q event=deferred "$trail"
}

@test "if a worker cannot be started a message waits, without an attempt" {
	odd_start odd1
	# An address literal has no policy, so no second process is started.
	send "alice@[$(network_ip4 odd1)]" >&2
	network_exec sender timeout 60 strace -f -o /dev/null \
		-e inject=clone,clone3,fork,vfork:error=EAGAIN:when=1 \
		"$(program smtp-deliver)" 2>>"$trail"
	grep -q 'event=trouble .*cannot start a worker' "$trail"
	[ "$(grep -c 'event=deferred\|event=delivered' "$trail")" -eq 1 ]
	grep 'event=delivered' "$trail" | grep -q 'attempt=1'
}

@test "a worker that reports but takes no jobs does not hang the run" {
	odd_start odd1
	odd_start odd2
	send_many 60 "" alice@one.test >&2
	run_under env "LD_PRELOAD=$network_dir/deaf.so"
	deliver_start
	wait_for 60 is_gone "$started"
}

@test "a worker that a run has given up begins no message" {
	odd_start odd1 "banner=wait 2;ok"
	id=$(send alice@one.test)
	run_under env "LD_PRELOAD=$network_dir/late.so"
	deliver_start
	wait_for 10 is_connected odd1
	kill "$started"
	wait_for 40 is_gone "$started"
	[ "$(odd_count odd1)" -eq "$(grep -c event=delivered "$trail")" ]
	run_under
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

# ---- the DNS -----------------------------------------------------------------

# names_start: start a DNS server that answers from the table on stdin, until
# the test ends. The host asker uses it.
names_start() {
	cat >"$BATS_TEST_TMPDIR/table"
	start ip netns exec "$network_id-names" \
		"$SMTPSERVER_SOURCE/t/lib/odd-dns" "$BATS_TEST_TMPDIR/table" \
		"$BATS_TEST_TMPDIR/ready"
	wait_for 10 test -e "$BATS_TEST_TMPDIR/ready"
	printf 'nameserver %s\noptions timeout:2 attempts:1\n' \
		"$(network_ip4 names)" >"/etc/netns/$network_id-asker/resolv.conf"
}

@test "a host without an address is looked up again for the next message" {
	names_start <<<"mx.late.test A SERVFAIL"
	odd_start odd1 "dot=wait 3"
	odd_start odd2
	send one@one.test >&2
	send two@one.test >&2
	SMTP_RELAYHOST="[mx.late.test], [$(network_ip4 odd1)]" \
		SMTP_DESTINATION_WORKERS=1 SMTP_CONNECTION_MESSAGES=1 \
		start ip netns exec "$network_id-asker" \
		"$(program smtp-deliver)" 2>>"$trail"
	# The same worker does so, while the next relay has the first message.
	wait_for 10 has_got odd1 DATA
	echo "mx.late.test A $(network_ip4 odd2)" >"$BATS_TEST_TMPDIR/table.new"
	mv "$BATS_TEST_TMPDIR/table.new" "$BATS_TEST_TMPDIR/table"
	wait_for 30 is_gone "$started"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(odd_count odd2)" -eq 1 ]
}

@test "a failed A or AAAA lookup defers mail if the other has no data" {
	local domain

	names_start <<-END
		v4.test MX 10 mx.v4.test
		mx.v4.test A SERVFAIL
		v6.test MX 10 mx.v6.test
		mx.v6.test AAAA SERVFAIL
		d4.test MX 10 mx.d4.test
		mx.d4.test A DROP
		d6.test MX 10 mx.d6.test
		mx.d6.test AAAA DROP
		none.test MX 10 mx.none.test
	END
	for domain in v4 v6 d4 d6 none; do send "$domain@$domain.test" >&2; done
	SMTP_DEBUG=1 network_exec asker timeout 60 "$(program smtp-deliver)" \
		2>>"$trail"
	for domain in v4 v6 d4 d6; do
		grep event=deferred "$trail" | grep -q "address=$domain@"
	done
	grep event=failed "$trail" | grep -q "address=none@"
}

# ---- notices -----------------------------------------------------------------

@test "a deferral has a status of class 4, whatever the host sent" {
	odd_start odd1 "rcpt:<two@=552 5.2.2 full" "dot=354 go on"
	send one@one.test two@one.test >&2
	ahead=20000 SMTP_DELAY_NOTICE=4 deliver
	[ "$(fields Action | grep -c delayed)" -eq 2 ]
	[ "$(fields Status | grep -c ' 4\.')" -eq 2 ]
}

@test "a returned message without 8-bit octets is labelled 7bit" {
	odd_start odd1 "rcpt=550 5.2.2 no"
	odd_start odd2
	printf 'Subject: odd\r\n\r\n\033[1m bold %s\r\n' \
		"$(printf 'x%.0s' {1..1500})" |
		submit "sender@other.test RET=FULL" alice@one.test >&2
	deliver
	[ "$(odd_count odd2)" -eq 1 ]
	fields Content-Type | grep message/rfc822
	[ "$(fields Content-Transfer-Encoding | grep -c 8bit)" -eq 0 ]
}
