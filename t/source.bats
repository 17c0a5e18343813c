# SPDX-License-Identifier: ISC
#
# source.bats - the rules of the source, and its builds.

load lib/common
load lib/sources

# More than the other files' tests take: some build the whole tree.
export BATS_TEST_TIMEOUT=900

setup() {
	cd "$SMTPSERVER_SOURCE" || return
}

# include PATTERN: the C files, without tests, that include such a header.
include() {
	sources '*.c' '*.h' | grep -v '^t/' |
		xargs grep -lE "^#[[:space:]]*include [<\"]$1"
}

# Run a command, and show the end of its output if it fails.
quietly() {
	"$@" >"$BATS_TEST_TMPDIR/log" 2>&1 ||
		{ tail -n 60 "$BATS_TEST_TMPDIR/log" && false; }
}

# configure NAME ARGUMENT...: configure with these arguments. Sets $build to the
# build directory, and goes there.
configure() {
	build=$BATS_TEST_TMPDIR/$1
	shift
	mkdir -p "$build" && cd "$build" || return
	quietly "$SMTPSERVER_SOURCE/configure" --quiet --prefix=/usr \
		--sysconfdir=/etc --localstatedir=/var "$@"
}

# build NAME ARGUMENT...: configure in that way, and make.
build() {
	configure "$@"
	quietly make --silent -j2 all
	quietly make --silent -j2 check-programs
}

@test "every source names its licence in its first lines" {
	local file

	for file in $(sources '*.[ch]' '*.am' '*.ac' '*.[1-9]' '*.py' '*.in' \
		'*.go' '*.java' '*.js' '*.lua' '*.php' '*.pl' '*.rb') \
		$(shell_sources); do
		[ "$file" = Makefile.in ] || [ "$file" = config.h.in ] ||
			head -n 3 "$file" | grep -q "SPDX-License-Identifier: ISC" ||
			echo "$file"
	done | nothing
}

@test "C files are as clang-format would write them" {
	local file

	need clang-format
	for file in $(sources '*.c' '*.h'); do
		clang-format "$file" | cmp -s - "$file" || echo "$file"
	done | nothing
}

@test "mandoc finds nothing in the man pages" {
	need mandoc
	[ "$(sources '*.[1-9]' | wc -l)" -ge 4 ]
	sources '*.[1-9]' | xargs mandoc -T lint -W warning
}

# The variables that are written as strings in files.
variables() {
	grep -ohE '"SMTP_[A-Z_]+"' "$@" | tr -d '"' | sort -u
}

# packages_for PURPOSE...: the packages that the file "packages" has for these.
packages_for() {
	local purpose

	for purpose; do
		sed -n "s/^$purpose	//p" packages
	done
}

@test "README lists the packages of a build as ./bootstrap installs them" {
	[ "$(packages_for build | wc -l)" -ge 10 ]
	diff <(packages_for build) <(sed -n \
		'/^Without apt, install/,/^From a release/s/^    //p' README |
		tr ' ' '\n')
	# Nothing is listed twice, or for a purpose that nobody reads.
	packages_for build run check | sort | uniq -d | nothing
	grep -vE '^(#.*|(build|run|check)	[a-z0-9+.-]+|)$' packages | nothing
}

@test "configure names all that is missing at once, with its packages" {
	local expected

	mapfile -t expected < <(packages_for build |
		grep -vE '^(autoconf|automake|ca-certificates)$')
	cd "$BATS_TEST_TMPDIR"
	# All programs but these.
	mkdir bin
	ln -s /usr/bin/* bin
	rm bin/*gcc* bin/cc bin/*clang* bin/make bin/gmake bin/*pkg-config* \
		2>/dev/null || :
	PATH=$PWD/bin run -1 "$SMTPSERVER_SOURCE/configure" --quiet
	diff <(sed -n 's/.*: apt-get install //p' <<<"$output" | tr ' ' '\n' |
		sort) <(printf '%s\n' "${expected[@]}" | sort)
	[[ $output == *"a C compiler"*"libcurl >= 7.85"*"catalogdir"* ]]
	# Libraries alone.
	PKG_CONFIG_LIBDIR=/nonexistent run -1 "$SMTPSERVER_SOURCE/configure" --quiet
	[[ $output == *"libsystemd-dev libgnutls28-dev "*" systemd" ]]
	[[ $output != *gcc* ]]
}

@test "every variable of the settings is in README and smtpserver(7)" {
	local count=0 variable

	for variable in $(variables lib/settings.c smtp-*/settings.c); do
		grep -q "$variable" README
		grep -qE "^\.It Ev (.* )?$variable( |\$)" units/smtpserver.7
		count=$((count + 1))
	done
	[ "$count" -ge 32 ]
}

@test "lib/settings.c knows just the variables of all programs" {
	diff <(variables lib/settings.c) <({
		variables smtp-*/settings.c
		sed -n 's/^\(SMTP_[A-Z_]*\)=$/\1/p' \
			units/smtpserver-generator.in
	} | sort -u)
}

@test "programs read variables only through their tables" {
	sources '*.c' | grep -vE '^(t|lib)/|/settings\.c$' |
		xargs grep -nE 'getenv\("SMTP_|settings_get\("SMTP_' |
		grep -vE 'main\.c:.*"SMTP_(QUEUE_PATH|ROUTES)"' | nothing
}

@test "every event and field of the audit trail is in smtpserver(7)" {
	local word

	for word in $(sed -n 's/^	\[AUDIT_[A-Z_]*\] = { "\(.*\)",/\1/p' \
		lib/audit.c) $(grep -oE '"SMTP_[A-Z]+"' lib/audit.c |
		tr -d '"'); do
		grep -q "^\.It $word" units/smtpserver.7 || echo "$word"
	done | nothing
}

@test "every header compiles alone, and twice" {
	local flags header

	read -ra flags < <(pkg-config --cflags libbsd-overlay libmd libsystemd \
		gnutls libidn2 libxxhash libmicrohttpd)
	for header in $(sources '*.h'); do
		printf '#include "config.h"\n#include "%s"\n#include "%s"\n' \
			"$header" "$header" |
			gcc -std=c17 -Wall -Werror -fsyntax-only -xc \
				-I. -I"$SMTPSERVER_BUILD" "${flags[@]}" - ||
			echo "$header"
	done | nothing
}

@test "GnuTLS, the journal and microhttpd each have their own modules" {
	[ "$(include gnutls | sort | xargs)" = \
		"lib/password.c lib/sign.c lib/tls.c lib/tlsdane.c lib/tlsdane.h \
lib/tlspeer.c" ]
	[ "$(sources '*.c' | grep -v '^t/' |
		xargs grep -l systemd/journal)" = lib/audit.c ]
	[ "$(include microhttpd)" = smtp-health/http.c ]
}

@test "only https.c knows libcurl" {
	[ "$(include curl/)" = smtp-deliver/policy/https.c ]
}

@test "only submitter.c knows netlink" {
	[ "$(include 'linux/(netlink|rtnetlink|inet_diag|sock_diag)' | sort)" = \
		lib/submitter.c ]
}

@test "only sandbox.c knows Landlock, filter.c seccomp" {
	[ "$(include linux/landlock)" = lib/sandbox.c ]
	[ "$(include linux/seccomp)" = lib/filter.c ]
}

@test "only reply.c writes a reply on the wire" {
	[ "$(grep -lE 'stream_(put|printf)' smtp-session/*.c)" = \
		smtp-session/reply.c ]
}

@test "lib includes no program's headers, and programs not each other's" {
	local program

	for program in session deliver health; do
		include "smtp-$program/" | grep -q "^smtp-$program/"
		include "smtp-$program/" | grep -v "^smtp-$program/" | nothing
	done
}

@test "only lib/spool knows names on disk" {
	include 'lib/spool/(key|layout|names)\.h' | grep -q '^lib/spool/'
	include 'lib/spool/(key|layout|names)\.h' | grep -v '^lib/spool/' | nothing
	local pattern='"(queue|new|retry|attempts|failed|damaged)/|\.eml"'
	grep -qE "$pattern" lib/spool/names.h
	sources '*.c' '*.h' | grep -vE '^(t|lib/spool)/' |
		xargs grep -nE "$pattern" | nothing
}

# A room of smtp-deliver, and the rooms below it that it may include.
rooms="queue: worker client content route policy net
worker: client content route policy net
client: content route policy net
content: route policy net
route: policy net
policy: net
net:"

@test "a room of smtp-deliver includes only from rooms below it" {
	local room below

	include 'smtp-deliver/net/' | grep -q '^smtp-deliver/policy/'
	while IFS=: read -r room below; do
		[ -d "smtp-deliver/$room" ]
		grep -hoE '^#include "smtp-deliver/[a-z]+/' \
			"smtp-deliver/$room"/*.[ch] | sed 's,.*/\(.*\)/,\1,' |
			grep -vxF "$(tr ' ' '\n' <<<"$room$below")" |
			sed "s,^,$room/ includes ,"
	done <<<"$rooms" | nothing
	# Shared files include no room; only main.c includes queue/.
	include 'smtp-deliver/[a-z]+/' |
		grep -E '^smtp-deliver/(verdict|settings)\.' | nothing
	[ "$(include smtp-deliver/queue/ |
		grep -v '^smtp-deliver/queue/')" = smtp-deliver/main.c ]
}

@test "only queue/ and main.c of smtp-deliver know the spool's queue" {
	local pattern='lib/spool/(claim|draft|queue|repair|scan)\.h'

	include "$pattern" | grep -q '^smtp-deliver/queue/'
	include "$pattern" | grep '^smtp-deliver/' |
		grep -vE '^smtp-deliver/(queue/|main\.c$)' | nothing
}

# The lines of more than 80 columns in the files named on stdin, as file:line:
# text.
long_lines() {
	local file

	while read -r file; do
		expand "$file" | LC_ALL=C.UTF-8 grep -nE '^.{81}' |
			sed "s,^\([0-9]*\):,$file:\1: ,"
	done
}

# lines_but PATTERN: the lines of stdin that it does not match; there may be
# none.
lines_but() {
	grep -vE "$1" || [ $? -eq 1 ]
}

@test "no line has more than 80 columns" {
	# Except for rows of tables in t/unit and t/fuzz, requests in a man
	# page, and strings, patterns and long words in a shell file.
	sources '*.[ch]' | long_lines |
		lines_but '^t/(unit|fuzz)/[^:]*:[0-9]*: .*["{]' | nothing
	sources '*.[1-9]' | long_lines | lines_but ':[0-9]*: \.' | nothing
	sources '*.am' '*.ac' README DESIGN NEWS packages '*.go' '*.java' '*.js' '*.lua' \
		'*.php' '*.pl' '*.rb' | long_lines | nothing
	shell_sources | long_lines |
		lines_but "^[^:]*:[0-9]*: *(([^#@ ].*)?[\"']|[^ ]+\$)" |
		nothing
}

@test "a line of 81 columns is found" {
	cd "$BATS_TEST_TMPDIR"
	printf '#%078d\n#%079d\n#%080d\n' 1 2 3 >comment
	[ "$(echo comment | long_lines | lines_but ': [^#]' | wc -l)" -eq 1 ]
	echo comment | long_lines | lines_but ': #' | nothing
}

# Phrases with a plainer equivalent, such as "anyone who", "without", "notify".
phrases="whoever|for want of|(is|are) to be told|of no use|who has said"
phrases+="|is put aside"

# stock_phrases FILE...: print these phrases, as file:line: phrase. A phrase may
# go on in the next line of a comment or string.
stock_phrases() {
	pattern=${phrases// /[\\s*#\"]+} perl -0777 -ne '
		while (/\b($ENV{pattern})\b/gi) {
			printf "%s:%d: %s\n", $ARGV,
				1 + (substr($_, 0, $-[0]) =~ tr/\n//),
				$& =~ s/\s+/ /gr;
		}' "$@"
}

@test "no file has a phrase with a plainer equivalent" {
	local files planted=$BATS_TEST_TMPDIR/planted

	printf '/* Notify whoever\n * is to\n * be told. */\n' >"$planted"
	[ "$(stock_phrases "$planted")" = "$(printf '%s\n' \
		"$planted:1: whoever" "$planted:2: is to * be told")" ]
	# But for this file, and what autotools generate.
	mapfile -t files < <(sources '*' |
		grep -vE '^(configure|aclocal\.m4|(Makefile|config\.h)\.in)$' |
		grep -vE '^t/(source\.bats$|fuzz/seeds/)')
	[ ${#files[@]} -gt 200 ]
	stock_phrases "${files[@]}" | nothing
}

@test "no test file defines a function of t/lib again" {
	local functions

	functions=$(sed -n 's/^[a-z0-9_]*() {$/&/p' t/lib/*.bash |
		grep -vxE '(setup|teardown)\(\) \{')
	# upgrade.bats has the programs of two versions.
	grep -HnxF "$functions" t/*.bats |
		grep -vE '^t/upgrade\.bats:[0-9]+:program\(' | nothing
}

@test "t/lib/README has a line for each file of t/lib, sorted" {
	# Without files that a build leaves there.
	find t/lib -maxdepth 1 -type f ! -name README ! -name '*.o' \
		! -name '.*' -printf '%f\n' | LC_ALL=C sort |
		diff - <(sed -n '3,$s/ .*//p' t/lib/README)
}

# Whether the build that is tested is one by gcc, with warnings as errors, as in
# CI.
is_strict() {
	"$SMTPSERVER_BUILD/config.status" --config | grep -q enable-werror &&
		grep -q '^CC = gcc$' "$SMTPSERVER_BUILD/Makefile"
}

@test "gcc builds it without a warning" {
	is_strict || build gcc CC=gcc --enable-werror
}

@test "clang builds it without a warning" {
	need clang
	build clang CC=clang --enable-werror
}

@test "unit tests and dialogues pass with the sanitizers" {
	build sanitize --enable-sanitize
	SMTPSERVER_BUILD=$build "$SMTPSERVER_SOURCE/t/run" --quick
}

@test "programs are hardened: PIE, RELRO, no lazy binding" {
	local file header

	need readelf
	cd "$SMTPSERVER_BUILD"
	for file in smtp-session/smtp-session smtp-deliver/smtp-deliver \
		smtp-health/smtp-health lib/smtpserver/smtp-tls.so \
		lib/smtpserver/smtp-https.so; do
		header=$(readelf --wide --file-header --program-headers \
			--dynamic "$file")
		grep 'Type: *DYN' <<<"$header"
		grep 'GNU_RELRO' <<<"$header"
		grep 'GNU_STACK.* RW ' <<<"$header"
		grep 'Flags:.* NOW' <<<"$header"
		run ! grep TEXTREL <<<"$header"
	done
}

@test "make install installs under DESTDIR, make uninstall removes it" {
	local root=$BATS_TEST_TMPDIR/root

	quietly make --silent -C "$SMTPSERVER_BUILD" install DESTDIR="$root"
	[ -x "$root/usr/sbin/smtp-session" ]
	[ -e "$root/usr/lib/smtpserver/smtp-tls.so" ]
	[ -e "$root/usr/lib/smtpserver/smtp-https.so" ]
	[ -e "$root/usr/share/man/man7/smtpserver.7" ]
	quietly make --silent -C "$SMTPSERVER_BUILD" uninstall DESTDIR="$root"
	find "$root" ! -type d | nothing
}

# Whether make dist fails without xz, says why and leaves nothing.
dist_without_xz() {
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s /usr/bin/* "$BATS_TEST_TMPDIR/bin"
	rm "$BATS_TEST_TMPDIR/bin/xz" smtpserver-*.tar.xz
	PATH=$BATS_TEST_TMPDIR/bin run -2 make --silent dist
	[[ $output == *"xz was not found: install xz-utils"* ]]
	find . -maxdepth 1 -name 'smtpserver-*' | nothing
}

@test "make distcheck passes; the release has every source, nothing built" {
	local have=$BATS_TEST_TMPDIR/have

	configure dist
	quietly make --silent -j2 distcheck
	tar -tf smtpserver-*.tar.xz | sed 's,^[^/]*/,,' | sort >"$have"
	cp smtpserver-*.tar.xz "$BATS_TEST_TMPDIR/first.tar.xz"
	(umask 077 && TZ=UTC-9 quietly make --silent dist)
	cmp smtpserver-*.tar.xz "$BATS_TEST_TMPDIR/first.tar.xz"
	dist_without_xz
	cd "$SMTPSERVER_SOURCE"
	sources '*' | grep -vE '^(\.ci/|\.gitignore$)' |
		comm -23 - "$have" | nothing
	# Files that a build leaves beside its sources are not released.
	grep -E '\.(o|so)$|__pycache__' "$have" | nothing
}
