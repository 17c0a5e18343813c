#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# bench.bats - the benchmark works. Its figures here are meaningless.

load lib/common

setup() {
	need_root
	need python3 postfix systemd-socket-activate losetup mkfs.ext4 unshare
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
	# Postfix, which does not run as root, needs access.
	chmod a+x "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" .
}

bench() {
	"$SMTPSERVER_SOURCE/t/bench/bench" --short "$@" >table 2>progress ||
		{ cat progress && false; }
	sed 's/^/# /' table >&3
	output=$(cat table)
}

# json EXPRESSION: whether a Python expression on the results, "it", is true.
json() {
	python3 -c 'import json, sys
it = json.load(open("bench.json"))
sys.exit(not eval(f"({sys.argv[1]})"))' "$1"
}

# Whether all figures are there, and no other file is left.
is_whole() {
	json 'all(row["medians"] for s in it["sections"] for row in s["rows"])'
	json 'all(f >= 0 for s in it["sections"] for row in s["rows"]
		for some in row["figures"].values() for f in some)'
	rm -f bench.json bench.svg progress table
	[ -z "$(ls -A)" ]
}

@test "make bench measures and draws both flavours, Postfix and the disk" {
	bench throughput sizes clients
	[[ $output == *"10 clients, many per connection"*"10 MiB, 4 clients"* ]]
	[[ $output == *"smtplib"* ]]
	json 'all(name in it["sections"][0]["rows"][-1]["medians"]
		for name in ("listening", "per-connection", "Postfix", "disk"))'
	json '"listening / Postfix" in it["sections"][0]["rows"][0]["ratios"]'
	python3 -c 'import xml.dom.minidom as x; x.parse("bench.svg")'
	[ "$(grep -c '<polyline' bench.svg)" -ge 7 ]
	is_whole
}

@test "bench measures memory, and runs of smtp-deliver" {
	bench memory tick
	[[ $output == *"receiving 10 MiB"*"none is due"*"100 are due"* ]]
	is_whole
}

@test "bench measures the delivery of queued mail, beside Postfix" {
	need ip ss knotd knotc smtp-sink
	bench delivery
	[[ $output == *"to one smtp-sink"*"that take 100 ms"*"one is dead"* ]]
	json 'all({"smtp-deliver", "Postfix"} <= set(row["medians"])
		for section in it["sections"] for row in section["rows"])'
	is_whole
}

@test "bench measures the cost of a run with a long queue" {
	need ip ss knotd knotc smtp-sink
	bench scale
	[[ $output == *"among 5000"*"with its workers"*"to 30 hosts"* ]]
	is_whole
}

@test "bench measures connections under a booted systemd" {
	need systemd-nspawn nsenter unshare setpriv
	bench systemd
	json '{"cat", "per-connection", "listening"} <=
		set(it["sections"][0]["rows"][0]["medians"])'
	is_whole
}
