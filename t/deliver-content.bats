#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# deliver-content.bats - messages arrive at a remote host, Postfix for most of
# them, octet for octet as they were submitted.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender mx1 odd1; do
		network_add_host "$host"
	done
	ca_issue mx1 mx1.hosts.test
	mta_start mx1 mx1
	dns <<-END
		client.test. MX 10 mx1.hosts.test.
		real.test.   MX 10 mx1.hosts.test.
		odd.test.    MX 10 odd1.hosts.test.
	END
}

teardown_file() {
	network_stop
}

# arrives NAME [PARAMETER]: submit the message on stdin with a parameter of
# MAIL, deliver it to a real MTA, and compare.
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
	# Except for our Received field it is what the client sent.
	mta_content "$file.got" >"$file.given"
	[ "$(head -c 10 "$file.got")" = "Received: " ]
	tr -d '\r' <"$file" | cmp - "$file.given"
}

@test "a message arrives over verified STARTTLS as it was submitted" {
	message plain | arrives plain
}

@test "lines that begin with dots arrive as they were submitted" {
	message dots $'.\r\n..\r\n.two\r\n...\r\n\r\n.' | arrives dots
}

@test "8-bit octets arrive as they were submitted" {
	message octets $'Gr\xfc\xdfe \xc3\xbc \x80\xff \x01\x7f' |
		arrives octets BODY=8BITMIME
}

@test "long lines arrive as they were submitted" {
	message long "$(printf '%998s\r\n.%997s' x y)" | arrives long
}

@test "a message with an empty body arrives as it was submitted" {
	message empty | sed '6d' | arrives empty
}

@test "a message of 2 MB arrives as it was submitted" {
	{
		message large
		awk 'BEGIN { for (i = 0; i < 32000; i++)
			printf "%63d\r\n", i }'
	} | arrives large
}

@test "the stored message goes over the wire octet for octet" {
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
