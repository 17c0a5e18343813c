#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# requiretls.bats - a message with REQUIRETLS goes only to hosts that protect it
# with TLS on its whole way, and one with "TLS-Required: No" also to hosts that
# a policy would exclude (RFC 8689).
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail
load lib/dnssec

# The host odd offers REQUIRETLS unless a test says otherwise; mx is a Postfix,
# which does not support it.
setup_file() {
	need_root
	need certtool
	network_start
	clock_build
	for host in sender odd mx web hop; do network_add_host "$host"; done
	make_certificates
	make_zones
	dnssec_start
	dnssec_use sender trust-ad
	dnssec_use hop trust-ad
	mta_start mx good
}

teardown_file() {
	network_stop
}

make_certificates() {
	ca_issue good mx.plain.signed.test mx.ee.signed.test \
		mx.pkix.signed.test \
		mx.postfix.signed.test nomx.signed.test mx.sts.test \
		mx.hop.signed.test odd.hosts.test "$(network_ip4 odd)" \
		mta-sts.enforce.sts.test mta-sts.testing.sts.test \
		mta-sts.both.sts.test
	ca_issue self --self-signed anything.test
	ca_issue session localhost mx.hop.signed.test
}

make_zones() {
	local odd mx

	odd=$(network_ip4 odd)
	mx=$(network_ip4 mx)
	dnssec_zone signed.test <<-END
		plain       MX 10 mx.plain
		mx.plain    A $odd
		ee          MX 10 mx.ee
		mx.ee       A $odd
		_25._tcp.mx.ee $(tlsa 3 1 1 self)
		pkix        MX 10 mx.pkix
		mx.pkix     A $odd
		_25._tcp.mx.pkix $(tlsa 1 1 1 self)
		nomx        A $odd
		postfix     MX 10 mx.postfix
		mx.postfix  A $mx
		mixed       MX 10 mx.postfix
		mixed       MX 20 mx.plain
		half        MX 10 mx.postfix
		half        MX 20 mx.down
		mx.down     A $(network_ip4 web)
		hop         MX 10 mx.hop
		mx.hop      A $(network_ip4 hop)
	END
	dns <<-END
		insecure.test.     MX 10 mx.ee.signed.test.
		enforce.sts.test.  MX 10 mx.sts.test.
		testing.sts.test.  MX 10 mx.sts.test.
		both.sts.test.     MX 10 mx.ee.signed.test.
		mx.sts.test.       A $odd
		_mta-sts.enforce.sts.test. TXT "v=STSv1; id=1;"
		_mta-sts.testing.sts.test. TXT "v=STSv1; id=1;"
		_mta-sts.both.sts.test.    TXT "v=STSv1; id=1;"
		mta-sts.enforce.sts.test.  A $(network_ip4 web)
		mta-sts.testing.sts.test.  A $(network_ip4 web)
		mta-sts.both.sts.test.     A $(network_ip4 web)
	END
}

# ---- helpers -----------------------------------------------------------------

# odd_has CERTIFICATE [ARGUMENT...]: start the host odd, which offers REQUIRETLS
# and STARTTLS with this certificate, or no TLS for "none".
odd_has() {
	local certificate=$1 options=()

	shift
	[ "$certificate" = none ] ||
		mapfile -t options < <(odd_certificate "$certificate")
	odd_start odd "${options[@]}" --offer \
		"PIPELINING,8BITMIME,SIZE 20000000,DSN,REQUIRETLS" "$@"
}

# submit_tls ARGUMENT...: submit a message over TLS; its id is in $id.
submit_tls() {
	id=$(SMTP_TLS_CERT=$network_dir/ca/session.pem \
		SMTP_TLS_KEY=$network_dir/ca/session.key \
		"$SMTPSERVER_SOURCE/t/lib/submit" --ca "$network_dir/ca/ca.pem" \
		"$@" 2>>"$trail")
	[ -n "$id" ]
}

# submit_required RECIPIENT [ARGUMENT...]: submit one with REQUIRETLS.
submit_required() {
	submit_tls --option REQUIRETLS "${@:2}" "$(program smtp-session)" "$1"
}

# submit_optional RECIPIENT [ARGUMENT...]: submit one with "TLS-Required: No".
submit_optional() {
	submit_tls --field 'TLS-Required: No' "${@:2}" "$(program smtp-session)" "$1"
}

submit_plain() {
	submit_tls "$(program smtp-session)" "$1"
}

# The MAIL commands that the host odd got.
mails() {
	grep ' MAIL ' "$(odd odd)/log"
}

# is_delivered POLICY: whether the message went to the host odd with REQUIRETLS.
is_delivered() {
	told "$id" delivered "policy=$1"
	told "$id" delivered requiretls=yes
	[ "$(mails | grep -c ' REQUIRETLS')" -eq 1 ]
	[ "$(odd_count odd)" -eq 1 ]
}

# is_failed STATUS [WHY]: whether it failed for good, and was not sent; the host
# may have got the notice.
is_failed() {
	told "$id" failed "status=$1"
	told "$id" failed "${2:-}"
	! mails | grep -v ' FROM:<>'
}

# policies_start DOMAIN MODE HOST: serve an MTA-STS policy.
policies_start() {
	web=$BATS_TEST_TMPDIR/web
	mkdir -p "$web"
	{
		printf '200\ntext/plain; charset=utf-8\n'
		printf 'version: STSv1\r\nmode: %s\r\n' "$2"
		printf 'max_age: 86400\r\nmx: %s\r\n' "$3"
	} >"$web/$1"
	start ip netns exec "$network_id-web" \
		"$SMTPSERVER_SOURCE/t/lib/policy-server" \
		"$network_dir/ca/good.pem" "$network_dir/ca/good.key" "$web" \
		2>>"$web/stderr"
	wait_for 10 test -e "$web/ready"
}

# ---- hosts that get it -------------------------------------------------------

@test "REQUIRETLS: a verified host of a signed MX record gets the message" {
	odd_has good
	submit_required bob@plain.signed.test --option RET=HDRS
	deliver
	is_delivered verify
	mails | grep -q ' REQUIRETLS RET=HDRS'
}

@test "REQUIRETLS: a host that its TLSA records match gets the message" {
	odd_has self
	submit_required bob@ee.signed.test
	deliver
	is_delivered dane
}

@test "REQUIRETLS: a host of an enforced MTA-STS policy gets the message" {
	policies_start enforce.sts.test enforce mx.sts.test
	odd_has good
	submit_required bob@enforce.sts.test
	deliver
	is_delivered sts
}

@test "REQUIRETLS: a message waits while a policy cannot be fetched" {
	odd_has good
	submit_required bob@enforce.sts.test
	deliver
	told "$id" deferred "is unavailable"
	run ! grep -q connect "$(odd odd)/log"
	policies_start enforce.sts.test enforce mx.sts.test
	# It is not asked for again within 5 minutes.
	ahead=400 deliver
	is_delivered sts
}

@test "REQUIRETLS: a policy and TLSA records together admit a host" {
	policies_start both.sts.test enforce mx.ee.signed.test
	odd_has self
	submit_required bob@both.sts.test
	deliver
	is_delivered dane
	# Nothing authenticates the name of another host.
	sed -i 's/^mx: .*/mx: mx.other.test\r/' "$web/both.sts.test"
	rm "$spool"/policies/*
	submit_required bob@both.sts.test
	deliver
	told "$id" failed status=5.7.30
}

@test "REQUIRETLS: a domain that is its own host needs no MX record" {
	odd_has good
	submit_required bob@nomx.signed.test
	deliver
	is_delivered verify
	submit_required "bob@[$(network_ip4 odd)]"
	deliver
	told "$id" delivered requiretls=yes
}

@test "REQUIRETLS: messages that need it and others share a connection" {
	odd_has good
	submit_required bob@plain.signed.test
	submit_plain bob@plain.signed.test
	submit_required bob@plain.signed.test
	SMTP_DESTINATION_WORKERS=1 deliver
	[ "$(odd_count odd)" -eq 3 ]
	[ "$(grep -c ' connect ' "$(odd odd)/log")" -eq 1 ]
	[ "$(mails | grep -c ' REQUIRETLS')" -eq 2 ]
	[ "$(grep -c 'event=delivered .*requiretls=yes' "$trail")" -eq 2 ]
}

# ---- hosts that do not get it ------------------------------------------------

@test "REQUIRETLS: a host of an unsigned MX record does not get it" {
	odd_has self
	submit_required bob@insecure.test
	deliver
	is_failed 5.7.30 "neither DNSSEC"
	run ! grep -q connect "$(odd odd)/log"
	# Others go there: the host itself has TLSA records.
	submit_plain bob@insecure.test
	deliver
	told "$id" delivered policy=dane
}

@test "REQUIRETLS: a host of a policy in testing mode does not get it" {
	policies_start testing.sts.test testing mx.sts.test
	odd_has good
	submit_required bob@testing.sts.test
	deliver
	is_failed 5.7.30 "neither DNSSEC"
}

@test "REQUIRETLS: without a trusted resolver no host gets it" {
	odd_has good
	dnssec_use sender
	submit_required bob@plain.signed.test
	deliver
	dnssec_use sender trust-ad
	is_failed 5.7.30 "neither DNSSEC"
}

@test "REQUIRETLS: a real MTA that does not offer it gets all other mail" {
	submit_required bob@postfix.signed.test --field "Subject: secret"
	deliver
	told "$id" failed status=5.7.30
	told "$id" failed "does not offer REQUIRETLS"
	submit_required bob@postfix.signed.test --field "Subject: secret"
	submit_plain open@postfix.signed.test
	deliver
	told "$id" delivered policy=verify
	wait_for 10 mta_mail mx "Delivered-To: open@postfix.signed.test"
	run ! mta_mail mx "Subject: secret"
}

@test "REQUIRETLS: an offer made before TLS is ignored" {
	odd_has good 'ehlo=250 odd\nSTARTTLS\nREQUIRETLS;250 odd\nPIPELINING'
	submit_required bob@plain.signed.test
	deliver
	is_failed 5.7.30 "does not offer REQUIRETLS"
}

@test "REQUIRETLS: a host that does not offer STARTTLS does not get it" {
	odd_has none
	submit_required bob@plain.signed.test
	deliver
	is_failed 5.7.10 "no TLS"
}

@test "REQUIRETLS: a policy that wants TLS defers if the host has none" {
	odd_has none
	submit_required bob@ee.signed.test
	deliver
	told "$id" deferred status=4.7.10
}

@test "REQUIRETLS: a certificate that does not verify fails at once" {
	odd_has self
	submit_required bob@plain.signed.test
	deliver
	is_failed 5.7.10 "NOT trusted"
	stop_started
	odd_has good
	submit_required bob@ee.signed.test
	deliver
	is_failed 5.7.10 TLSA
}

@test "REQUIRETLS: a certificate that is not checked is not enough" {
	odd_has self
	submit_required bob@pkix.signed.test
	deliver
	is_failed 5.7.10 "NOT trusted"
	stop_started
	# Not over a connection that there is either.
	odd_has self
	submit_plain bob@pkix.signed.test
	submit_required bob@pkix.signed.test
	SMTP_DESTINATION_WORKERS=1 deliver
	[ "$(odd_count odd)" -eq 1 ]
	told "$id" failed "status=5.7.10 "
	stop_started
	odd_has good
	submit_plain bob@pkix.signed.test
	submit_required bob@pkix.signed.test
	SMTP_DESTINATION_WORKERS=1 deliver
	[ "$(odd_count odd)" -eq 2 ]
	told "$id" delivered policy=verify
}

@test "REQUIRETLS: the next host is used, and the first for other mail" {
	odd_has good
	submit_required bob@mixed.signed.test
	submit_plain next@mixed.signed.test
	SMTP_DESTINATION_WORKERS=1 SMTP_MX_HOSTS=1 deliver
	[ "$(odd_count odd)" -eq 1 ]
	mails | grep -q ' REQUIRETLS'
	wait_for 10 mta_mail mx "Delivered-To: next@mixed.signed.test"
}

@test "REQUIRETLS: a message waits while a host cannot be reached" {
	submit_required bob@half.signed.test
	first=$id
	submit_plain open@half.signed.test
	deliver
	# Other messages are not affected: a host can be reached for them.
	told "$id" delivered policy=verify
	id=$first
	told "$id" host-passed-over status=5.7.30
	told "$id" deferred 4.4.1
}

# ---- relays ------------------------------------------------------------------

@test "REQUIRETLS: a named relay that offers it gets the message" {
	odd_has good
	submit_required bob@insecure.test
	SMTP_RELAYHOST='[odd.hosts.test]' deliver
	is_delivered verify
	submit_required bob@insecure.test
	SMTP_RELAYHOST='[mx.postfix.signed.test]' deliver
	told "$id" failed status=5.7.30
}

@test "REQUIRETLS: a relay of an unsigned MX record does not get it" {
	odd_has self
	submit_required bob@plain.signed.test
	SMTP_RELAYHOST=insecure.test deliver
	is_failed 5.7.30 "neither DNSSEC"
}

# ---- notices -----------------------------------------------------------------

@test "REQUIRETLS: a notice has it, too, and returns the header only" {
	odd_has good
	submit_required bob@postfix.signed.test --from sue@plain.signed.test \
		--option RET=FULL --field "Subject: secret" --body "the text"
	deliver
	told "$id" notice
	[ "$(odd_count odd)" -eq 1 ]
	mails | grep -q 'FROM:<> .*REQUIRETLS'
	grep -q "Subject: secret" "$(odd odd)/1.eml"
	grep -q "Status: 5.7.30" "$(odd odd)/1.eml"
	run ! grep -q "the text" "$(odd odd)/1.eml"
}

@test "REQUIRETLS: a notice goes without it if no sender's host offers it" {
	submit_required bob@postfix.signed.test --from sue@postfix.signed.test \
		--option RET=FULL --field "Subject: secret" --body "the text"
	deliver
	told "$id" notice
	is_queue_empty
	wait_for 10 mta_mail mx "Delivered-To: sue@postfix.signed.test"
	file=$(mta_mail mx "Delivered-To: sue@postfix.signed.test")
	grep -q "Subject: secret" "$file"
	run ! grep -q "the text" "$file"
	run ! grep "event=delivered .*requiretls=yes" "$trail"
}

# ---- TLS-Required: No --------------------------------------------------------

@test "TLS-Required: No: a policy does not keep out a host without TLS" {
	policies_start enforce.sts.test enforce mx.sts.test
	odd_has none
	submit_optional bob@enforce.sts.test
	deliver
	told "$id" delivered policy=none
	stop_started
	odd_has none
	submit_optional bob@ee.signed.test
	deliver
	told "$id" policy-missed policy=dane
	told "$id" delivered policy=none
}

@test "TLS-Required: No: TLSA records need not match a verified host" {
	odd_has good
	submit_optional bob@ee.signed.test
	deliver
	told "$id" policy-missed policy=dane
	told "$id" delivered policy=verify
}

@test "TLS-Required: No: a certificate that only TLSA matches is accepted" {
	odd_has self
	submit_optional bob@ee.signed.test
	deliver
	told "$id" delivered policy=dane
	run ! told "$id" policy-missed
}

@test "TLS-Required: No: a certificate that does not verify is accepted" {
	odd_has self
	submit_optional bob@plain.signed.test
	submit_plain bob@plain.signed.test
	plain=$id
	submit_optional bob@plain.signed.test
	deliver
	# Once for a connection, which may serve both messages.
	grep -q "event=policy-missed .*policy=verify" "$trail"
	told "$id" delivered 'policy=may tls="TLS1.3 '
	# Other messages are not sent there.
	told "$plain" deferred status=4.7.5
	[ "$(odd_count odd)" -eq 2 ]
}

@test "TLS-Required: No: without a handshake there is plain text" {
	odd_has good --tls-most 1.1
	submit_optional bob@plain.signed.test
	deliver
	told "$id" delivered policy=none
}

@test "TLS-Required: No: other messages for the domain keep the policy" {
	odd_has none
	submit_plain bob@ee.signed.test
	first=$id
	submit_optional bob@ee.signed.test
	optional=$id
	submit_plain bob@ee.signed.test
	deliver
	told "$id" deferred policy=dane
	told "$first" deferred policy=dane
	told "$optional" delivered policy=none
	[ "$(odd_count odd)" -eq 1 ]
}

@test "TLS-Required: No: REQUIRETLS overrides it" {
	odd_has none
	submit_optional bob@ee.signed.test --option REQUIRETLS
	deliver
	told "$id" deferred status=4.7.10
	run ! told "$id" policy-missed
}

# ---- over several hops -------------------------------------------------------

@test "REQUIRETLS: two hops of ours pass it on to a third" {
	local hop=$BATS_TEST_TMPDIR/hop

	SMTP_QUEUE_PATH=$hop/spool \
		SMTP_TLS_CERT=$network_dir/ca/session.pem \
		SMTP_TLS_KEY=$network_dir/ca/session.key \
		start ip netns exec "$network_id-hop" \
		"$SMTPSERVER_SOURCE/t/lib/front" 25 "$BATS_TEST_TMPDIR/ready" \
		"$(program smtp-session)" 2>>"$trail"
	wait_for 10 test -e "$BATS_TEST_TMPDIR/ready"
	odd_has good
	submit_required bob@hop.signed.test
	deliver
	told "$id" delivered "tls=\"TLS1.3 "
	told "$id" delivered requiretls=yes
	[ "$(find "$hop/spool/queue/new" -type f | wc -l)" -eq 1 ]

	# There the message is for another recipient.
	SMTP_QUEUE_PATH=$hop/spool SMTP_HOSTNAME=hop.hosts.test \
		SMTP_RELAYHOST='[odd.hosts.test]' network_exec hop \
		timeout 60 "$(program smtp-deliver)" 2>>"$trail"
	[ "$(odd_count odd)" -eq 1 ]
	mails | grep -q ' REQUIRETLS'
	[ "$(grep -c 'event=delivered .*requiretls=yes' "$trail")" -eq 2 ]
}

@test "--explain prints which hosts messages with REQUIRETLS could go to" {
	odd_has good
	run network_exec sender "$(program smtp-deliver)" --explain \
		bob@plain.signed.test bob@postfix.signed.test
	echo "$output"
	[[ $output == *"offers:"*" REQUIRETLS"*"REQUIRETLS: usable"* ]]
	[[ $output == *"REQUIRETLS: not usable: 5.7.30 the host does not offer"* ]]
	stop_started
	odd_has self
	run network_exec sender "$(program smtp-deliver)" --explain \
		bob@insecure.test
	[[ $output == *"REQUIRETLS: not usable: 5.7.30 REQUIRETLS: neither"* ]]
}

@test "--explain: an enforced policy admits messages with REQUIRETLS" {
	odd_has good
	run network_exec sender "$(program smtp-deliver)" --explain \
		bob@enforce.sts.test
	[[ $output == *"REQUIRETLS: not usable: 4.7.0 "*"is unavailable"* ]]
	policies_start enforce.sts.test enforce mx.sts.test
	run network_exec sender "$(program smtp-deliver)" --explain \
		bob@enforce.sts.test
	[[ $output == *"REQUIRETLS: usable"* ]]
}
