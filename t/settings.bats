#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# settings.bats - an invalid setting stops the programs that use it and no
# other; /healthz says which, and why.
#
# shellcheck disable=SC2030,SC2031 # each test has variables of its own
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	need curl systemd-socket-activate
	network_start
	network_add_host sender
	network_add_host odd
	dns <<-'END'
		odd.test. MX 10 odd.hosts.test.
	END
}

teardown_file() {
	network_stop
}

# The body of /healthz, after its status.
health() {
	local port

	port=$(free_port)
	start systemd-socket-activate -l "127.0.0.1:$port" \
		-E "SMTP_QUEUE_PATH=$spool" "$@" "$(program smtp-health)" \
		2>>"$trail"
	wait_for 5 is_listening "$port" 2>/dev/null
	curl -sS --max-time 10 --noproxy '*' -w '%{http_code}\n' \
		"http://127.0.0.1:$port/healthz" | tac | xargs -d '\n'
	stop "$started"
}

# expect_health STATUS PATTERN: the pattern must match the whole body.
expect_health() {
	local found

	found=$(health)
	echo "$found"
	# shellcheck disable=SC2053 # it is a pattern
	[[ $found == $1\ $2 ]]
}

# refuses TEXT [VARIABLE=VALUE]...: smtp-deliver exits with EX_CONFIG and that
# text, and /healthz says so.
refuses() {
	local text=$1

	shift
	(
		[ $# -eq 0 ] || export "${@:1}"
		run -78 deliver
		tail -n 1 "$trail" | grep -F "smtp-deliver: $text"
	)
	expect_health 503 "spool $spool: mail is not delivered: $text*"
}

@test "mail is accepted while a setting of smtp-deliver is invalid" {
	local id second

	odd_start odd
	export SMTP_DKIM_DOMAIN=example.org
	id=$(send bob@odd.test)
	refuses 'SMTP_DKIM_DOMAIN is "example.org"; expected a domain'
	second=$(send bob@odd.test)
	[ "$(place "$id")" = new ]
	[ "$(place "$second")" = new ]

	unset SMTP_DKIM_DOMAIN
	deliver
	told "$id" delivered
	told "$second" delivered
	[ ! -e "$spool/faults/smtp-deliver" ]
	expect_health 200 OK
}

@test "/healthz reports invalid settings of delivery, and of its files" {
	local dir=$BATS_TEST_TMPDIR

	send bob@odd.test
	refuses 'SMTP_RELAYHOST has "[x"; expected' SMTP_RELAYHOST='[x'
	refuses 'SMTP_MASQUERADE has "a=b=c"; expected' SMTP_MASQUERADE=a=b=c
	refuses "SMTP_ROUTES: $dir/none: No such file" SMTP_ROUTES="$dir/none"
	echo nonsense >"$dir/routes"
	refuses "SMTP_ROUTES: $dir/routes:1: " SMTP_ROUTES="$dir/routes"
	refuses "SMTP_AUTH_FILE" SMTP_AUTH_FILE="$dir/none"
	refuses "SMTP_TLS_CA_FILE: no trust anchors in $dir/none: " \
		SMTP_TLS_CA_FILE="$dir/none"
	refuses "SMTP_TLS_CA_FILE: no trust anchors in $dir/routes: " \
		SMTP_TLS_CA_FILE="$dir/routes"
	refuses "SMTP_DKIM_KEY_PATH" SMTP_DKIM_SELECTOR=a \
		SMTP_DKIM_KEY_PATH="$dir/none"
	refuses 'SMTP_QUEUE_WORKERS is "many"; expected a number' \
		SMTP_QUEUE_WORKERS=many
	# Only the last one is kept, in a file of the spool's owner.
	[ "$(stat -c %a "$spool/faults" "$spool/faults/"* | xargs)" = "700 600" ]
	[ "$(wc -l <"$spool/faults/smtp-deliver")" -eq 1 ]
}

@test "/healthz ignores a fault of smtp-deliver while the queue is empty" {
	local id

	id=$(send bob@odd.test)
	refuses SMTP_MX_HOSTS SMTP_MX_HOSTS=0
	rm "$spool/queue/new/$id"
	expect_health 200 OK
}

@test "an invalid setting of smtp-session refuses mail, as /healthz says" {
	local id

	id=$(send bob@odd.test)
	SMTP_COMMAND_TIMEOUT=0 run -78 --separate-stderr \
		"$(program smtp-session)" </dev/null
	[[ $output == "421 4.3.5"* ]]
	expect_health 503 "spool $spool: mail is refused: SMTP_COMMAND_TIMEOUT is \"0\"; *"
	# Mail that was accepted before is delivered.
	odd_start odd
	SMTP_COMMAND_TIMEOUT=0 deliver
	told "$id" delivered

	send bob@odd.test
	[ ! -e "$spool/faults/smtp-session" ]
	expect_health 200 OK
}

@test "a refusal counts for 15 minutes after the last one" {
	send bob@odd.test
	SMTP_COMMAND_TIMEOUT=0 run -78 "$(program smtp-session)" </dev/null
	touch -d '-14 minutes' "$spool/faults/smtp-session"
	expect_health 503 '*mail is refused*'
	touch -d '-16 minutes' "$spool/faults/smtp-session"
	expect_health 200 OK
}

@test "with an invalid setting no spool is created" {
	SMTP_COMMAND_TIMEOUT=0 run -78 "$(program smtp-session)" </dev/null
	SMTP_MX_HOSTS=0 run -78 "$(program smtp-deliver)"
	[ ! -e "$spool" ]
}

@test "a fault's record cannot forge a line, and is ignored if unreadable" {
	send bob@odd.test
	mkdir -p "$spool/faults"
	printf 'one\033[2J\nHTTP/1.1 200 OK\n' >"$spool/faults/smtp-deliver"
	expect_health 503 "spool $spool: mail is not delivered: one[?][[]2J"
	head -c 5000 /dev/zero >"$spool/faults/smtp-deliver"
	expect_health 200 OK
	rm "$spool/faults/smtp-deliver"
	mkfifo "$spool/faults/smtp-deliver"
	expect_health 200 OK
}

# ---- unknown variables -------------------------------------------------------

unknown='SMTP_RELAY_HOST is not a variable of smtpserver; did you mean SMTP_RELAYHOST?'

@test "an unknown variable is reported by smtp-health when it starts" {
	health -E SMTP_RELAY_HOST=x -E SMTP_PORT=2525
	[ "$(grep -c 'smtp-health: event=trouble' "$trail")" -eq 1 ]
	grep -F "$unknown" "$trail"
}

@test "an unknown variable is reported by smtp-deliver once a day" {
	export SMTP_RELAY_HOST=x SMTP_HEALTH_ADDR=127.0.0.1:8080

	send bob@odd.test
	odd_start odd
	deliver
	deliver
	[ "$(grep -cF "$unknown" "$trail")" -eq 1 ]
	touch -d '-25 hours' "$spool/queue/swept"
	deliver
	[ "$(grep -cF "$unknown" "$trail")" -eq 2 ]
}

@test "an unknown variable is reported by a listener, not by each session" {
	local port

	export SMTP_RELAY_HOST=x
	send bob@odd.test
	run ! grep -F "$unknown" "$trail"
	port=$(free_port)
	start systemd-socket-activate -l "127.0.0.1:$port" \
		-E SMTP_QUEUE_PATH -E SMTP_RELAY_HOST "$(program smtp-session)" \
		2>>"$trail"
	wait_for 5 is_listening "$port"
	for _ in 1 2 3; do
		exec {connection}<>"/dev/tcp/127.0.0.1/$port"
		printf 'QUIT\r\n' >&"$connection"
		timeout 5 cat <&"$connection" | grep '^221'
		exec {connection}>&-
	done
	[ "$(grep -cF "$unknown" "$trail")" -eq 1 ]
}

@test "--explain warns of an unknown variable" {
	SMTP_RELAY_HOST=x run network_exec sender "$(program smtp-deliver)" \
		--explain bob@odd.test
	[[ $output == *"smtp-deliver: $unknown"* ]]
}
