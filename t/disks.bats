#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
#
# disks.bats - spools on disks that are full, unusual, read-only or gone; clocks
# that jump; long queues.

load lib/common
load lib/mail

setup_file() {
	need_root
	need mount smtp-sink
	clock_build
}

setup() {
	mail_setup
	disk=$BATS_TEST_TMPDIR/disk
	spool=$disk/spool
	taken=$BATS_TEST_TMPDIR/taken
	mkdir "$disk" "$taken"
	export SMTP_QUEUE_PATH=$spool SMTP_HOSTNAME=here.test
	# Clocks jump here, and the senders have no hosts.
	export SMTP_DELAY_NOTICE=0
	SMTP_REMOTE_PORT=$(free_port)
	export SMTP_REMOTE_PORT
	somebody='rcpt@[127.0.0.1]'
	loops=()
}

teardown() {
	hang_up
	mail_teardown
	# Unmount the last one first.
	awk -v below="$BATS_TEST_TMPDIR/" \
		'index($2, below) == 1 { print $2 }' /proc/self/mounts | tac |
		xargs --no-run-if-empty umount --lazy
	for loop in "${loops[@]}"; do
		losetup --detach "$loop" || :
	done
}

# ---- disks -------------------------------------------------------------------

# free_bytes: the free space on the disk.
free_bytes() {
	echo $(($(stat --file-system --format='%a * %S' "$disk")))
}

# fill LEAVE: leave at most that many octets free. empty undoes it.
fill() {
	head -c $(($(free_bytes) - $1)) /dev/zero >"$disk/ballast"
}

empty() {
	rm -rf "$disk/ballast"
}

# Leave at most that many free inodes.
fill_files() {
	mkdir "$disk/ballast"
	for ((left = $(stat --file-system --format=%d "$disk") - $1; left > 0; \
		left--)); do
		: >"$disk/ballast/$left"
	done
}

# ---- a client ----------------------------------------------------------------

# call [COMMAND...]: begin a session, by default with smtp-session; say LINE
# leaves the last line of its reply in $reply.
call() {
	local command=("$@")

	[ $# -gt 0 ] || command=("$(program smtp-session)")
	coproc session { exec "${command[@]}" 2>>"$trail" 3>&-; }
	exec {to}>&"${session[1]}" {from}<&"${session[0]}"
	eval "exec ${session[1]}>&- ${session[0]}<&-"
	caller=$session_PID
	listen
}

listen() {
	reply="nothing"
	while IFS=$'\r' read -r -t 20 -u "$from" reply; do
		if [[ $reply != ???-* ]]; then
			return 0
		fi
	done
	return 1
}

say() {
	printf '%s\r\n' "$@" >&"$to"
	listen
}

hang_up() {
	[ -n "${caller:-}" ] || return 0
	exec {to}>&- {from}<&-
	wait "$caller" || :
	caller=
}

# Send commands up to DATA or to the first refusal.
begin_message() {
	local line

	for line in "EHLO client.test" "MAIL FROM:<sender@client.test>" \
		"RCPT TO:<$somebody>" "DATA"; do
		say "$line" || return
		[[ $reply == [23]* ]] || return 0
	done
}

# filler SIZE: print a body of at least that many octets.
filler() {
	{ head -c "$1" /dev/zero | tr '\0' x | fold -w 76 && echo; } |
		sed 's/$/\r/'
}

# Send the content, of at least that many octets.
end_message() {
	printf 'Subject: %s\r\n\r\n' "${2:-hello}" >&"$to"
	filler "${1:-100}" >&"$to"
	say "."
}

# is_refused REPLY: whether a new session refuses a message with that reply.
is_refused() {
	call
	begin_message
	[[ $reply != 354* ]] || end_message
	hang_up
	[[ $reply == "$1 "* ]] || {
		printf 'the reply is: %s\n' "$reply"
		return 1
	}
}

# ---- delivery ----------------------------------------------------------------

# Start a host that takes all mail, a file for each message.
start_sink() {
	start smtp-sink -u root -D "$taken/%M." \
		"127.0.0.1:$SMTP_REMOTE_PORT" 100 >>"$trail" 2>&1
	wait_for 5 is_listening "$SMTP_REMOTE_PORT"
}

# Every message was delivered once, and nothing is left.
is_delivered() {
	count_taken "$1"
	is_queue_empty
}

count_taken() {
	local count

	count=$(find "$taken" -type f -exec cat {} + | grep -c '^Subject: ' || :)
	[ "$count" -eq "$1" ] || {
		printf '%s were taken\n' "$count"
		return 1
	}
}

# ---- health ------------------------------------------------------------------

start_health() {
	need curl systemd-socket-activate
	health_port=$(free_port)
	start systemd-socket-activate --listen="127.0.0.1:$health_port" \
		-E "SMTP_QUEUE_PATH=$spool" "$(program smtp-health)" --stay \
		>>"$trail" 2>&1
	wait_for 5 is_listening "$health_port"
}

# is_healthy [TEXT]: whether /healthz is OK or, with a text, unhealthy for a
# reason that contains it.
is_healthy() {
	local status

	status=$(curl --silent --show-error --max-time 20 --noproxy '*' \
		--output "$BATS_TEST_TMPDIR/body" --write-out '%{http_code}' \
		"http://127.0.0.1:$health_port/healthz")
	cat "$BATS_TEST_TMPDIR/body"
	if [ $# -eq 0 ]; then
		[ "$status" -eq 200 ]
	else
		[ "$status" -eq 503 ] && grep -q "$1" "$BATS_TEST_TMPDIR/body"
	fi
}

# ---- full --------------------------------------------------------------------

@test "a disk that fills up refuses mail with 452 4.3.1 until there is room" {
	mount -t tmpfs -o size=40m tmpfs "$disk"
	start_sink
	start_health
	send "$somebody" >/dev/null
	is_healthy

	fill 1000000
	is_refused "452 4.3.1"
	is_healthy "No space left on device"
	# Queued mail is delivered meanwhile.
	deliver
	is_delivered 1

	empty
	send "$somebody" >/dev/null
	is_healthy
	deliver
	is_delivered 2
}

@test "a disk that fills up during a message refuses it with 452 4.3.1" {
	mount -t tmpfs -o size=40m tmpfs "$disk"
	start_sink
	call
	begin_message
	fill 100000
	end_message 1000000
	[[ $reply == "452 4.3.1 "* ]]
	[ -z "$(find "$spool" -name '*.eml')" ]
	is_queue_empty

	# The same session goes on once there is room.
	empty
	begin_message
	end_message 1000000
	[[ $reply == 250* ]]
	hang_up
	deliver
	is_delivered 1
}

@test "a message of a size not announced leaves SMTP_FREE_SPACE free" {
	mount -t tmpfs -o size=40m tmpfs "$disk"
	SMTP_FREE_SPACE=37 call
	begin_message
	end_message 5000000
	[[ $reply == "452 4.3.1 "* ]]
	hang_up
	[ -z "$(find "$spool" -name '*.eml')" ]
	is_queue_empty
	call
	begin_message
	end_message 5000000
	[[ $reply == 250* ]]
	hang_up
}

@test "a session on a full disk answers, and leaves nothing" {
	mount -t tmpfs -o size=40m tmpfs "$disk"
	call
	begin_message
	fill 0
	end_message
	[[ $reply == "452 4.3.1 "* ]]
	hang_up
	[ -z "$(find "$spool" -name '*.eml')" ]
	is_queue_empty
	is_refused "452 4.3.1"
	empty
	send "$somebody" >/dev/null
}

@test "a full disk without a spool refuses mail with 452 4.3.1, too" {
	mount -t tmpfs -o size=40m tmpfs "$disk"
	fill 0
	is_refused "452 4.3.1"
	empty
	send "$somebody" >/dev/null
}

@test "a deferral on a full disk loses nothing and sends nothing twice" {
	mount -t tmpfs -o size=40m tmpfs "$disk"
	start_sink
	# One host takes the message, the other has no listener.
	call
	say "EHLO client.test"
	say "MAIL FROM:<sender@client.test>"
	say "RCPT TO:<one@[127.0.0.1]>"
	say "RCPT TO:<two@[127.0.0.2]>"
	say "DATA"
	end_message
	[[ $reply == 250* ]]
	hang_up
	fill 0
	deliver_start
	pid=$started
	wait_for 10 grep -q "event=deferred" "$trail"
	empty
	wait_for 20 is_gone "$pid"
	ahead=7200 deliver
	ahead=14400 deliver
	count_taken 1
	[ "$(find "$spool/queue/retry" -type f | wc -l)" -eq 1 ]
}

@test "without free inodes mail is refused with 452 4.3.1" {
	mount -t tmpfs -o size=40m,nr_inodes=300 tmpfs "$disk"
	start_sink
	start_health
	send "$somebody" >/dev/null
	fill_files 10
	is_refused "452 4.3.1"
	is_healthy "No space left on device"
	deliver
	is_delivered 1
	empty
	send "$somebody" >/dev/null
	is_healthy
	deliver
	is_delivered 2
}

@test "inodes that run out during a message refuse it with 452 4.3.1" {
	mount -t tmpfs -o size=40m,nr_inodes=300 tmpfs "$disk"
	call
	say "EHLO client.test"
	say "MAIL FROM:<sender@client.test>"
	say "RCPT TO:<rcpt@[127.0.0.1]>"
	fill_files 0
	say "DATA"
	[[ $reply == "452 4.3.1 "* ]]
	hang_up
	[ -z "$(find "$spool" -name '*.eml')" ]
	empty
	send "$somebody" >/dev/null
}

# ---- read-only, gone ---------------------------------------------------------

# An ext4 that becomes read-only at the first error, as is usual.
mount_ext4() {
	need losetup mkfs.ext4 e2fsck
	truncate -s 64M "$BATS_TEST_TMPDIR/image"
	mkfs.ext4 -q "$BATS_TEST_TMPDIR/image"
	loop=$(losetup --find --show "$BATS_TEST_TMPDIR/image")
	loops+=("$loop")
	mount -o errors=remount-ro "$loop" "$disk"
}

break_disk() {
	echo 1 >"/sys/fs/ext4/${loop##*/}/trigger_fs_error"
	wait_for 5 is_read_only
}

is_read_only() {
	! (: >"$disk/written") 2>/dev/null
}

repair_disk() {
	local image=$BATS_TEST_TMPDIR/repaired

	umount "$disk"
	# Another mount namespace may still hold the device.
	cp --sparse=always "$BATS_TEST_TMPDIR/image" "$image"
	e2fsck -p -f "$image" || [ $? -le 1 ]
	loop=$(losetup --find --show "$image")
	loops+=("$loop")
	mount -o errors=remount-ro "$loop" "$disk"
}

@test "a disk that becomes read-only during a message gives 451" {
	mount_ext4
	start_sink
	start_health
	send "$somebody" >/dev/null
	is_healthy
	call
	begin_message
	break_disk
	end_message
	[[ $reply == "451 4.3.0 "* ]]
	say "MAIL FROM:<sender@client.test>"
	hang_up
	is_refused "451 4.3.0"
	is_healthy "Read-only file system"
	stop "$started"

	repair_disk
	start_health
	is_healthy
	send "$somebody" >/dev/null
	deliver
	is_delivered 2
}

@test "nothing is sent from a disk that cannot record it" {
	mount_ext4
	start_sink
	send "$somebody" >/dev/null
	break_disk
	# Whether the run gives up or waits, it must not send the message
	# repeatedly.
	for _ in 1 2 3; do
		timeout --kill-after=5 3 "$(program smtp-deliver)" \
			2>>"$trail" || :
	done
	count_taken 0
	repair_disk
	deliver
	is_delivered 1
}

@test "a spool that is removed under a session and --watch is made again" {
	start_sink
	start_health
	send "$somebody" >/dev/null
	deliver
	is_delivered 1
	deliver_start --watch
	call
	begin_message
	rm -r "$spool"
	end_message
	# Otherwise its names are in folders that are no longer reachable.
	[[ $reply == 4* ]]
	hang_up
	send "$somebody" >/dev/null
	is_healthy
	wait_for 10 is_delivered 2
}

@test "mail is refused while the spool's disk is not mounted" {
	mount -t tmpfs -o ro tmpfs "$disk"
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/elsewhere"
	mount --bind "$BATS_TEST_TMPDIR/elsewhere" "$disk"
	start_sink
	start_health
	send "$somebody" >/dev/null
	is_healthy

	umount --lazy "$disk"
	is_refused "451 4.3.0"
	is_healthy "Read-only file system"
	run ! deliver
	count_taken 0

	mount --bind "$BATS_TEST_TMPDIR/elsewhere" "$disk"
	is_healthy
	send "$somebody" >/dev/null
	deliver
	is_delivered 2
}

# ---- unusual file systems ----------------------------------------------------

# Run sessions, a deferral, a retry and a delivery.
work_as_usual() {
	start_health
	for size in 100 200000; do
		{ message && filler "$size"; } |
			submit sender@client.test "$somebody" >/dev/null
	done
	is_healthy
	deliver
	[ "$(find "$spool/queue/retry" -type f | wc -l)" -eq 2 ]
	[ "$(find "$spool/queue/attempts" -type f | wc -l)" -eq 2 ]
	start_sink
	ahead=7200 deliver
	is_delivered 2
	[ "$(find "$spool" -name '*.eml' | wc -l)" -eq 2 ]
	[ -z "$(ls -A "$spool/scratch")" ]
	for path in "$spool/queue" "$spool/scratch" "$spool"/20*; do
		[ "$(stat -c %a "$path")" -eq 700 ]
	done
}

@test "a spool on overlayfs works" {
	mkdir "$BATS_TEST_TMPDIR"/{lower,upper}
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/upper"
	mkdir "$BATS_TEST_TMPDIR"/upper/{upper,work}
	mount -t overlay \
		-o "lowerdir=$BATS_TEST_TMPDIR/lower,upperdir=$BATS_TEST_TMPDIR/upper/upper,workdir=$BATS_TEST_TMPDIR/upper/work" \
		overlay "$disk"
	work_as_usual
}

@test "a spool from a lower layer of overlayfs works" {
	mkdir "$BATS_TEST_TMPDIR"/{lower,upper}
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/upper"
	mkdir "$BATS_TEST_TMPDIR"/upper/{upper,work}
	# An image that was built with mail in its queue.
	mount --bind "$BATS_TEST_TMPDIR/lower" "$disk"
	send "$somebody" >/dev/null
	umount "$disk"
	mount -t overlay \
		-o "lowerdir=$BATS_TEST_TMPDIR/lower,upperdir=$BATS_TEST_TMPDIR/upper/upper,workdir=$BATS_TEST_TMPDIR/upper/work" \
		overlay "$disk"
	start_sink
	send "$somebody" >/dev/null
	deliver
	is_delivered 2
}

@test "a spool on a file system without O_TMPFILE works" {
	need bindfs python3
	mkdir "$BATS_TEST_TMPDIR/below"
	bindfs "$BATS_TEST_TMPDIR/below" "$disk"
	# Otherwise this test shows nothing.
	run ! python3 -c 'import os, sys
os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR)' "$disk"
	work_as_usual
}

@test "a spool on ext4 with fast_commit works" {
	need mkfs.ext4
	truncate -s 128M "$BATS_TEST_TMPDIR/image"
	mkfs.ext4 -q -O fast_commit "$BATS_TEST_TMPDIR/image"
	mount -o loop "$BATS_TEST_TMPDIR/image" "$disk"
	work_as_usual
}

# ---- clocks that jump --------------------------------------------------------

day=86400
year=$((365 * day))

@test "a clock that is set back by a day does not delay mail" {
	send "$somebody" >/dev/null
	deliver
	[ "$(find "$spool/queue/retry" -type f | wc -l)" -eq 1 ]
	send "$somebody" >/dev/null
	start_sink
	# The new message is tried at once; the other by the new clock, at most
	# one maximum retry interval later.
	ahead=-$day deliver
	ahead=$((82 * 60 - day)) deliver
	is_delivered 2
}

@test "a clock that was a year ahead for a while does not delay mail" {
	send "$somebody" >/dev/null
	ahead=$year deliver
	start_sink
	deliver
	ahead=$((82 * 60)) deliver
	is_delivered 1
}

@test "a clock that jumps a year ahead still tries what is queued" {
	send "$somebody" >/dev/null
	deliver
	send "$somebody" >/dev/null
	start_sink
	ahead=$year deliver
	is_delivered 2
}

@test "a clock that jumps a year ahead does not give up on mail at once" {
	id=$(send "$somebody")
	deliver
	ahead=$year deliver
	[ ! -e "$spool/queue/failed/$id" ]
	start_sink
	ahead=$((year + 7200)) deliver
	is_delivered 1
}

@test "sessions go on while the clock jumps" {
	start_sink
	for ahead in 0 -$day $year; do
		call env CLOCK_AHEAD="$ahead" ASAN_OPTIONS=verify_asan_link_order=0 \
			LD_PRELOAD="$clock" \
			"$(program smtp-session)"
		begin_message
		end_message
		[[ $reply == 250* ]]
		hang_up
	done
	deliver
	is_delivered 3
	start_health
	is_healthy
}

# ---- long queues -------------------------------------------------------------

# Queue that many messages, over one connection.
queue_many() {
	python3 -c 'import sys
print("EHLO client.test", end="\r\n")
for n in range(int(sys.argv[1])):
    print("MAIL FROM:<sender@client.test>", "RCPT TO:<rcpt@[127.0.0.1]>",
          "DATA", f"Subject: {n}", "", "hello", ".", sep="\r\n", end="\r\n")
print("QUIT", end="\r\n")' "$1" |
		"$(program smtp-session)" 2>/dev/null |
		grep -c '^250 2.0.0 ok, queued as'
}

queued() {
	find "$spool/queue/new" "$spool/queue/retry" -type f | wc -l
}

delivered() {
	od -A n -t u8 -j 8 -N 8 "$spool/counters" | tr -d ' '
}

@test "100000 deferred messages slow down neither sessions nor runs" {
	need python3 strace
	mount -t tmpfs -o size=1g tmpfs "$disk"
	[ "$(queue_many 100000)" -eq 100000 ]
	# Defer them to a minute in an hour.
	mv "$spool/queue/new" \
		"$spool/queue/retry/$(date -u -d "+1 hour" +%Y%m%d%H%M)"
	mkdir -m 700 "$spool/queue/new"
	# The daily sweep is over.
	deliver

	start_sink
	start_health
	send "$somebody" >/dev/null
	strace -f -o "$BATS_TEST_TMPDIR/calls" -e trace=openat,getdents64 \
		"$(program smtp-deliver)" 2>>"$trail"
	count_taken 1
	[ "$(queued)" -eq 100000 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/calls")" -lt 500 ]
	is_healthy
}

@test "a stopped run with 100000 messages loses none, in bounded memory" {
	need python3
	mount -t tmpfs -o size=1g tmpfs "$disk"
	[ "$(queue_many 100000)" -eq 100000 ]
	start smtp-sink -u root "127.0.0.1:$SMTP_REMOTE_PORT" 100 \
		>>"$trail" 2>&1
	wait_for 5 is_listening "$SMTP_REMOTE_PORT"
	start "$(program smtp-deliver)" 2>/dev/null
	pid=$started
	wait_for 20 has_delivered 1000
	# A session is answered meanwhile.
	send "$somebody" >/dev/null
	memory_kib=$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")
	kill "$pid"
	wait_for 15 is_gone "$pid"
	[ $(($(delivered) + $(queued))) -eq 100001 ]
	[ "$memory_kib" -lt 65536 ]
}

has_delivered() {
	[ "$(delivered)" -ge "$1" ]
}
