#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# dkim.bats - smtp-deliver signs what it sends (RFC 6376, RFC 8463). Independent
# verifiers check it, with keys in a real DNS.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mail

setup_file() {
	need_root
	need openssl perl opendkim-testmsg
	/usr/bin/python3 -c 'import dkim, nacl' || cannot_run "needs python3-dkim"
	perl -MMail::DKIM::Verifier -e 1 || cannot_run "needs Mail::DKIM"
	network_start
	for host in sender mx1 odd1 odd2; do
		network_add_host "$host"
	done
	mta_start mx1
	export keys=$BATS_FILE_TMPDIR/keys
	mkdir -p "$keys"
	make_key rsa RSA -pkeyopt rsa_keygen_bits:2048
	make_key ed ED25519
	dns <<-END
		real.test. MX 10 mx1.hosts.test.
		odd.test.  MX 10 mx.odd.test.
		odd.test.  MX 20 mx.second.test.
		mx.odd.test.    A $(network_ip4 odd1)
		mx.second.test. A $(network_ip4 odd2)
		$(publish rsa._domainkey.client.test rsa rsa)
		$(publish ed._domainkey.client.test ed25519 ed)
		$(publish rsa._domainkey.sub.client.test rsa rsa)
		$(publish rsa._domainkey.xn--bcher-kva.test rsa rsa)
	END
}

teardown_file() {
	network_stop
}

setup() {
	mail_setup
	export SMTP_DKIM_SELECTOR=rsa SMTP_DKIM_KEY_PATH=$keys/rsa.pem
}

# ---- helpers -----------------------------------------------------------------

# make_key NAME ALGORITHM OPTION...: make a private key, $keys/NAME.pem.
make_key() {
	local name=$1

	shift
	openssl genpkey -quiet -algorithm "$@" -out "$keys/$name.pem" 2>&1 ||
		openssl genpkey -algorithm "$@" -out "$keys/$name.pem"
	chmod 600 "$keys/$name.pem"
}

# publish NAME KIND KEY: publish the record of a key (RFC 6376 section 3.6.1,
# RFC 8463 section 4), split into strings of a TXT record.
publish() {
	local octets=0

	# Ed25519: the raw key without its ASN.1 structure.
	[ "$2" = rsa ] || octets=-32
	printf '%s. TXT ' "$1"
	{
		printf 'v=DKIM1; k=%s; p=' "$2"
		openssl pkey -in "$keys/$3.pem" -pubout -outform DER |
			tail -c "${octets/#0/+1}" | base64 -w 0
	} | fold -w 200 | sed 's/.*/"&"/' | tr '\n' ' '
	echo
}

# message_from [FROM-FIELD [BODY]]: a message as a client sends it.
message_from() {
	printf '%s\r\n' "From: ${1:-Sender <sender@client.test>}" \
		"To: somebody@odd.test" "Subject: test" \
		"Date: Sun, 22 Nov 2026 12:00:00 +0000" \
		"Message-ID: <$BATS_TEST_NUMBER@client.test>" \
		"" "${2:-text}"
}

# signed [FILE...]: python3-dkim's verdicts on the messages that odd1 has taken,
# or on other files, sorted and without file names.
signed() {
	[ $# -gt 0 ] || set -- "$(odd odd1)"/*.eml
	network_exec sender "$SMTPSERVER_SOURCE/t/lib/check-dkim" "$@" |
		cut -d ' ' -f 2- | sort
}

# How many messages are signed in each way.
tally() {
	signed | uniq -c | sed 's/^ *//'
}

# Whether a message passes the other two verifiers.
opendkim_passes() {
	network_exec sender opendkim-testmsg -C <"$1" >&2
}

perl_passes() {
	# shellcheck disable=SC2016
	network_exec sender perl -MMail::DKIM::Verifier -e '
		my $verifier = Mail::DKIM::Verifier->new();
		$verifier->load(*STDIN);
		print STDERR $verifier->result_detail, "\n";
		exit($verifier->result ne "pass");' <"$1"
}

# Start odd1, submit and deliver a message to it; print how it is signed.
send_one() {
	odd_start odd1
	message_from | submit sender@client.test somebody@odd.test >/dev/null
	deliver
	signed
	stop_started
}

@test "the journal says of each message whether it was signed" {
	odd_start odd1
	id=$(message_from | submit sender@client.test somebody@odd.test)
	nobody=$(message_from "a@[192.0.2.1]" |
		submit sender@client.test somebody@odd.test)
	deliver
	told "$id" delivered " signed=yes "
	told "$nobody" delivered
	not told "$nobody" delivered signed=
	# Also for one that a host refuses, perhaps for lack of a signature.
	stop_started
	odd_start odd1 "dot=550 5.7.20 no"
	id=$(message_from | submit sender@client.test somebody@odd.test)
	deliver
	told "$id" failed " signed=yes "
}

# ---- verification ------------------------------------------------------------

@test "three verifiers accept an RSA signature, and no changed message" {
	local changed=$BATS_TEST_TMPDIR/changed.eml file change

	odd_start odd1
	message_from | submit sender@client.test somebody@odd.test
	deliver
	file=$(odd odd1)/1.eml
	[ "$(signed)" = rsa-sha256/client.test/rsa/pass ]
	opendkim_passes "$file"
	perl_passes "$file"
	# It is the first field, and there is only one.
	head -n 1 "$file" | grep '^DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;'
	[ "$(grep -c ^DKIM-Signature: "$file")" -eq 1 ]
	# Lines have the length that RFC 5322 section 2.1.1 recommends.
	[ "$(sed '/^Received:/,$d' "$file" | tr -d '\r' | wc -L)" -le 78 ]

	for change in 's/^text/texT/' 's/^Subject: test/Subject: best/'; do
		sed "$change" "$file" >"$changed"
		not cmp -s "$file" "$changed"
		[ "$(signed "$changed")" = rsa-sha256/client.test/rsa/fail ]
		not opendkim_passes "$changed"
		not perl_passes "$changed"
	done
	# White space may change in transit (relaxed).
	sed 's/^text/text \t/; s/^Subject: test/SUBJECT:\ttest /' "$file" \
		>"$changed"
	[ "$(signed "$changed")" = rsa-sha256/client.test/rsa/pass ]
	opendkim_passes "$changed"
	perl_passes "$changed"
}

@test "an Ed25519 signature verifies, and that of a changed message fails" {
	export SMTP_DKIM_SELECTOR=ed SMTP_DKIM_KEY_PATH=$keys/ed.pem
	local changed=$BATS_TEST_TMPDIR/changed.eml

	[ "$(send_one)" = ed25519-sha256/client.test/ed/pass ]
	sed 's/^text/texT/' "$(odd odd1)/1.eml" >"$changed"
	[ "$(signed "$changed")" = ed25519-sha256/client.test/ed/fail ]
	sed 's/^Subject: test/Subject: best/' "$(odd odd1)/1.eml" >"$changed"
	[ "$(signed "$changed")" = ed25519-sha256/client.test/ed/fail ]
}

@test "with two keys there are two signatures, and both verify" {
	export SMTP_DKIM_SELECTOR=ed,rsa
	export SMTP_DKIM_KEY_PATH=$keys/ed.pem,$keys/rsa.pem

	[ "$(send_one | tr ' ' '\n')" = "$(printf '%s\n' \
		ed25519-sha256/client.test/ed/pass \
		rsa-sha256/client.test/rsa/pass)" ]
	# A verifier that supports only RSA accepts it.
	perl_passes "$(odd odd1)/1.eml"
}

@test "messages of all shapes are signed as they are sent" {
	export SMTP_DKIM_SELECTOR=ed,rsa
	export SMTP_DKIM_KEY_PATH=$keys/ed.pem,$keys/rsa.pem
	local from='From: <sender@client.test>' long shape count=0

	long=$(head -c 5000 /dev/zero | tr '\0' x)
	odd_start odd1
	for shape in "\r\n" "\r\n\r\n" "\r\n \r\n\t\r\n\r\n" "" \
		"\r\ntext\r\n\r\n\r\n\r\n" "\r\n\r\n\r\n  text \t \r\n" \
		"\r\n.\r\n..\r\n.a\r\n" "\r\n\xc3\xbc \xff\xfe \x80\r\n" \
		"\r\n$long\r\n$long  $long\r\n" \
		"Subject: one\r\n\ttwo\r\n   three \r\n\r\ntext\r\n" \
		"Subject:\r\n one\r\n\r\ntext\r\n" \
		"SUBJECT:  one   two\r\n\r\ntext\r\n" \
		"Subject:\r\n\r\ntext\r\n" \
		"Subject: one\r\nSubject: two\r\nTo: a@b.test\r\nTo: c@d.test\r\n\r\ntext\r\n" \
		"List-Id: <a.b.test>\r\nSender: a@b.test\r\nX: y\r\nSender: c@b.test\r\n\r\ntext\r\n" \
		"Subject: \xc3\xbc \xff\r\n\r\ntext\r\n" \
		"To: $long,\r\n $long\r\n\r\ntext\r\n" \
		"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=x.test;\r\n s=x; h=from; bh=; b=\r\n\r\ntext\r\n" \
		"Subject: a: b; c=d\r\nContent-Type: text/plain\r\nMIME-Version: 1.0\r\n\r\ntext\r\n"; do
		printf '%s\r\n%b' "$from" "$shape" |
			submit sender@client.test somebody@odd.test
		count=$((count + 1))
	done
	deliver
	[ "$(odd_count odd1)" -eq "$count" ]
	signed >"$BATS_TEST_TMPDIR/signed"
	sort "$BATS_TEST_TMPDIR/signed" | uniq -c >&2
	# One was submitted with a signature already, which is invalid.
	[ "$(grep -c 'rsa-sha256/x.test/x/fail$' "$BATS_TEST_TMPDIR/signed")" -eq 1 ]
	[ "$(grep -c '^ed25519-sha256/client.test/ed/pass rsa-sha256/client.test/rsa/pass' \
		"$BATS_TEST_TMPDIR/signed")" -eq "$count" ]
	for file in "$(odd odd1)"/*.eml; do
		grep -q 'x.test' "$file" || perl_passes "$file"
	done
}

@test "a field with a space before its colon is signed, too" {
	odd_start odd1
	# python3-dkim does not support that (RFC 5322 section 4.5).
	{
		printf 'SUBJECT : one  two\r\n'
		message_from
	} | submit sender@client.test somebody@odd.test
	deliver
	perl_passes "$(odd odd1)/1.eml"
	grep -q '^SUBJECT : one' "$(odd odd1)/1.eml"
	sed 's/one  two/one three/' "$(odd odd1)/1.eml" \
		>"$BATS_TEST_TMPDIR/changed.eml"
	not perl_passes "$BATS_TEST_TMPDIR/changed.eml"
}

@test "a field that is added in transit breaks the signature" {
	local dir=$BATS_TEST_TMPDIR/changed field

	send_one
	mkdir "$dir"
	for field in "From: <other@client.test>" "Subject: other" \
		"To: other@x.test" "Date: Sun, 22 Nov 2026 13:00:00 +0000" \
		"Cc: other@x.test" "Reply-To: other@x.test" \
		"Content-Type: text/html" "MIME-Version: 1.0" \
		"Content-Transfer-Encoding: base64" \
		"Message-ID: <other@x.test>" "In-Reply-To: <other@x.test>" \
		"References: <other@x.test>"; do
		{
			printf '%s\r\n' "$field"
			cat "$(odd odd1)/1.eml"
		} >"$dir/${field%%:*}.eml"
	done
	not opendkim_passes "$dir/Subject.eml"
	not perl_passes "$dir/Cc.eml"
	# But fields that hosts and lists legitimately add do not.
	{
		printf 'Received: from x by y; date\r\nSender: list@x.test\r\n'
		cat "$(odd odd1)/1.eml"
	} >"$dir/list.eml"
	[ "$(signed "$dir"/*.eml | uniq -c | sed 's/^ *//')" = \
		"$(printf '%s\n' "12 rsa-sha256/client.test/rsa/fail" \
			"1 rsa-sha256/client.test/rsa/pass")" ]
}

@test "a signature survives a real MTA" {
	local file

	message_from | submit sender@client.test somebody@real.test
	deliver
	wait_for 10 mta_mail mx1 "<$BATS_TEST_NUMBER@client.test>"
	# Without the lines that the MTA adds for its mailbox.
	file=$(mta_mail mx1 "<$BATS_TEST_NUMBER@client.test>")
	sed 's/$/\r/' "$file" >"$BATS_TEST_TMPDIR/mail.eml"
	[ "$(signed "$BATS_TEST_TMPDIR/mail.eml")" = \
		rsa-sha256/client.test/rsa/pass ]
	opendkim_passes "$BATS_TEST_TMPDIR/mail.eml"
}

# ---- signing domains ---------------------------------------------------------

@test "a message is signed for its author's domain, if that is valid" {
	odd_start odd1
	local sender="sender@client.test SMTPUTF8" long

	long=$(yes "A Name" | head -n 1000 | tr '\n' ' ')
	for from in "a@client.test" "A <a@CLIENT.test>" "(x) \"b@c\" <a@sub.client.test>" \
		"a@b$(printf '\303\274')cher.test" "$long<a@client.test>" \
		"=?utf-8?Q?Doe,_John?= <a@client.test>" \
		"a@client.test, b@client.test" "Nobody: ;" "a" "a@[192.0.2.1]"; do
		message_from "$from" | submit "$sender" somebody@odd.test
	done
	{
		printf 'From: a@client.test\r\n'
		message_from
	} | submit "$sender" somebody@odd.test
	# It gets the sender's From.
	printf 'Subject: no author\r\n\r\ntext\r\n' |
		submit "$sender" somebody@odd.test
	deliver
	[ "$(odd_count odd1)" -eq 12 ]
	[ "$(tally)" = "$(printf '%s\n' "5 none" \
		"5 rsa-sha256/client.test/rsa/pass" \
		"1 rsa-sha256/sub.client.test/rsa/pass" \
		"1 rsa-sha256/xn--bcher-kva.test/rsa/pass")" ]
}

# Characters that become ";", "=" and "/" in the domain's A-label.
@test "an author's domain adds no tags to the signature" {
	odd_start odd1
	message_from "a@client.test；l＝0；y＝.z.test" |
		submit "sender@client.test SMTPUTF8" somebody@odd.test
	deliver
	[ "$(odd_count odd1)" -eq 1 ]
	[ "$(signed)" = none ]
}

@test "SMTP_DKIM_DOMAIN limits signing to authors in and below that domain" {
	export SMTP_DKIM_DOMAIN=Client.test

	odd_start odd1
	for from in a@client.test a@sub.client.test a@xclient.test a@test \
		a@client.test.x.test a@other.test; do
		message_from "$from" | submit sender@client.test somebody@odd.test
	done
	deliver
	[ "$(odd_count odd1)" -eq 6 ]
	[ "$(tally)" = "$(printf '%s\n' "4 none" \
		"2 rsa-sha256/Client.test/rsa/pass")" ]
}

@test "a message without a sender is signed as well" {
	odd_start odd1
	message_from "MAILER-DAEMON@client.test" | submit "" somebody@odd.test
	deliver
	grep -qF 'MAIL FROM:<>' "$(odd odd1)/log"
	[ "$(signed)" = rsa-sha256/client.test/rsa/pass ]
}

@test "without a key nothing is signed" {
	unset SMTP_DKIM_SELECTOR SMTP_DKIM_KEY_PATH
	[ "$(send_one)" = none ]
}

# ---- how it is sent ----------------------------------------------------------

@test "SIZE= counts the signature, which is left out if it does not fit" {
	local announced sent

	odd_start odd1
	message_from | submit sender@client.test somebody@odd.test
	deliver
	announced=$(sed -n 's/.*MAIL FROM:.* SIZE=\([0-9]*\).*/\1/p' \
		"$(odd odd1)/log")
	sent=$(stat -c %s "$(odd odd1)/1.eml")
	[ "$announced" -eq "$sent" ]
	stop_started

	# With room for one octet less. The other host is unreachable.
	odd_start odd1 --offer "SIZE $((sent - 1))"
	message_from | submit sender@client.test somebody@odd.test
	deliver
	not grep -q 'MAIL FROM' "$(odd odd1)/log"
	grep -q "event=host-passed-over .*the host accepts at most $((sent - 1)) octets" "$trail"
}

@test "each attempt has one signature, the same for each host" {
	odd_start odd1 'dot=451 4.3.0 later'
	odd_start odd2 'dot=451 4.3.0 later;ok'
	message_from | submit sender@client.test somebody@odd.test
	deliver
	[ "$(odd_count odd2)" -eq 0 ]
	mkdir -p "$spool/queue/retry/202001010000"
	find "$spool/queue/retry" -type f -exec mv -t \
		"$spool/queue/retry/202001010000" {} +
	deliver
	[ "$(odd_count odd2)" -eq 1 ]
	[ "$(signed "$(odd odd2)/1.eml")" = rsa-sha256/client.test/rsa/pass ]
	[ "$(grep -c '^DKIM-Sig' "$(odd odd2)/1.eml")" -eq 1 ]
}

# most_memory: peak memory in KiB of a run of smtp-deliver or of one of its
# workers.
most_memory() {
	# shellcheck disable=SC2016
	network_exec sender python3 -c '
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' \
		"$(program smtp-deliver)"
}

@test "memory does not grow with the body, a field or their number" {
	local small large words

	# The field is long, but has few lines: python3-dkim copies all of it
	# for each line.
	words=$(yes 'a word  and more' | head -n 50 | tr '\n' ' ')
	odd_start odd1
	message_from | submit sender@client.test somebody@odd.test
	small=$(most_memory)
	{
		printf 'From: <sender@client.test>\r\nSubject: long\r\n'
		yes "	$words$(printf '\r')" | head -n 1500
		printf '\r\n'
		yes "some text,  with space $(printf '\r')" | head -n 60000
	} | submit sender@client.test somebody@odd.test
	{
		yes "Comments: x$(printf '\r')" | head -n 60000
		message_from
	} | submit sender@client.test somebody@odd.test
	large=$(most_memory)
	echo "$small KiB, $large KiB" >&2
	[ "$(odd_count odd1)" -eq 3 ]
	[ "$(tally)" = "3 rsa-sha256/client.test/rsa/pass" ]
	[ "$large" -lt $((small + 1024)) ]
}

@test "a message with more than 200 fields to sign goes unsigned" {
	odd_start odd1
	for count in 195 201; do
		{
			yes "List-Help: x$(printf '\r')" | head -n "$count"
			message_from
		} | submit sender@client.test somebody@odd.test
	done
	deliver
	[ "$(tally)" = "$(printf '%s\n' "1 none" \
		"1 rsa-sha256/client.test/rsa/pass")" ]
}

# ---- keys --------------------------------------------------------------------

# refused TEXT...: whether smtp-deliver exits with EX_CONFIG and prints all of
# the texts in one line, before it touches the spool.
refused() {
	local text

	run "$(program smtp-deliver)"
	[ "$status" -eq 78 ] && [ "${#lines[@]}" -eq 1 ] && [ ! -e "$spool" ] ||
		return 1
	for text; do
		[[ $output = *"$text"* ]] || return 1
	done
}

@test "an unusable key is an error at start that names the variable" {
	local dir=$BATS_TEST_TMPDIR

	SMTP_DKIM_KEY_PATH=$dir/none refused SMTP_DKIM_KEY_PATH "$dir/none" \
		"No such file"
	SMTP_DKIM_KEY_PATH=$dir refused SMTP_DKIM_KEY_PATH "not a regular file"
	echo nonsense >"$dir/text"
	chmod 600 "$dir/text"
	SMTP_DKIM_KEY_PATH=$dir/text refused SMTP_DKIM_KEY_PATH "$dir/text"
	cp "$keys/rsa.pem" "$dir/open.pem"
	chmod 604 "$dir/open.pem"
	SMTP_DKIM_KEY_PATH=$dir/open.pem refused SMTP_DKIM_KEY_PATH everyone
	for option in -traditional ''; do
		# shellcheck disable=SC2086
		openssl rsa -aes256 -passout pass:secret $option \
			-in "$keys/rsa.pem" -out "$dir/encrypted.pem"
		chmod 600 "$dir/encrypted.pem"
		SMTP_DKIM_KEY_PATH=$dir/encrypted.pem refused \
			SMTP_DKIM_KEY_PATH encrypted
	done
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:768 \
		-out "$dir/small.pem"
	chmod 600 "$dir/small.pem"
	SMTP_DKIM_KEY_PATH=$dir/small.pem refused SMTP_DKIM_KEY_PATH "768 bits"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-out "$dir/ec.pem"
	chmod 600 "$dir/ec.pem"
	SMTP_DKIM_KEY_PATH=$dir/ec.pem refused SMTP_DKIM_KEY_PATH \
		"neither an RSA nor an Ed25519 key"
	# A public key is not a private one.
	openssl pkey -in "$keys/rsa.pem" -pubout -out "$dir/public.pem"
	chmod 600 "$dir/public.pem"
	SMTP_DKIM_KEY_PATH=$dir/public.pem refused SMTP_DKIM_KEY_PATH
	# The second one counts as well.
	SMTP_DKIM_SELECTOR=a,b SMTP_DKIM_KEY_PATH=$keys/rsa.pem,$dir/none \
		refused SMTP_DKIM_KEY_PATH "$dir/none"
}

@test "a selector without a key, or a key without a selector, is an error" {
	SMTP_DKIM_SELECTOR='' refused "SMTP_DKIM_SELECTOR is not set"
	SMTP_DKIM_KEY_PATH='' refused "SMTP_DKIM_KEY_PATH is not set"
	SMTP_DKIM_SELECTOR=a,b refused SMTP_DKIM_SELECTOR "a,b"
}

@test "a key path without a slash names a systemd credential" {
	export SMTP_DKIM_KEY_PATH=dkim-key

	refused SMTP_DKIM_KEY_PATH dkim-key credential
	mkdir "$BATS_TEST_TMPDIR/credentials"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	refused SMTP_DKIM_KEY_PATH dkim-key "No such file"
	install -m 400 "$keys/rsa.pem" "$CREDENTIALS_DIRECTORY/dkim-key"
	[ "$(send_one)" = rsa-sha256/client.test/rsa/pass ]
}

# ---- processes that have the key ---------------------------------------------

# Whether a process has the Ed25519 key in its memory.
has_key() {
	openssl pkey -in "$keys/ed.pem" -outform DER | tail -c 32 \
		>"$BATS_TEST_TMPDIR/octets"
	has_in_memory "$1" "$BATS_TEST_TMPDIR/octets"
}

@test "a worker has the key, the process that fetches policies does not" {
	dns <<-END
		sts.test.          MX 10 mx.odd.test.
		_mta-sts.sts.test. TXT "v=STSv1; id=1;"
		mta-sts.sts.test.  A $(network_ip4 odd2)
	END
	# Both wait for the policy.
	odd_start odd2 --port 443 banner=silent
	export SMTP_DKIM_SELECTOR=ed SMTP_DKIM_KEY_PATH=$keys/ed.pem
	message_from | submit sender@client.test somebody@sts.test
	SMTP_REMOTE_TIMEOUT=60 deliver_start
	wait_for 10 has_got odd2 connect
	worker=$(child_of "$started")
	fetcher=$(child_of "$worker")
	has_key "$worker"
	not has_key "$fetcher"
}
