#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# fuzz.bats - the fuzz targets, each for half a minute: `make fuzz` for longer.
#
# t/fuzz/fuzz does the work and prints runs, findings and coverage.

load lib/common

export BATS_TEST_TIMEOUT=1500

setup_file() {
	need clang llvm-cov llvm-profdata python3
	export fuzz_dir=$BATS_FILE_TMPDIR/build
}

# More jobs than processors: they run at a low priority, and share what the
# other tests leave.
fuzz() {
	run "$SMTPSERVER_SOURCE/t/fuzz/fuzz" --jobs 4 --build "$fuzz_dir" "$@"
	printf '%s\n' "$output"
}

# row TARGET: print its line of the table, as words.
row() {
	local line

	for line in "${lines[@]}"; do
		if [[ $line == "$1 "* ]]; then
			read -ra words <<<"$line"
		fi
	done
	[ "${words[0]}" = "$1" ]
}

@test "no fuzz target finds anything in half a minute" {
	local line target words targets=0

	fuzz --seconds "${FUZZ_SECONDS:-30}"
	for line in "${lines[@]}"; do
		printf '# %s\n' "$line" >&3
	done
	[ "$status" -eq 0 ]
	for target in "$SMTPSERVER_SOURCE"/t/fuzz/seeds/[a-z]*; do
		row "${target##*/}"
		[ "${words[1]}" -ge 1000 ]
		[ "${words[3]}" -eq 0 ]
		# The seeds alone reach most of it.
		[ "${words[4]%.*}" -ge 70 ]
		targets=$((targets + 1))
	done
	[ "$targets" -ge 15 ]
}

# ---- tests of the test -------------------------------------------------------

# planted TARGET: whether the target finds a planted fault.
planted() {
	fuzz --seconds 60 "planted-$1"
	[ "$status" -eq 1 ]
	row "planted-$1"
	[ "${words[3]}" -eq 1 ]
	[ -n "$(find "$fuzz_dir/findings/planted-$1" -name '*crash*')" ]
}

@test "fuzzing finds a false end of data" {
	planted data
	[[ $output == *"does not hold: "* ]]
}

@test "fuzzing finds an address that overflows its buffer" {
	planted command
	[[ $output == *"AddressSanitizer: "*-buffer-overflow* ]]
}

@test "fuzzing finds input from before the handshake that is kept" {
	planted session
	[[ $output == *"does not hold: !stream_has_input(stream)"* ]]
}
