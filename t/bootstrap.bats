# SPDX-License-Identifier: ISC
#
# bootstrap.bats - ./bootstrap: the set-up, and with "run" the whole server from
# the build directory, in the foreground, without being installed.
#
# shellcheck disable=SC2030,SC2031 # each test has variables of its own
# shellcheck disable=SC2154 # common.bash sets more variables

load lib/common

setup() {
	need dpkg-query systemd-socket-activate python3 curl
	# Not $spool, which is in the environment of our own processes.
	own_spool=$BATS_TEST_TMPDIR/own/spool
	trail=$BATS_TEST_TMPDIR/trail
	port=$(free_port)
	health=127.0.0.1:$(free_port)
	forbid apt-get sudo
}

# Fail if a process of the test is left.
teardown() {
	stop_started
	[ -z "${public:-}" ] || rm -rf "$public"
	wait_for 15 is_all_gone
}

# forbid NAME...: shadow these programs with ones that leave a mark.
forbid() {
	local name

	mkdir -p "$BATS_TEST_TMPDIR/bin"
	for name; do
		printf '#!/bin/sh\n>"%s/called"\nexit 1\n' "$BATS_TEST_TMPDIR" \
			>"$BATS_TEST_TMPDIR/bin/$name"
		chmod +x "$BATS_TEST_TMPDIR/bin/$name"
	done
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# bootstrap [NAME=VALUE...]: run ./bootstrap in place of this subshell, with the
# default action for SIGINT, which a shell's background jobs ignore.
bootstrap() {
	exec env --default-signal=INT SMTP_QUEUE_PATH="$own_spool" SMTP_PORT="$port" \
		SMTP_HEALTH_ADDR="$health" "$@" \
		"$SMTPSERVER_SOURCE/bootstrap" run >"$trail" 2>&1
}

start_server() {
	start bootstrap
	wait_for 150 grep -q "Ctrl-C stops everything" "$trail" || {
		ps -o pid,ppid,stat,wchan:20,args --forest -e >&2
		return 1
	}
}

# Whether no process is left that has the spool in its environment.
is_all_gone() {
	local left

	left=$(grep -lsaz "^SMTP_QUEUE_PATH=$own_spool\$" \
		/proc/[0-9]*/environ) || :
	printf '%s\n' "$left"
	[ -z "$left" ]
}

# Submit a message over TCP.
send_over_tcp() {
	python3 - "$port" <<-'END'
		import smtplib, sys
		with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as client:
		    client.sendmail("me@example.org", ["you@[127.0.0.9]"],
		        "Subject: Hello\r\n\r\nIt works.\r\n")
	END
}

@test "./bootstrap run serves, delivers and logs; SIGINT stops all of it" {
	start_server
	send_over_tcp
	wait_for 10 grep -q "^smtp-session: .* event=message-accepted" "$trail"
	wait_for 10 grep -q "^smtp-deliver: .* event=deferred" "$trail"
	[ "$(curl -sS "http://$health/healthz")" = OK ]
	grep -q "It works" "$own_spool"/????-??-??/*.eml

	run -1 is_all_gone
	exec {client}<>"/dev/tcp/127.0.0.1/$port"
	read -r -u "$client" greeting
	[[ $greeting == 220* ]]
	kill -INT "$started"
	wait_for 15 is_all_gone
	wait "$started"
}

@test "SIGTERM stops all of ./bootstrap run, too" {
	start_server
	run -1 is_all_gone
	kill -TERM "$started"
	wait_for 15 is_all_gone
	wait "$started"
}

@test "nothing is left when ./bootstrap run is killed" {
	start_server
	run -1 is_all_gone
	kill -KILL "$started"
	wait_for 15 is_all_gone
}

@test "./bootstrap run needs neither apt nor root if nothing is missing" {
	start_server
	[ ! -e "$BATS_TEST_TMPDIR/called" ]
}

@test "a program that is slow to start is stopped with the others" {
	printf '#!/bin/sh\nsleep 0.5\nexec /usr/bin/setsid "$@"\n' \
		>"$BATS_TEST_TMPDIR/bin/setsid"
	chmod +x "$BATS_TEST_TMPDIR/bin/setsid"
	start_server
	kill -TERM "$started"
	wait_for 15 is_all_gone
	wait "$started"
	# A fault that occurs before all of them are running.
	run -1 bootstrap SMTP_QUEUE_WORKERS=many
	grep -q "SMTP_QUEUE_WORKERS" "$trail"
	is_all_gone
}

@test "a port in use is an error that names it, and nothing is left" {
	python3 -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)' "$port" 3>&- &
	started_pids+=($!)
	wait_for 10 is_listening "$port"

	run -1 bootstrap
	grep -q "cannot listen on 127.0.0.1:$port: SMTP_PORT" "$trail"
	is_all_gone
	health=127.0.0.1:$port port=$(free_port)
	run -1 bootstrap
	grep -q "cannot listen on $health: SMTP_HEALTH_ADDR" "$trail"
	is_all_gone
}

@test "an invalid setting ends ./bootstrap run and is named" {
	run -1 bootstrap SMTP_QUEUE_WORKERS=many
	grep -q "SMTP_QUEUE_WORKERS" "$trail"
	is_all_gone
}

@test "SMTP_PORT of ./bootstrap run takes several addresses" {
	local address second

	second=$(free_port)
	address=$BATS_TEST_TMPDIR/smtp.sock
	port="$port 127.0.0.2:$second $address"
	start_server
	[[ $(bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0"; head -n 1 <&3' \
		"${port%% *}") == 220* ]]
	[[ $(bash -c 'exec 3<>"/dev/tcp/127.0.0.2/$0"; head -n 1 <&3' \
		"$second") == 220* ]]
	# As it says, if it has but this one.
	printf 'Subject: Hello\n\nIt works.\n' | curl -sS --crlf -T - \
		--mail-from me@example.org --mail-rcpt 'you@[127.0.0.9]' \
		smtp://localhost --unix-socket "$address"
	wait_for 10 grep -q "event=message-accepted" "$trail"
	kill -TERM "$started"
	wait_for 15 is_all_gone
	wait "$started"
	[ ! -e "$address" ]
}

@test "./bootstrap run refuses an address that the units refuse" {
	local value words

	words="expected a port, or loopback address:port, or the path of a UNIX socket, or several with blanks between"
	for value in 0.0.0.0:2525 "2525 192.0.2.1:2525" :2525 smtp; do
		run -1 bootstrap SMTP_PORT="$value"
		[ "$(tail -n 1 "$trail")" = \
			"bootstrap: SMTP_PORT is '$value'; $words" ]
	done
	run -1 bootstrap SMTP_HEALTH_ADDR=localhost
	[ "$(tail -n 1 "$trail")" = \
		"bootstrap: SMTP_HEALTH_ADDR is 'localhost'; expected address:port" ]
	is_all_gone
}

# ---- the set-up --------------------------------------------------------------

# fake NAME: put a shell script, from stdin, before the program of this name.
fake() {
	{ echo '#!/bin/sh' && cat; } >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

# Put bootstrap alone, and the programs that are faked, into $public, a folder
# of root that other users can read.
publish() {
	need_root
	public=$(mktemp -d /tmp/bootstrap.XXXXXX)
	chmod 755 "$public"
	cp -r "$SMTPSERVER_SOURCE"/{bootstrap,packages} \
		"$BATS_TEST_TMPDIR/bin" "$public"
}

# without NAME COMMAND...: run a command where this program does not exist.
without() {
	local place=${public:-$BATS_TEST_TMPDIR}

	mkdir "$place/visible"
	ln -s /usr/sbin/* /usr/bin/* "$place/visible" 2>/dev/null || :
	rm -f "$place"/{visible,bin}/"$1"
	PATH=$place/bin:$place/visible "${@:2}"
}

# as_user COMMAND...: run it as a user who owns nothing.
as_user() {
	setpriv --reuid=nobody --regid=nogroup --clear-groups \
		env -u SMTPSERVER_BUILD PATH="$public/bin:${PATH#*:}" "$@"
}

@test "./bootstrap build prints a line for a step, and what to do next" {
	run -0 "$SMTPSERVER_SOURCE/bootstrap" build
	diff - <(echo "$output") <<-END
		Building
		Built in $SMTPSERVER_BUILD. Next, as root:

		  make -C $SMTPSERVER_BUILD install
		  systemctl enable --now smtpserver
	END
	[ ! -e "$BATS_TEST_TMPDIR/called" ]
}

@test "a step that fails shows why, and where all of its output is" {
	local build=$BATS_TEST_TMPDIR/build

	run -1 env PKG_CONFIG_LIBDIR=/nonexistent SMTPSERVER_BUILD="$build" \
		"$SMTPSERVER_SOURCE/bootstrap" build
	[ "${lines[0]}" = Configuring ]
	[[ $output == *"apt-get install "*libcurl4-gnutls-dev* ]]
	[ "${lines[-1]}" = "bootstrap: this has failed: Configuring. All of its output is in $build/bootstrap.log" ]
	grep "apt-get install .*libcurl4-gnutls-dev" "$build/bootstrap.log"
}

@test "apt's output is in the log, and only its end is shown on failure" {
	fake dpkg-query </dev/null
	fake sudo <<<'echo "$*"; seq -f "Unpacking %g" 1000; exit 100'
	publish
	install -d -o nobody "$public/build"
	run -1 as_user "$public/bootstrap" build
	[[ ${lines[0]} == "Installing autoconf automake "*" systemd" ]]
	[ ${#lines[@]} -lt 40 ]
	[ "${lines[-2]}" = "Unpacking 1000" ]
	[[ ${lines[-1]} == "bootstrap: this has failed: "*" $public/build/bootstrap.log" ]]
	grep -x "$public/bootstrap install-packages autoconf .*" \
		"$public/build/bootstrap.log"
	grep -x "Unpacking 1" "$public/build/bootstrap.log"
}

@test "without root and sudo the packages to install are named" {
	fake dpkg-query </dev/null
	publish
	install -d -o nobody "$public/build"
	run -1 without sudo as_user "$public/bootstrap" build
	[[ $output == "bootstrap: packages are missing. As root: apt-get install autoconf "* ]]
}

@test "without apt ./bootstrap build names its packages, and goes on" {
	run -0 without apt-get "$SMTPSERVER_SOURCE/bootstrap" build
	[[ ${lines[0]} == "There is no apt: "*" autoconf automake "* ]]
	[[ $output == *"Built in "* ]]
	[ ! -e "$BATS_TEST_TMPDIR/called" ]
}

@test "a path with a blank is refused with what to do, by configure as well" {
	local blank="$BATS_TEST_TMPDIR/my source" odd="$BATS_TEST_TMPDIR/it's"

	ln -s "$SMTPSERVER_SOURCE" "$blank"
	run -1 env SMTPSERVER_BUILD="$BATS_TEST_TMPDIR/b" "$blank/bootstrap" build
	[[ $output == "bootstrap: the path of the source, $blank, has a blank, "*" rename "* ]]
	[ ! -e "$BATS_TEST_TMPDIR/b" ]
	run -1 env SMTPSERVER_BUILD="$odd" "$SMTPSERVER_SOURCE/bootstrap" build
	[[ $output == "bootstrap: the path $odd has a character "*" elsewhere: "* ]]
	[ ! -e "$odd" ]

	mkdir "$odd" "$BATS_TEST_TMPDIR/c"
	cd "$odd"
	run -1 "$SMTPSERVER_SOURCE/configure" --quiet
	[[ $output == *"the path $odd has a character "*" elsewhere, "* ]]
	cd "$BATS_TEST_TMPDIR/c"
	run -1 "$blank/configure" --quiet
	[[ $output == *"the path of the source, $blank, has a blank, "*" rename "* ]]
}

@test "what root has built is refused to others with what to do" {
	publish
	# All of it, or what "sudo make install" has left.
	mkdir "$public/build"
	run -1 as_user "$public/bootstrap" build
	[[ $output == "bootstrap: $public/build belongs to root. SMTPSERVER_BUILD=FOLDER "*"chown -R "*" $public/build" ]]
	: >"$public/build/config.status"
	chown nobody "$public/build"
	run -1 as_user "$public/bootstrap" build
	[[ $output == "bootstrap: $public/build/config.status belongs to root. "* ]]
	run -1 as_user SMTPSERVER_BUILD="$public/other" "$public/bootstrap" build
	[[ $output == "bootstrap: $public/other cannot be made: $public belongs to root. SMTPSERVER_BUILD=FOLDER "* ]]
	# Elsewhere; but the source has yet to get its ./configure.
	rm -r "$public/build"
	install -d -o nobody "$public/mine"
	run -1 as_user SMTPSERVER_BUILD="$public/mine" "$public/bootstrap" build
	[[ $output == "bootstrap: ./configure has yet to be made, in $public, which belongs to root."* ]]
}

@test "a spool that root has made is refused to others with what to do" {
	publish
	# A tree that is built.
	install -d -o nobody "$public/build"
	install -o nobody -m 755 /dev/null "$public/configure"
	printf 'all:\n' >"$public/build/Makefile"
	chown nobody "$public/build/Makefile"
	install -d -m 700 "$public/data/spool"
	run -1 as_user env -u SMTP_QUEUE_PATH "$public/bootstrap" run
	[ "${lines[-1]}" = "bootstrap: the spool, $public/data/spool, cannot be used: $public/data/spool belongs to root. SMTP_QUEUE_PATH=FOLDER chooses another." ]
}

@test "./bootstrap --help says how long it takes, and what wants root" {
	run -0 "$SMTPSERVER_SOURCE/bootstrap" --help
	[[ $output == *"build "*"run "*"check "*hour* ]]
	[[ $output == *"tests need root"* ]]
}
