#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# deliver-replies.bats - how smtp-deliver handles a remote host's replies, the
# extensions it offers, and connections that are cut or slow.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender mx1 mx2 odd1 odd2 odd3; do
		network_add_host "$host"
	done
	ca_issue mx1 mx1.hosts.test
	ca_issue mx2 mx2.hosts.test
	mta_start mx1 mx1
	mta_start mx2 mx2
	dns <<-END
		client.test. MX 10 mx1.hosts.test.
		odd.test.    MX 10 mx.odd.test.
		two.test.    MX 10 mx.odd.test.
		two.test.    MX 20 mx2.hosts.test.
		second.test. MX 10 mx.second.test.
		third.test.  MX 10 mx.third.test.
		several.test. MX 10 mx.several.test.
		many.test.   MX 10 mx.several.test.
		many.test.   MX 20 mx.third.test.
		many.test.   MX 30 mx2.hosts.test.
		mx.several.test. A $(network_ip4 odd1)
		mx.several.test. A $(network_ip4 odd2)
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
		mx.third.test.  A $(network_ip4 odd3)
	END
}

teardown_file() {
	network_stop
}

@test "a host that refuses EHLO is greeted with HELO" {
	odd_start odd1 "ehlo=502 5.5.1 what?"
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	has_got odd1 "HELO sender.hosts.test"
	# And no extension is used.
	grep ' MAIL FROM:<sender@client.test>$' "$(odd odd1)/log"
}

@test "8BITMIME and SIZE are used when they are offered" {
	odd_start odd1 --offer "8BITMIME,SIZE 1000000"
	id=$(message | submit " BODY=8BITMIME" bob@odd.test)
	deliver
	is_done "$id"
	grep " MAIL FROM:<>.* BODY=8BITMIME" "$(odd odd1)/log"
	grep " MAIL FROM:<>.* SIZE=$(stored "$id" | wc -c)" "$(odd odd1)/log"
}

@test "no extension is used that is not offered" {
	odd_start odd1 --offer ""
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	grep ' MAIL FROM:<sender@client.test>$' "$(odd odd1)/log"
}

@test "a message is not sent to a host whose SIZE it exceeds" {
	odd_start odd1 --offer "SIZE 100"
	id=$(send bob@odd.test)
	deliver
	was_returned "$id"
	told "$id" failed status=5.3.4
	not has_got odd1 DATA
}

@test "8-bit octets are not sent where 8BITMIME is not offered" {
	odd_start odd1 --offer ""
	id=$(message eight $'\xfc' | submit " BODY=8BITMIME" bob@odd.test)
	seven=$(message seven | submit " BODY=8BITMIME" bob@odd.test)
	deliver
	has_failed "$id"
	told "$id" failed status=5.6.3
	# A message declared as 8-bit that is 7-bit is sent.
	is_done "$seven"
	has_got odd1 DATA
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "an address in UTF-8 is sent where SMTPUTF8 is offered" {
	odd_start odd1
	id=$(message | submit " SMTPUTF8" grün@odd.test)
	deliver
	is_done "$id"
	grep "MAIL FROM:<>.* SMTPUTF8" "$(odd odd1)/log"
	has_got odd1 "RCPT TO:<grün@odd.test>"
}

@test "an address in UTF-8 is not sent where SMTPUTF8 is not offered" {
	odd_start odd1 --offer "8BITMIME"
	id=$(message | submit " SMTPUTF8" grün@odd.test)
	deliver
	has_failed "$id"
	told "$id" failed status=5.6.7
	not has_got odd1 "RCPT TO:<grün"
}

@test "SMTPUTF8 is needed for addresses and header fields, not for text" {
	odd_start odd1 --offer "8BITMIME"
	id=$(message plain "grün" | submit " SMTPUTF8" bob@odd.test)
	deliver
	is_done "$id"
	grep "MAIL FROM:<> BODY=8BITMIME$" "$(odd odd1)/log"
	# Go's net/smtp says it whenever it is offered.
	id=$(message plain | submit " BODY=8BITMIME SMTPUTF8" bob@odd.test)
	deliver
	is_done "$id"
	id=$(message grün | submit " SMTPUTF8" bob@odd.test)
	deliver
	has_failed "$id"
	told "$id" failed status=5.6.7
	[ "$(odd_count odd1)" -eq 2 ]
	stop_started
	# Nor do hosts get to hear of it, which might not find one after them.
	odd_start odd1
	for subject in plain grün; do
		message "$subject" "grün" | submit " SMTPUTF8" bob@odd.test
		deliver
	done
	[ "$(odd_count odd1)" -eq 2 ]
	[ "$(grep -c " MAIL FROM:<> .*BODY=8BITMIME" "$(odd odd1)/log")" -eq 2 ]
	[ "$(grep -c " MAIL FROM:<> .*SMTPUTF8" "$(odd odd1)/log")" -eq 1 ]
}

@test "8-bit text of a client that said SMTPUTF8 alone needs 8BITMIME" {
	odd_start odd1 --offer "SIZE"
	id=$(message plain "grün" | submit " SMTPUTF8" bob@odd.test)
	deliver
	has_failed "$id"
	told "$id" failed status=5.6.3
}

@test "a 5yz reply is final: a bounce is kept in queue/failed, and counted" {
	odd_start odd1 "rcpt=550 5.1.1 nobody here\\nof that name"
	id=$(message | submit "" bob@odd.test)
	deliver
	has_failed "$id"
	told "$id" failed status=5.1.1
	told "$id" failed "550"
	told "$id" failed "nobody here"
	[ "$(counter 3)" -eq 1 ]
	[ "$(counter 2)" -eq 0 ]
	cmp "$spool/queue/failed/$id" "$spool"/20*/"$id"_*.eml
}

@test "a 5yz reply at any step is final" {
	for offer in "" PIPELINING; do
		for step in mail rcpt data dot; do
			stop_started
			odd_start odd1 --offer "$offer" "$step=554 5.7.1 no"
			id=$(send bob@odd.test)
			deliver
			was_returned "$id"
			told "$id" failed status=5.7.1
			[ "$(odd_count odd1)" -eq 0 ]
		done
	done
}

@test "a 4yz reply at any step makes a message wait" {
	for step in banner ehlo mail rcpt data dot; do
		stop_started
		odd_start odd1 "$step=451 4.3.0 later"
		id=$(send bob@odd.test)
		deliver
		is_deferred "$id"
		told "$id" deferred status=4.3.0
		[ "$(odd_count odd1)" -eq 0 ]
	done
}

@test "a refusal of one message does not affect the next" {
	for offer in "" PIPELINING; do
		for step in mail rcpt data dot; do
			stop_started
			odd_start odd1 --offer "$offer" "$step=451 4.3.0 later;ok"
			: >"$trail"
			send bob@odd.test >/dev/null
			send bob@odd.test >/dev/null
			deliver
			[ "$(odd_count odd1)" -eq 1 ]
			[ "$(grep -c "event=deferred" "$trail")" -eq 1 ]
			not has_got odd1 "-- nested MAIL"
			rm -r "$spool/queue/retry"/*
		done
	done
}

@test "the next MX host is tried for recipients that the first defers" {
	odd_start odd1 "rcpt:<two@=451 4.2.1 later"
	id=$(send one@two.test two@two.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	wait_for 10 mta_mail mx2 "Message-ID: <test.$BATS_TEST_NUMBER@"
	file=$(mta_mail mx2 "Message-ID: <test.$BATS_TEST_NUMBER@")
	grep "^Delivered-To: two@two.test" "$file"
}

# reached STEP HOST...: how often these hosts have misbehaved at the step.
reached() {
	local step=$1 host count=0

	shift
	for host; do count=$((count + $(saw "$host" "-- $step"))); done
	echo "$count"
}

@test "a content that was deferred is sent to one more host" {
	for step in dot content; do
		stop_started
		for host in odd1 odd2 odd3; do
			odd_start "$host" "$step=451 4.3.0 later"
		done
		id=$(send bob@many.test)
		deliver
		is_deferred "$id"
		[ "$(reached "$step" odd1 odd2)" -eq 1 ]
		[ "$(reached "$step" odd3)" -eq 1 ]
		id=$(send bob@several.test)
		deliver
		is_deferred "$id"
		[ "$(reached "$step" odd1 odd2)" -eq 3 ]
	done

	# What is refused before the content costs little.
	stop_started
	for host in odd1 odd2 odd3; do
		odd_start "$host" "rcpt=451 4.3.0 later"
	done
	id=$(send bob@many.test)
	deliver
	is_done "$id"
	[ "$(saw odd1 RCPT) $(saw odd2 RCPT) $(saw odd3 RCPT)" = "1 1 1" ]
}

@test "only the recipients that were deferred are tried again" {
	odd_start odd1 "rcpt:<later@=451 4.2.1 later;ok" \
		"rcpt:<never@=550 5.1.1 never"
	id=$(message |
		submit "" now@odd.test later@odd.test never@odd.test)
	deliver
	is_deferred "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	# All of them were in one transaction.
	[ "$(grep -c ' MAIL ' "$(odd odd1)/log")" -eq 1 ]
	[ "$(grep -c "event=delivered" "$trail")" -eq 1 ]
	[ "$(grep -c "event=deferred" "$trail")" -eq 1 ]
	[ "$(grep -c "event=failed" "$trail")" -eq 1 ]

	: >"$(odd odd1)/log"
	make_due "$id"
	deliver
	[ "$(odd_count odd1)" -eq 2 ]
	has_got odd1 "RCPT TO:<later@odd.test>"
	not has_got odd1 "RCPT TO:<now@"
	not has_got odd1 "RCPT TO:<never@"
	# One recipient has failed for good, so the message is kept.
	has_failed "$id"
}

@test "recipients of several domains are each tried at their own hosts" {
	for host in odd1 odd2; do odd_start "$host"; done
	id=$(send a@odd.test b@second.test c@odd.test d@third.test)
	deliver
	is_deferred "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(odd_count odd2)" -eq 1 ]
	[ "$(grep -c ' RCPT ' "$(odd odd1)/log")" -eq 2 ]
	odd_start odd3
	make_due "$id"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(odd_count odd2)" -eq 1 ]
	[ "$(odd_count odd3)" -eq 1 ]
}

# send_to NUMBER: a message for so many recipients, r1@odd.test and so on.
send_to() {
	local addresses

	mapfile -t addresses < <(seq -f r%g@odd.test "$1")
	send "${addresses[@]}"
}

# odd1_has_each NUMBER: whether it has taken the message once for each of them.
odd1_has_each() {
	cat "$(odd odd1)"/*.to >"$BATS_TEST_TMPDIR/to"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/to")" -eq "$1" ]
	[ "$(sort -u "$BATS_TEST_TMPDIR/to" | wc -l)" -eq "$1" ]
}

@test "a transaction has 100 recipients at most, the next one has the others" {
	odd_start odd1
	id=$(send_to 250)
	deliver
	is_done "$id"
	odd1_has_each 250
	[ "$(odd_count odd1)" -eq 3 ]
	[ "$(saw odd1 connect)" -eq 1 ]
	stop_started

	odd_start odd1 dot=after-cut
	id=$(send_to 50)
	SMTP_DESTINATION_RECIPIENTS=20 deliver
	is_done "$id"
	odd1_has_each 50
	[ "$(odd_count odd1)" -eq 3 ]
	[ "$(saw odd1 connect)" -eq 3 ]
}

@test "a host that takes fewer recipients gets all, in one attempt" {
	for beyond in "rcpt=452 4.5.3 too many" "rcpt=552 too many" \
		"rcpt=550 5.5.3 too many" "data=554 5.5.0 too many" \
		"data=452 4.5.3 too many" "dot=554 5.7.1 too many" \
		"dot=raw-cut 554 5.7.1 too many\\r\\n"; do
		stop_started
		odd_start odd1 --most 30 --beyond "$beyond"
		id=$(send_to 100)
		deliver
		is_done "$id"
		not told "$id" deferred
		odd1_has_each 100
	done
}

@test "a refusal of many for one of them fails that one" {
	odd_start odd1 "dot:<r7@=554 5.7.1 no"
	id=$(send_to 20)
	deliver
	was_returned "$id"
	odd1_has_each 19
	[ "$(grep -c "event=failed" "$trail")" -eq 1 ]
}

@test "a content that nobody takes is not sent for each recipient" {
	odd_start odd1 "dot=554 5.7.1 spam"
	id=$(send_to 100)
	deliver
	was_returned "$id"
	[ "$(grep -c "event=failed" "$trail")" -eq 100 ]
	[ "$(saw odd1 "-- dot")" -le 15 ]
}

@test "a lost reply to QUIT is not a failure" {
	for quit in cut reset "421 4.3.2 gone" silent; do
		stop_started
		odd_start odd1 "quit=$quit"
		id=$(send bob@odd.test)
		SMTP_REMOTE_TIMEOUT=2 deliver
		is_done "$id"
		[ "$(odd_count odd1)" -eq 1 ]
		not told "$id" deferred
	done
}

@test "a connection that is cut at any step makes a message wait" {
	local steps=(banner ehlo mail rcpt data content dot)

	for offer in "" PIPELINING; do
		for cut in cut reset; do
			stop_started
			odd_start odd1 --offer "$offer" "${steps[@]/%/=$cut;ok}"
			id=$(send bob@odd.test)
			for step in "${steps[@]}"; do
				deliver
				has_got odd1 "-- $step: $cut"
				is_deferred "$id"
				make_due "$id"
			done
			deliver
			is_done "$id"
			[ "$(odd_count odd1)" -eq 1 ]
		done
	done
}

@test "421 during a transaction makes a message wait" {
	for offer in "" PIPELINING; do
		stop_started
		odd_start odd1 --offer "$offer" "rcpt:<two@=421 4.3.2 closing;ok" \
			"rcpt:<never@=550 5.1.1 never"
		id=$(send never@odd.test one@odd.test two@odd.test \
			three@odd.test)
		deliver
		is_deferred "$id"
		[ "$(odd_count odd1)" -eq 0 ]
		make_due "$id"
		deliver
		was_returned "$id"
		[ "$(odd_count odd1)" -eq 1 ]
		# Replies that were final before it remain so.
		[ "$(grep -c " RCPT TO:<never@" "$(odd odd1)/log")" -eq 1 ]
		# No recipient follows, unless all were sent at once.
		[ "$(grep -c " RCPT TO:<three@" "$(odd odd1)/log")" -eq \
			"$([ -z "$offer" ] && echo 1 || echo 2)" ]
	done
}

@test "a host that does not answer is given up at the deadline" {
	export SMTP_REMOTE_TIMEOUT=1
	for step in banner=silent ehlo=deaf mail=silent content=deaf \
		dot=silent; do
		stop_started
		odd_start odd1 "$step"
		id=$(send bob@odd.test)
		deliver
		is_deferred "$id"
		told "$id" deferred status=4.4
	done
}

@test "a host that drips its reply is given up at the deadline" {
	odd_start odd1 "banner=drip 0.3"
	id=$(send bob@odd.test)
	SMTP_REMOTE_TIMEOUT=2 deliver
	is_deferred "$id"
	not has_got odd1 EHLO
}

@test "replies of many lines are understood" {
	odd_start odd1 "banner=lines 20" "ehlo=lines 50" "rcpt=lines 100" \
		"dot=lines 20"
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
}

@test "an endless reply or reply line ends the attempt" {
	for reply in ehlo=endless "ehlo=long 5000000" banner=endless \
		"banner=long 5000000" "ehlo=raw \\x00\\xff\\n\\r\\r\\n"; do
		stop_started
		odd_start odd1 "$reply"
		id=$(send bob@odd.test)
		SMTP_REMOTE_TIMEOUT=5 deliver
		is_deferred "$id"
		not has_got odd1 MAIL
	done
}

@test "a reply whose lines have different codes is invalid" {
	odd_start odd1 "dot=raw 250-taken\\r\\n550 refused\\r\\n"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
}

@test "a reply that came before its command is not used" {
	for offer in PIPELINING ""; do
		stop_started
		odd_start odd1 --offer "$offer" "dot=554 5.6.0 never" \
			"rcpt=raw 250 2.1.5 ok\\r\\n354 go on\\r\\n250 2.0.0 taken\\r\\n"
		id=$(send bob@odd.test)
		deliver
		is_deferred "$id"
		not told "$id" delivered
		# The message was not sent.
		not has_got odd1 "-- dot"
	done
	not has_got odd1 DATA
}

@test "a reply to the message that comes with that to DATA is not used" {
	odd_start odd1 "dot=554 5.6.0 never" \
		"data=raw 354 go on\\r\\n250 2.0.0 taken\\r\\n"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	not told "$id" delivered
}

@test "the log names no address that a host names, unless SMTP_DEBUG is on" {
	local step whom=zaphod reply

	whom+="@odd.test"
	while read -r step reply; do
		stop_started
		: >"$trail"
		odd_start odd1 "$step=550 5.1.1 $reply"
		id=$(send "$whom")
		deliver
		was_returned "$id"
		grep "message=$id event=failed .* reply=\"550 " "$trail"
		not grep -i "zaphod\|sender@client" "$trail"
	done <<-END
		mail <$whom> $whom
		rcpt <${whom^^}> is unknown
		rcpt no user Zaphod
		data <zaphod@\\n5.1.1 odd.test>
		dot sender@client.test to zaphod%40x
	END
	# A host that is not used at all.
	stop_started
	: >"$trail"
	odd_start odd1 "banner=554 5.7.1 no mail for $whom"
	id=$(send "$whom")
	deliver
	grep "message=$id event=host-passed-over .*no mail" "$trail"
	not grep -i zaphod "$trail"

	stop_started
	odd_start odd1 "rcpt=550 5.1.1 $whom is unknown"
	id=$(send "$whom")
	SMTP_DEBUG=true deliver
	told "$id" failed "$whom is unknown"
}

@test "a reply cannot forge a line of the log" {
	odd_start odd1 "rcpt=raw 550 \\x1b[2J\"\\x00\\x0bx event=delivered \\r\\n"
	id=$(send bob@odd.test)
	deliver
	was_returned "$id"
	not told "$id" delivered
	[ "$(LC_ALL=C tr -d '\n -~' <"$trail" | wc -c)" -eq 0 ]
}
