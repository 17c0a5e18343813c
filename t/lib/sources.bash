# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# sources.bash - which files are the source: load lib/sources
#
# For tests of the source itself; they are in its top folder.

# sources NAME...: all files of ours with such a name, and none that was made.
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

# programs_for INTERPRETER: those whose first line names it, a pattern.
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

# Whether there is no input; otherwise it is shown.
nothing() {
	! grep .
}
