#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# misbehave.bats - remote hosts that misbehave in every way at every step, by
# t/misbehave.table. All of its cells are delivered to in one run.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender odd next nobody; do
		network_add_host "$host"
	done
	# One network without listeners, one without answers.
	ip -n "$network_id-nobody" route add local 10.2.0.0/16 dev lo
	for net in 10.2.0.0/16 10.3.0.0/16; do
		ip -n "$network_id-sender" route add $net \
			via "$(network_ip4 nobody)"
	done
	# Each cell's host has an address of its own.
	ip -n "$network_id-odd" route add local 10.1.0.0/16 dev lo
	ip -n "$network_id-sender" route add 10.1.0.0/16 via "$(network_ip4 odd)"
	ca_issue good '*.cells.test'
	ca_issue expired --expired '*.cells.test'
	ca_issue self --self-signed '*.cells.test'
	ca_issue other other.hosts.test
	dns <<-END
		next.cells.test. A $(network_ip4 next)
	END
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	unset SMTP_REMOTE_TIMEOUT
	cells=$BATS_TEST_TMPDIR/cells
	table=$SMTPSERVER_SOURCE/t/misbehave.table
	export SMTP_DEBUG=1
}

# The log has hundreds of lines; show_rows prints the relevant ones.
teardown() {
	stop_started
}

# plan [--slow]: make the hosts and the mail for all cells of the table.
plan() {
	local slow=("$@")

	mkdir -p "$cells" "$(odd odd)"
	"$SMTPSERVER_SOURCE/t/lib/cells" plan "${slow[@]}" "$table" "$cells" \
		"$network_dir/ca"
	dns <"$cells/zone"
	mapfile -t good < <(odd_certificate good)
	start ip netns exec "$network_id-odd" \
		"$SMTPSERVER_SOURCE/t/lib/misbehave" --hosts "$cells/hosts" \
		"$(odd odd)" >"$(odd odd)/stderr" 2>&1
	odd_start next "${good[@]}" --name next.cells.test
	wait_for 60 test -e "$(odd odd)/ready"
	"$(program smtp-session)" <"$cells/dialogue" >"$BATS_TEST_TMPDIR/replies" \
		2>/dev/null
	count=$(cat "$cells/count")
	[ "$(find "$spool/queue/new" -type f | wc -l)" -ge "$count" ]
}

# deliver_within SECONDS: a run within that time, which leaves no process.
deliver_within() {
	limit_sec=$1 deliver
	[ -z "$(ip netns pids "$network_id-sender")" ]
	[ -z "$(find "$spool/queue/new" "$spool/scratch" -type f)" ]
}

# judge [--slow]
judge() {
	"$SMTPSERVER_SOURCE/t/lib/cells" judge "$@" "$table" "$cells" "$trail" \
		"$(odd odd)" "$(odd next)" >"$BATS_TEST_TMPDIR/rows"
}

show_rows() {
	grep -v '^ok' "$BATS_TEST_TMPDIR/rows"
}

@test "every misbehaviour at every step ends as the RFCs demand" {
	export SMTP_QUEUE_WORKERS=50
	plan
	deliver_within 280
	judge || { show_rows && false; }
	show_rows

	# Judge the same run by a table with another expectation.
	table=$BATS_TEST_TMPDIR/other.table
	sed '/^4yz  /s/next/kept/' "$SMTPSERVER_SOURCE/t/misbehave.table" >"$table"
	run -1 judge
	grep '^not ok - banner, 4yz, plain$' "$BATS_TEST_TMPDIR/rows"
	[ "$(grep -c '^not ok' "$BATS_TEST_TMPDIR/rows")" -eq 4 ]
}

@test "a host that is slow at any step is given up at the limit" {
	local limit=6 count

	export SMTP_QUEUE_WORKERS=200 SMTP_REMOTE_TIMEOUT=$limit
	plan --slow
	# Each cell waits for one limit, and for QUIT; all wait at once.
	[ "$count" -le "$SMTP_QUEUE_WORKERS" ]
	deliver_within $((3 * limit + 20))
	judge --slow || { show_rows && false; }
	show_rows
}

@test "a relay on port 465 that misbehaves at any step is passed over" {
	local step relay="[odd.hosts.test]:465, [next.hosts.test]:465"

	ca_issue relay odd.hosts.test next.hosts.test
	mapfile -t relay_certificate < <(odd_certificate relay)
	odd_start next --port 465 --tls-first "${relay_certificate[@]}"
	for step in handshake=cut "handshake=raw 220 odd.hosts.test\\r\\n" \
		"handshake=raw \\x15\\x03\\x03\\x00\\x02\\x02\\x28" \
		"banner=554 5.3.0 never" banner=cut "banner=raw hello\\r\\n" \
		"ehlo=451 4.3.0 later" ehlo=reset "mail=451 4.3.0 later" \
		data=cut; do
		odd_start odd --port 465 --tls-first "${relay_certificate[@]}" \
			"$step"
		send_from "" one@relayed.test >/dev/null
		SMTP_RELAYHOST=$relay deliver_within 60
		grep -q -- "-- ${step%%=*}: " "$(odd odd)/log"
		stop "$started"
	done
	[ "$(odd_count next)" -eq 10 ]
	[ "$(grep -c ' event=delivered .*host=next.hosts.test' "$trail")" -eq 10 ]

	# The dot was sent: no other relay gets the message now.
	odd_start odd --port 465 --tls-first "${relay_certificate[@]}" dot=cut
	send_from "" one@relayed.test >/dev/null
	SMTP_RELAYHOST=$relay deliver_within 60
	[ "$(odd_count next)" -eq 10 ]
	[ "$(grep -c ' event=deferred ' "$trail")" -eq 1 ]
}
