# SPDX-License-Identifier: ISC
#
# analysis.bats - static analysers find nothing in the source.
#
# An exception is explained where it is made: beside a NOLINT or a
# cppcheck-suppress in the source, or in .clang-tidy or here if it applies to
# the whole source. Each analyser must also find a planted fault.

load lib/common
load lib/sources

# The machine may be busy.
export BATS_TEST_TIMEOUT=900

setup() {
	cd "$SMTPSERVER_SOURCE" || return
	need pkg-config
	read -ra flags < <(pkg-config --cflags libbsd-overlay libmd libsystemd \
		gnutls libidn2 libxxhash libmicrohttpd fuse3)
	flags+=(-std=c17 -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -I.
		-I"$SMTPSERVER_BUILD" '-DPKGLIBDIR="/usr/lib/smtpserver"'
		'-DSBINDIR="/usr/sbin"' '-DSYSCONFDIR="/etc"'
		'-DLOCALSTATEDIR="/var"')
}

# plant NAME: create a file with a fault from stdin.
plant() {
	fault=$BATS_TEST_TMPDIR/$1
	cat >"$fault"
}

@test "gcc -fanalyzer finds nothing" {
	need gcc
	# It loses track of pointers in an array. clang-tidy, cppcheck and
	# LeakSanitizer look for leaks.
	flags+=(-O2 -fanalyzer -Wno-analyzer-malloc-leak -Werror -c
		-o /dev/null)
	plant fault.c <<-'END'
		#include <stdlib.h>
		void twice(char *p) { free(p); free(p); }
	END
	run gcc "${flags[@]}" "$fault"
	[[ $output == *analyzer-double-free* ]]
	sources '*.c' | xargs -P2 -I{} gcc "${flags[@]}" {}
}

@test "clang-tidy finds nothing" {
	need clang-tidy
	plant fault.c <<-'END'
		#include <string.h>
		int is_b(const char *a) { return strcmp(a, "b") ? 1 : 1; }
	END
	run clang-tidy --quiet --config-file=.clang-tidy "$fault" -- \
		"${flags[@]}"
	[[ $output == *bugprone-branch-clone* || $output == *misc-redundant* ]]
	sources '*.c' | xargs -P2 -I{} clang-tidy --quiet {} -- \
		"${flags[@]}" 2>"$BATS_TEST_TMPDIR/counts" ||
		{ cat "$BATS_TEST_TMPDIR/counts" && false; }
}

# check_c FILE...: what cppcheck says. Not asked for:
#
#	constParameter	handlers of a table have one type
#	getpwuidCalled	there are no threads here
#	readdirCalled	the same
#	resourceLeak	in lib/module.c: a module stays until the process ends
#	unusedStructMember	the kernel reads it
#	variableScope	KNF declares variables at the start of a function
check_c() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
		--library=posix,bsd,gnu --include=/usr/include/bsd/sys/queue.h \
		-D_GNU_SOURCE -D__x86_64__ -I. -I"$SMTPSERVER_BUILD" \
		--suppress=constParameter --suppress=getpwuidCalled \
		--suppress=readdirCalled --suppress=unusedStructMember \
		--suppress=variableScope \
		--suppress=resourceLeak:lib/module.c \
		--suppress='*:/usr/include/*' "$@"
}

@test "cppcheck finds nothing" {
	need cppcheck
	plant fault.c <<-'END'
		#include <fcntl.h>
		int leak(void) { int fd = open("/", O_RDONLY); return fd == -1; }
	END
	run -1 check_c "$fault"
	[[ $output == *resourceLeak* ]]
	check_c -j2 --enable=warning,style,performance,portability \
		--inconclusive lib smtp-* t
}

@test "cppcheck finds no function that no program uses" {
	need cppcheck
	plant fault.c <<-'END'
		int useless(void) { return 1; }
	END
	run -1 check_c --enable=unusedFunction "$fault" lib smtp-*
	[[ $output == *"'useless' is never used"* ]]
	# t/unit/audit.c uses the two functions that describe events.
	check_c --enable=unusedFunction --suppress=unusedFunction:lib/audit.c \
		lib smtp-*
}

@test "every exception names the check that it suppresses" {
	sources '*.[ch]' | xargs grep -n NOLINT | grep -v 'NOLINT[A-Z]*([a-z]' |
		nothing
}

@test "shellcheck finds nothing in the shell files" {
	need shellcheck
	[[ "$(shell_sources)" == *bootstrap*t/run* ]]
	# Tests are subshells, and use what they load; shellcheck sees neither.
	shell_sources | grep '\.ba[st][sh]*$' |
		xargs -P2 -n8 shellcheck --exclude=SC2030,SC2031,SC2154
	shell_sources | grep -v '\.ba[st][sh]*$' | xargs shellcheck
}

@test "pyflakes finds nothing in the Python files, nor does Python warn" {
	need pyflakes3 python3
	[[ "$(python_sources)" == *t/dialogue/run*t/soak* ]]
	plant fault.py <<-'END'
		import os
	END
	run -1 pyflakes3 "$fault"
	python_sources | xargs pyflakes3
	python_sources | xargs python3 -W error -c 'import sys
for name in sys.argv[1:]:
    with open(name) as file:
        compile(file.read(), name, "exec")'
}
