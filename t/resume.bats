#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# resume.bats - TLS sessions that another connection resumes, with a Postfix

load lib/common
load lib/network
load lib/mail

setup_file() {
	local cache="smtpd_tls_session_cache_database = btree:\$data_directory/tls"

	need_root
	network_start
	for host in sender new old plain picky; do
		network_add_host "$host"
		[ "$host" = sender ] || ca_issue "$host" "$host.hosts.test"
	done
	mta_with new "$cache" "smtpd_tls_protocols = TLSv1.3"
	mta_with old "$cache" "smtpd_tls_protocols = TLSv1.2"
	mta_with plain "tls_ssl_options = NO_TICKET"
	mta_with picky "$cache" "smtpd_recipient_restrictions = defer"
	dns <<-END
		alias.hosts.test. A $(network_ip4 picky)
		picky.test. MX 10 picky.hosts.test.
		picky.test. MX 20 alias.hosts.test.
		new.test.   MX 10 new.hosts.test.
		old.test.   MX 10 old.hosts.test.
		plain.test. MX 10 plain.hosts.test.
	END
}

# mta_with HOST LINE...: start a Postfix with these lines in its main.cf.
mta_with() {
	local host=$1

	shift
	mta_start "$host" "$host"
	printf '%s\n' "smtpd_tls_loglevel = 2" "$@" \
		>>"$network_dir/mta-$host/etc/main.cf"
	network_exec "$host" postfix -c "$network_dir/mta-$host/etc" reload \
		>>"$network_dir/mta-$host/stderr" 2>&1 3>&-
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	# A connection for each message, one after another.
	export SMTP_CONNECTION_MESSAGES=1 SMTP_QUEUE_WORKERS=1
}

# delivered_with TLS: how many messages the trail reports with this TLS.
delivered_with() {
	grep -c "event=delivered .*tls=\"$1\"" "$trail" || :
}

# reused HOST: how many TLS sessions its Postfix has logged as reused.
reused() {
	grep -c 'Reusing old session' "$network_dir/mta-$1/log" || :
}

# resumes HOST VERSION: whether the three connections after the first resume its
# session. The trail names the certificate for each.
resumes() {
	send_many 4 "" "bob@$1.test" >&2
	deliver
	[ "$(delivered_with "TLS$2 [^ ]*")" -eq 1 ]
	[ "$(delivered_with "TLS$2 [^ ]* resumed")" -eq 3 ]
	[ "$(reused "$1")" -eq 3 ]
	[ "$(grep -c 'event=delivered .*fingerprint=[0-9a-f]\{64\}' \
		"$trail")" -eq 4 ]
	[ "$(grep -o 'fingerprint=[0-9a-f]*' "$trail" | sort -u | wc -l)" -eq 1 ]
}

@test "TLS 1.3: the session of the last connection is resumed" {
	resumes new 1.3
}

@test "TLS 1.2: the session of the last connection is resumed" {
	resumes old 1.2
}

@test "a host that resumes no session is verified each time" {
	send_many 3 "" bob@plain.test >&2
	deliver
	[ "$(delivered_with "TLS1.3 [^ ]*")" -eq 3 ]
	[ "$(reused plain)" -eq 0 ]
}

@test "a session verified for one name of a host is not used for another" {
	id=$(send bob@picky.test)
	deliver
	# The same host; its certificate has only the first name.
	grep "event=host-passed-over host=alias.hosts.test" "$trail" |
		grep -q "status=4.7.5"
	is_deferred "$id"
	# It was resumed at the other address of the first.
	[ "$(reused picky)" -eq 1 ]
}
