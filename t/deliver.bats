#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# deliver.bats - smtp-deliver takes mail out of the spool to remote hosts, real
# ones and such as misbehave, in a network of its own.
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

	for host in sender mx1 mx2 odd1 odd2 odd3; do
		network_add_host "$host"
	done
	ca_issue mx1 mx1.hosts.test no-mx.test \
		"$(network_ip4 mx1)" "$(network_ip6 mx1)"
	ca_issue mx2 mx2.hosts.test
	ca_issue odd1 mx.odd.test
	ca_issue expired --expired mx.odd.test
	ca_issue self-signed --self-signed mx.odd.test
	ca_issue wrong-name odd1.hosts.test
	mta_start mx1 mx1
	mta_start mx2 mx2
	dns <<-END
		client.test. MX 10 mx1.hosts.test.
		real.test.   MX 10 mx1.hosts.test.
		odd.test.    MX 10 mx.odd.test.
		two.test.    MX 10 mx.odd.test.
		two.test.    MX 20 mx2.hosts.test.
		second.test. MX 10 mx.second.test.
		third.test.  MX 10 mx.third.test.
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
		mx.third.test.  A $(network_ip4 odd3)
	END
}

teardown_file() {
	network_stop
}

# ---- how these tests speak ---------------------------------------------------

# seconds_until BUCKET: from now to the minute that a bucket is named after.
seconds_until() {
	local minute

	minute=$(date -u -d "${1:0:8} ${1:8:2}:${1:10:2}" +%s)
	echo $((minute - EPOCHSECONDS))
}

# ---- messages arrive as they are ---------------------------------------------

# arrives NAME [PARAMETER]: hand in stdin, MAIL with that parameter, deliver it to
# a real MTA, compare.
arrives() {
	local file=$BATS_TEST_TMPDIR/$1 id

	cat >"$file"
	id=$(submit "sender@client.test${2:+ $2}" "$1@real.test" <"$file")
	deliver
	is_done "$id"
	told "$id" delivered "host=mx1.hosts.test["
	told "$id" delivered 'tls="TLS1.3 '
	wait_for 10 mta_mail mx1 "Delivered-To: $1@real.test"
	mta_content "$(mta_mail mx1 "Delivered-To: $1@real.test")" >"$file.got"
	stored "$id" | tr -d '\r' | cmp - "$file.got"
	# And but for our own Received it is what the client gave us.
	mta_content "$file.got" >"$file.given"
	[ "$(head -c 10 "$file.got")" = "Received: " ]
	tr -d '\r' <"$file" | cmp - "$file.given"
}

@test "a message arrives over verified STARTTLS as it was handed in" {
	message plain | arrives plain
}

@test "lines that begin with dots arrive as they were handed in" {
	message dots $'.\r\n..\r\n.two\r\n...\r\n\r\n.' | arrives dots
}

@test "8-bit octets arrive as they were handed in" {
	message octets $'Gr\xfc\xdfe \xc3\xbc \x80\xff \x01\x7f' |
		arrives octets BODY=8BITMIME
}

@test "long lines arrive as they were handed in" {
	message long "$(printf '%998s\r\n.%997s' x y)" | arrives long
}

@test "a message with an empty body arrives as it was handed in" {
	message empty | sed '5d' | arrives empty
}

@test "a message of 2 MB arrives as it was handed in" {
	{
		message large
		awk 'BEGIN { for (i = 0; i < 32000; i++)
			printf "%63d\r\n", i }'
	} | arrives large
}

@test "what goes over the wire is the stored message, octet for octet" {
	id=$(message wire $'.\r\n..\r\n\xff\r\n\r\n.end' | submit "" bob@odd.test)
	odd_start odd1
	deliver
	is_done "$id"
	stored "$id" | cmp - "$(odd odd1)/1.eml"
	has_got odd1 "EHLO sender.hosts.test"
	has_got odd1 "MAIL FROM:<>"
	has_got odd1 "RCPT TO:<bob@odd.test>"
	has_got odd1 "QUIT"
}

# ---- routes ------------------------------------------------------------------

@test "the MX host with the lowest preference number is used" {
	dns <<-END
		low.test. MX 20 odd1.hosts.test.
		low.test. MX 5 odd2.hosts.test.
		low.test. MX 10 odd3.hosts.test.
	END
	for host in odd1 odd2 odd3; do odd_start "$host"; done
	id=$(send bob@low.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd2)" -eq 1 ]
	not has_got odd1 connect
	not has_got odd3 connect
}

@test "MX hosts of equal preference are used in random order" {
	dns <<-END
		equal.test. MX 10 odd1.hosts.test.
		equal.test. MX 10 odd2.hosts.test.
	END
	odd_start odd1
	odd_start odd2
	# A fair coin shows one side 20 times in a row once in 500000 rows.
	for run in {1..20}; do
		send bob@equal.test >/dev/null
		deliver
		[ $(($(odd_count odd1) + $(odd_count odd2))) -eq "$run" ]
		[ "$(odd_count odd1)" -eq 0 ] || [ "$(odd_count odd2)" -eq 0 ] ||
			break
	done
	[ "$(odd_count odd1)" -gt 0 ]
	[ "$(odd_count odd2)" -gt 0 ]
}

@test "the next MX host is used when the first is down" {
	id=$(send bob@two.test)
	deliver
	is_done "$id"
	told "$id" host-passed-over host=mx.odd.test
	told "$id" delivered host=mx2.hosts.test
	wait_for 10 mta_mail mx2 "Message-ID: <test.$BATS_TEST_NUMBER@"
}

@test "the next MX host is used when the first has no address" {
	dns <<-END
		ghost.test. MX 10 nobody.hosts.test.
		ghost.test. MX 20 odd1.hosts.test.
	END
	odd_start odd1
	id=$(send bob@ghost.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "the next MX host is used when the first answers 421, 554 or rubbish" {
	for banner in "421 4.3.2 not now" "554 5.7.1 go away" "raw rubbish\\r\\n"; do
		stop_started
		odd_start odd1 "banner=$banner"
		id=$(send bob@two.test)
		deliver
		is_done "$id"
		has_got odd1 "-- banner: $banner"
		told "$id" delivered host=mx2.hosts.test
	done
}

@test "the next address of a host is used when the first refuses" {
	dns <<-END
		many.test. A $(network_ip4 odd1)
		many.test. AAAA $(network_ip6 odd2)
		many.test. A $(network_ip4 odd3)
	END
	odd_start odd3
	id=$(send bob@many.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd3)" -eq 1 ]
}

@test "a domain without MX is a host itself" {
	dns <<-END
		no-mx.test. A $(network_ip4 mx1)
	END
	id=$(send bob@no-mx.test)
	deliver
	is_done "$id"
	told "$id" delivered host=no-mx.test
	wait_for 10 mta_mail mx1 "Delivered-To: bob@no-mx.test"
}

@test "a host that has only an IPv6 address is delivered to" {
	dns <<-END
		six.test. MX 10 host.six.test.
		host.six.test. AAAA $(network_ip6 odd1)
	END
	odd_start odd1
	id=$(send bob@six.test)
	deliver
	is_done "$id"
	has_got odd1 "connect $(network_ip6 sender)"
}

@test "a host that has only an IPv4 address is delivered to" {
	dns <<-END
		four.test. MX 10 host.four.test.
		host.four.test. A $(network_ip4 odd1)
	END
	odd_start odd1
	id=$(send bob@four.test)
	deliver
	is_done "$id"
	has_got odd1 "connect ::ffff:$(network_ip4 sender)"
}

@test "an address literal is delivered to that address" {
	odd_start odd1
	for literal in "[$(network_ip4 odd1)]" "[IPv6:$(network_ip6 odd1)]"; do
		id=$(send "bob@$literal")
		deliver
		is_done "$id"
	done
	[ "$(odd_count odd1)" -eq 2 ]
}

@test "a certificate for its address verifies the host of an address literal" {
	id=$(send "literal@[$(network_ip4 mx1)]")
	deliver
	is_done "$id"
	told "$id" delivered 'tls="TLS1.3 '
}

@test "a null MX ends a message at once" {
	dns <<-END
		null.test. MX 0 .
		null.test. A $(network_ip4 odd1)
		nulls.test. MX 0 .
		nulls.test. MX 10 .
	END
	odd_start odd1
	for domain in null.test nulls.test; do
		id=$(send "bob@$domain")
		deliver
		was_returned "$id"
		told "$id" failed status=5.1.10
	done
	not has_got odd1 connect
}

@test "a domain that does not exist ends a message at once" {
	id=$(send bob@nowhere.invalid.test)
	deliver
	was_returned "$id"
	told "$id" failed status=5.1.2
}

@test "a domain without MX and address ends a message at once" {
	dns <<-END
		nothing.test. TXT "no mail here"
	END
	id=$(send bob@nothing.test)
	deliver
	was_returned "$id"
	told "$id" failed status=5.4.4
}

@test "an alias of a domain is delivered to that domain's hosts" {
	dns <<-END
		alias.test. CNAME odd.test.
	END
	odd_start odd1
	id=$(send bob@alias.test)
	deliver
	is_done "$id"
	has_got odd1 "RCPT TO:<bob@alias.test>"
}

@test "an answer of the DNS that takes TCP is understood" {
	for i in {10..40}; do
		echo "large.test. MX $i a-rather-long-name-$i.nobody.hosts.test."
	done | dns
	dns <<-END
		large.test. MX 5 mx.odd.test.
	END
	odd_start odd1
	id=$(send bob@large.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a message waits while the DNS does not answer" {
	dns_stop
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	grep -q "event=no-network reason=\"the DNS gave no answer" "$trail"
	dns_resume
	odd_start odd1
	make_due "$id"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "an internationalised domain is looked up as its A-label" {
	dns <<-END
		xn--bcher-kva.test. MX 10 odd1.hosts.test.
	END
	odd_start odd1
	id=$(message | submit " SMTPUTF8" bob@bücher.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a domain whose A-label would have other signs in it has no host" {
	id=$(message | submit " SMTPUTF8" bob@odd／x.test)
	deliver
	told "$id" failed status=5.1.2
	grep -q "cannot be written for the DNS" "$trail"
}

@test "SMTP_REMOTE_PORT is the port of remote hosts" {
	odd_start odd1 --port 2525
	id=$(send bob@odd.test)
	SMTP_REMOTE_PORT=2525 deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

# ---- TLS ---------------------------------------------------------------------

# refuses CERTIFICATE: a first MX host with it is passed over, and a message
# for it alone waits; it never sees the message.
refuses() {
	local id options

	mapfile -t options < <(odd_certificate "$1")
	odd_start odd1 "${options[@]}"
	id=$(send bob@two.test)
	deliver
	is_done "$id"
	told "$id" host-passed-over host=mx.odd.test
	told "$id" delivered host=mx2.hosts.test

	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	has_got odd1 STARTTLS
	not has_got odd1 MAIL
}

@test "a host whose certificate is self-signed is not used" {
	refuses self-signed
}

@test "a host whose certificate has expired is not used" {
	refuses expired
}

@test "a host whose certificate is for another name is not used" {
	refuses wrong-name
}

@test "a host whose certificate is good is used" {
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}"
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	has_got odd1 "-- TLSv1.3"
	# What was learnt before TLS is forgotten (RFC 3207 section 4.2).
	[ "$(grep -c ' EHLO ' "$(odd odd1)/log")" -eq 2 ]
}

@test "without the test CA a host's certificate does not verify" {
	unset SMTP_TLS_CA_FILE
	id=$(send bob@real.test)
	deliver
	is_deferred "$id"
	told "$id" host-passed-over host=mx1.hosts.test
}

@test "TLS 1.2 is used where a host has nothing better" {
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}" --tls-most 1.2
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	has_got odd1 "-- TLSv1.2"
	told "$id" delivered 'tls="TLS1.2 '
}

@test "a host that speaks no better than TLS 1.1 is not used" {
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}" --tls-most 1.1
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	has_got odd1 STARTTLS
	not has_got odd1 MAIL
}

@test "a host that offers STARTTLS and fails it gets nothing in plain text" {
	mapfile -t options < <(odd_certificate odd1)
	for failure in "starttls=454 4.7.0 no TLS now" "starttls=502 5.5.1 what?" \
		"starttls=cut" "handshake=cut" "handshake=raw rubbish\\r\\n"; do
		stop_started
		odd_start odd1 "${options[@]}" "$failure"
		id=$(send bob@odd.test)
		deliver
		is_deferred "$id"
		has_got odd1 "-- ${failure/=/: }"
		not has_got odd1 MAIL

		id=$(send bob@two.test)
		deliver
		is_done "$id"
		told "$id" delivered host=mx2.hosts.test
		not has_got odd1 MAIL
	done
}

@test "what a host says in plain text behind STARTTLS is thrown away" {
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}" \
		"starttls=raw 220 go ahead\\r\\n250 injected\\r\\n"
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	has_got odd1 "-- TLSv1.3"
	[ "$(odd_count odd1)" -eq 1 ]
}

# ---- replies -----------------------------------------------------------------

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
	# What was announced as 8-bit and is not can go.
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

@test "a 5yz reply is final: a message of nobody's is kept in queue/failed and counted" {
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

@test "a refusal of one message does not touch the next" {
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

@test "the next MX host is asked for recipients whom the first defers" {
	odd_start odd1 "rcpt:<two@=451 4.2.1 later"
	id=$(send one@two.test two@two.test)
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	wait_for 10 mta_mail mx2 "Message-ID: <test.$BATS_TEST_NUMBER@"
	file=$(mta_mail mx2 "Message-ID: <test.$BATS_TEST_NUMBER@")
	grep "^Delivered-To: two@two.test" "$file"
}

@test "some recipients are taken, only the others are tried again" {
	odd_start odd1 "rcpt:<later@=451 4.2.1 later;ok" \
		"rcpt:<never@=550 5.1.1 never"
	id=$(message |
		submit "" now@odd.test later@odd.test never@odd.test)
	deliver
	is_deferred "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	# One message went over for all of them.
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

@test "a lost reply to QUIT is no failure" {
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

@test "421 in the middle makes a message wait" {
	for offer in "" PIPELINING; do
		stop_started
		odd_start odd1 --offer "$offer" "rcpt:<two@=421 4.3.2 closing;ok" \
			"rcpt:<never@=550 5.1.1 never"
		id=$(send never@odd.test one@odd.test two@odd.test three@odd.test)
		deliver
		is_deferred "$id"
		[ "$(odd_count odd1)" -eq 0 ]
		make_due "$id"
		deliver
		was_returned "$id"
		[ "$(odd_count odd1)" -eq 1 ]
		# What was final before it stays so.
		[ "$(grep -c " RCPT TO:<never@" "$(odd odd1)/log")" -eq 1 ]
		# Nobody is named behind it, unless all were named at once.
		[ "$(grep -c " RCPT TO:<three@" "$(odd odd1)/log")" -eq \
			"$([ -z "$offer" ] && echo 1 || echo 2)" ]
	done
}

@test "a host that does not answer is left at the deadline" {
	export SMTP_REMOTE_TIMEOUT=1
	for step in banner=silent ehlo=deaf mail=silent content=deaf dot=silent; do
		stop_started
		odd_start odd1 "$step"
		id=$(send bob@odd.test)
		deliver
		is_deferred "$id"
		told "$id" deferred status=4.4
	done
}

@test "a host that drips its reply is left at the deadline" {
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

@test "an endless reply and one with an endless line are left" {
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

@test "a reply whose lines disagree is no reply" {
	odd_start odd1 "dot=raw 250-taken\\r\\n550 refused\\r\\n"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
}

@test "a reply that came before it was asked for counts for nothing" {
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

@test "a reply to DATA with that to the message is none to the message" {
	odd_start odd1 "dot=554 5.6.0 never" \
		"data=raw 354 go on\\r\\n250 2.0.0 taken\\r\\n"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	not told "$id" delivered
}

@test "a reply cannot forge a line of the audit trail" {
	odd_start odd1 "rcpt=raw 550 \\x1b[2J\"\\x00\\x0bx event=delivered \\r\\n"
	id=$(send bob@odd.test)
	deliver
	was_returned "$id"
	not told "$id" delivered
	[ "$(LC_ALL=C tr -d '\n -~' <"$trail" | wc -c)" -eq 0 ]
}

# ---- the queue ---------------------------------------------------------------

@test "451 and later 250: it waits a minute, then is delivered" {
	odd_start odd1 "dot=451 4.7.1 greylisted;ok"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	wait_sec=$(seconds_until "$(place "$id")")
	# A minute, a quarter of jitter, rounded up to a minute of the clock.
	[ "$wait_sec" -ge 55 ]
	[ "$wait_sec" -le 140 ]
	[ "$(counter 3)" -eq 1 ]

	# Nothing happens before it is due.
	: >"$(odd odd1)/log"
	deliver
	is_deferred "$id"
	not has_got odd1 connect

	ahead=150 deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(counter 2)" -eq 1 ]
	[ "$(counter 3)" -eq 1 ]
}

@test "the time between attempts doubles up to 64 minutes, with jitter" {
	odd_start odd1 "rcpt=450 4.2.0 later"
	id=$(send bob@odd.test)
	for minutes in 1 2 4 8 16 32 64 64 64; do
		deliver
		is_deferred "$id"
		wait_sec=$(seconds_until "$(place "$id")")
		[ "$wait_sec" -ge $((minutes * 60 - 5)) ]
		[ "$wait_sec" -le $((minutes * 75 + 65)) ]
		make_due "$id"
	done
	told "$id" deferred attempt=9
}

@test "after five days and several attempts a message has failed" {
	odd_start odd1 "rcpt=450 4.2.0 later"
	id=$(message | submit "" bob@odd.test)
	deliver
	# A clock that was set forward is not enough.
	ahead=$((6 * 86400)) deliver
	for attempt in {3..8}; do
		is_deferred "$id"
		make_due "$id"
		deliver
		told "$id" deferred "attempt=$attempt"
	done
	ahead=$((5 * 86400 - 3600)) deliver
	is_deferred "$id"
	make_due "$id"
	ahead=$((5 * 86400 + 3600)) deliver
	has_failed "$id"
	told "$id" failed
	[ "$(counter 2)" -eq 0 ]
}

@test "a damaged queue file is set aside and the others are delivered" {
	odd_start odd1
	torn=$(send bob@odd.test)
	changed=$(send bob@odd.test)
	whole=$(send bob@odd.test)
	truncate -s -5 "$spool/queue/new/$torn"
	printf X | dd of="$spool/queue/new/$changed" bs=1 conv=notrunc status=none \
		seek=$(($(stat -c %s "$spool/queue/new/$changed") - 5))
	: >"$spool/queue/new/0123456789abcdef01234567"
	echo rubbish >"$spool/queue/new/rubbish"
	mkdir "$spool/queue/new/folder"
	mkfifo "$spool/queue/new/fifo"
	ln -s /etc/passwd "$spool/queue/new/link"
	deliver
	is_done "$whole"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(place "$torn")" = damaged ]
	[ "$(place "$changed")" = damaged ]
	[ -e "$spool/queue/damaged/0123456789abcdef01234567" ]
	[ -z "$(ls "$spool/queue/new")" ]
	told "$torn" set-aside
	told "$changed" set-aside
	grep "event=set-aside .*rubbish" "$trail"
}

@test "folders of the queue that are missing do no harm" {
	odd_start odd1
	id=$(send bob@odd.test)
	find "$spool/queue" -mindepth 1 -type d -empty -delete
	deliver
	is_done "$id"
}

@test "a message is left alone while it is being accepted" {
	odd_start odd1
	id=$(send bob@odd.test)
	other=$(send bob@odd.test)
	exec 9<"$spool/queue/new/$id"
	flock 9
	deliver 3>&- 9<&- &
	pid=$!
	wait_for 5 is_done "$other"
	[ "$(place "$id")" = new ]
	exec 9<&-
	wait "$pid"
	is_done "$id"
	[ "$(odd_count odd1)" -eq 2 ]
}

@test "the queue survives a run that is killed" {
	odd_start odd1 "content=deaf;ok"
	id=$(send bob@odd.test)
	start ip netns exec "$network_id-sender" "$(program smtp-deliver)"
	wait_for 10 has_got odd1 "-- content: deaf"
	kill -KILL "$started"
	# Its workers go with it.
	wait_for 5 is_quiet sender
	[ "$(place "$id")" = new ]
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

@test "a worker that is killed leaves its message for later" {
	odd_start odd1 "content=deaf;ok"
	id=$(send bob@odd.test)
	start ip netns exec "$network_id-sender" "$(program smtp-deliver)" \
		2>>"$trail"
	wait_for 10 has_got odd1 "-- content: deaf"
	worker=$(ip netns pids "$network_id-sender" | grep -vx "$started")
	kill -KILL "$worker"
	wait_for 5 is_gone "$started"
	is_deferred "$id"
	make_due "$id"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

is_quiet() {
	[ -z "$(ip netns pids "$network_id-$1")" ]
}

@test "hundreds of messages for one destination are each delivered once" {
	odd_start odd1
	send_many 450 sender@client.test bob@odd.test
	deliver
	is_queue_empty
	has_all odd1 450
	# Connections are used again.
	[ "$(grep -c ' connect ' "$(odd odd1)/log")" -lt 20 ]
}

@test "a host that hangs up after each message gets the next one anew" {
	for action in "dot=after-cut" "mail=ok;421 4.3.2 enough;ok" \
		"mail=ok;cut;ok"; do
		stop_started
		odd_start odd1 "$action"
		send_many 3 sender@client.test bob@odd.test
		deliver
		is_queue_empty
		has_all odd1 3
	done
}

@test "two runs at once deliver each message exactly once" {
	odd_start odd1
	odd_start odd2
	send_many 60 sender@client.test a@odd.test b@second.test
	deliver 3>&- &
	pid=$!
	deliver
	wait "$pid"
	is_queue_empty
	has_all odd1 60
	has_all odd2 60
	[ "$(counter 2)" -eq 120 ]
}

# together HOST...: how many hosts were talked to at once, in the second that
# they take to begin. For the goodbye the next worker does not wait.
together() {
	local host

	for host; do
		awk -v OFMT=%.6f '{ print $1, 1; print $1 + 0.9, -1 }' "$(odd "$host")/spans"
	done | sort -n | awk '{ n += $2; if (n > most) most = n }
		END { print most + 0 }'
}

# Three destinations, each of which takes its time.
deliver_to_three() {
	for host in odd1 odd2 odd3; do odd_start "$host" "banner=wait 1"; done
	send bob@odd.test >/dev/null
	send bob@second.test >/dev/null
	send bob@third.test >/dev/null
	deliver
	for host in odd1 odd2 odd3; do
		[ "$(odd_count "$host")" -eq 1 ]
		wait_for 5 test -s "$(odd "$host")/spans"
	done
}

@test "several destinations are delivered to at once" {
	deliver_to_three
	[ "$(together odd1 odd2 odd3)" -eq 3 ]
}

@test "SMTP_QUEUE_WORKERS limits how many are delivered to at once" {
	SMTP_QUEUE_WORKERS=1 deliver_to_three
	[ "$(together odd1 odd2 odd3)" -eq 1 ]
	rm -r "$BATS_TEST_TMPDIR"/odd*
	stop_started
	SMTP_QUEUE_WORKERS=2 deliver_to_three
	[ "$(together odd1 odd2 odd3)" -eq 2 ]
}

@test "a run without anything to do ends at once and says nothing" {
	deliver
	[ ! -s "$trail" ]
}

@test "the trail names no address unless SMTP_DEBUG is on" {
	odd_start odd1
	send bob@odd.test
	deliver
	not grep -q "bob@\|sender@" "$trail"
	id=$(send bob@odd.test)
	SMTP_DEBUG=1 deliver
	told "$id" delivered address=bob@odd.test
}

@test "a value that cannot be understood is named, and nothing is done" {
	id=$(send bob@odd.test)
	run -78 env SMTP_QUEUE_WORKERS=none "$(program smtp-deliver)"
	[[ $output == *SMTP_QUEUE_WORKERS* ]]
	run -64 "$(program smtp-deliver)" --nonsense
	run -75 env SMTP_QUEUE_PATH=/dev/null "$(program smtp-deliver)"
	[ "$(place "$id")" = new ]
}

# ---- --watch -----------------------------------------------------------------

# Start smtp-deliver --watch; $started is its process.
watch() {
	start ip netns exec "$network_id-sender" env "$@" \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		"$(program smtp-deliver)" --watch 2>>"$trail"
}

@test "--watch delivers what is there, and new mail within a second" {
	odd_start odd1
	first=$(send bob@odd.test)
	watch
	wait_for 5 is_done "$first"
	second=$(send bob@odd.test)
	began=${EPOCHREALTIME/./}
	wait_for 5 is_done "$second"
	[ $((${EPOCHREALTIME/./} - began)) -lt 1000000 ]
	not is_gone "$started"
}

@test "--watch tries again when a message is due" {
	odd_start odd1 "rcpt=451 4.3.0 later;ok"
	id=$(send bob@odd.test)
	deliver
	is_deferred "$id"
	# Three seconds before a minute begins; it is due when that begins.
	ahead=$((60 - EPOCHSECONDS % 60 - 3))
	bucket=$(date -u -d "@$((EPOCHSECONDS + ahead + 3))" +%Y%m%d%H%M)
	from=$spool/queue/retry/$(place "$id")
	mkdir -p "$spool/queue/retry/$bucket"
	[ "$from" = "$spool/queue/retry/$bucket" ] ||
		mv "$from/$id" "$spool/queue/retry/$bucket/"
	: >"$(odd odd1)/log"
	watch CLOCK_AHEAD="$ahead" LD_PRELOAD="$network_dir/clock.so"
	sleep 1
	not has_got odd1 connect
	wait_for 10 is_done "$id"
}

@test "SIGTERM and SIGINT end --watch" {
	for signal in TERM INT; do
		watch
		pid=$started
		wait_for 5 grep -q "^Name:.smtp-deliver" "/proc/$pid/status"
		id=$(send bob@odd.test)
		wait_for 5 is_deferred "$id"
		kill -"$signal" "$pid"
		wait_for 5 is_gone "$pid"
		run -0 wait "$pid"
		wait_for 5 is_quiet sender
	done
}

@test "SIGTERM ends --watch during a delivery, which is done again" {
	odd_start odd1 "content=deaf;ok"
	id=$(send bob@odd.test)
	watch SMTP_REMOTE_TIMEOUT=60
	wait_for 10 has_got odd1 "-- content: deaf"
	kill "$started"
	wait_for 15 is_gone "$started"
	wait_for 5 is_quiet sender
	[ "$(place "$id")" = new ] || make_due "$id"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
}

# ---- what cannot be put on record --------------------------------------------

# deliver_in_vain WHAT COMMAND...: a run in the background that WHAT happens to,
# as its audit trail says, and that is killed when it has been given some time.
deliver_in_vain() {
	local what=$1

	shift
	start ip netns exec "$network_id-sender" "$@" \
		"$(program smtp-deliver)" 2>>"$trail"
	wait_for 10 grep -qF "$what" "$trail"
	sleep 2
	kill -KILL "$started"
	wait "$started" || :
}

@test "while a message that was delivered cannot leave the queue no other is sent" {
	need strace
	send_many 4 sender@client.test bob@odd.test
	odd_start odd1
	deliver_in_vain "the message keeps its place in the queue" \
		strace -D -o /dev/null --quiet=all \
		-e inject=unlinkat,renameat,renameat2:error=EIO
	[ "$(odd_count odd1)" -eq 1 ]
	wait_for 5 deliver
	is_queue_empty
	# The first one was sent again.
	[ "$(odd_count odd1)" -eq 5 ]
}

@test "while a delivery cannot be put on record no other message is sent" {
	send_many 4 sender@client.test bob@odd.test carol@second.test
	odd_start odd1
	odd_start odd2 banner=silent
	# shellcheck disable=SC2016 # the inner shell's
	deliver_in_vain "what became of recipients is not on record" \
		unshare --mount sh -c '
		mount --bind "$SMTP_QUEUE_PATH/queue/attempts" \
			"$SMTP_QUEUE_PATH/queue/attempts"
		mount -o remount,bind,ro "$SMTP_QUEUE_PATH/queue/attempts"
		exec "$0"'
	[ "$(odd_count odd1)" -eq 1 ]
	stop "${started_pids[1]}"
	odd_start odd2
	wait_for 5 deliver
	is_queue_empty
	[ "$(odd_count odd1)" -eq 5 ]
	has_all odd2 4
}
