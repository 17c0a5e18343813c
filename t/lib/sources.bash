# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# sources.bash - list the source files: load lib/sources
#
# For tests of the source itself, which run in its top folder.

# sources PATTERN...: the source files with such a name, no generated ones.
sources() {
	local name args=()

	for name; do
		args+=(-o -name "$name")
	done
	find . \( -path ./.git -o -path ./build -o -path ./build-aux \
		-o -path ./autom4te.cache -o -path ./data \
		-o -name __pycache__ -o -name '*~' -o -name '.#*' \) -prune \
		-o -type f \( -false "${args[@]}" \) -printf '%P\n' | sort
}

# programs_for PATTERN: the files whose first line names such an interpreter.
programs_for() {
	local file

	for file in $(sources '*'); do
		if [ "$file" != configure ] &&
			head -n 1 "$file" | grep -qaE "^#! ?/[a-z/ ]*$1\$"; then
			echo "$file"
		fi
	done
}

shell_sources() {
	sources '*.bats' '*.bash'
	programs_for '/(ba)?sh'
}

python_sources() {
	sources '*.py'
	programs_for '[ /]python3'
}

# Fail if there is input, and show it.
nothing() {
	! grep .
}
