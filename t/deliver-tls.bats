#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# deliver-tls.bats - STARTTLS towards remote hosts: the certificates and the
# versions of TLS that are accepted, and hosts whose STARTTLS fails.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender mx1 mx2 odd1; do
		network_add_host "$host"
	done
	ca_issue mx1 mx1.hosts.test
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
		mx.odd.test. A $(network_ip4 odd1)
	END
}

teardown_file() {
	network_stop
}

# refuses CERTIFICATE: a first MX host with this certificate is passed over, and
# mail for it alone is deferred; the host never sees the message.
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

@test "a host whose certificate verifies is used" {
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}"
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	has_got odd1 "-- TLSv1.3"
	# Extensions offered before TLS are forgotten (RFC 3207 section 4.2).
	[ "$(grep -c ' EHLO ' "$(odd odd1)/log")" -eq 2 ]
}

@test "without the test CA a host's certificate does not verify" {
	unset SMTP_TLS_CA_FILE
	id=$(send bob@real.test)
	deliver
	is_deferred "$id"
	told "$id" host-passed-over host=mx1.hosts.test
}

@test "TLS 1.2 is used with a host that has nothing newer" {
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}" --tls-most 1.2
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	has_got odd1 "-- TLSv1.2"
	told "$id" delivered 'tls="TLS1.2 '
}

@test "a host with nothing newer than TLS 1.1 is not used" {
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

@test "plain text that a host sends after STARTTLS is discarded" {
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}" \
		"starttls=raw 220 go ahead\\r\\n250 injected\\r\\n"
	id=$(send bob@odd.test)
	deliver
	is_done "$id"
	has_got odd1 "-- TLSv1.3"
	[ "$(odd_count odd1)" -eq 1 ]
}
