# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # the files that are loaded before set more variables
#
# mail.bash - mail is handed in, a run delivers it, and one looks what became of
# it: load lib/mail, after lib/common and lib/network
#
# Messages go into $spool by smtp-session; smtp-deliver runs on a host of the
# network that is called "sender", which the file that loads this has to add.
# What both say on their way is appended to $trail.
#
#	@test "what it is that holds" {
#		odd_start odd1 "rcpt=451 4.2.1 later"
#		id=$(send bob@odd.test)
#		deliver
#		is_deferred "$id"
#		told "$id" deferred status=4.2.1
#	}
#
# setup() and teardown() are here. A file with more to do in them has its own,
# which call mail_setup and mail_teardown.

mail_setup() {
	need_root
	trail=$BATS_TEST_TMPDIR/trail
	: >"$trail"
	export SMTP_HOSTNAME=sender.hosts.test SMTP_REMOTE_TIMEOUT=10
	export SMTP_TLS_CA_FILE=$network_dir/ca/ca.pem
}

# What was said is shown for a test that has failed.
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

# ---- in ----------------------------------------------------------------------

# message [SUBJECT [BODY]]: a message as a client hands it in.
message() {
	printf '%s\r\n' "Subject: ${1:-test}" \
		"Date: Sun, 22 Nov 2026 12:00:00 +0000" \
		"Message-ID: <${1:-test}.$BATS_TEST_NUMBER@client.test>" \
		"" "${2:-text}"
}

# submit SENDER RECIPIENT...: hand in the message on stdin; prints its id. Each
# is an address, "" for the null sender, with parameters behind a space:
# "bob@odd.test NOTIFY=NEVER".
submit() {
	local sender=$1 recipient

	shift
	{
		printf 'MAIL FROM:<%s>%s\r\n' "${sender%% *}" \
			"${sender#"${sender%% *}"}"
		for recipient; do
			printf 'RCPT TO:<%s>%s\r\n' "${recipient%% *}" \
				"${recipient#"${recipient%% *}"}"
		done
		printf 'DATA\r\n'
		LC_ALL=C sed 's/^\./../'
		printf '.\r\n'
	} | mail_hand_in 1
}

# send RECIPIENT...: hand in some message; prints its id.
send() {
	message test | submit sender@client.test "$@"
}

# send_many NUMBER SENDER RECIPIENT...: hand in so many messages over one
# connection; their subjects are number-1 and so on. Prints their ids.
send_many() {
	local most=$1 sender=$2 i

	shift 2
	for ((i = 1; i <= most; i++)); do
		printf 'MAIL FROM:<%s>\r\n' "$sender"
		printf 'RCPT TO:<%s>\r\n' "$@"
		printf 'DATA\r\nSubject: number-%s\r\n\r\ntext\r\n.\r\n' "$i"
	done | mail_hand_in "$most"
}

# mail_hand_in NUMBER: hold the dialogue on stdin, between EHLO and QUIT; prints
# the ids of so many messages. If there are not that many: the replies.
mail_hand_in() {
	local replies=$BATS_TEST_TMPDIR/replies ids=$BATS_TEST_TMPDIR/ids

	{ printf 'EHLO client.test\r\n' && cat && printf 'QUIT\r\n'; } |
		"$(program smtp-session)" 2>&1 >"$replies" | tee -a "$trail" |
		sed -n 's/.*message=\([0-9a-f]*\) event=message-accepted.*/\1/p' \
			>"$ids"
	[ "$(wc -l <"$ids")" -eq "$1" ] || { cat "$replies" >&2 && return 1; }
	cat "$ids"
}

# ---- out ---------------------------------------------------------------------

# Build what $ahead needs; for setup_file().
clock_build() {
	need cc || return
	cc -shared -fPIC -o "$network_dir/clock.so" \
		"$SMTPSERVER_SOURCE/t/lib/clock.c"
	chmod a+r "$network_dir/clock.so"
}

# One run of smtp-deliver. $ahead: so many seconds from now; see clock_build.
deliver() {
	network_exec sender env ${ahead:+CLOCK_AHEAD="$ahead"} \
		${ahead:+LD_PRELOAD="$network_dir/clock.so"} \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		timeout 60 "$(program smtp-deliver)" 2>>"$trail"
}

# Have a message tried again now, as smtp-deliver(8) says.
make_due() {
	mv "$spool/queue/retry/$(place "$1")/$1" "$spool/queue/new/"
}

# As if no destination had been found unreachable.
forget_unreached() {
	rm -f "$spool"/unreached/*
}

# ---- what became of a message ------------------------------------------------

# told ID EVENT [TEXT]: whether the trail has that event of the message.
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

# Whether it left the queue, and nothing of it stays there.
is_done() {
	[ "$(place "$1")" = "" ] && [ ! -e "$spool/queue/attempts/$1" ]
}

# Whether it waits for another attempt.
is_deferred() {
	[[ $(place "$1") =~ ^[0-9]{12}$ ]]
}

# Whether it is kept, for its sender cannot be told that it has failed.
has_failed() {
	[ "$(place "$1")" = failed ]
}

# Whether it has failed, and its sender has a notice of it.
was_returned() {
	is_done "$1" && told "$1" notice &&
		told "$1" message-done 'reason="returned to the sender"'
}

# Whether nothing is queued, has failed or was set aside.
is_queue_empty() {
	[ -z "$(find "$spool/queue" -mindepth 2 -type f)" ]
}

# stored ID: the stored message, without our envelope block.
stored() {
	LC_ALL=C sed '1,/^X-Smtpserver-Content: /d' "$spool"/20*/"$1"_*.eml
}

# counter NUMBER: the counter with this number in lib/counters.h, from 1.
counter() {
	od -An -td8 -w8 -v "$spool/counters" | sed -n "$1p" | tr -d ' '
}

# ---- processes ---------------------------------------------------------------

# has_in_memory PID FILE: whether a process has those octets where it can write.
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

# child_of PID: its only child, when it has one.
child_of() {
	wait_for 10 pgrep -P "$1" >/dev/null
	[ "$(pgrep -cP "$1")" -eq 1 ]
	pgrep -P "$1"
}

# ---- what a host of odd_start saw --------------------------------------------

# saw HOST TEXT: how many lines of its log begin with the text.
saw() {
	cut -d ' ' -f 2- "$(odd "$1")/log" | text=$2 awk '
		index($0, ENVIRON["text"]) == 1 { found++ }
		END { print found + 0 }'
}

# has_got HOST TEXT [NUMBER]: whether one does, or so many at least.
has_got() {
	[ "$(saw "$1" "$2")" -ge "${3:-1}" ]
}

# Whether it has taken so many messages of send_many, each once.
has_all() {
	[ "$(odd_count "$1")" -eq "$2" ] &&
		[ "$(find "$(odd "$1")" -name '*.eml' \
			-exec grep -h ^Subject: {} + | sort -u | wc -l)" -eq "$2" ]
}
