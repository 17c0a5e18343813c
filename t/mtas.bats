#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mtas.bats - delivery to other MTAs, Exim and OpenSMTPD; for
# Postfix see t/deliver-content.bats.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail
load lib/mtas

setup_file() {
	need_root
	mtas_need
	network_start
	for host in sender exim osmtpd; do
		network_add_host "$host"
	done
	dns <<-END
		exim.test.   MX 10 exim.hosts.test.
		osmtpd.test. MX 10 osmtpd.hosts.test.
	END
	ca_issue exim exim.hosts.test
	exim_start exim exim
	opensmtpd_start osmtpd
}

teardown_file() {
	network_stop
}

teardown() {
	mail_teardown
	tail -n 30 "$network_dir"/mta-*/{log,logs/*} >&2
}

# arrived HOST TEXT: wait for the message with the text; its file is in $file.
arrived() {
	wait_for 20 mta_mail "$1" "$2"
	file=$(mta_mail "$1" "$2")
	[ -f "$file" ]
}

# many_lines NUMBER: lines of 72 octets, the last one without its line end.
many_lines() {
	yes "$(printf '%070d' 7)" | head -n "$1" | sed 's/$/\r/; $s/\r//'
}

# goes_through HOST: the message on stdin arrives there as it was stored.
goes_through() {
	local id got=$BATS_TEST_TMPDIR/got sent=$BATS_TEST_TMPDIR/sent

	id=$(submit "sender@client.test BODY=8BITMIME" "bob@$1.test")
	deliver
	is_done "$id"
	told "$id" delivered "host=$1.hosts.test["
	arrived "$1" "$id"
	mta_content "$file" | LC_ALL=C tr -d '\r' >"$got"
	stored "$id" | LC_ALL=C tr -d '\r' >"$sent"
	cmp "$sent" "$got"
}

@test "messages arrive octet for octet" {
	for host in exim osmtpd; do
		message plain "some text" | goes_through "$host"
		message dots $'.\r\n..\r\n.x\r\n\r\n...' | goes_through "$host"
		message octets $'\xe4\xf6\xfc \xe2\x82\xac' | goes_through "$host"
		message long "$(printf '%0900d' 7)" | goes_through "$host"
		message empty "" | goes_through "$host"
		message large "$(many_lines 28000)" | goes_through "$host"
	done
	# The extensions that Exim offers are used.
	[ "$(grep -c 'event=delivered .*host=exim.*policy=verify tls="TLS1' \
		"$trail")" -eq 6 ]
	grep -q '<= sender@client.test .* X=TLS1.3:' \
		"$network_dir/mta-exim/logs/main"
}

@test "a refused recipient is reported, the others get the message" {
	for host in exim osmtpd; do
		# The sender is at the other MTA, which takes the notice.
		[ "$host" = exim ] && other=osmtpd || other=exim
		id=$(message "$host" |
			submit "sender@$other.test" "one@$host.test" \
				"refused@$host.test" "two@$host.test")
		deliver
		is_done "$id"
		[ "$(grep -c "message=$id event=delivered" "$trail")" -eq 2 ]
		told "$id" failed status=5.1.1
		arrived "$other" "550 5.1.1 nobody of that name"
		grep -q "^Status: 5.1.1" "$file"
		grep -q "refused@$host.test" "$file"
	done
}

@test "450 makes a message wait until it is accepted" {
	id=$(send later@exim.test)
	other=$(send later@osmtpd.test)
	deliver
	for each in "$id" "$other"; do
		is_deferred "$each"
		told "$each" deferred status=4.2.1
	done
	mtas_relent exim
	make_due "$id"
	deliver
	is_done "$id"
	arrived exim "$id"
}

@test "a message that is larger than SIZE fails, and is not sent" {
	for host in exim osmtpd; do
		id=$(message large "$(many_lines 80000)" |
			submit "" "bob@$host.test")
		deliver
		has_failed "$id"
		told "$id" failed status=5.3.4
	done
}

@test "an address in UTF-8 goes where SMTPUTF8 is offered, and only there" {
	for host in exim osmtpd; do
		id=$(message utf8 | submit " SMTPUTF8" $'b\xc3\xb6b@'"$host.test")
		deliver
		if [ "$host" = exim ]; then
			is_done "$id"
			arrived exim "$id"
		else
			has_failed "$id"
			told "$id" failed status=5.6.7
		fi
	done
}

@test "NOTIFY=SUCCESS is passed on to Exim, which notifies the sender" {
	id=$(message dsn | submit "sender@exim.test ENVID=some-id" \
		"bob@exim.test NOTIFY=SUCCESS ORCPT=rfc822;bob@other.test")
	deliver
	is_done "$id"
	arrived exim "Action: delivered"
	grep -qi "^Original-Envelope-Id: some-id" "$file"
	grep -q "bob@exim.test" "$file"
}
