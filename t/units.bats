#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# units.bats - the unit files, the generator, the catalog and the ageing of
# stored mail, as make install leaves them in a folder. systemd.bats boots them.

bats_require_minimum_version 1.5.0
load lib/common

setup_file() {
	need systemd-analyze systemd-tmpfiles journalctl
	export stage=$BATS_FILE_TMPDIR/stage
	make -s -C "$SMTPSERVER_BUILD" install DESTDIR="$stage" 3>&-
	unit_dir=$(dirname "$(find "$stage" -name smtpserver.socket)")
	export unit_dir
	# The units that ours refer to.
	cp -P "$(pkg-config --variable=systemdsystemunitdir systemd)"/*.target \
		"$unit_dir"
}

setup() {
	generator=$(find "$stage" -name smtpserver-generator)
	root=$BATS_TEST_TMPDIR/root
	out=$BATS_TEST_TMPDIR/out
	mkdir -p "$root/proc/net" "$out"
	: >"$root/proc/net/if_inet6"
}

# Run the generator on the environment file on stdin; $output has what it
# prints.
generate() {
	local file

	file=$root/$(sed -n 's/^environment=//p' "$generator")
	mkdir -p "$(dirname "$file")"
	cat >"$file"
	run env SMTPSERVER_ROOT="$root" "$generator" "$out" "$out" "$out"
	[ "$status" -eq 0 ]
}

# What a unit's drop-in sets an option to, an assignment a line.
option() {
	sed -n "s/^$2=//p" "$out/$1.d/environment.conf"
}

# The value of SMTP_SOCKET, by default.
smtp_socket=/run/smtpserver/smtp

# Whether the socket unit's list is reset and has these addresses; if it is for
# SMTP, also $smtp_socket at the end.
is_listening_on() {
	local last=()

	case $1 in
	smtpserver-health.socket) ;;
	*) [ -z "$smtp_socket" ] || last=("$smtp_socket") ;;
	esac
	diff <(option "$1" ListenStream) \
		<(printf '%s\n' '' "${@:2}" "${last[@]}")
}

# The fields that a socket's unit hands to "logger --journald".
entry() {
	local command

	command=$(option "$1" ExecStartPre)
	command=${command#"-/bin/sh -c '"}
	# systemd makes one backslash of two.
	command=${command//\\\\/\\}
	bash -euc "logger() { [ \"\$*\" = --journald ] && cat; }
		${command%"'"}"
}

# Whether the generator has written drop-ins for just these units.
are_drop_ins_of() {
	diff <(ls "$out") <(printf '%s.d\n' "$@")
}

# ---- unit files --------------------------------------------------------------

@test "systemd finds nothing wrong with the units" {
	run systemd-analyze verify --man=no --root="$stage" smtpserver.socket \
		smtpserver.service \
		smtpserver@1.service smtpserver-deliver.path \
		smtpserver-deliver.service smtpserver-retry.path \
		smtpserver-retry.service smtpserver-health.socket \
		smtpserver-health.service smtpserver-listener.socket \
		smtpserver-listener.service
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "the installed files have no placeholder left" {
	run ! grep -rE '@(sbindir|localstatedir|sysconfdir|pkglibdir|polllimit)@|\$\{' \
		"$unit_dir"/smtpserver* "$stage"/usr/lib/*.d/smtpserver.conf
}

@test "what is installed names the paths that were configured" {
	local dir

	mkdir "$BATS_TEST_TMPDIR/build"
	cd "$BATS_TEST_TMPDIR/build"
	dir=/opt/x/lib/systemd
	"$SMTPSERVER_SOURCE/configure" --quiet --prefix=/opt/x \
		--with-systemdsystemunitdir=$dir/system \
		--with-systemdsystemgeneratordir=$dir/system-generators \
		--with-sysusersdir=/opt/x/lib/sysusers.d \
		--with-tmpfilesdir=/opt/x/lib/tmpfiles.d \
		--with-catalogdir=$dir/catalog
	# All but the programs and modules.
	make -s install-man install-nodist_docDATA \
		install-nodist_systemdsystemunitDATA \
		install-nodist_systemdsystemgeneratorSCRIPTS \
		install-nodist_sysusersDATA install-nodist_tmpfilesDATA \
		DESTDIR="$root" 3>&-
	# Nothing elsewhere, and nothing names the usual places.
	[ "$(ls "$root")" = $'opt\nproc' ]
	[ "$(find "$root/opt/x/share/man" -type f | wc -l)" -eq 4 ]
	run ! grep -rE '(^|[^x.])/(etc|lib|usr/lib|var/spool)/smtpserver|/usr/s?bin/smtp' \
		"$root/opt"
	for file in man/man7/smtpserver.7 doc/smtpserver/README; do
		grep -q /opt/x/etc/smtpserver/environment \
			"$root/opt/x/share/$file"
		grep -q /opt/x/var/spool/smtpserver "$root/opt/x/share/$file"
	done
	grep -q '^ExecStart=/opt/x/sbin/smtp-deliver' \
		"$root$dir/system/smtpserver-deliver.service"
	grep -q /opt/x/lib/smtpserver/smtp-tls.so \
		"$root/opt/x/share/man/man8/smtp-session.8"
}

@test "exposure of all units but a session's is 1.5 at most" {
	for unit in smtpserver-deliver.service smtpserver-health.service \
		smtpserver-listener.service smtpserver-retry.service; do
		# The threshold is in tenths.
		run systemd-analyze security --offline=true --no-pager \
			--root="$stage" --threshold=15 "$unit"
		echo "# ${lines[-1]}" >&3
		echo "$output"
		[ "$status" -eq 0 ]
	done
}

@test "a session's unit has no setting that slows each connection" {
	run ! grep -E '^(Private|Protect|Restrict|SystemCall|ReadWrite|Bind|Lock|MemoryDeny)' \
		"$unit_dir/smtpserver@.service"
}

@test "the exposure of a session's own unit is shown" {
	run systemd-analyze security --offline=true --no-pager \
		--root="$stage" smtpserver@.service
	echo "# ${lines[-1]}" >&3
	[[ ${lines[-1]} == *"exposure level for smtpserver@"* ]]
}

@test "no unit keeps a program from using Landlock and seccomp" {
	local filters call

	filters=$(grep -lr ^SystemCallFilter= "$unit_dir"/smtpserver*.service)
	[ "$(wc -l <<<"$filters")" -eq 4 ]
	for call in landlock_create_ruleset landlock_add_rule \
		landlock_restrict_self seccomp; do
		# shellcheck disable=SC2086
		[ "$(grep -l "^SystemCallFilter=[^~].*\<$call\>" $filters)" = \
			"$filters" ]
	done
}

@test "the units leave out no event, whatever its priority" {
	run ! grep -nE 'LOG_(INFO|DEBUG)' "$SMTPSERVER_SOURCE/lib/audit.c"
	diff <(sed -n 's/^LogLevelMax=//p' "$unit_dir"/smtpserver*.service |
		sort -u) <(echo notice)
}

@test "a listener may have as many children as SMTP_SESSIONS allows" {
	local limit tasks

	limit=$(sed -n 's/^#define SETTINGS_SESSIONS_MAX //p' \
		"$SMTPSERVER_SOURCE/smtp-session/settings.h")
	tasks=$(sed -n 's/^TasksMax=//p' "$unit_dir/smtpserver-listener.service")
	[ "$tasks" -gt "$limit" ]
}

@test "make install removes the timer of an earlier version" {
	local place=$BATS_TEST_TMPDIR/place timer

	timer=$place${unit_dir#"$stage"}/smtpserver-deliver.timer
	mkdir -p "${timer%/*}"
	touch "$timer"
	make -s -C "$SMTPSERVER_BUILD" install DESTDIR="$place" 3>&-
	[ -e "${timer%/*}/smtpserver-deliver.service" ]
	[ ! -e "$timer" ]
}

@test "make uninstall leaves nothing" {
	local place=$BATS_TEST_TMPDIR/place

	make -s -C "$SMTPSERVER_BUILD" install DESTDIR="$place" 3>&-
	[ -n "$(find "$place" -type f -name 'smtp*')" ]
	make -s -C "$SMTPSERVER_BUILD" uninstall DESTDIR="$place" 3>&-
	find "$place" ! -type d
	[ -z "$(find "$place" ! -type d)" ]
}

# ---- the generator -----------------------------------------------------------

@test "without an environment file the server listens on IPv6, too" {
	generate </dev/null
	is_listening_on smtpserver.socket 127.0.0.1:2525 '[::1]:2525'
	is_listening_on smtpserver-listener.socket 127.0.0.1:2525 '[::1]:2525'
	are_drop_ins_of smtpserver-listener.socket smtpserver.socket
	[ -z "$output" ]
	# It is after the assignment that resets it, and the last socket.
	[ "$(grep -o '^Listen[A-Z][a-z]*=inet-diag$' \
		"$unit_dir/smtpserver-listener.socket")" = ListenNetlink=inet-diag ]
	[ "$(tail -n 1 "$out/smtpserver-listener.socket.d/environment.conf")" = \
		ListenNetlink=inet-diag ]
	[ -z "$(option smtpserver.socket ListenNetlink)" ]
}

@test "without IPv6 in the kernel the server does not listen on it" {
	rm "$root/proc/net/if_inet6"
	generate </dev/null
	is_listening_on smtpserver.socket 127.0.0.1:2525
	generate <<<'SMTP_PORT=[::1]:2626'
	[[ $output == *"SMTP_PORT is '[::1]:2626'"* ]]
}

# check_ports: a line of stdin is a valid SMTP_PORT, and after a "|" where the
# sockets then listen.
check_ports() {
	while IFS='|' read -r value streams; do
		rm -rf "$out"
		generate <<<"SMTP_PORT=$value"
		echo "$value: $output"
		[ -z "$output" ]
		# shellcheck disable=SC2086
		for unit in smtpserver.socket smtpserver-listener.socket; do
			is_listening_on $unit $streams
		done
	done
}

@test "SMTP_PORT is a port, or a loopback address and a port" {
	check_ports <<-'END'
		2626|127.0.0.1:2626 [::1]:2626
		localhost:2626|127.0.0.1:2626 [::1]:2626
		127.0.0.1:26|127.0.0.1:26
		127.1.2.3:65535|127.1.2.3:65535
		[::1]:26|[::1]:26
	END
}

@test "SMTP_PORT takes several addresses, and paths of UNIX sockets" {
	check_ports <<-'END'
		25 2525|127.0.0.1:25 [::1]:25 127.0.0.1:2525 [::1]:2525
		"25  127.0.0.1:26 "|127.0.0.1:25 [::1]:25 127.0.0.1:26
		2525 127.0.0.1:2525 localhost:2525|127.0.0.1:2525 [::1]:2525
		/run/smtp 25|/run/smtp 127.0.0.1:25 [::1]:25
		/run/c.%d [::1]:26 27|/run/c.%%d [::1]:26 127.0.0.1:27 [::1]:27
	END
}

@test "SMTP_PORT takes as many addresses as smtp-session" {
	local limit

	limit=$(sed -n 's/^#define LISTENER_SOCKETS_MAX //p' \
		"$SMTPSERVER_SOURCE/smtp-session/listener.h")
	generate <<<"SMTP_PORT=$(seq -s ' ' $((limit / 2)))"
	[ -z "$output" ]
	[ "$(option smtpserver.socket ListenStream | wc -l)" -eq $((limit + 1)) ]
	generate <<<"SMTP_PORT=$(seq -s ' ' $((limit / 2 + 1)))"
	[[ $output == *"SMTP_PORT is '"* ]]
}

@test "SMTP_SOCKET is the path of a UNIX socket, or none" {
	local unit

	for smtp_socket in /run/mail.sock /run/a/b%c~1; do
		rm -rf "$out"
		generate <<<"SMTP_SOCKET=$smtp_socket"
		[ -z "$output" ]
		smtp_socket=${smtp_socket//%/%%}
		for unit in smtpserver.socket smtpserver-listener.socket; do
			is_listening_on $unit 127.0.0.1:2525 '[::1]:2525'
		done
	done
	rm -rf "$out"
	generate <<<"SMTP_SOCKET=none"
	[ -z "$output" ]
	smtp_socket=
	is_listening_on smtpserver.socket 127.0.0.1:2525 '[::1]:2525'
	# It is bound once.
	rm -rf "$out"
	generate <<<"SMTP_PORT=2525 /run/smtpserver/smtp"
	[ -z "$output" ]
	is_listening_on smtpserver.socket 127.0.0.1:2525 '[::1]:2525' \
		/run/smtpserver/smtp
}

@test "without an address in SMTP_PORT, SMTP_SOCKET is none unless it is set" {
	smtp_socket='' check_ports <<-'END'
		/run/smtp|/run/smtp
		"/run/c.%d  /run/b "|/run/c.%%d /run/b
	END
	for smtp_socket in /run/smtpserver/smtp /run/other; do
		rm -rf "$out"
		generate <<-END
			SMTP_SOCKET=$smtp_socket
			SMTP_PORT=/run/smtp
		END
		[ -z "$output" ]
		is_listening_on smtpserver.socket /run/smtp
	done
	rm -rf "$out"
	generate <<<$'SMTP_SOCKET=smtp\nSMTP_PORT=/run/smtp'
	[[ $output == *"SMTP_SOCKET is 'smtp'"* ]]
	smtp_socket='' is_listening_on smtpserver.socket /run/smtp
}

@test "an invalid SMTP_SOCKET is named and not used, SMTP_PORT is" {
	local value unit

	for value in smtp ./smtp /run/../smtp "/run/a b" /run/ / 2525 \
		'@abstract' "/run/$(printf '%0110d' 0)"; do
		rm -rf "$out"
		generate <<<"SMTP_SOCKET=$value"$'\n'"SMTP_PORT=2626"
		echo "$value: $output"
		[[ $output == *"SMTP_SOCKET is '"*"expected the path of a"* ]]
		for unit in smtpserver.socket smtpserver-listener.socket; do
			is_listening_on $unit 127.0.0.1:2626 '[::1]:2626'
			entry "$unit" | grep -x SMTP_VARIABLE=SMTP_SOCKET
		done
	done
}

@test "SMTP_SOCKET_MODE is the mode of UNIX sockets" {
	local value unit

	for value in 0660 600 777; do
		rm -rf "$out"
		generate <<<"SMTP_SOCKET_MODE=$value"
		[ -z "$output" ]
		for unit in smtpserver.socket smtpserver-listener.socket; do
			[ "$(option $unit SocketMode)" = "$value" ]
			is_listening_on $unit 127.0.0.1:2525 '[::1]:2525'
		done
	done
	for value in 66 0668 rw 1777 06660 -1 0x1; do
		rm -rf "$out"
		generate <<<"SMTP_SOCKET_MODE=$value"
		[[ $output == *"SMTP_SOCKET_MODE is '$value'; expected an octal"* ]]
		[[ $output == *"; 0600 is used" ]]
		for unit in smtpserver.socket smtpserver-listener.socket; do
			[ "$(option $unit SocketMode)" = 0600 ]
			is_listening_on $unit 127.0.0.1:2525 '[::1]:2525'
			entry $unit | grep -x 'MESSAGE=.*; 0600 is used'
			entry $unit | grep -x SMTP_VARIABLE=SMTP_SOCKET_MODE
		done
	done
}

@test "an invalid SMTP_PORT, or another host's, is named and not used" {
	while read -r value; do
		rm -rf "$out"
		generate <<<"SMTP_PORT=$value"
		echo "$value: $output"
		[[ $output == *"SMTP_PORT is '"*"expected a port, or loopback"* ]]
		for unit in smtpserver.socket smtpserver-listener.socket; do
			is_listening_on $unit 127.0.0.1:2525 '[::1]:2525'
			[[ $(option $unit ExecStartPre) == *SMTP_PORT* ]]
			entry "$unit" | grep -x SMTP_VARIABLE=SMTP_PORT
		done
	done <<-'END'
		0
		65536
		smtp
		25x
		-25
		025
		0.0.0.0:2525
		192.0.2.1:2525
		:2525
		[::]:2525
		[::2]:2525
		127.0.0.1
		127.0.0.1:
		127.0.0.256:25
		127.0.0:25
		127.0.0.1:25:26
		::1:25
		2525 # the usual
		25 0.0.0.0:2525
		25,2525
		25 *
		run/smtp
		/
		/run/
		/run/../smtp
		/run//smtp
		/run/[smtp]
		/run/Grüße
		/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/01234567
		2525$(touch /tmp/x)`id`";%n
	END
}

@test "the journal gets an invalid value as the programs' event" {
	generate <<<"SMTP_PORT='25; \"x'"
	diff <(entry smtpserver.socket | sort) <(sort <<-END
		MESSAGE=SMTP_PORT is '25? ?x'; expected a port, or loopback address:port, or the path of a UNIX socket, or several with blanks between; the default is used
		MESSAGE_ID=$(sed -n '/"setting-invalid"/{n;s/[^"]*"\(.*\)".*/\1/p}' \
			"$SMTPSERVER_SOURCE/lib/audit.c")
		OBJECT_SYSTEMD_UNIT=smtpserver.socket
		PRIORITY=3
		SMTP_EVENT=setting-invalid
		SMTP_REASON=SMTP_PORT is '25? ?x'; expected a port, or loopback address:port, or the path of a UNIX socket, or several with blanks between; the default is used
		SMTP_VARIABLE=SMTP_PORT
		SYSLOG_FACILITY=2
		SYSLOG_IDENTIFIER=smtpserver-generator
	END
	)
}

@test "a value that is quoted cannot break out of the drop-in" {
	generate <<-'END'
		SMTP_PORT="1
		[Socket]
		ExecStartPre=/bin/false %n $x 'y'"
	END
	[ "$(option smtpserver.socket ExecStartPre | wc -l)" -eq 1 ]
	run ! grep -q '[%$]' "$out/smtpserver.socket.d/environment.conf"
}

@test "SMTP_HEALTH_ADDR is any address and port" {
	while read -r value streams; do
		rm -rf "$out"
		generate <<<"SMTP_HEALTH_ADDR=$value"
		echo "$value: $output"
		[ -z "$output" ]
		# shellcheck disable=SC2086
		is_listening_on smtpserver-health.socket $streams
	done <<-'END'
		127.0.0.1:9090 127.0.0.1:9090
		9090 127.0.0.1:9090 [::1]:9090
		localhost:9090 127.0.0.1:9090 [::1]:9090
		:9090 9090
		0.0.0.0:9090 0.0.0.0:9090
		192.0.2.1:9090 192.0.2.1:9090
		[::]:9090 [::]:9090
		[2001:db8::1:2]:9090 [2001:db8::1:2]:9090
		[1:2:3:4:5:6:7:8]:9090 [1:2:3:4:5:6:7:8]:9090
	END
}

@test "an invalid SMTP_HEALTH_ADDR is named and not used" {
	for value in localhost host:80 127.0.0.1:0 '[1:2:3]:80' '[1::2::3]:80' \
		'[12345::]:80' '[:1]:80' '[1:2:3:4:5:6:7:8:9]:80' '[::1%lo]:80'; do
		rm -rf "$out"
		generate <<<"SMTP_HEALTH_ADDR=$value"
		echo "$value: $output"
		[[ $output == *"SMTP_HEALTH_ADDR is '"*"expected address:port"* ]]
		entry smtpserver-health.socket |
			grep -x SMTP_VARIABLE=SMTP_HEALTH_ADDR
		[ -z "$(option smtpserver-health.socket ListenStream)" ]
	done
}

@test "smtp-health is open to other hosts only if its address is" {
	generate <<<'SMTP_HEALTH_ADDR=127.0.0.1:9090'
	run ! grep -q IPAddressDeny "$out/smtpserver-health.socket.d/environment.conf"
	generate <<<'SMTP_HEALTH_ADDR=0.0.0.0:9090'
	grep -qx IPAddressDeny= "$out/smtpserver-health.socket.d/environment.conf"
}

@test "SMTP_QUEUE_PATH reaches every unit that looks at the spool" {
	generate <<<'SMTP_QUEUE_PATH="/srv/our mail/100%/"'
	[ -z "$output" ]
	diff <(option smtpserver-deliver.path DirectoryNotEmpty) \
		<(printf '\n/srv/our mail/100%%%%/queue/new\n')
	diff <(option smtpserver-retry.path PathChanged) \
		<(printf '\n/srv/our mail/100%%%%/queue/retry\n')
	diff <(option smtpserver-deliver.service \
		ConditionDirectoryNotEmpty) - <<-END

		|/srv/our mail/100%%/queue/new
		|/srv/our mail/100%%/queue/retry
	END
	for unit in smtpserver-deliver.service smtpserver-health.service \
		smtpserver-listener.service; do
		diff <(option $unit ReadWritePaths) \
			<(printf '\n"-/srv/our mail/100%%%%"\n')
	done
}

@test "a spool below /home or /tmp is shown to the services that hide these" {
	generate <<<'SMTP_QUEUE_PATH=/home/us/mail'
	for unit in smtpserver-deliver.service smtpserver-retry.service; do
		[ "$(option $unit ProtectHome)" = tmpfs ]
		[ "$(option $unit BindPaths)" = '"-/home/us/mail"' ]
	done
	rm -rf "$out"
	generate <<<'SMTP_QUEUE_PATH=/var/tmp/mail'
	[ "$(option smtpserver-health.service BindPaths)" = '"-/var/tmp/mail"' ]
}

@test "a relative SMTP_QUEUE_PATH is named and not used" {
	for value in mail ./mail /srv/../mail /srv/. /; do
		rm -rf "$out"
		generate <<<"SMTP_QUEUE_PATH=$value"
		[[ $output == *"SMTP_QUEUE_PATH is '$value'"*"absolute path"* ]]
		are_drop_ins_of smtpserver-listener.socket smtpserver.socket
	done
}

@test "a setting that names a credential has the services load it" {
	local unit

	generate <<-END
		SMTP_TLS_CERT=/etc/ssl/our.pem
		SMTP_TLS_KEY=smtpserver.tls-key
	END
	[ -z "$output" ]
	for unit in smtpserver@.service smtpserver-listener.service; do
		[ "$(option $unit LoadCredential)" = smtpserver.tls-key ]
	done
	are_drop_ins_of smtpserver-listener.{service,socket} smtpserver.socket \
		smtpserver@.service
	rm -r "$out"
	generate <<-END
		SMTP_AUTH_FILE=relays
		SMTP_DKIM_KEY_PATH=our.rsa,/etc/our.pem,ed25519
	END
	diff <(option smtpserver-deliver.service LoadCredential) \
		<(printf '%s\n' relays our.rsa ed25519)
	are_drop_ins_of smtpserver-deliver.service smtpserver-listener.socket \
		smtpserver.socket
	generate <<<SMTP_QUEUE_KEY_PATH=spool-key
	for unit in smtpserver@.service smtpserver-listener.service \
		smtpserver-deliver.service smtpserver-health.service; do
		[ "$(option $unit LoadCredential | tail -n 1)" = spool-key ]
	done
}

@test "an encrypted credential is loaded as such, before a plain one" {
	local unit

	mkdir -p "$root"/{etc,run,usr/lib}/credstore{,.encrypted}
	touch "$root/etc/credstore/both" "$root/etc/credstore.encrypted/both" \
		"$root/usr/lib/credstore.encrypted/"{vendor,both} \
		"$root/etc/credstore/plain"
	generate <<-END
		SMTP_TLS_CERT=plain
		SMTP_TLS_KEY=both
		SMTP_AUTH_FILE=vendor
	END
	for unit in smtpserver@.service smtpserver-listener.service; do
		[ "$(option $unit LoadCredential)" = plain ]
		[ "$(option $unit LoadCredentialEncrypted)" = \
			both:/etc/credstore.encrypted/both ]
	done
	[ "$(option smtpserver-deliver.service LoadCredentialEncrypted)" = \
		vendor:/usr/lib/credstore.encrypted/vendor ]
}

@test "a path, or what is no name to systemd, is no credential to load" {
	local value

	for value in ./our.pem /etc/our.pem x:/etc/shadow .. "'a%n'" "'a b'"; do
		generate <<<"SMTP_TLS_CERT=$value"
		[ -z "$output" ]
		are_drop_ins_of smtpserver-listener.socket smtpserver.socket
	done
}

# ---- the timer of retries ----------------------------------------------------

# set_timer STATE JOBS: run set-retry-timer, where systemctl says that about the
# path unit. $calls is what becomes of the timer.
set_timer() {
	local bin=$BATS_TEST_TMPDIR/bin

	mkdir -p "$bin"
	cat >"$bin/systemctl" <<-END
		#!/bin/sh
		case "\$*" in
		*ActiveState*retry.path) echo "$1" ;;
		list-jobs*retry.path) echo "$2" ;;
		*MainPID*) echo 0 ;;
		*stop*timer) echo removed >>"$BATS_TEST_TMPDIR/calls" ;;
		esac
	END
	cat >"$bin/systemd-run" <<-END
		#!/bin/sh
		echo set >>"$BATS_TEST_TMPDIR/calls"
	END
	chmod +x "$bin"/*
	: >"$BATS_TEST_TMPDIR/calls"
	PATH=$bin:$PATH run "$SMTPSERVER_SOURCE/units/set-retry-timer" \
		echo "2026-11-22 18:31:00 UTC"
	calls=$(xargs <"$BATS_TEST_TMPDIR/calls")
}

@test "the timer is set while the server is on, and removed when it stops" {
	set_timer active ""
	[ "$status $calls" = "0 removed set" ]
	set_timer active "12 smtpserver-retry.path stop waiting"
	[ "$status $calls" = "0 removed" ]
	set_timer inactive ""
	[ "$status $calls" = "0 removed" ]
}

@test "a restart of the path unit, or no answer of systemd, removes no timer" {
	set_timer deactivating "12 smtpserver-retry.path restart running"
	[ "$status $calls" = "0 removed set" ]
	set_timer inactive "12 smtpserver-retry.path start waiting"
	[ "$status $calls" = "0 removed set" ]
	set_timer "" ""
	[ "$status $calls" = "1 " ]
}

# ---- the catalog -------------------------------------------------------------

@test "the catalog has a text for every event, and no other" {
	mkdir -p "$stage/var/lib/systemd/catalog"
	journalctl --root="$stage" --update-catalog
	diff <(journalctl --root="$stage" --list-catalog | cut -d' ' -f1 | sort) \
		<(grep -oE '"[0-9a-f]{32}"' "$SMTPSERVER_SOURCE/lib/audit.c" |
			tr -d '"' | sort)
}

@test "a text of the catalog names only fields that exist" {
	grep -oE '@[A-Z_]+@' "$SMTPSERVER_SOURCE/units/smtpserver.catalog" |
		sort -u >"$BATS_TEST_TMPDIR/used"
	[ -s "$BATS_TEST_TMPDIR/used" ]
	while read -r field; do
		grep -q "\"${field//@/}\"" "$SMTPSERVER_SOURCE/lib/audit.c"
	done <"$BATS_TEST_TMPDIR/used"
}

# ---- the ageing of stored mail -----------------------------------------------

@test "stored mail is removed after 30 days, and nothing else" {
	local spool old='40 days ago' file

	need_root
	spool=$(sed -n 's/^d \([^ ]*\) .*/\1/p' "$stage"/usr/lib/tmpfiles.d/smtpserver.conf)
	mkdir -p "$root$spool" "$root/etc" "$root/usr/lib/tmpfiles.d"
	cp "$stage"/usr/lib/tmpfiles.d/smtpserver.conf "$root/usr/lib/tmpfiles.d"
	echo "smtpserver:x:987:" >"$root/etc/group"
	echo "smtpserver:x:987:987::/:/bin/false" >"$root/etc/passwd"

	cd "$root$spool"
	mkdir -p 2020-01-01 2020-01-02 2020-01-03 scratch \
		queue/{new,attempts,failed,damaged} queue/retry/202001010000
	files=(2020-01-01/{a,b}.eml 2020-01-02/{c,d}.eml key counters sessions
		scratch/e .hidden queue/{new,attempts,failed,damaged}/f
		queue/retry/202001010000/g)
	touch "${files[@]}"
	# All as old as possible, except for one that came late on its day.
	touch -d "$old" "${files[@]}"
	touch -d '29 days ago' 2020-01-02/d.eml
	find . -type d -exec touch -d "$old" {} +

	systemd-tmpfiles --root="$root" --clean smtpserver.conf
	find . -type f | sort
	[ ! -e 2020-01-01 ]
	[ ! -e 2020-01-02/c.eml ]
	[ -e 2020-01-02/d.eml ]
	[ ! -e 2020-01-03 ]
	for file in "${files[@]:4}"; do
		[ -e "$file" ]
	done
	[ -d scratch ]
}
