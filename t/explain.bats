#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# explain.bats - smtp-deliver --explain prints the route to a recipient and what
# its hosts offer, and sends nothing. For TLSA records and MTA-STS see
# trust.bats, for the routes file routes.bats.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	network_start
	for host in sender odd1 odd2; do
		network_add_host "$host"
	done
	dns <<-END
		two.test. A    $(network_ip4 odd1)
		two.test. A    $(network_ip4 odd2)
		two.test. AAAA $(network_ip6 odd1)
		two.test. AAAA $(network_ip6 odd2)
	END
}

teardown_file() {
	network_stop
}

# explain STATUS ADDRESS...: run --explain without a spool, as the user nobody,
# which has no access to the build directory; $output has what it prints.
explain() {
	local status=$1 program=$network_dir/smtp-deliver

	shift
	install -m 755 "$(program smtp-deliver)" "$program"
	run -"$status" network_exec sender env SMTP_QUEUE_PATH=/nonexistent/spool \
		setpriv --reuid=nobody --regid=nogroup --clear-groups \
		timeout 60 "$program" --explain "$@"
}

# line TEXT: whether a line is that text, apart from leading spaces.
line() {
	printf '%s\n' "$output" | sed 's/^ *//' | grep -qxF -- "$1"
}

# begins TEXT: whether a line begins with that text, apart from leading spaces.
begins() {
	printf '%s\n' "$output" | sed 's/^ *//' | text=$1 awk '
		index($0, ENVIRON["text"]) == 1 { found = 1 }
		END { exit !found }'
}

@test "--explain prints route, hosts, addresses, policy and verdict" {
	ca_issue good odd1.hosts.test
	ca_issue bad odd1.hosts.test
	mapfile -t good < <(odd_certificate good)
	mapfile -t bad < <(odd_certificate bad)
	dns <<-END
		tell.test. MX 10 odd1.hosts.test.
		tell.test. MX 20 odd2.hosts.test.
	END
	odd_start odd1 "${good[@]}"
	odd_start odd2 "${bad[@]}" --offer "SIZE 1000,8BITMIME"
	chmod a+rx "$network_dir/ca"
	chmod a+r "$network_dir/ca/ca.pem"

	explain 0 bob@tell.test
	echo "$output"
	line bob@tell.test
	line "route: MX hosts of tell.test"
	line "host odd1.hosts.test, preference 10"
	line "address $(network_ip6 odd1)"
	line "address $(network_ip4 odd1)"
	begins "policy verify: TLS if the host offers it"
	line "connected to odd1.hosts.test[$(network_ip6 odd1)]"
	begins "TLS: TLS1.3 "
	line usable
	line "host odd2.hosts.test, preference 20"
	begins "not used odd2.hosts.test[$(network_ip6 odd2)]: 4.7.5 TLS: "
	line "not usable"
	has_got odd1 QUIT
	for host in odd1 odd2; do
		not has_got "$host" MAIL
		[ "$(odd_count "$host")" -eq 0 ]
	done
}

@test "--explain gives the reason why an address has no host" {
	dns <<-END
		no-mail.test. MX 0 .
		myself.test.  MX 10 sender.hosts.test.
	END
	explain 69 bob@no-mail.test
	begins "no route: 5.1.10 "
	explain 69 bob@nowhere.invalid.test
	begins "no route: 5.1.2 "
	explain 69 bob@myself.test
	begins "no route: 5.4.6 mail loops back to myself"
	explain 69 "not an address"
	line "not an address"
	explain 69 bob@two.test
	line "route: no MX, so the host two.test"
	[ "$(grep -c 'not used two.test\[.*: 4.4.1 no connection: ' \
		<<<"$output")" -eq 4 ]
	# One bad address of two.
	odd_start odd1
	explain 0 "bob@[$(network_ip4 odd1)]"
	line "no TLS: the host does not offer it"
	line "route: the address itself"
	begins "offers:"
	explain 69 "bob@[$(network_ip4 odd1)]" bob@no-mail.test
}

@test "--explain prints no control characters of a host" {
	odd_start odd1 "banner=raw 421 a\\x1b[2Jb\\r\\n"
	explain 69 "bob@[$(network_ip4 odd1)]"
	echo "$output" | cat -v
	begins "not used [$(network_ip4 odd1)]: "
	not grep -q $'\x1b' <<<"$output"
}

@test "an address needs --explain, and --explain an address" {
	run -64 "$(program smtp-deliver)" --explain
	run -64 "$(program smtp-deliver)" bob@two.test
	run -64 "$(program smtp-deliver)" --watch bob@two.test
}
