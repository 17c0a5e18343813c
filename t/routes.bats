#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# routes.bats - the routes file chooses the next hop and the required TLS; every
# mistake in it is reported. With Postfix, signed zones, an MTA-STS policy, and
# hosts that log what they get.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/dnssec
load lib/mail

setup_file() {
	local host

	need_root
	need certtool
	network_start
	for host in sender relay odd1 odd2 web; do
		network_add_host "$host"
	done
	ca_issue relay relay.hosts.test
	ca_issue other other.hosts.test
	ca_issue odd1 odd1.hosts.test mx.sts.test
	ca_issue policies mta-sts.enforced.test mta-sts.tested.test
	ca_issue anything --self-signed anything.test
	dnssec_zone signed.test <<-END
		mx       A $(network_ip4 odd2)
		_25._tcp.mx $(tlsa 3 1 1 anything)
		bare     A $(network_ip4 odd2)
	END
	dns < <(
		for host in one two three; do
			echo "$host.test. MX 10 odd2.hosts.test."
		done
		for host in enforced tested; do
			echo "$host.test. MX 10 mx.sts.test."
			echo "_mta-sts.$host.test. TXT \"v=STSv1; id=1;\""
			echo "mta-sts.$host.test. A $(network_ip4 web)"
		done
		echo "mx.sts.test. A $(network_ip4 odd1)"
		echo "dane.test. MX 10 mx.signed.test."
		echo "sub.one.test. MX 10 odd2.hosts.test."
	)
	dnssec_start
	dnssec_use sender trust-ad
	mta_start relay other
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	export SMTP_REMOTE_TIMEOUT=20
	export SMTP_ROUTES=$BATS_TEST_TMPDIR/routes
}

# ---- helpers -----------------------------------------------------------------

# routes: write the routes file from stdin.
routes() {
	cat >"$SMTP_ROUTES"
}

# Whether Postfix has delivered a message, which takes a moment.
has_arrived() {
	[ -n "$(mta_mail relay "$1")" ]
}

# with_certificate HOST NAME: start a host that offers STARTTLS with that
# certificate.
with_certificate() {
	local options

	mapfile -t options < <(odd_certificate "$2")
	odd_start "$1" "${options[@]}"
}

# policy DOMAIN MODE: serve an MTA-STS policy that names mx.sts.test.
policy() {
	local web=$BATS_TEST_TMPDIR/web

	mkdir -p "$web"
	{
		printf '200\ntext/plain; charset=utf-8\n'
		printf 'version: STSv1\r\nmode: %s\r\n' "$2"
		printf 'max_age: 86400\r\nmx: mx.sts.test\r\n'
	} >"$web/$1"
	[ ! -e "$web/ready" ] || return 0
	start ip netns exec "$network_id-web" \
		"$SMTPSERVER_SOURCE/t/lib/policy-server" \
		"$network_dir"/ca/policies.{pem,key} "$web" 2>>"$web/stderr"
	wait_for 10 test -e "$web/ready"
}

# ---- next hops ---------------------------------------------------------------

@test "the first matching rule applies; a next hop gets one transaction" {
	odd_start odd1 --port 2525
	odd_start odd2
	routes <<-END
		# A comment.
		to direct.one.test	via [odd2.hosts.test]
		to .one.test		via [odd1.hosts.test]:2525
		to bob@two.test		via [ODD1.hosts.test]:2525 # the same
		to one.test		via mx
	END
	id=$(send_from a@here.test a@sub.one.test b@x.y.one.test bob@two.test \
		a@direct.one.test c@one.test alice@two.test)
	deliver
	told "$id" message-done "delivered to all"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(saw odd1 RCPT)" -eq 3 ]
	# The relay, and the domains two and one, whose host it is as well.
	[ "$(odd_count odd2)" -eq 3 ]
	[ "$(saw odd2 RCPT)" -eq 3 ]
}

@test "rules may be for senders, and for the null sender" {
	odd_start odd1
	odd_start odd2
	routes <<-END
		from app@here.test	via [odd1.hosts.test]
		from <>			via [odd1.hosts.test]
	END
	send_from app@here.test a@one.test >/dev/null
	send_from "" a@one.test >/dev/null
	send_from other@here.test a@one.test >/dev/null
	deliver
	[ "$(odd_count odd1)" -eq 2 ]
	[ "$(odd_count odd2)" -eq 1 ]
}

@test "SMTP_RELAYHOST takes what no rule matches, and may require TLS" {
	odd_start odd1
	odd_start odd2
	routes <<<"to one.test via mx"
	id=$(send_from a@here.test a@one.test a@two.test)
	deliver_by "[odd1.hosts.test]"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(odd_count odd2)" -eq 1 ]
	id=$(send_from a@here.test a@two.test)
	deliver_by "[odd1.hosts.test] tls verify"
	told "$id" deferred STARTTLS
}

# ---- required TLS ------------------------------------------------------------

@test "tls verify: no STARTTLS or a wrong certificate excludes a host" {
	odd_start odd1
	routes <<<"all via [odd1.hosts.test] tls verify"
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" deferred STARTTLS
	is_deferred "$id"
	[ "$(saw odd1 MAIL)" -eq 0 ]
	routes <<<"all via [relay.hosts.test] tls verify"
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" deferred "4.7.5"
	routes <<<"all via [relay.hosts.test] [odd2.hosts.test] tls verify"
	with_certificate odd2 anything
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" deferred "4.7.5"
}

@test "tls verify: a host with a certificate for its name is used" {
	with_certificate odd1 odd1
	routes <<<"all via [odd1.hosts.test] tls verify"
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" delivered 'policy=verify tls="TLS1.3'
}

@test "tls none: Postfix with a wrong certificate takes mail in plain text" {
	routes <<-END
		to one.test via [relay.hosts.test] tls none
		to two.test via [relay.hosts.test]
	END
	id=$(send_from a@here.test a@one.test)
	other=$(send_from a@here.test a@two.test)
	deliver
	told "$id" delivered policy=none
	wait_for 20 has_arrived "$id"
	# Other rules are not weakened.
	told "$other" deferred 4.7.5
	[ -z "$(mta_mail relay "$other")" ]
}

@test "tls may: any certificate will do, and no TLS" {
	routes <<-END
		to one.test	via [relay.hosts.test] tls may
		to dane.test	via mx tls may
		to two.test	via mx tls may
		all		via [odd1.hosts.test] tls may
	END
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" delivered 'policy=may tls="TLS1.3'
	odd_start odd1
	id=$(send_from a@here.test a@three.test)
	deliver
	told "$id" delivered policy=none
	stop_started
	# A handshake that fails leaves plain text.
	mapfile -t options < <(odd_certificate odd1)
	odd_start odd1 "${options[@]}" --tls-most 1.1
	id=$(send_from a@here.test a@three.test)
	deliver
	told "$id" policy-missed policy=may
	told "$id" delivered policy=none
	# What is published holds.
	with_certificate odd2 odd1
	id=$(send_from a@here.test a@dane.test)
	deliver
	told "$id" deferred policy=dane
	id=$(send_from a@here.test a@two.test)
	deliver
	told "$id" delivered policy=may
}

@test "tls encrypt: any certificate will do, but TLS is required" {
	routes <<-END
		to one.test	via [relay.hosts.test] tls encrypt
		all		via [odd1.hosts.test] tls encrypt
	END
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" delivered 'policy=encrypt tls="TLS1.3'
	odd_start odd1
	id=$(send_from a@here.test a@three.test)
	deliver
	told "$id" deferred STARTTLS
	run -0 network_exec sender "$(program smtp-deliver)" --explain a@one.test
	[[ $output == *"policy encrypt: TLS, with any certificate"* ]]
}

@test "tls fingerprint: the certificate is that one" {
	local pin other via="via [odd2.hosts.test] tls fingerprint"

	pin=$(openssl x509 -in "$network_dir/ca/anything.pem" -noout \
		-fingerprint -sha256)
	pin=SHA256:${pin#*=}
	other=SHA256:$(openssl x509 -in "$network_dir/ca/odd1.pem" -outform DER |
		sha256sum | cut -c 1-64)
	routes <<-END
		to one.test	$via $other $pin
		to dane.test	via mx tls fingerprint $pin
		all		$via $other
	END
	with_certificate odd2 anything
	id=$(send_from a@here.test a@one.test a@dane.test)
	deliver
	told "$id" delivered 'policy=fingerprint tls="TLS1.3'
	told "$id" message-done "delivered to all"
	id=$(send_from a@here.test a@two.test)
	deliver
	told "$id" deferred "4.7.5"
	told "$id" deferred "another fingerprint: SHA256:"
	is_deferred "$id"
	stop_started
	odd_start odd2
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" deferred STARTTLS
}

@test "tls dane: TLSA records are required" {
	with_certificate odd2 anything
	routes <<-END
		to dane.test	via mx tls dane
		to one.test	via [mx.signed.test] tls dane
		all		via [bare.signed.test] tls dane
	END
	id=$(send_from a@here.test a@dane.test a@one.test)
	deliver
	told "$id" delivered policy=dane
	told "$id" message-done "delivered to all"
	id=$(send_from a@here.test a@two.test)
	deliver
	told "$id" deferred "no TLSA records"
	is_deferred "$id"
}

@test "tls sts: an enforced policy is required, or DANE" {
	with_certificate odd1 odd1
	policy enforced.test enforce
	policy tested.test testing
	routes <<-END
		to relayed.test	via enforced.test tls sts
		all		via mx tls sts
	END
	id=$(send_from a@here.test a@enforced.test)
	deliver
	told "$id" delivered policy=sts
	id=$(send_from a@here.test a@relayed.test)
	deliver
	told "$id" delivered policy=sts
	id=$(send_from a@here.test a@tested.test)
	deliver
	told "$id" deferred "nor an enforced MTA-STS policy"
	is_deferred "$id"
	run -69 network_exec sender "$(program smtp-deliver)" --explain \
		a@tested.test a@relayed.test
	[[ $output == *"not used mx.sts.test: 4.7.0 a route requires tls sts"* ]]
	[[ $output == *"policy sts: TLS, and"*"  usable"* ]]
	with_certificate odd2 anything
	id=$(send_from a@here.test a@dane.test)
	deliver
	told "$id" delivered policy=dane
}

# ---- mistakes ----------------------------------------------------------------

@test "--check-routes prints all mistakes, and rules that never match" {
	routes <<-END
		to one.test	via [a.test]
		too two.test	via mx
		to three.test	via 192.0.2.1
		to four.test	via mx tls none

		to x@one.test	via mx
	END
	run -78 "$(program smtp-deliver)" --check-routes
	[ "${#lines[@]}" -eq 4 ]
	[[ ${lines[0]} == "$SMTP_ROUTES:2: \"too\"; expected"* ]]
	[[ ${lines[1]} == "$SMTP_ROUTES:3: \"192.0.2.1\"; expected"* ]]
	[[ ${lines[2]} == "$SMTP_ROUTES:4: tls none with mx; expected"* ]]
	[[ ${lines[3]} == "$SMTP_ROUTES:6: warning: "*"can never match: line 1"* ]]
	printf 'all via mx\n' >"$BATS_TEST_TMPDIR/other"
	run -0 "$(program smtp-deliver)" --check-routes "$BATS_TEST_TMPDIR/other"
	[ "$output" = "$BATS_TEST_TMPDIR/other: 1 rule" ]
	run -78 "$(program smtp-deliver)" --check-routes "$BATS_TEST_TMPDIR/none"
	SMTP_ROUTES='' run -64 "$(program smtp-deliver)" --check-routes
	run -64 "$(program smtp-deliver)" --check-routes a b
	run -64 "$(program smtp-deliver)" --from a@b.test
}

@test "nothing is sent with a mistake in the file, or without the file" {
	odd_start odd2
	id=$(send_from a@here.test a@one.test)
	routes <<<$'to one.test via mx\nto two.test via'
	run -78 deliver
	[ "$(grep -cF "$SMTP_ROUTES:2:" "$trail")" -eq 1 ]
	rm "$SMTP_ROUTES"
	run -78 deliver
	grep -F "SMTP_ROUTES: $SMTP_ROUTES: No such file" "$trail"
	[ -e "$spool/queue/new/$id" ]
	[ ! -s "$(odd odd2)/spans" ]
}

@test "--explain prints the rule" {
	odd_start odd1
	odd_start odd2
	routes <<-END
		from app@here.test via [odd1.hosts.test] tls none
		to .one.test via mx
	END
	run -0 network_exec sender "$(program smtp-deliver)" --explain a@sub.one.test
	[[ $output == *"  rule: $SMTP_ROUTES:2: to .one.test via mx"* ]]
	[[ $output == *"route: MX hosts of sub.one.test"*"odd2"*"  usable"* ]]
	run -0 network_exec sender "$(program smtp-deliver)" --explain \
		--from app@here.test a@sub.one.test
	[[ $output == *"rule: $SMTP_ROUTES:1: from app@here.test via [odd1.hosts.test] tls none"* ]]
	[[ $output == *"host odd1.hosts.test"*"policy none: no TLS"*"  usable"* ]]
	run -0 network_exec sender "$(program smtp-deliver)" --explain a@two.test
	[[ $output != *"rule:"* ]]
}

@test "--watch uses a file that replaces another" {
	odd_start odd1
	odd_start odd2
	routes <<<"all via [odd1.hosts.test]"
	id=$(send_from a@here.test a@one.test)
	deliver_start --watch
	wait_for 20 told "$id" message-done
	echo "all via [odd2.hosts.test]" >"$SMTP_ROUTES.new"
	mv "$SMTP_ROUTES.new" "$SMTP_ROUTES"
	id=$(send_from a@here.test a@one.test)
	wait_for 20 told "$id" message-done
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(odd_count odd2)" -eq 1 ]
}

@test "10000 rules are read and matched without delay" {
	odd_start odd1
	{
		for i in {1..10000}; do
			echo "to a$i.test via [odd1.hosts.test]:$((1000 + i))"
		done
		echo "all via [odd1.hosts.test]"
	} | routes
	run -0 "$(program smtp-deliver)" --check-routes
	id=$(send_from a@here.test a@one.test)
	deliver
	told "$id" message-done
	[ "$(odd_count odd1)" -eq 1 ]
}
