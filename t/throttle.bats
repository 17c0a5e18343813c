#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# throttle.bats - destinations that smtp-deliver does not try: those that were
# unreachable, also across runs, as counted by the hosts; and all destinations
# while there is no network.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender odd1 odd2; do
		network_add_host "$host"
	done
	network_resolv_conf >"$network_dir/resolv.conf"
	dns <<-END
		six.test.       MX 10 mx.six.test.
		mx.six.test.    AAAA $(network_ip6 odd1)
		odd.test.       MX 10 mx.odd.test.
		second.test.    MX 10 mx.second.test.
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
	END
	clock_build
}

teardown_file() {
	network_stop
}

# ---- helpers -----------------------------------------------------------------

# send_each RECIPIENT...: submit a message for each, from $sender; print their
# ids.
send_each() {
	local recipient

	for recipient; do
		message test | submit "${sender-}" "$recipient"
	done
}

# event NAME: how often the audit trail has that event.
event() {
	grep -c " event=$1 " "$trail" || :
}

# refused HOST: how many connections a host without a listener has refused, by
# the count of its kernel.
refused() {
	network_exec "$1" cat /proc/net/snmp |
		awk '$1 == "Tcp:" && /[0-9]/ { print $15 }'
}

# tried: how many connections odd1 has refused since meet_nobody began.
tried() {
	echo $(($(refused odd1) - refused_before))
}

# The records of unreachable destinations.
remembered() {
	find "$spool/unreached" -type f
}

# known FIELD: a field of the only record, by its number.
known() {
	cut -d ' ' -f "$1" "$(remembered)"
}

# remember UNTIL FAILURES LAST: rewrite the only record; times are in seconds
# from now.
remember() {
	printf '%s000 %s000 %s %s000 0 deferred 4.4.1 they were all out\n' \
		$((EPOCHSECONDS - 86400)) $((EPOCHSECONDS + $1)) "$2" \
		$((EPOCHSECONDS + $3)) >"$BATS_TEST_TMPDIR/note"
	cp "$BATS_TEST_TMPDIR/note" "$(remembered)"
}

cut_to() {
	truncate -s "$1" "$(remembered)"
}

zero() {
	head -c 100 /dev/zero >"$(remembered)"
}

# Try five messages for a destination without a listener, in one run.
meet_nobody() {
	refused_before=$(refused odd1)
	mapfile -t ids < <(send_each {1..5}@odd.test)
	deliver
	[ "$(tried)" -eq 1 ]
}

# Have all mail tried again, as smtp-deliver(8) says.
try_now() {
	mv "$spool"/queue/retry/*/* "$spool/queue/new/"
}

# ---- destinations that cannot be reached -------------------------------------

@test "a destination that cannot be reached is tried once for all of its mail" {
	meet_nobody
	for id in "${ids[@]}"; do
		is_deferred "$id"
		told "$id" deferred "Connection refused"
	done
	[ "$(event unreached)" -eq 1 ]
	[ "$(known 3)" -eq 1 ]
	# Only one was tried: the log has no attempt for the others.
	[ "$(cut -d ' ' -f 1 "$spool"/queue/attempts/* | sort | uniq -c |
		xargs)" = "4 0 1 1" ]
}

@test "the next run does not try a destination before it is due" {
	meet_nobody
	id=$(send_each new@odd.test)
	deliver
	[ "$(tried)" -eq 1 ]
	is_deferred "$id"
	told "$id" deferred "Connection refused"
	# Its other mail is not due before it either.
	due=$(date -u -d "@$(($(known 2) / 1000))" +%Y%m%d%H%M)
	for id in "$id" "${ids[@]}"; do
		[ "$(place "$id")" -ge "$due" ]
	done
	[ "$(event unreached)" -eq 1 ]
}

@test "a record's file name shows neither destination nor recipients" {
	meet_nobody
	[[ $(basename "$(remembered)") =~ ^[0-9a-f]{32}$ ]]
	not grep -q '@' "$(remembered)"
	[ "$(stat -c %a "$(remembered)" "$spool/unreached" | xargs)" = "600 700" ]
}

@test "a destination that is due is tried once, and waits longer" {
	meet_nobody
	ahead=240 deliver
	[ "$(tried)" -eq 2 ]
	[ "$(known 3)" -eq 2 ]
	[ $(($(known 2) / 1000)) -ge $((EPOCHSECONDS + 240 + 110)) ]
	[ "$(event unreached)" -eq 1 ]
	[ "$(find "$spool/queue/retry" -type f | wc -l)" -eq 5 ]
}

@test "all mail flows to a destination that answers again" {
	meet_nobody
	odd_start odd1
	ahead=240 deliver
	is_queue_empty
	[ "$(odd_count odd1)" -eq 5 ]
	[ "$(event reached-again)" -eq 1 ]
	[ -z "$(remembered)" ]
}

@test "other destinations and recipients are not affected" {
	meet_nobody
	odd_start odd2
	id=$(send a@odd.test a@second.test)
	deliver
	[ "$(odd_count odd2)" -eq 1 ]
	[ "$(tried)" -eq 1 ]
	is_deferred "$id"
	told "$id" delivered
	told "$id" deferred
}

@test "mail moved back to queue/new has its destination tried once" {
	meet_nobody
	try_now
	deliver
	[ "$(tried)" -eq 2 ]
	[ "$(known 3)" -eq 2 ]
	try_now
	odd_start odd1
	deliver
	is_queue_empty
	[ "$(odd_count odd1)" -eq 5 ]
}

@test "a record that is torn, foreign or from the future is ignored" {
	for spoil in "cut_to 30" "cut_to 0" zero "remember 99999 3 -60" \
		"remember 600 3 120" "remember -90000 3 -90060"; do
		rm -rf "$spool"
		meet_nobody
		$spoil
		send_each new@odd.test >/dev/null
		deliver
		[ "$(tried)" -eq 2 ]
		[ "$(known 3)" -eq 1 ]
	done
}

@test "with relays the relay is recorded as unreachable" {
	export SMTP_RELAYHOST="[odd1.hosts.test], [odd2.hosts.test]"
	refused_before=$(refused odd1)
	send_each one@one.test two@two.test >/dev/null
	deliver
	send_each three@three.test >/dev/null
	deliver
	[ "$(remembered | wc -l)" -eq 1 ]
	# By IPv6 and IPv4.
	[ "$(tried)" -eq 2 ]
	[ "$(event unreached)" -eq 1 ]
}

@test "a destination that answers but is unusable is tried once a run" {
	odd_start odd1 banner=cut
	send_each {1..5}@odd.test >/dev/null
	deliver
	[ "$(saw odd1 connect)" -eq 1 ]
	[ -z "$(remembered)" ]
	send_each new@odd.test >/dev/null
	deliver
	[ "$(saw odd1 connect)" -eq 2 ]
	[ "$(event unreached)" -eq 0 ]
}

# ---- expiry ------------------------------------------------------------------

@test "an untried message expires with its destination's last attempt" {
	meet_nobody
	sender=alice@second.test
	id=$(send_each bob@odd.test)
	export SMTP_DELAY_NOTICE=0
	deliver
	# Not with an attempt before that.
	remember $((5 * 86400 + 4000)) 20 $((5 * 86400 - 60))
	ahead=$((5 * 86400 + 3000)) deliver
	is_deferred "$id"
	told "$id" deferred "they were all out"
	try_bucket=$spool/queue/retry/202001010000
	mkdir -p "$try_bucket"
	mv "$spool/queue/retry/$(place "$id")/$id" "$try_bucket/"

	remember $((5 * 86400 + 4000)) 20 $((5 * 86400 + 2900))
	ahead=$((5 * 86400 + 3000)) deliver
	told "$id" failed "expired"
	told "$id" notice
	[ "$(place "$id")" = "" ]
	grep -rqF "Connection refused" "$spool/queue/new" "$spool/queue/retry"
	[ "$(tried)" -eq 1 ]
}

@test "an untried message's sender is notified of a delay, and why" {
	meet_nobody
	sender=alice@second.test
	id=$(send_each bob@odd.test)
	deliver
	remember $((5 * 3600 + 600)) 20 $((5 * 3600 - 120))
	ahead=$((5 * 3600 - 60)) deliver
	told "$id" notice "the message is delayed"
	grep -rqF "Connection refused" "$spool/queue/new" "$spool/queue/retry"
}

# ---- no network --------------------------------------------------------------

# on_sender COMMAND...: ip(8) on the sending host.
on_sender() {
	ip -n "$network_id-sender" "$@"
}

link_down() {
	on_sender link set uplink down
}

link_up() {
	on_sender link set uplink up
	on_sender addr replace "$(network_ip6 sender)/64" dev uplink nodad
}

# Whether a message is still queued, without an attempt.
was_left() {
	is_deferred "$1" && not told "$1" deferred &&
		[ ! -e "$spool/queue/attempts/$1" ]
}

# resolver ADDRESS: make the sending host use that resolver, until dns_again.
resolver() {
	printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$1" \
		>"/etc/netns/$network_id-sender/resolv.conf"
}

dns_again() {
	cp "$network_dir/resolv.conf" "/etc/netns/$network_id-sender/resolv.conf"
}

# Start a resolver on a host that always answers SERVFAIL, until the test ends.
start_servfail() {
	start ip netns exec "$network_id-$1" python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
open(sys.argv[2], "w").close()
while True:
    question, peer = s.recvfrom(512)
    s.sendto(question[:2] + b"\x81\x82" + question[4:], peer)
' "$2" "$BATS_TEST_TMPDIR/servfail"
	wait_for 10 test -e "$BATS_TEST_TMPDIR/servfail"
}

teardown() {
	link_up
	on_sender route del default 2>/dev/null || :
	dns_again
	mail_teardown
}

@test "without a link nothing is tried, which is logged once" {
	link_down
	mapfile -t ids < <(send_each one@odd.test two@odd.test \
		three@second.test)
	deliver
	for id in "${ids[@]}"; do
		was_left "$id"
		# In the next minute or the one after.
		[ "$(place "$id")" -le "$(date -u -d "+150 sec" +%Y%m%d%H%M)" ]
	done
	[ "$(event no-network)" -eq 1 ]
	[ "$(event unreached)" -eq 0 ]
	[ "0$(counter 3)" -eq 0 ]
	link_up
	odd_start odd1
	odd_start odd2
	ahead=180 deliver
	is_queue_empty
	[ "$(odd_count odd1)" -eq 2 ]
}

@test "a host that was offline for a week tries before it returns mail" {
	id=$(sender=alice@second.test send_each bob@odd.test)
	link_down
	deliver
	for attempt in {1..9}; do
		echo "$attempt ${EPOCHSECONDS}000 0 deferred 4.4.1 no answer"
	done >"$spool/queue/attempts/$id"
	ahead=$((7 * 86400)) deliver
	is_deferred "$id"
	[ "$(wc -l <"$spool/queue/attempts/$id")" -eq 9 ]
	[ "$(event notice)" -eq 0 ]
	link_up
	ahead=$((7 * 86400 + 300)) deliver
	told "$id" deferred "Connection refused"
	told "$id" failed "expired"
	told "$id" notice
}

@test "without a resolver nothing is tried" {
	dns_stop
	id=$(send_each bob@odd.test)
	deliver
	was_left "$id"
	[ "$(event no-network)" -eq 1 ]
	dns_resume
	odd_start odd1
	ahead=180 deliver
	is_queue_empty
}

@test "without a resolver retries stay queued, except those in progress" {
	mapfile -t ids < <(send_many 450 "" bob@odd.test)
	mkdir -p "$spool/queue/retry/202001010000"
	mv "$spool"/queue/new/* "$spool/queue/retry/202001010000/"
	dns_stop
	deliver
	stay=$(find "$spool/queue/retry/202001010000" -type f | wc -l)
	dns_resume
	[ "$stay" -ge 50 ]
	[ "$(find "$spool/queue/retry" -type f | wc -l)" -eq 450 ]
	[ "$(event no-network)" -eq 1 ]
}

@test "a SERVFAIL of the resolver counts as an attempt" {
	start_servfail odd2 "$(network_ip4 odd2)"
	resolver "$(network_ip4 odd2)"
	id=$(send_each bob@odd.test)
	deliver
	told "$id" deferred status=4.4.3
	[ "$(cut -d ' ' -f 1 "$spool/queue/attempts/$id")" -eq 1 ]
	[ "$(event no-network)" -eq 0 ]
}

@test "without a network a resolver on this host counts as none" {
	start_servfail sender 127.0.0.1
	resolver 127.0.0.1
	id=$(send_each bob@odd.test)
	deliver
	was_left "$id"
	[ "$(event no-network)" -eq 1 ]
	# With a route it does count.
	on_sender route add default via "$(network_ip4 odd2)"
	make_due "$id"
	deliver
	told "$id" deferred status=4.4.3
}

@test "an IPv6 destination counts as tried if there is an IPv4 network" {
	on_sender addr del "$(network_ip6 sender)/64" dev uplink
	id=$(send_each bob@six.test)
	deliver
	was_left "$id"
	on_sender route add default via "$(network_ip4 odd2)"
	make_due "$id"
	deliver
	told "$id" deferred "unreachable"
	[ "$(event unreached)" -eq 1 ]
}
