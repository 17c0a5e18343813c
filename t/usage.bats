#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# usage.bats - --help, --version and wrong arguments of each program.
#
# shellcheck disable=SC2016 # what is quoted is for another shell
# shellcheck disable=SC2154 # common.bash sets more variables

bats_require_minimum_version 1.5.0
load lib/common

version=$(sed -n 's/^AC_INIT(\[smtpserver\], \[\(.*\)\])$/\1/p' \
	"$SMTPSERVER_SOURCE/configure.ac")

# The installed programs, by path.
programs() {
	program smtp-session
	program smtp-deliver
	program smtp-health
	echo "$SMTPSERVER_BUILD/units/smtpserver-generator"
}

@test "--help prints the usage on standard output" {
	for path in $(programs); do
		run -0 --separate-stderr "$path" --help </dev/null
		echo "$output"
		[[ $output == "usage: ${path##*/}"*"See smtp"*"("[78]")."* ]]
		[ -z "$stderr" ]
	done
}

@test "--version prints the version on standard output" {
	[ -n "$version" ]
	for path in $(programs); do
		run -0 --separate-stderr "$path" --version </dev/null
		[ "$output" = "${path##*/} (smtpserver $version)" ]
		[ -z "$stderr" ]
	done
	# Beside other arguments.
	run -0 "$(program smtp-deliver)" --explain --version a@example.org
	[ "$output" = "smtp-deliver (smtpserver $version)" ]
}

@test "--help and --version need no valid setting" {
	export SMTP_DEBUG=loud

	for path in $(programs); do
		run -0 "$path" --help </dev/null
		run -0 "$path" --version </dev/null
	done
	[ ! -e "$spool" ]
}

@test "standard output that cannot be written is an error" {
	for name in smtp-session smtp-deliver smtp-health; do
		run -74 sh -c '"$1" --version >/dev/full' sh "$(program $name)"
	done
}

@test "a wrong argument gets the usage on standard error, and 64" {
	for path in $(programs); do
		run -64 --separate-stderr "$path" --wrong </dev/null
		echo "$stderr"
		[[ $stderr == *"usage: ${path##*/}"* ]]
		[ -z "$output" ]
	done
}

@test "each man page has the options of its program" {
	for name in smtp-session smtp-deliver smtp-health; do
		for option in help version; do
			grep -q "^\.It Fl .*$option" \
				"$SMTPSERVER_SOURCE/$name/$name.8"
		done
	done
}
