# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # the files loaded before set more variables
#
# mail.bash - submit mail, deliver it, and check the outcome: load lib/mail,
# after lib/common
#
# smtp-session puts messages into $spool. smtp-deliver runs on the host "sender"
# of a network that lib/network, which is loaded before this, has started, and
# on this host if there is no network. The log of both is appended to $trail.
#
#	@test "a recipient that gets 4yz waits" {
#		odd_start odd1 "rcpt=451 4.2.1 later"
#		id=$(send bob@odd.test)
#		deliver
#		is_deferred "$id"
#		told "$id" deferred status=4.2.1
#	}
#
# setup() and teardown() are here. A file that needs more defines its own, which
# call mail_setup and mail_teardown. t/source.bats checks that no file redefines
# other functions of lib.

mail_setup() {
	need_root
	trail=$BATS_TEST_TMPDIR/trail
	: >"$trail"
	export SMTP_HOSTNAME=sender.hosts.test SMTP_REMOTE_TIMEOUT=10
	[ -z "${network_dir:-}" ] ||
		export SMTP_TLS_CA_FILE=$network_dir/ca/ca.pem
}

# Show the logs, for a test that has failed.
mail_teardown() {
	stop_started
	cat "$trail" >&2
	tail -n 50 "$BATS_TEST_TMPDIR"/odd*/log >&2 2>/dev/null || :
}

setup() {
	mail_setup
}

teardown() {
	mail_teardown
}

wrapper=()

# run_under [COMMAND...]: run the programs under a command, such as strace, from
# now on; without arguments, run them directly.
run_under() {
	wrapper=("$@")
}

# ---- submission --------------------------------------------------------------

# message [SUBJECT [BODY]]: a message as a client sends it.
message() {
	printf '%s\r\n' "From: sender@client.test" "Subject: ${1:-test}" \
		"Date: Sun, 22 Nov 2026 12:00:00 +0000" \
		"Message-ID: <${1:-test}.$BATS_TEST_NUMBER@client.test>" \
		"" "${2:-text}"
}

# transaction SENDER RECIPIENT...: MAIL, RCPT, DATA, the message on stdin. Each
# argument is an address, "" for the null sender, and may have parameters after
# a space: "bob@odd.test NOTIFY=NEVER".
transaction() {
	local sender=$1 recipient

	shift
	printf 'MAIL FROM:<%s>%s\r\n' "${sender%% *}" \
		"${sender#"${sender%% *}"}"
	for recipient; do
		printf 'RCPT TO:<%s>%s\r\n' "${recipient%% *}" \
			"${recipient#"${recipient%% *}"}"
	done
	printf 'DATA\r\n'
	LC_ALL=C sed 's/^\./../'
	printf '.\r\n'
}

# hold_session: one session: EHLO, the commands on stdin, QUIT. Prints the
# replies; the log goes to stderr.
hold_session() {
	{ printf 'EHLO client.test\r\n' && cat && printf 'QUIT\r\n'; } |
		"${wrapper[@]}" "$(program smtp-session)"
}

# accepted_ids NUMBER: hold a session; prints the ids of accepted messages.
# Fails and shows the replies if that is not their number.
accepted_ids() {
	local replies=$BATS_TEST_TMPDIR/replies ids=$BATS_TEST_TMPDIR/ids

	hold_session 2>&1 >"$replies" | tee -a "$trail" |
		sed -n 's/.*message=\([0-9a-f]*\) event=message-accepted.*/\1/p' \
			>"$ids"
	[ "$(wc -l <"$ids")" -eq "$1" ] || { cat "$replies" >&2 && return 1; }
	cat "$ids"
}

# submit SENDER RECIPIENT...: submit the message on stdin; prints its id. For
# the arguments see transaction.
submit() {
	transaction "$@" | accepted_ids 1
}

# send_from SENDER RECIPIENT...: submit some message; prints its id.
send_from() {
	message test | submit "$@"
}

# send RECIPIENT...: submit some message; prints its id.
send() {
	send_from sender@client.test "$@"
}

# send_many NUMBER SENDER RECIPIENT...: submit that number of messages over one
# connection; their subjects are number-1 and so on. Prints their ids.
send_many() {
	local most=$1 sender=$2 i

	shift 2
	for ((i = 1; i <= most; i++)); do
		printf 'MAIL FROM:<%s>\r\n' "$sender"
		printf 'RCPT TO:<%s>\r\n' "$@"
		printf 'DATA\r\nSubject: number-%s\r\n\r\ntext\r\n.\r\n' "$i"
	done | accepted_ids "$most"
}

# ---- delivery ----------------------------------------------------------------

# The library that $ahead needs; see clock_build.
clock=$BATS_FILE_TMPDIR/clock.so

# clock_build: build it, in setup_file().
clock_build() {
	need cc || return
	cc -shared -fPIC -o "$clock" "$SMTPSERVER_SOURCE/t/lib/clock.c"
	chmod a+r "$clock"
}

# deliver [NAME=VALUE...]: one run of smtp-deliver, with these variables. $ahead
# sets its clock forward by that number of seconds; $limit_sec, 60 if unset, is
# its time limit.
deliver() {
	run_at_sender env ${ahead:+CLOCK_AHEAD="$ahead"} \
		${ahead:+LD_PRELOAD="$clock"} \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" "$@" \
		timeout "${limit_sec:-60}" "${wrapper[@]}" \
		"$(program smtp-deliver)" 2>>"$trail"
}

# deliver_start [OPTION...]: start a run in the background, until the test ends;
# its process is $started. $ahead is as for deliver.
deliver_start() {
	local at=()

	[ -z "${network_id:-}" ] || at=(ip netns exec "$network_id-sender")
	start "${at[@]}" env ${ahead:+CLOCK_AHEAD="$ahead"} \
		${ahead:+LD_PRELOAD="$clock"} \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		"${wrapper[@]}" "$(program smtp-deliver)" "$@" 2>>"$trail"
}

# deliver_by RELAYHOST: one run with that relay.
deliver_by() {
	deliver SMTP_RELAYHOST="$1"
}

# run_at_sender COMMAND...: run a command on the host that sends.
run_at_sender() {
	if [ -n "${network_id:-}" ]; then
		network_exec sender "$@"
	else
		"$@"
	fi
}

# make_due ID: make a message due now, as smtp-deliver(8) says.
make_due() {
	mv "$spool/queue/retry/$(place "$1")/$1" "$spool/queue/new/"
}

# Forget which destinations are unreachable.
forget_unreached() {
	rm -f "$spool"/unreached/*
}

# ---- the outcome of a message ------------------------------------------------

# told ID EVENT [TEXT]: whether the audit trail has that event of the message,
# with that text.
told() {
	grep -F -- "message=$1 event=$2 " "$trail" | grep -qF -- "${3:-}"
}

# place ID: where it is queued: new, a minute, failed, damaged or nowhere.
place() {
	local path

	path=$(find "$spool/queue" -name "$1" -type f ! -path '*/attempts/*')
	path=${path%/*}
	echo "${path##*/}"
}

# is_done ID: whether nothing of a message is left in the queue.
is_done() {
	[ "$(place "$1")" = "" ] && [ ! -e "$spool/queue/attempts/$1" ]
}

# is_deferred ID: whether it waits for another attempt.
is_deferred() {
	[[ $(place "$1") =~ ^[0-9]{12}$ ]]
}

# has_failed ID: whether it is kept as failed, because there is no notice.
has_failed() {
	[ "$(place "$1")" = failed ]
}

# was_returned ID: whether it has failed, and its sender got a notice.
was_returned() {
	is_done "$1" && told "$1" notice &&
		told "$1" message-done 'reason="returned to the sender"'
}

# Whether nothing is queued, failed, set aside or in scratch.
is_queue_empty() {
	local left

	left=$(find "$spool"/queue/*/ "$spool/scratch" -type f)
	[ -z "$left" ] || {
		printf 'left: %s\n' "$left"
		return 1
	}
}

# stored ID: the stored message, without our envelope block and its notes.
stored() {
	LC_ALL=C sed -e '1,/^X-Smtpserver-Content: /d' \
		-e '/^Received: /,$!d' "$spool"/20*/"$1"_*.eml
}

# counter NUMBER: the counter with this number in lib/counters.h, from 1.
counter() {
	od -An -td8 -w8 -v "$spool/counters" | sed -n "$1p" | tr -d ' '
}

# ---- processes ---------------------------------------------------------------

# has_in_memory PID FILE: whether writable memory of a process contains the
# octets of a file.
has_in_memory() {
	python3 - "$1" "$2" <<-'END'
		import sys
		pid, octets = sys.argv[1], open(sys.argv[2], "rb").read()
		found = False
		with open(f"/proc/{pid}/mem", "rb") as memory:
		    for line in open(f"/proc/{pid}/maps"):
		        where, mode = line.split()[:2]
		        begin, end = (int(n, 16) for n in where.split("-"))
		        if mode.startswith("rw"):
		            memory.seek(begin)
		            found = found or octets in memory.read(end - begin)
		sys.exit(not found)
	END
}

# child_of PID: wait for its child, which must be the only one, and print its
# id.
child_of() {
	wait_for 10 pgrep -P "$1" >/dev/null
	[ "$(pgrep -cP "$1")" -eq 1 ]
	pgrep -P "$1"
}

# ---- hosts that take mail ----------------------------------------------------

# host_start [STEP=ACTION]...: t/lib/misbehave on $SMTP_REMOTE_PORT of this
# host, until the test ends; its directory is $BATS_TEST_TMPDIR/host.
host_start() {
	local dir=$BATS_TEST_TMPDIR/host

	mkdir "$dir"
	start "$SMTPSERVER_SOURCE/t/lib/misbehave" --port "$SMTP_REMOTE_PORT" \
		"$dir" "$@"
	wait_for 10 test -e "$dir/ready"
}

# ---- logs of hosts of odd_start ----------------------------------------------

# saw HOST TEXT: how many lines of the host's log begin with the text.
saw() {
	cut -d ' ' -f 2- "$(odd "$1")/log" | text=$2 awk '
		index($0, ENVIRON["text"]) == 1 { found++ }
		END { print found + 0 }'
}

# has_got HOST TEXT [NUMBER]: whether at least that many lines, or one, begin
# with the text.
has_got() {
	[ "$(saw "$1" "$2")" -ge "${3:-1}" ]
}

# has_all HOST NUMBER: whether it has taken that many messages of send_many,
# each once.
has_all() {
	[ "$(odd_count "$1")" -eq "$2" ] &&
		[ "$(find "$(odd "$1")" -name '*.eml' \
			-exec grep -h ^Subject: {} + | sort -u | wc -l)" -eq "$2" ]
}
