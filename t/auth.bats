#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# auth.bats - smtp-deliver authenticates to relays by SMTP_AUTH_FILE, and only
# over verified TLS: Postfix with Cyrus SASL, Postfix with Dovecot, and a host
# that misbehaves. Refused mail is deferred, and no secret gets into the log.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

user=me@client.test
password="correct horse, battery # staple"

setup_file() {
	local host

	need_root
	need saslpasswd2 dovecot openssl
	network_start
	for host in sender cyrus dovecot odd; do
		network_add_host "$host"
	done
	ca_issue cyrus cyrus.hosts.test
	ca_issue dovecot dovecot.hosts.test
	ca_issue odd odd.hosts.test
	ca_issue other other.hosts.test
	mta_start cyrus cyrus
	sasl_by_cyrus cyrus
	mta_start dovecot dovecot
	sasl_by_dovecot dovecot
	dns <<-END
		one.test. MX 10 odd.hosts.test.
		mx.test.  MX 10 odd.hosts.test.
		sts.test.          MX 10 odd.hosts.test.
		_mta-sts.sts.test. TXT "v=STSv1; id=1;"
		mta-sts.sts.test.  A $(network_ip4 odd)
	END
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	export SMTP_REMOTE_TIMEOUT=20 SMTP_DEBUG=1
	export SMTP_AUTH_FILE=$BATS_TEST_TMPDIR/auth
}

teardown() {
	mail_teardown
	# For a test that has failed.
	tail -n 50 "$network_dir"/mta-*/log >&2 || :
	keeps_secrets
}

# ---- real servers ------------------------------------------------------------

# mta_ask HOST: have a Postfix require authentication; more settings on stdin.
mta_ask() {
	local dir=$network_dir/mta-$1

	cat >>"$dir/etc/main.cf" <<-END
		smtpd_sasl_auth_enable = yes
		smtpd_tls_auth_only = yes
		smtpd_client_restrictions = permit_sasl_authenticated, reject
	END
	cat >>"$dir/etc/main.cf"
	network_exec "$1" postfix -c "$dir/etc" reload >>"$dir/stderr" 2>&1 3>&-
}

sasl_by_cyrus() {
	local sasl=$network_dir/mta-$1/etc/sasl

	# Debian's Postfix looks here; Dovecot gets the path.
	mkdir -p "$sasl"
	cat >"$sasl/smtpd.conf" <<-END
		pwcheck_method: auxprop
		auxprop_plugin: sasldb
		sasldb_path: $sasl/db
		mech_list: SCRAM-SHA-256 PLAIN LOGIN
	END
	printf %s "$password" |
		saslpasswd2 -p -c -f "$sasl/db" -u client.test me
	chown -R postfix "$sasl"
	mta_ask "$1" <<-END
		cyrus_sasl_config_path = $sasl
	END
}

sasl_by_dovecot() {
	local dir=$network_dir/mta-$1 sasl=$network_dir/dovecot

	mkdir -p "$sasl/run" "$sasl/keys/default/HS256"
	printf '%s:{PLAIN}%s\n' "$user" "$password" >"$sasl/users"
	printf %s 'key of the test' | base64 >"$sasl/keys/default/HS256/default"
	cat >"$sasl/oauth2.conf" <<-END
		introspection_mode = local
		local_validation_key_dict = fs:posix:prefix=$sasl/keys/
		username_attribute = email
	END
	cat >"$sasl/dovecot.conf" <<-END
		base_dir = $sasl/run
		state_dir = $sasl/run
		log_path = $sasl/log
		auth_verbose = yes
		protocols =
		ssl = no
		auth_mechanisms = plain login scram-sha-256 xoauth2
		passdb {
		  driver = passwd-file
		  mechanisms = plain login scram-sha-256
		  args = $sasl/users
		}
		passdb {
		  driver = oauth2
		  mechanisms = xoauth2
		  args = $sasl/oauth2.conf
		}
		userdb {
		  driver = static
		  args = uid=nobody gid=nogroup home=/nowhere
		}
		# A failure does not delay the next attempt.
		auth_failure_delay = 0
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		service auth {
		  unix_listener $dir/auth {
		    mode = 0666
		  }
		}
	END
	network_exec "$1" setsid dovecot -F -c "$sasl/dovecot.conf" \
		>>"$sasl/stderr" 2>&1 3>&- &
	wait_for 10 test -S "$dir/auth"
	mta_ask "$1" <<-END
		smtpd_sasl_type = dovecot
		smtpd_sasl_path = $dir/auth
	END
}

base64url() {
	base64 -w 0 | tr '+/' '-_' | tr -d =
}

# A token (RFC 7519) for a user, signed with Dovecot's key.
token() {
	local text now

	now=$(date +%s)
	text=$(printf '{"typ":"JWT","alg":"HS256"}' | base64url).$(printf \
		'{"sub":"1","email":"%s","iat":%d,"exp":%d}' "$1" \
		$((now - 60)) $((now + 3600)) | base64url)
	printf '%s.%s' "$text" "$(printf %s "$text" |
		openssl dgst -sha256 -hmac 'key of the test' -binary | base64url)"
}

# How a client authenticated to Postfix for a message.
mechanism() {
	sed -n "s/.* \([0-9A-F]*\): client=.*sasl_method=\([^,]*\), sasl_username=$user\$/\2/p" \
		"$network_dir/mta-$1/log" | tail -n 1
}

# ---- the misbehaving server --------------------------------------------------

# auth_start [OPTION...]: t/lib/auth-server on odd, until the test ends.
auth_start() {
	local dir

	dir=$(odd odd)
	rm -rf "$dir"
	mkdir -p "$dir"
	start ip netns exec "$network_id-odd" \
		"$SMTPSERVER_SOURCE/t/lib/auth-server" --name odd.hosts.test \
		--cert "$network_dir/ca/odd.pem" --key "$network_dir/ca/odd.key" \
		--user "$user" --secret "$password" "$@" "$dir" \
		>"$dir/stderr" 2>&1
	wait_for 10 test -e "$dir/ready"
}

said() {
	grep -qF -- "$1" "$(odd odd)/log"
}

count_said() {
	grep -cE -- "$1" "$(odd odd)/log" || :
}

# ---- helpers -----------------------------------------------------------------

# credentials LINE...: replace the contents of SMTP_AUTH_FILE.
credentials() {
	(umask 077 && printf '%s\n' "$@" >"$SMTP_AUTH_FILE.new")
	mv "$SMTP_AUTH_FILE.new" "$SMTP_AUTH_FILE"
}

# Whether the audit trail has auth-failed that many times, with that text.
alarmed() {
	[ "$(grep -c "event=auth-failed" "$trail")" -eq "$1" ]
	grep "event=auth-failed" "$trail" | grep -qF -- "$2"
}

# Whether a message was tried and deferred.
waits() {
	is_deferred "$1" && told "$1" deferred && ! told "$1" failed
}

# Whether no file that was written contains a secret, in plain text or in base64
# at any of the three alignments.
keeps_secrets() {
	local secret before

	for secret in "$password" "not the password" "$(token "$user")"; do
		for before in "" x xx; do
			if grep -rF -e "$secret" \
				-e "$(printf %s "$before$secret" | base64 -w 0 |
					cut -c 5-20)" "$trail" "$spool"; then
				return 1
			fi
		done
	done
}

# ---- mechanisms of real servers ----------------------------------------------

@test "Postfix with Cyrus SASL takes SCRAM-SHA-256, one offer of several" {
	credentials "cyrus.hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by "[cyrus.hosts.test]"
	told "$id" delivered 'tls="TLS1.3'
	[ "$(mechanism cyrus)" = SCRAM-SHA-256 ]
	wait_for 10 mta_has cyrus 1 "$id"
}

@test "Postfix with Cyrus SASL takes PLAIN and LOGIN if the line allows it" {
	credentials "[cyrus.hosts.test]:25 plain $user $password"
	id=$(send a@one.test)
	deliver_by "[cyrus.hosts.test]"
	told "$id" delivered
	[ "$(mechanism cyrus)" = PLAIN ]
	credentials "cyrus.hosts.test login $user $password"
	id=$(send a@one.test)
	deliver_by "[cyrus.hosts.test]"
	told "$id" delivered
	[ "$(mechanism cyrus)" = LOGIN ]
}

@test "Postfix with Dovecot takes SCRAM-SHA-256, PLAIN and LOGIN" {
	local word

	for word in scram-sha-256 plain login; do
		credentials "dovecot.hosts.test $word $user $password"
		id=$(send a@one.test)
		deliver_by "[dovecot.hosts.test]"
		told "$id" delivered
		[ "$(mechanism dovecot)" = "${word^^}" ]
	done
}

@test "Postfix with Dovecot takes a token by XOAUTH2" {
	credentials "dovecot.hosts.test xoauth2 $user $(token "$user")"
	id=$(send a@one.test)
	deliver_by "[dovecot.hosts.test]"
	told "$id" delivered
	[ "$(mechanism dovecot)" = XOAUTH2 ]
}

@test "a token of another user is refused, and mail waits" {
	credentials "dovecot.hosts.test xoauth2 $user $(token you@client.test)"
	id=$(send a@one.test)
	deliver_by "[dovecot.hosts.test]"
	waits "$id"
	alarmed 1 "reply=\"535 5.7.8"
}

@test "a wrong password makes all mail wait, and is logged once" {
	local i ids=()

	credentials "" "cyrus.hosts.test password $user not the password"
	for i in {1..8}; do
		ids+=("$(send "a@domain$i.test")")
	done
	deliver_by "[cyrus.hosts.test]"
	for id in "${ids[@]}"; do
		waits "$id"
	done
	alarmed 1 "refused at AUTH SCRAM-SHA-256 with line 2 of SMTP_AUTH_FILE"
	alarmed 1 "host=cyrus.hosts.test["
	# Many hosts lock out clients that try too often.
	[ "$(grep -c "authentication failed" "$network_dir/mta-cyrus/log")" -eq 1 ]
}

@test "--watch reads a file that was replaced, and mail flows" {
	credentials "dovecot.hosts.test password $user not the password"
	SMTP_RELAYHOST="[dovecot.hosts.test]" deliver_start --watch
	id=$(send a@one.test)
	wait_for 30 told "$id" deferred
	credentials "dovecot.hosts.test password $user $password"
	id=$(send a@one.test)
	wait_for 30 told "$id" delivered
}

@test "--explain shows whether a relay accepts our credentials" {
	credentials "dovecot.hosts.test password $user $password"
	SMTP_RELAYHOST="[dovecot.hosts.test]" run -0 network_exec sender \
		timeout 60 "$(program smtp-deliver)" --explain a@one.test
	[[ $output == *"authenticated by line 1 of SMTP_AUTH_FILE"*usable* ]]
	credentials "dovecot.hosts.test password $user not the password"
	SMTP_RELAYHOST="[dovecot.hosts.test]" run -69 network_exec sender \
		timeout 60 "$(program smtp-deliver)" --explain a@one.test
	[[ $output == *"refused at AUTH SCRAM-SHA-256"*"not usable"* ]]
	[[ $output != *"not the password"* ]]
	rm "$SMTP_AUTH_FILE"
	SMTP_RELAYHOST="[dovecot.hosts.test]" run -0 network_exec sender \
		timeout 60 "$(program smtp-deliver)" --explain a@one.test
	[[ $output == *"tried without credentials"* ]]
}

# ---- which hosts get credentials ---------------------------------------------

@test "credentials go to a pinned certificate, not to an unchecked one" {
	auth_start --cert "$network_dir/ca/other.pem" \
		--key "$network_dir/ca/other.key"
	credentials "odd.hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test] tls encrypt"
	waits "$id"
	alarmed 1 "no TLS with the host and a verified certificate"
	[ "$(count_said AUTH)" -eq 0 ]
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test] tls fingerprint SHA256:$(openssl x509 \
		-in "$network_dir/ca/other.pem" -outform DER | sha256sum |
		cut -c 1-64)"
	told "$id" delivered policy=fingerprint
	[ "$(count_said AUTH)" -eq 1 ]
}

@test "a host without STARTTLS gets no credentials, whatever it offers" {
	auth_start --cert "" --bare "PLAIN LOGIN SCRAM-SHA-256"
	credentials "odd.hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test]"
	waits "$id"
	told "$id" deferred "status=4.7.10"
	alarmed 1 "no TLS with the host"
	[ "$(count_said AUTH)" -eq 0 ]
	[ "$(count_said MAIL)" -eq 0 ]
}

@test "a host with another host's certificate gets no credentials" {
	dns <<-END
		other.hosts.test. A $(network_ip4 odd)
	END
	auth_start
	credentials "other.hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by "[other.hosts.test]"
	waits "$id"
	told "$id" deferred "status=4.7.5"
	[ "$(count_said AUTH)" -eq 0 ]
}

@test "an offer of AUTH before TLS is ignored" {
	auth_start --bare "PLAIN LOGIN XOAUTH2 SCRAM-SHA-256" --offer LOGIN
	credentials "odd.hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test]"
	told "$id" delivered
	said "-- authenticated by LOGIN"
	[ "$(count_said ' AUTH')" -eq 1 ]
}

@test "the MX host of a recipient's domain gets no credentials" {
	odd_start odd --offer "AUTH PLAIN,PIPELINING" \
		--cert "$network_dir/ca/odd.pem" --key "$network_dir/ca/odd.key"
	credentials "odd.hosts.test password $user $password" \
		"mx.test password $user $password"
	id=$(send a@mx.test)
	deliver_by ""
	told "$id" delivered
	[ "$(count_said ' AUTH')" -eq 0 ]
}

# has_secret PID: whether a process has the password in its memory.
has_secret() {
	printf %s "$password" >"$BATS_TEST_TMPDIR/octets"
	has_in_memory "$1" "$BATS_TEST_TMPDIR/octets"
}

# The worker of the run $started, once it waits for the silent host odd.
silent_worker() {
	wait_for 20 grep -q connect "$(odd odd)/log"
	pgrep -P "$started"
}

@test "a worker for a domain's MX host has no secret in its memory" {
	local worker

	odd_start odd banner=silent
	credentials "odd.hosts.test password $user $password"
	send a@mx.test
	SMTP_REMOTE_TIMEOUT=60 deliver_start
	worker=$(silent_worker)
	has_secret "$started"
	! has_secret "$worker" || return 1
	stop "$started"
}

@test "only the worker for a relay has the secret, not the policy fetcher" {
	local worker

	# Both wait for the policy.
	odd_start odd --port 443 banner=silent
	credentials "odd.hosts.test password $user $password"
	send a@mx.test
	SMTP_RELAYHOST="sts.test tls sts" SMTP_REMOTE_TIMEOUT=60 \
		deliver_start
	worker=$(silent_worker)
	has_secret "$worker"
	not has_secret "$(child_of "$worker")"
	stop "$started"
}

@test "a relay without a line for its name and port gets no credentials" {
	odd_start odd --offer "AUTH PLAIN,PIPELINING" --port 2525 \
		--cert "$network_dir/ca/odd.pem" --key "$network_dir/ca/odd.key"
	credentials "odd.hosts.test:587 password $user $password" \
		"hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test]:2525"
	told "$id" delivered
	[ "$(count_said ' AUTH')" -eq 0 ]
}

@test "a relay found by MX lookup gets the credentials of its host's line" {
	auth_start
	credentials "odd.hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by mx.test
	told "$id" delivered
}

@test "a relay of SMTP_ROUTES gets credentials, but not with tls none" {
	export SMTP_ROUTES=$BATS_TEST_TMPDIR/routes
	auth_start
	credentials "odd.hosts.test password $user $password"
	printf 'to %s.test via [odd.hosts.test]%s\n' one '' two ' tls none' \
		>"$SMTP_ROUTES"
	id=$(send a@one.test)
	deliver
	told "$id" delivered
	id=$(send a@two.test)
	deliver
	waits "$id"
	told "$id" deferred "status=4.7.10"
	[ "$(count_said ' AUTH')" -eq 1 ]
}

@test "a relay that requires AUTH makes mail wait, and is logged once" {
	local i ids=()

	auth_start
	credentials "# nobody"
	for i in {1..3}; do
		ids+=("$(send "a@domain$i.test")")
	done
	deliver_by "[odd.hosts.test]"
	for id in "${ids[@]}"; do
		waits "$id"
		told "$id" deferred "530 5.7.0 authentication required"
	done
	alarmed 1 "authentication required"
}

@test "the next relay is used if the first refuses our credentials" {
	auth_start --fault wrong
	credentials "odd.hosts.test password $user $password" \
		"dovecot.hosts.test password $user $password"
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test] [dovecot.hosts.test]"
	told "$id" delivered dovecot
	alarmed 1 "534 5.7.9 not like that"
}

@test "one connection authenticates once and takes many messages" {
	local i

	auth_start
	credentials "odd.hosts.test password $user $password"
	for i in {1..5}; do
		send "a@domain$i.test" >/dev/null
	done
	SMTP_DESTINATION_WORKERS=1 deliver_by "[odd.hosts.test]"
	[ "$(count_said ' AUTH')" -eq 1 ]
	[ "$(count_said '-- taken')" -eq 5 ]
}

@test "an initial response that is too long for AUTH gets its own line" {
	local token

	token=$(printf 'x%.0s' {1..2000})
	auth_start --secret "$token"
	credentials "odd.hosts.test xoauth2 $user $token"
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test]"
	told "$id" delivered
	[ "$(count_said ' AUTH XOAUTH2$')" -eq 1 ]
}

# ---- hosts that misbehave ----------------------------------------------------

# odd_fault MECHANISM OPTION...: send a message to a host with that fault; it is
# deferred.
odd_fault() {
	local mechanism=$1

	shift
	auth_start "$@"
	credentials "odd.hosts.test $mechanism $user $password"
	id=$(send a@one.test)
	deliver_by "[odd.hosts.test]"
	waits "$id"
	[ "$(count_said '-- taken')" -eq 0 ]
	[ "$(count_said ' MAIL')" -eq 0 ]
	stop_started
}

@test "a host that does not prove that it knows the password is not used" {
	odd_fault password --fault signature
	told "$id" deferred "does not know the password"
	alarmed 1 "SCRAM-SHA-256 with line 1 of SMTP_AUTH_FILE: the host does not know"
	: >"$trail"
	odd_fault password --fault unsigned
	alarmed 1 "has not proven that it knows the password"
}

@test "SCRAM needs our nonce, and a bounded number of iterations" {
	local count

	odd_fault password --fault nonce
	told "$id" deferred "nonce"
	for count in 4095 1000001 4000000000; do
		odd_fault password --iterations "$count"
		told "$id" deferred "iteration count"
	done
}

@test "invalid and endless challenges end the connection" {
	odd_fault password --fault rubbish
	told "$id" deferred "not text in base64"
	odd_fault password --fault nul
	told "$id" deferred "not text in base64"
	odd_fault login --fault endless
	told "$id" deferred "more challenges than the mechanism has"
	odd_fault password --fault long
	told "$id" deferred "no SMTP reply to AUTH"
	odd_fault login --fault early
	told "$id" deferred "a reply that came before AUTH"
}

@test "a connection cut after the challenge defers mail, not as auth-failed" {
	odd_fault password --fault cut
	told "$id" deferred "status=4.4.2"
	odd_fault login --fault cut
	odd_fault password --fault closing
	told "$id" deferred "421 4.3.2"
	run ! grep "event=auth-failed" "$trail"
}

@test "a host without AUTH, or with no mechanism of ours, is not used" {
	odd_fault password --fault dropped
	alarmed 1 "the host offers no AUTH"
	: >"$trail"
	odd_fault scram-sha-256 --offer "PLAIN LOGIN"
	alarmed 1 "offers no mechanism that the line allows"
	[ "$(count_said ' AUTH')" -eq 0 ]
}

@test "432 4.7.12 and 504 are reported, others not; no weaker mechanism" {
	odd_fault password --fault temporary
	told "$id" deferred "454 4.7.0"
	run ! grep "event=auth-failed" "$trail"
	odd_fault password --fault busy
	told "$id" deferred "432 4.3.2"
	run ! grep "event=auth-failed" "$trail"
	odd_fault password --fault transition
	alarmed 1 "432 4.7.12"
	: >"$trail"
	odd_fault password --fault unknown
	alarmed 1 "504 5.5.4"
	[ "$(count_said ' AUTH')" -eq 1 ]
}

@test "a host that repeats the secret does not get it into the log" {
	local fault password=$password

	for fault in echo decoded; do
		odd_fault plain --fault "$fault"
		told "$id" deferred "the host's reply repeats our credentials"
	done
	password=$(token "$user")
	for fault in echo decoded; do
		odd_fault xoauth2 --fault "$fault"
		told "$id" deferred "the host's reply repeats our credentials"
	done
}

# ---- mistakes in the file ----------------------------------------------------

# mistake LINE...: with these lines nothing is sent, and the mistake is logged.
mistake() {
	run -78 deliver_by "[dovecot.hosts.test]"
	[ -e "$spool/queue/new/$id" ]
	grep -qF -- "$1" "$trail"
}

@test "an unusable file keeps all mail queued, and the reason is logged" {
	id=$(send a@one.test)
	mistake "SMTP_AUTH_FILE is \"$SMTP_AUTH_FILE\"; No such file"
	credentials "# us" "dovecot.hosts.test $user $password"
	mistake "line 2: expected password, scram-sha-256, plain, login or xoauth2"
	credentials "dovecot.hosts.test password $user $password"
	chmod 644 "$SMTP_AUTH_FILE"
	mistake "its mode permits everyone to read or write it"
	chmod 600 "$SMTP_AUTH_FILE"
	SMTP_AUTH_FILE=smtpserver.auth mistake "the name of a credential"
	deliver_by "[dovecot.hosts.test]"
	told "$id" delivered
}

@test "the file may be a systemd credential" {
	credentials "dovecot.hosts.test password $user $password"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR
	id=$(send a@one.test)
	SMTP_AUTH_FILE=auth deliver_by "[dovecot.hosts.test]"
	told "$id" delivered
}
