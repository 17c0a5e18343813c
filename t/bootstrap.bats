# SPDX-License-Identifier: ISC
#
# bootstrap.bats - ./bootstrap run: the whole server from the build directory,
# in the foreground, without being installed.
#
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
