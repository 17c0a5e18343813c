#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# masquerade.bats - SMTP_MASQUERADE replaces senders towards relays, in the
# envelope and in From and Sender, but not in stored mail. With a Postfix that
# takes senders of its own domain only, and a verifier of signatures.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	local host

	need_root
	need openssl
	/usr/bin/python3 -c 'import dkim' || cannot_run "needs python3-dkim"
	network_start
	for host in sender relay odd; do network_add_host "$host"; done
	mta_start relay
	# Like relays that refuse other senders.
	printf '%s\n' 'example.org OK' '<> OK' \
		>"$network_dir/mta-relay/etc/senders"
	printf '%s\n' '/^From:.*<[^>]*internal>/ REJECT not our domain' \
		'/^Sender:.*internal/ REJECT not our sender' \
		>"$network_dir/mta-relay/etc/header_checks"
	postconf -c "$network_dir/mta-relay/etc" \
		"header_checks=regexp:$network_dir/mta-relay/etc/header_checks" \
		"smtpd_sender_restrictions=check_sender_access texthash:$network_dir/mta-relay/etc/senders, reject"
	network_exec relay postfix -c "$network_dir/mta-relay/etc" reload \
		>>"$network_dir/mta-relay/stderr" 2>&1 3>&-
	openssl genrsa -out "$network_dir/rsa.key" 2048 2>/dev/null
	dns < <(
		echo "one.test. MX 10 odd.hosts.test."
		printf 'rsa._domainkey.example.org. TXT "v=DKIM1; k=rsa; " "p="'
		openssl pkey -in "$network_dir/rsa.key" -pubout -outform DER |
			base64 -w 200 | sed 's/.*/ "&"/' | tr -d '\n'
		echo
	)
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	export SMTP_HOSTNAME=host.internal SMTP_REMOTE_TIMEOUT=20
}

# A message as cron sends it.
cron_mail() {
	printf '%s\n' 'From: "Cron (root@host.internal)"' \
		' <root@host.internal> (Cron Daemon)' 'To: bob@one.test' \
		'Sender: root@host.internal' 'Reply-To: admin@host.internal' \
		'Date: Mon, 23 Nov 2026 05:00:00 +0000' \
		'Message-ID: <1@host.internal>' \
		'Subject: root@host.internal' '' '.From: root@host.internal' ''
}

# Submit it; print its id.
send_cron_mail() {
	cron_mail | sed 's/$/\r/' | submit root@host.internal bob@one.test
}

# The message that t/lib/misbehave has taken.
taken() {
	cat "$(odd odd)"/*.eml
}

@test "a relay that wants its own domain in From takes cron's mail" {
	id=$(send_cron_mail)
	deliver_by "[relay.hosts.test]"
	told "$id" failed
	id=$(send_cron_mail)
	deliver SMTP_RELAYHOST="[relay.hosts.test]" SMTP_MASQUERADE=example.org
	told "$id" delivered
}

@test "only addresses of senders are replaced" {
	odd_start odd
	cron_mail >"$BATS_TEST_TMPDIR/mail"
	id=$(send_cron_mail)
	deliver SMTP_RELAYHOST="[odd.hosts.test]" SMTP_MASQUERADE=example.org
	grep -F " MAIL FROM:<root@example.org>" "$(odd odd)/log"
	sed -e 's/^ <root@host.internal>/ <root@example.org>/' \
		-e 's/^Sender: .*/Sender: root@example.org/' \
		-e 's/$/\r/' "$BATS_TEST_TMPDIR/mail" >"$BATS_TEST_TMPDIR/expected"
	taken | sed -n '/^From: "/,$p' | cmp - "$BATS_TEST_TMPDIR/expected"
	# The stored message is unchanged.
	grep -F ' <root@host.internal> (Cron Daemon)' "$spool"/*/"$id"_*.eml
}

@test "SIZE= is the size of the message with the replaced addresses" {
	odd_start odd
	id=$(send_cron_mail)
	deliver SMTP_RELAYHOST="[odd.hosts.test]" SMTP_MASQUERADE=a.example.org
	size=$(sed -n 's/.* MAIL FROM:.*SIZE=\([0-9]*\).*/\1/p' "$(odd odd)/log")
	[ "$size" -eq "$(taken | wc -c)" ]
}

@test "MX hosts get senders as they are" {
	odd_start odd
	id=$(send_cron_mail)
	deliver SMTP_MASQUERADE=example.org
	grep -F " MAIL FROM:<root@host.internal>" "$(odd odd)/log"
	taken | grep -F ' <root@host.internal> (Cron Daemon)'
}

@test "notices have the null sender, and go to the original sender" {
	odd_start odd 'rcpt=550 no'
	id=$(send_cron_mail)
	deliver SMTP_RELAYHOST="[odd.hosts.test]" SMTP_MASQUERADE=example.org
	told "$id" failed
	grep -F " MAIL FROM:<>" "$(odd odd)/log"
	grep -F " RCPT TO:<root@host.internal>" "$(odd odd)/log"
}

@test "the signature is for the new author's domain, and verifies" {
	odd_start odd
	chmod 600 "$network_dir/rsa.key"
	id=$(send_cron_mail)
	deliver SMTP_RELAYHOST="[odd.hosts.test]" SMTP_MASQUERADE=example.org \
		SMTP_DKIM_SELECTOR=rsa SMTP_DKIM_KEY_PATH="$network_dir/rsa.key"
	taken | grep -F "d=example.org;"
	network_exec sender "$SMTPSERVER_SOURCE/t/lib/check-dkim" \
		"$(odd odd)"/*.eml | grep -F "/example.org/rsa/pass"
}

@test "an invalid SMTP_MASQUERADE is named, and nothing is sent" {
	id=$(send_cron_mail)
	run -78 deliver SMTP_MASQUERADE="a=b=c"
	grep -F 'SMTP_MASQUERADE has "a=b=c"; expected' "$trail"
	[ -e "$spool/queue/new/$id" ]
}
