#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# notices.bats - the notices to senders: real hosts accept them, and Python's
# email package parses them.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	clock_build
	for host in sender home odd1 odd2; do
		network_add_host "$host"
	done
	# The senders' host: a Postfix with strict checks of MIME.
	mta_start home
	postconf -c "$network_dir/mta-home/etc" -e strict_mime_encoding_domain=yes \
		strict_7bit_headers=yes strict_8bitmime_body=yes
	network_exec home postfix -c "$network_dir/mta-home/etc" reload \
		2>"$network_dir/reload"
	dns <<-END
		home.test.   MX 10 home.hosts.test.
		odd.test.    MX 10 mx.odd.test.
		second.test. MX 10 mx.second.test.
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
	END
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	alice=alice$BATS_TEST_NUMBER@home.test
}

teardown() {
	mail_teardown
	umount --lazy "$BATS_TEST_TMPDIR/disk" 2>/dev/null || :
	cat "$BATS_TEST_TMPDIR/fields" >&2 2>/dev/null || :
}

# ---- helpers -----------------------------------------------------------------

# send_lunch SENDER RECIPIENT...: submit some message; prints its id.
send_lunch() {
	printf '%s\r\n' "Subject: lunch" "Message-ID: <lunch@client.test>" "" \
		"the body" | submit "$@"
}

# notices ID: the ids of the notices about a message.
notices() {
	sed -n "s/.*message=$1 event=notice .*notice=\([0-9a-f]*\).*/\1/p" "$trail"
}

# read_notice: wait for the one notice to the MX host of $alice, and leave its
# parsed fields in $fields.
read_notice() {
	fields=$BATS_TEST_TMPDIR/fields
	wait_for 10 mta_has home 1 "Delivered-To: $alice"
	python3 "$SMTPSERVER_SOURCE/t/lib/notice" \
		"$(mta_mail home "Delivered-To: $alice")" >"$fields"
}

# says LINE...: whether the notice has these lines.
says() {
	local line

	for line; do
		grep -qxF -- "$line" "$fields" || { echo "lacks: $line" && return 1; }
	done
}

# ---- bounces -----------------------------------------------------------------

@test "a message to an unknown recipient is returned in the same run" {
	odd_start odd1 "rcpt:<bob@=550 5.1.1 nobody here\\nof that name"
	id=$(send_lunch "$alice" bob@odd.test carol@odd.test)
	deliver
	was_returned "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	read_notice
	says "header To: $alice" "header Auto-Submitted: auto-replied" \
		"header Return-Path: <>" \
		"part text/plain" "part message/delivery-status" \
		"part text/rfc822-headers" \
		"text   <bob@odd.test>" \
		"message Reporting-MTA: dns; sender.hosts.test" \
		"1 Final-Recipient: rfc822; bob@odd.test" \
		"1 Action: failed" "1 Status: 5.1.1" \
		"1 Remote-MTA: dns; mx.odd.test" \
		"1 Diagnostic-Code: smtp; 550 5.1.1 nobody here / of that name" \
		"original Subject: lunch" \
		"original Message-ID: <lunch@client.test>"
	grep -q "^message Arrival-Date: " "$fields"
	grep -q "^1 Last-Attempt-Date: " "$fields"
	not grep -q "^2 " "$fields"
	not grep -q "the body" "$(mta_mail home "Delivered-To: $alice")"
	# The stored copies remain, also that of the notice.
	[ "$(find "$spool"/20* -name "${id}_*" | wc -l)" -eq 2 ]
	[ "$(find "$spool"/20* -name "$(notices "$id")_*" | wc -l)" -eq 1 ]
	[ -z "$(find "$spool/queue" -mindepth 2 -type f)" ]
}

@test "a failure without a host's reply is explained, too" {
	id=$(send_lunch "$alice" bob@nowhere.invalid.test)
	deliver
	was_returned "$id"
	read_notice
	says "1 Action: failed" "1 Status: 5.1.2"
	grep -q "^1 Diagnostic-Code: X-Smtpserver; " "$fields"
	not grep -q "^1 Remote-MTA" "$fields"
}

@test "the null sender gets no notice: the message is kept" {
	id=$(send_lunch "" bob@nowhere.invalid.test)
	deliver
	has_failed "$id"
	told "$id" message-done 'reason="kept in queue/failed"'
	not told "$id" notice
}

@test "a notice that fails is kept, and causes no notice" {
	id=$(send_lunch nobody@nowhere.invalid.test bob@nowhere.invalid.test)
	deliver
	was_returned "$id"
	has_failed "$(notices "$id")"
	[ "$(grep -c "event=notice" "$trail")" -eq 1 ]
}

@test "a message whose sender cannot be notified is kept" {
	id=$(send_lunch "$alice" bob@nowhere.invalid.test)
	: >"$spool/key"
	deliver
	has_failed "$id"
	told "$id" trouble "cannot notify the sender"
	told "$id" message-done 'reason="kept in queue/failed"'
	[ -z "$(find "$spool/scratch" -type f)" ]
}

@test "a message whose notice does not fit on the disk waits until it does" {
	disk=$BATS_TEST_TMPDIR/disk
	mkdir "$disk"
	mount -t tmpfs -o size=40m tmpfs "$disk"
	spool=$disk/spool
	export SMTP_QUEUE_PATH=$spool
	odd_start odd1 "rcpt:<late@=451 4.2.1 later;ok"
	id=$(send_lunch "$alice" bob@nowhere.invalid.test)
	both=$(send_lunch "$alice" bob@nowhere.invalid.test late@odd.test)
	relayed=$(send_lunch "$alice" "good@odd.test NOTIFY=SUCCESS")
	head -c 30M /dev/zero >"$disk/ballast"
	deliver
	for message in "$id" "$both" "$relayed"; do
		is_deferred "$message"
		told "$message" trouble "cannot notify the sender yet"
		make_due "$message"
	done
	deliver
	# It does not count against the delivery of others.
	[ "$(odd_count odd1)" -eq 2 ]
	for message in "$id" "$both" "$relayed"; do
		is_deferred "$message"
		not told "$message" message-done
		make_due "$message"
	done
	rm "$disk/ballast"
	deliver
	for message in "$id" "$both"; do
		was_returned "$message"
		[ "$(grep -c "message=$message event=failed" "$trail")" -eq 1 ]
	done
	told "$relayed" message-done 'reason="delivered to all"'
	is_done "$relayed"
	[ "$(grep -c " event=notice " "$trail")" -eq 3 ]
	wait_for 10 has_notices 3
}

# Whether $alice's host has that many notices.
has_notices() {
	mta_has home "$1" "Delivered-To: $alice"
}

@test "the sender is notified of each failed recipient at once, and once" {
	odd_start odd1 "rcpt:<now@=550 5.1.1 not now" \
		"rcpt:<later@=451 4.2.1 later;550 5.2.1 not later"
	id=$(send_lunch "$alice" now@odd.test later@odd.test good@odd.test)
	deliver
	is_deferred "$id"
	read_notice
	says "1 Final-Recipient: rfc822; now@odd.test"
	not grep -q "^2 " "$fields"
	rm "$(mta_mail home "Delivered-To: $alice")"

	make_due "$id"
	deliver
	was_returned "$id"
	read_notice
	says "1 Final-Recipient: rfc822; later@odd.test" \
		"1 Diagnostic-Code: smtp; 550 5.2.1 not later"
	not grep -q "^2 " "$fields"
}

@test "a notice quotes replies that an earlier run got" {
	id=$(send_lunch "$alice" bob@odd.test)
	# As if that run had been killed after it recorded the reply.
	printf '1 1763836310123 0 failed 5.1.1 %s\n' \
		"mx.odd.test[192.0.2.9]: refused at RCPT: 550 5.1.1 gone" \
		>"$spool/queue/attempts/$id"
	deliver
	was_returned "$id"
	read_notice
	says "1 Remote-MTA: dns; mx.odd.test" \
		"1 Diagnostic-Code: smtp; 550 5.1.1 gone" \
		"1 Last-Attempt-Date: Sat, 22 Nov 2025 18:31:50 +0000"
}

@test "a notice of an expired message quotes the last reply" {
	odd_start odd1 "rcpt=450 4.2.0 the mailbox is full"
	id=$(send_lunch "$alice" bob@odd.test)
	for attempt in {1..8}; do
		echo "$attempt 1763836310123 0 deferred 4.4.1 x"
	done >"$spool/queue/attempts/$id"
	ahead=$((5 * 86400 + 3600)) deliver
	was_returned "$id"
	read_notice
	says "1 Action: failed" "1 Status: 4.4.7" \
		"1 Diagnostic-Code: smtp; 450 4.2.0 the mailbox is full"
	grep -q "^text     Delivery was retried until the message expired. Last error:" "$fields"
}

@test "a remote host's reply cannot forge a notice" {
	odd_start odd1 "rcpt:<one@=raw 550-a\\r\\n550 \\x00\\x1b[2J\\xff\\xc2\\x85Action: delivered\\r\\n" \
		"rcpt:<two@=550 $(printf '%0900d' 0)"
	id=$(send_lunch "$alice" one@odd.test two@odd.test)
	deliver
	was_returned "$id"
	read_notice
	[ "$(grep -c "^[12] Action: failed$" "$fields")" -eq 2 ]
	not grep -q "Action: delivered$" <(grep -v Diagnostic-Code "$fields" |
		grep -v ^text)
	not grep -q "^3 " "$fields"
	[ "$(LC_ALL=C tr -d '\n\t -~' \
		<"$(mta_mail home "Delivered-To: $alice")" | wc -c)" -eq 0 ]
}

@test "a header with 8 bits or long lines is returned quoted-printable" {
	id=$({
		printf 'Subject: gr\xfcn\r\nX-Long: %0990d\r\n\r\ntext\r\n' 7
	} | submit "$alice BODY=8BITMIME" bob@nowhere.invalid.test)
	deliver
	was_returned "$id"
	read_notice
	grep -q "^original X-Long: 0*7$" "$fields"
	[ "$(LC_ALL=C tr -d '\n\t -~' \
		<"$(mta_mail home "Delivered-To: $alice")" | wc -c)" -eq 0 ]
}

# ---- delays ------------------------------------------------------------------

@test "after four hours the sender is notified of a delay, once" {
	odd_start odd1 "rcpt:<later@=450 4.2.0 come again"
	id=$(send_lunch "$alice" later@odd.test good@odd.test)
	ahead=$((4 * 3600 - 60)) deliver
	is_deferred "$id"
	not told "$id" notice
	make_due "$id"
	ahead=$((4 * 3600 + 60)) deliver
	is_deferred "$id"
	read_notice
	says "header Subject: Mail delayed" "1 Action: delayed" \
		"1 Final-Recipient: rfc822; later@odd.test" "1 Status: 4.2.0" \
		"1 Diagnostic-Code: smtp; 450 4.2.0 come again"
	grep -q "^1 Will-Retry-Until: " "$fields"
	not grep -q "^2 " "$fields"

	# By another run, which knows of the notice only from the record.
	make_due "$id"
	ahead=$((5 * 3600)) deliver
	is_deferred "$id"
	told "$id" deferred attempt=3
	[ "$(grep -c "event=notice" "$trail")" -eq 1 ]
}

@test "SMTP_DELAY_NOTICE sets when a delay is reported, or never" {
	odd_start odd1 "rcpt=450 4.2.0 come again"
	null=$(send_lunch "" bob@odd.test)
	id=$(send_lunch "$alice" bob@odd.test)
	SMTP_DELAY_NOTICE=0 ahead=$((48 * 3600)) deliver
	not told "$id" notice
	make_due "$id"
	SMTP_DELAY_NOTICE=50 ahead=$((49 * 3600)) deliver
	not told "$id" notice
	make_due "$id"
	SMTP_DELAY_NOTICE=50 ahead=$((51 * 3600)) deliver
	told "$id" notice
	make_due "$null"
	ahead=$((51 * 3600)) deliver
	is_deferred "$null"
	not told "$null" notice
}

@test "SMTP_QUEUE_LIFETIME limits how long a message is tried" {
	odd_start odd1 "rcpt=450 4.2.0 come again"
	id=$(send_lunch "$alice" bob@odd.test)
	for attempt in {1..8}; do
		echo "$attempt 1763836310123 0 deferred 4.4.1 x"
	done >"$spool/queue/attempts/$id"
	SMTP_DELAY_NOTICE=0 SMTP_QUEUE_LIFETIME=2 ahead=$((86400 + 60)) deliver
	is_deferred "$id"
	make_due "$id"
	SMTP_QUEUE_LIFETIME=1 ahead=$((86400 + 60)) deliver
	was_returned "$id"
	read_notice
	says "1 Action: failed" "1 Status: 4.4.7"
}

# ---- what senders ask for (RFC 3461) -----------------------------------------

@test "DSN parameters are passed on to a host that offers DSN" {
	odd_start odd1 --offer "DSN,PIPELINING"
	odd_start odd2 --offer "PIPELINING"
	id=$(send_lunch "$alice RET=FULL ENVID=QQ+2B31" \
		"bob@odd.test NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bob@odd.test" \
		carol@odd.test dave@second.test)
	deliver
	[ "$(place "$id")" = "" ]
	grep " MAIL FROM:<$alice> RET=FULL ENVID=QQ+2B31$" "$(odd odd1)/log"
	grep " RCPT TO:<bob@odd.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bob@odd.test$" \
		"$(odd odd1)/log"
	grep " RCPT TO:<carol@odd.test>$" "$(odd odd1)/log"
	grep " MAIL FROM:<$alice>$" "$(odd odd2)/log"
	# That host notifies the sender; the other recipient wants no notice.
	not told "$id" notice
}

@test "with NOTIFY=NEVER, or no FAILURE, a message that fails is kept" {
	never=$(send_lunch "$alice" "bob@nowhere.invalid.test NOTIFY=NEVER")
	success=$(send_lunch "$alice" "bob@nowhere.invalid.test NOTIFY=SUCCESS,DELAY")
	some=$(send_lunch "$alice ENVID=a+20b" \
		"one@nowhere.invalid.test NOTIFY=NEVER" \
		"two@nowhere.invalid.test NOTIFY=FAILURE ORCPT=rfc822;t+2Bwo@x.test" \
		"three@nowhere.invalid.test NOTIFY=SUCCESS")
	deliver
	for id in "$never" "$success"; do
		has_failed "$id"
		not told "$id" notice
	done
	has_failed "$some"
	told "$some" notice recipients=1
	read_notice
	says "message Original-Envelope-Id: a b" \
		"1 Original-Recipient: rfc822; t+wo@x.test" \
		"1 Final-Recipient: rfc822; two@nowhere.invalid.test"
	not grep -q "^2 " "$fields"
	grep -q " 1 returned " "$spool/queue/attempts/$some"
}

@test "NOTIFY=SUCCESS: we send the notice if the next host has no DSN" {
	odd_start odd1 --offer "PIPELINING"
	id=$(send_lunch "$alice RET=FULL" "bob@odd.test NOTIFY=SUCCESS" \
		"carol@odd.test NOTIFY=FAILURE" dave@odd.test)
	deliver
	[ "$(place "$id")" = "" ]
	[ ! -e "$spool/queue/attempts/$id" ]
	told "$id" message-done 'reason="delivered to all"'
	[ "$(odd_count odd1)" -eq 1 ]
	read_notice
	says "header Subject: Mail relayed" "1 Action: relayed" \
		"1 Status: 2.0.0" "1 Final-Recipient: rfc822; bob@odd.test" \
		"1 Diagnostic-Code: smtp; 250 2.0.0 taken" \
		"part text/rfc822-headers"
	not grep -q "^2 " "$fields"
	# A notice never causes another one.
	grep -q "^X-Smtpserver-Notify: NEVER" \
		"$spool"/20*/"$(notices "$id")"_*.eml
}

@test "a notice of success that is due is sent by the next run" {
	id=$(send_lunch "$alice" "bob@odd.test NOTIFY=SUCCESS")
	printf '1 1763836310123 0 relayed 2.0.0 %s\n' \
		"mx.odd.test[192.0.2.9]: 250 taken" >"$spool/queue/attempts/$id"
	deliver
	[ "$(place "$id")" = "" ]
	not told "$id" delivered
	read_notice
	says "1 Action: relayed" "1 Diagnostic-Code: smtp; 250 taken"
}

@test "NOTIFY without DELAY causes no notice of a delay" {
	odd_start odd1 "rcpt=450 4.2.0 come again"
	quiet=$(send_lunch "$alice" "bob@odd.test NOTIFY=FAILURE")
	id=$(send_lunch "$alice" "bob@odd.test NOTIFY=FAILURE" \
		"carol@odd.test NOTIFY=DELAY")
	ahead=$((5 * 3600)) deliver
	not told "$quiet" notice
	told "$id" notice recipients=1
	read_notice
	says "1 Action: delayed" "1 Final-Recipient: rfc822; carol@odd.test"
}

@test "RET=FULL returns the whole message, unless it is large" {
	id=$({
		printf '%s\r\n' "Subject: x" "MIME-Version: 1.0" \
			"Content-Type: text/plain; charset=utf-8" \
			"Content-Transfer-Encoding: 8bit" "" "Grüße" ".dot"
	} | submit "$alice RET=FULL BODY=8BITMIME" bob@nowhere.invalid.test)
	deliver
	was_returned "$id"
	read_notice
	says "part message/rfc822" "original Subject: x" \
		"header Content-Transfer-Encoding: 8bit"
	grep -q "^body .*\.dot" "$fields"
	rm "$(mta_mail home "Delivered-To: $alice")"

	id=$({
		printf 'Subject: large\r\n\r\n'
		yes "a line of text"$'\r' | head -n 20000
	} | submit "$alice RET=FULL" bob@nowhere.invalid.test)
	deliver
	was_returned "$id"
	read_notice
	says "part text/rfc822-headers" "original Subject: large"
}

# The first notice fails, the second is taken.
@test "a notice goes with the header only where no host takes it whole" {
	local offer status large=$BATS_TEST_TMPDIR/large

	{
		printf 'Subject: Gr\303\274\303\237e\r\n\r\n'
		yes "a line of text"$'\r' | head -n 3000
	} >"$large"
	for offer in "PIPELINING:5.6.3" "8BITMIME,SIZE 20000:5.3.4"; do
		status=${offer#*:}
		odd_start odd2 --offer "${offer%:*}"
		id=$(submit "bob@second.test RET=FULL BODY=8BITMIME" \
			bob@nowhere.invalid.test <"$large")
		deliver
		was_returned "$id"
		whole=$(notices "$id")
		told "$whole" failed "status=$status"
		told "$whole" notice "header only"
		is_done "$whole"
		[ "$(odd_count odd2)" -eq 1 ]
		fields=$BATS_TEST_TMPDIR/fields
		python3 "$SMTPSERVER_SOURCE/t/lib/notice" "$(odd odd2)/1.eml" \
			>"$fields"
		says "part text/rfc822-headers"
		not grep -q "a line of text" "$(odd odd2)/1.eml"
		grep -q "the header of your message follow" "$(odd odd2)/1.eml"
		[ "$(LC_ALL=C tr -d '\n -~\r\t' <"$(odd odd2)/1.eml" | wc -c)" -eq 0 ]
		stop_started
	done
}

@test "a notice with a message in 8 bits goes as 8BITMIME, or shorter" {
	local eight_bits=$BATS_TEST_TMPDIR/eight-bits

	printf 'Subject: x\r\n\r\nGr\303\274\303\237e\r\n' >"$eight_bits"
	odd_start odd2
	id=$(submit "bob@second.test RET=FULL BODY=8BITMIME" \
		bob@nowhere.invalid.test <"$eight_bits")
	deliver
	was_returned "$id"
	grep " MAIL FROM:<> .*BODY=8BITMIME" "$(odd odd2)/log"
	grep -q "Grüße" "$(odd odd2)/1.eml"
	stop_started

	odd_start odd2 --offer PIPELINING
	id=$(submit "bob@second.test RET=FULL BODY=8BITMIME" \
		bob@nowhere.invalid.test <"$eight_bits")
	deliver
	told "$(notices "$id")" failed status=5.6.3
	[ "$(odd_count odd2)" -eq 1 ]
	not grep -q "Grüße" "$(odd odd2)/1.eml"
}

@test "a sender in UTF-8 gets a notice in UTF-8" {
	odd_start odd2
	id=$(send_lunch "grün$BATS_TEST_NUMBER@second.test SMTPUTF8" \
		"bärbel@nowhere.invalid.test ORCPT=utf-8;bär@x.test")
	deliver
	was_returned "$id"
	[ "$(odd_count odd2)" -eq 1 ]
	grep " MAIL FROM:<>.* SMTPUTF8" "$(odd odd2)/log"
	fields=$BATS_TEST_TMPDIR/fields
	python3 "$SMTPSERVER_SOURCE/t/lib/notice" "$(odd odd2)/1.eml" >"$fields"
	says "part message/global-delivery-status" \
		"1 Final-Recipient: utf-8; bärbel@nowhere.invalid.test" \
		"1 Original-Recipient: utf-8; bär@x.test"
}

@test "a sender in ASCII gets a recipient in UTF-8 written in ASCII" {
	id=$(send_lunch "$alice SMTPUTF8" "bärbel@nowhere.invalid.test")
	deliver
	was_returned "$id"
	read_notice
	says "part message/delivery-status" \
		"1 Final-Recipient: utf-8; b\\x{E4}rbel@nowhere.invalid.test" \
		"text   <bärbel@nowhere.invalid.test>"
}
