#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# upgrade.bats - a spool that one version of the programs has filled works with
# another version: after an upgrade, and after the way back.
#
# Each test runs in both directions. "by" chooses the version of the programs
# from there on.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables
# shellcheck disable=SC2034 # deliver has $ahead

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

# The version to compare with: the last commit before the modules of
# smtp-deliver were rearranged, with the on-disk formats that every later
# commit reads and writes. When a format changes on purpose, choose the last
# commit before that change, and give each case that differs a test of its own.
old_commit=0768a168c2f39c96a6801a5d882cb8c034de6431
old_prefix=$SMTPSERVER_BUILD/upgrade-${old_commit:0:7}

alice=alice@home.test

setup_file() {
	need_root
	need git autoreconf systemd-socket-activate curl
	build_old
	network_start
	clock_build
	for host in sender odd1 odd2 web; do network_add_host "$host"; done
	ca_issue session localhost
	ca_issue odd mx.odd.test "$(network_ip4 odd1)"
	ca_issue web mta-sts.sts.test
	dns <<-END
		odd.test.       MX 10 mx.odd.test.
		mx.odd.test.    A $(network_ip4 odd1)
		sts.test.       MX 10 mx.odd.test.
		_mta-sts.sts.test. TXT "v=STSv1; id=1;"
		mta-sts.sts.test. A $(network_ip4 web)
		home.test.      MX 10 mx.home.test.
		mx.home.test.   A $(network_ip4 odd2)
	END
}

teardown_file() {
	network_stop
}

# ---- two versions ------------------------------------------------------------

# Install the programs of the old commit into $old_prefix; kept for the next
# time.
build_old() {
	local source=$BATS_FILE_TMPDIR/old log=$BATS_FILE_TMPDIR/old.log

	[ ! -d "$old_prefix" ] || return 0
	mkdir "$source"
	git -c safe.directory='*' -C "$SMTPSERVER_SOURCE" \
		archive --format=tar "$old_commit" 2>"$log" |
		tar -x -C "$source" 2>>"$log" ||
		cannot_run "needs the source's history: $(cat "$log")" || return
	(
		cd "$source" && unset MAKEFLAGS MFLAGS MAKELEVEL &&
			autoreconf --install &&
			./configure --quiet --prefix="$source/installed" &&
			make --silent -j2 install-sbinPROGRAMS \
				install-modulePROGRAMS
	) >"$log" 2>&1 || { tail -n 40 "$log" >&2 && return 1; }
	mkdir -p "$SMTPSERVER_BUILD"
	mv -T "$source/installed" "$old_prefix"
	rm -r "$source"
}

# by VERSION: use the programs of that version from here on, old or new.
by() {
	version=$1
}

# The path of a program of that version, in place of lib/common's.
program() {
	case $version in
	old) printf '%s/sbin/%s\n' "$old_prefix" "$1" ;;
	new) printf '%s/%s/%s\n' "$SMTPSERVER_BUILD" "$1" "$1" ;;
	esac
}

# Whether neither version saw anything in the spool that should not be there.
is_sound() {
	not grep -E 'event=(trouble|set-aside|repaired) ' "$trail"
	[ -z "$(find "$spool/queue/damaged" "$spool/scratch" -type f)" ]
}

# ---- helpers -----------------------------------------------------------------

# in_retry_before ID SECONDS: whether a message is queued for a minute that is
# over by then.
in_retry_before() {
	is_deferred "$1"
	[ "$(place "$1")" -le "$(date -u -d "+$2 sec" +%Y%m%d%H%M)" ]
}

# odd_tls_start ARGUMENT...: the host odd1 with a certificate.
odd_tls_start() {
	local options

	mapfile -t options < <(odd_certificate odd)
	odd_start odd1 "${options[@]}" "$@"
}

# has_all_of FILE...: whether the host odd1 has taken just these messages, with
# nothing but our Received field added.
has_all_of() {
	local file eml

	for file; do
		for eml in "$(odd odd1)"/*.eml; do
			! mta_content "$eml" | cmp -s - "$file" || continue 2
		done
		echo "odd1 has not got $file" >&2
		return 1
	done
	[ "$(odd_count odd1)" -eq $# ]
}

# policies_start: the host with the MTA-STS policy of sts.test, which wants TLS.
policies_start() {
	web=$BATS_TEST_TMPDIR/web
	mkdir -p "$web"
	rm -f "$web/ready"
	{
		printf '200\ntext/plain\n'
		printf '%s\r\n' "version: STSv1" "mode: enforce" \
			"max_age: 86400" "mx: mx.odd.test"
	} >"$web/sts.test"
	start ip netns exec "$network_id-web" \
		"$SMTPSERVER_SOURCE/t/lib/policy-server" \
		"$network_dir/ca/web.pem" "$network_dir/ca/web.key" "$web" \
		2>>"$web/stderr"
	wait_for 10 test -e "$web/ready"
}

# A field of the record of the only unreachable destination, by its number.
unreached() {
	cut -d ' ' -f "$1" "$spool"/unreached/*
}

# The connections that the host odd1 has refused, by the count of its kernel.
refused() {
	network_exec odd1 cat /proc/net/snmp |
		awk '$1 == "Tcp:" && /[0-9]/ { print $15 }'
}

# The token in a message's name.
token() {
	local path

	path=$(echo "$spool"/20*/"$1"_*.eml)
	path=${path%.eml}
	echo "${path##*_}"
}

# metrics: what smtp-health prints of the spool.
metrics() {
	local port

	port=$(free_port)
	start systemd-socket-activate -l "127.0.0.1:$port" \
		-E "SMTP_QUEUE_PATH=$spool" "$(program smtp-health)" \
		>"$BATS_TEST_TMPDIR/health" 2>&1
	wait_for 5 is_listening "$port"
	curl -sS --max-time 20 --noproxy '*' "http://127.0.0.1:$port/metrics"
	stop "$started"
}

# ---- new mail ----------------------------------------------------------------

new_mail() {
	local dir=$BATS_TEST_TMPDIR

	by "$1"
	message plain >"$dir/plain"
	message dots $'.\r\n..\r\n.two\r\n\r\n.' >"$dir/dots"
	message octets $'Gr\xfc\xdfe \x80\xff \x01\x7f' >"$dir/octets"
	message utf8 "Grüße" >"$dir/utf8"
	message empty "" >"$dir/empty"
	{ message large && yes "a line of text"$'\r' | head -n 20000; } \
		>"$dir/large"
	for kind in plain dots empty large; do
		submit sender@home.test "$kind@odd.test" <"$dir/$kind"
	done
	submit "sender@home.test BODY=8BITMIME" octets@odd.test <"$dir/octets"
	submit " SMTPUTF8 BODY=8BITMIME" grün@odd.test <"$dir/utf8"

	by "$2"
	odd_start odd1
	deliver
	is_queue_empty
	has_all_of "$dir"/{plain,dots,octets,utf8,empty,large}
	has_got odd1 "RCPT TO:<grün@odd.test>"
	grep "MAIL FROM:<sender@home.test> .*BODY=8BITMIME" "$(odd odd1)/log"
	grep "MAIL FROM:<> .*SMTPUTF8" "$(odd odd1)/log"
	[ "$(counter 1)" -eq 6 ]
	[ "$(counter 2)" -eq 6 ]
	is_sound
}

@test "upgrade: new mail arrives as it was submitted" {
	new_mail old new
}

@test "way back: new mail arrives as it was submitted" {
	new_mail new old
}

options_of_dsn() {
	by "$1"
	id=$(message dsn | submit "$alice RET=FULL ENVID=QQ+2B31" \
		"bob@odd.test NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bob@odd.test" \
		carol@odd.test "dave@odd.test NOTIFY=NEVER")
	by "$2"
	odd_start odd1 --offer "DSN,PIPELINING"
	deliver
	is_done "$id"
	grep " MAIL FROM:<$alice> RET=FULL ENVID=QQ+2B31$" "$(odd odd1)/log"
	has_got odd1 "RCPT TO:<bob@odd.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bob@odd.test"
	has_got odd1 "RCPT TO:<dave@odd.test> NOTIFY=NEVER"
	grep " RCPT TO:<carol@odd.test>$" "$(odd odd1)/log"
	is_sound
}

@test "upgrade: what the sender asked for with DSN is passed on" {
	options_of_dsn old new
}

@test "way back: what the sender asked for with DSN is passed on" {
	options_of_dsn new old
}

requiretls() {
	by "$1"
	id=$(SMTP_TLS_CERT=$network_dir/ca/session.pem \
		SMTP_TLS_KEY=$network_dir/ca/session.key \
		"$SMTPSERVER_SOURCE/t/lib/submit" --ca "$network_dir/ca/ca.pem" \
		--option REQUIRETLS "$(program smtp-session)" \
		"bob@[$(network_ip4 odd1)]" 2>>"$trail")
	by "$2"
	odd_tls_start --offer "PIPELINING,REQUIRETLS"
	deliver
	is_done "$id"
	told "$id" delivered requiretls=yes
	grep ' MAIL FROM:<.*> .*REQUIRETLS' "$(odd odd1)/log"
	is_sound
}

@test "upgrade: a message with REQUIRETLS keeps it" {
	requiretls old new
}

@test "way back: a message with REQUIRETLS keeps it" {
	requiretls new old
}

# of_a_user: submit a message over a socket, whose user the new version records.
of_a_user() {
	"$SMTPSERVER_SOURCE/t/lib/submit" "$(program smtp-session)" \
		bob@odd.test 2>>"$trail"
}

# The first field of the message that odd1 has taken.
first_field() {
	head -n 1 "$(odd odd1)/1.eml" | cut -d : -f 1
}

@test "upgrade: a message of a user is delivered, and tells nothing of it" {
	by old
	id=$(of_a_user)
	by new
	odd_start odd1
	deliver
	is_done "$id"
	not grep -q X-Smtpserver "$(odd odd1)/1.eml"
	is_sound

	id=$(of_a_user)
	deliver
	is_done "$id"
	not grep -q X-Smtpserver "$(odd odd1)/2.eml"
	told "$id" delivered " uid=$(id -u)"
	is_sound
}

# The old version takes the note for a field of the message.
@test "way back: a message of a user is delivered, with its note" {
	by new
	id=$(of_a_user)
	by old
	odd_start odd1
	deliver
	is_done "$id"
	[ "$(first_field)" = X-Smtpserver-Submitter ]
	[ "$(grep -c X-Smtpserver "$(odd odd1)/1.eml")" -eq 1 ]
	is_sound
}

# ---- deferred mail -----------------------------------------------------------

deferred_mail() {
	by "$1"
	odd_start odd1 "rcpt:<two@=450 4.2.0 come again"
	message two >"$BATS_TEST_TMPDIR/two"
	id=$(submit "$alice" one@odd.test two@odd.test <"$BATS_TEST_TMPDIR/two")
	deliver
	told "$id" delivered attempt=1
	told "$id" deferred attempt=1
	in_retry_before "$id" 150

	# Its minute is respected, attempts keep counting, the delay grows.
	by "$2"
	deliver
	not told "$id" deferred attempt=2
	ahead=150 deliver
	told "$id" deferred attempt=2
	not in_retry_before "$id" 200
	in_retry_before "$id" 400

	# Once more by the first version.
	by "$1"
	ahead=400 deliver
	told "$id" deferred attempt=3
	[ "$(saw odd1 "RCPT TO:<one@")" -eq 1 ]
	stop_started

	by "$2"
	odd_start odd1
	ahead=1000 deliver
	is_done "$id"
	told "$id" delivered attempt=4
	not has_got odd1 "RCPT TO:<one@"
	has_all_of "$BATS_TEST_TMPDIR/two"
	[ "$(counter 2)" -eq 2 ]
	is_sound
}

@test "upgrade: a deferred message goes on, and nobody gets it twice" {
	deferred_mail old new
}

@test "way back: a deferred message goes on, and nobody gets it twice" {
	deferred_mail new old
}

given_up() {
	by "$1"
	odd_start odd1 "rcpt=450 4.2.0 come again"
	odd_start odd2
	id=$(message late | submit "$alice" bob@odd.test)
	for hours in 0 5 8; do
		ahead=$((hours * 3600)) deliver
	done
	[ "$(grep -c "message=$id event=notice" "$trail")" -eq 1 ]

	# Its sender gets no second notice of the delay, but one of the failure.
	by "$2"
	for hours in 12 16 20 24; do
		ahead=$((hours * 3600)) deliver
	done
	told "$id" deferred attempt=7
	[ "$(grep -c "message=$id event=notice" "$trail")" -eq 1 ]
	ahead=$((5 * 86400 + 60)) deliver
	was_returned "$id"
	[ "$(grep -c "message=$id event=notice" "$trail")" -eq 2 ]
	[ "$(odd_count odd2)" -eq 2 ]
	grep -q "^Action: failed" "$(odd odd2)/2.eml"
	is_sound
}

@test "upgrade: the age of a message and the notice of its delay are known" {
	given_up old new
}

@test "way back: the age of a message and the notice of its delay are known" {
	given_up new old
}

# ---- failed mail -------------------------------------------------------------

notice_in_queue() {
	by "$1"
	odd_start odd1 "rcpt:<one@=550 5.1.1 nobody here" \
		"rcpt:<two@=450 4.2.0 come again"
	odd_start odd2 "mail=451 4.3.0 not now"
	id=$(message | submit "$alice" one@odd.test two@odd.test)
	deliver
	told "$id" notice
	[ "$(odd_count odd2)" -eq 0 ]
	stop_started

	by "$2"
	odd_start odd1
	odd_start odd2
	ahead=200 deliver
	is_queue_empty
	not has_got odd1 "RCPT TO:<one@"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(odd_count odd2)" -eq 1 ]
	grep -q "^Final-Recipient: rfc822; one@odd.test" "$(odd odd2)/1.eml"
	[ "$(grep -c event=notice "$trail")" -eq 1 ]
	is_sound
}

@test "upgrade: a queued notice is delivered, and the sender gets one" {
	notice_in_queue old new
}

@test "way back: a queued notice is delivered, and the sender gets one" {
	notice_in_queue new old
}

failed_mail() {
	local kept=$BATS_TEST_TMPDIR/kept

	by "$1"
	odd_start odd1 "rcpt=550 5.1.1 nobody here"
	id=$(message | submit "" bob@odd.test)
	never=$(message | submit "$alice" "bob@odd.test NOTIFY=NEVER")
	deliver
	has_failed "$id"
	has_failed "$never"
	cp -r "$spool/queue" "$kept"
	stop_started

	# It stays as it is until it is queued again by hand.
	by "$2"
	odd_start odd1
	ahead=$((6 * 86400)) deliver
	diff -r "$kept/failed" "$spool/queue/failed"
	diff -r "$kept/attempts" "$spool/queue/attempts"
	[ "$(counter 3)" -eq 2 ]
	rm "$spool/queue/attempts/$id"
	mv "$spool/queue/failed/$id" "$spool/queue/new/"
	deliver
	is_done "$id"
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(place "$never")" = failed ]
	is_sound
}

@test "upgrade: failed mail is kept, and can be tried again" {
	failed_mail old new
}

@test "way back: failed mail is kept, and can be tried again" {
	failed_mail new old
}

# ---- records of destinations -------------------------------------------------

unreachable_destination() {
	local before

	by "$1"
	before=$(refused odd1)
	send one@odd.test >&2
	deliver
	[ "$(unreached 3)" -eq 1 ]
	[ $(($(refused odd1) - before)) -eq 1 ]

	# New mail waits with it, until the destination is due.
	by "$2"
	id=$(send two@odd.test)
	deliver
	told "$id" deferred "Connection refused"
	[ $(($(refused odd1) - before)) -eq 1 ]
	ahead=240 deliver
	[ $(($(refused odd1) - before)) -eq 2 ]
	[ "$(unreached 3)" -eq 2 ]

	by "$1"
	ahead=250 deliver
	[ $(($(refused odd1) - before)) -eq 2 ]

	by "$2"
	odd_start odd1
	ahead=1000 deliver
	is_queue_empty
	[ "$(odd_count odd1)" -eq 2 ]
	[ -z "$(find "$spool/unreached" -type f)" ]
	is_sound
}

@test "upgrade: an unreachable destination is not tried until it is due" {
	unreachable_destination old new
}

@test "way back: an unreachable destination is not tried until it is due" {
	unreachable_destination new old
}

kept_policy() {
	by "$1"
	policies_start
	odd_tls_start
	id=$(send one@sts.test)
	deliver
	told "$id" delivered policy=sts
	[ "$(wc -l <"$web/log")" -eq 1 ]

	by "$2"
	id=$(send two@sts.test)
	deliver
	told "$id" delivered policy=sts
	[ "$(wc -l <"$web/log")" -eq 1 ]
	stop_started

	# The policy's host is down; its cached policy applies.
	odd_start odd1
	id=$(send three@sts.test)
	deliver
	told "$id" deferred policy=sts
	[ "$(odd_count odd1)" -eq 0 ]
	is_sound
}

@test "upgrade: an MTA-STS policy is kept, and not fetched again" {
	kept_policy old new
}

@test "way back: an MTA-STS policy is kept, and not fetched again" {
	kept_policy new old
}

# ---- the key and the counters ------------------------------------------------

key_and_counters() {
	by "$1"
	first=$(send bob@odd.test)
	odd_start odd1 "rcpt:<nobody@=550 5.1.1 nobody here"
	message | submit "" nobody@odd.test >&2
	deliver
	cp "$spool/key" "$BATS_TEST_TMPDIR/key"

	by "$2"
	second=$(send bob@odd.test)
	[[ $(token "$first") =~ ^[0-9a-f]{32}$ ]]
	[ "$(token "$first")" = "$(token "$second")" ]
	told "$first" delivered "recipient=$(token "$first")"
	deliver
	told "$second" delivered "recipient=$(token "$first")"
	cmp "$spool/key" "$BATS_TEST_TMPDIR/key"
	metrics >"$BATS_TEST_TMPDIR/metrics"
	python3 - "$BATS_TEST_TMPDIR/metrics" <<-'END'
		import json, sys
		metrics = json.load(open(sys.argv[1]))
		names = ["smtp_messages_queued_total",
		         "smtp_messages_delivered_total",
		         "smtp_delivery_failures_total"]
		found = [metrics[name] for name in names]
		assert found == [3, 2, 1], found
	END
	is_sound
}

@test "upgrade: recipients have the same tokens, and counters count on" {
	key_and_counters old new
}

@test "way back: recipients have the same tokens, and counters count on" {
	key_and_counters new old
}
