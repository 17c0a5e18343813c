#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# clients.bats - real SMTP clients submit mail, and what is stored is what they
# sent.
#
# Each client connects through t/lib/record, which keeps what it sends;
# t/lib/check-stored works out what must be stored, and compares. Clients are
# libraries, used by the programs in t/clients, command-line tools and MTAs. All
# of them send a text in UTF-8 with lines that begin with dots, a long subject,
# and an attachment if they make MIME, to three recipients, one of them a blind
# copy. Over TLS, which cannot be read, they send a given message.
#
# shellcheck disable=SC2154 # the files that are loaded set more variables
# shellcheck disable=SC2016 # what is quoted is for sed, or for another shell

bats_require_minimum_version 1.5.0

load lib/common
load lib/network
load lib/mtas

export FROM=sender@client.test TO=one@a.test CC=two@b.test BCC=hidden@c.test \
	MAIL=$BATS_FILE_TMPDIR/mail

setup_file() {
	need_root
	need certtool curl esmtp git gccgo-12 java lua5.4 msmtp mutt node perl \
		php ruby s-nail sendEmail swaks systemd-socket-activate
	mtas_need
	export network_dir=$BATS_FILE_TMPDIR
	# The MTAs' users reach their folders.
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	ca_start
	ca_issue localhost localhost 127.0.0.1
	ca_issue stranger --self-signed localhost 127.0.0.1
	gccgo-12 -o "$BATS_FILE_TMPDIR/net-smtp" \
		"$SMTPSERVER_SOURCE/t/clients/net-smtp.go"
	make_mail
}

setup() {
	export SMTP_HOSTNAME=mail.test HOME=$BATS_TEST_TMPDIR/home
	log=$BATS_TEST_TMPDIR/log
	mkdir "$HOME"
}

teardown() {
	[ ! -e "$BATS_TEST_TMPDIR/postfix/etc" ] ||
		postfix -c "$BATS_TEST_TMPDIR/postfix/etc" stop 2>/dev/null || :
	stop_started
	# For a test that has failed.
	tail -n 30 "$log" >&2 || :
}

# ---- what is sent ------------------------------------------------------------

# Make the files of $MAIL that t/clients/README lists.
make_mail() {
	local word=Zażółć_gęślą_jaźń

	mkdir "$MAIL"
	printf 'A long subject:%s\n' "$(printf " $word %s" {1..12})" \
		>"$MAIL/subject"
	{
		printf '%s\n' "Grüße, 日本語, 😀" . .. ".one dot" "..two dots" \
			"From the start of a line" "" $'\ta tab, and blanks  '
		printf '%0900d\n' 7
		printf '%s\n' ".x" "" "--" "the end" "" ""
	} >"$MAIL/text"
	printf '\0\r\n.\r\n\r\n.\n\xff\xfe%01000d\r' 7 >"$MAIL/attachment"
	{
		printf '%s\n' "From: =?UTF-8?Q?Zo=C3=AB?= <$FROM>" \
			"To: One <$TO>" "Cc: $CC" "BCC: A blind copy" \
			"	<$BCC>" \
			"Subject: whole" \
			"References:$(printf '\n <%s@client.test>' {1..100})" \
			"X-Long: $(printf '%0900d' 7)" "MIME-Version: 1.0" \
			"Content-Type: text/plain; charset=utf-8" \
			"Content-Transfer-Encoding: 8bit" "Content-Length: 7" ""
		cat "$MAIL/text"
	} >"$MAIL/message.lf"
	sed 's/$/\r/' "$MAIL/message.lf" >"$MAIL/message"
	# The MTAs' users read it.
	chmod -R a+rX "$MAIL"
}

# ---- the server --------------------------------------------------------------

# Serve sessions, with clients recorded, at $PORT until the test ends.
serve() {
	local server name settings=()

	server=$(free_port)
	for name in ${!SMTP_*}; do
		settings+=(-E "$name")
	done
	start systemd-socket-activate --accept --inetd -l "127.0.0.1:$server" \
		"${settings[@]}" "$(program smtp-session)" 2>>"$log" >/dev/null
	wait_for 10 grep -q "^Listening on" "$log"
	mkdir "$BATS_TEST_TMPDIR/record"
	start "$SMTPSERVER_SOURCE/t/lib/record" "$server" \
		"$BATS_TEST_TMPDIR/record" 2>>"$log" \
		>"$BATS_TEST_TMPDIR/record-port"
	wait_for 10 test -s "$BATS_TEST_TMPDIR/record-port"
	PORT=$(cat "$BATS_TEST_TMPDIR/record-port")
	export PORT
}

# check_stored ARGUMENT...: t/lib/check-stored of this test's spool.
check_stored() {
	"$SMTPSERVER_SOURCE/t/lib/check-stored" "$spool" "$@"
}

# is_stored [ENVELOPE...]: whether messages with these envelopes, one to all
# recipients if none is given, are stored as clients have sent them.
is_stored() {
	[ $# -gt 0 ] || set -- "$FROM $BCC $TO $CC"
	check_stored "$BATS_TEST_TMPDIR"/record/* >"$BATS_TEST_TMPDIR/stored" ||
		return
	diff <(printf '%s\n' "$@") <(sort "$BATS_TEST_TMPDIR/stored") || return
	# Dots were stuffed, and nobody reads of the blind copy.
	grep -qa '^\.\.' "$BATS_TEST_TMPDIR"/record/* &&
		not is_in_content "$BCC"
}

# Whether a stored message has the text in its content, but for the Received
# field, which names a recipient that is the only one.
is_in_content() {
	local file

	for file in "$spool"/queue/new/*; do
		! sed '1,/^X-Smtpserver-Content: /d; /^\tfor </d' "$file" |
			grep -aF -- "$1" || return 0
	done
	return 1
}

# ---- clients -----------------------------------------------------------------

# client NAME: run that program of t/clients.
client() {
	local command file=$SMTPSERVER_SOURCE/t/clients/$1

	case $1 in
	*.go) command=("$BATS_FILE_TMPDIR/net-smtp") file= ;;
	*.java) command=(java -cp "$(jars jakarta-mail jakarta-activation)") ;;
	*.js) command=(env NODE_PATH=/usr/share/nodejs node) ;;
	*.lua) command=(lua5.4) ;;
	*.php) command=(php "${@:2}") ;;
	*.pl) command=(perl) ;;
	*.py) command=(/usr/bin/python3) ;;
	*.rb) command=(ruby) ;;
	esac
	timeout 120 "${command[@]}" ${file:+"$file"}
}

# jars NAME...: a class path of Debian's libraries.
jars() {
	local IFS=:
	local paths=("${@/#//usr/share/java/}")

	printf '%s\n' "${paths[*]/%/.jar}"
}

@test "the comparison notices one octet, and another envelope" {
	serve
	client net-smtp.go
	is_stored
	local record=$BATS_TEST_TMPDIR/record/1 file other
	file=$(echo "$spool"/queue/new/*)
	other=$BATS_TEST_TMPDIR/other/queue/new/${file##*/}
	mkdir -p "${other%/*}"

	for edit in 's/^From the start/From the sta1t/' 's/^\.x/..x/' \
		's/^References:/references:/' 's/^--\r/--/' '$s/$/\n/' \
		's/^Date: .*/Date: x\r/' 's/^Cc: /Bcc: x\r\n&/' \
		'/^Subject: /d' 's/^Received: /X-&/' \
		's/^Return-Path: <sender/Return-Path: <nobody/' \
		'/^Envelope-To: <hidden/d'; do
		LC_ALL=C sed "$edit" "$file" >"$other"
		not cmp "$file" "$other"
		reseal "$other"
		run -1 "$SMTPSERVER_SOURCE/t/lib/check-stored" \
			"$BATS_TEST_TMPDIR/other" "$record"
		echo "$edit: $output"
		[[ $output == "check-stored: "* ]]
	done
	cp "$file" "${file}x"
	run -1 check_stored "$record"
	rm "${file}x" "$file"
	run -1 check_stored "$record"
}

# reseal FILE: write the size of its content into it.
reseal() {
	local size

	size=$(sed '1,/^X-Smtpserver-Content: /d' "$1" | wc -c)
	sed -i "s/^\(X-Smtpserver-Content: size=\)[0-9]*/\1$(printf '%012d' \
		"$size")/" "$1"
}

@test "Go's net/smtp" {
	serve
	client net-smtp.go
	is_stored
	# It says so whenever it is offered.
	grep -a '^MAIL FROM:.* SMTPUTF8' "$BATS_TEST_TMPDIR/record/1"
}

@test "nodemailer" {
	serve
	client nodemailer.js
	is_stored
}

@test "PHPMailer" {
	serve
	client phpmailer.php
	is_stored
}

@test "PHP's mail(), by msmtp" {
	serve
	client php-mail.php -d "sendmail_path='msmtp --host=127.0.0.1 \
--port=$PORT --from=$FROM --read-recipients'"
	is_stored
}

@test "Jakarta Mail" {
	serve
	client JakartaMail.java
	is_stored
}

@test "Ruby's mail" {
	serve
	client mail.rb
	is_stored
}

@test "Ruby's Net::SMTP" {
	serve
	client net-smtp.rb
	is_stored
}

@test "Perl's Net::SMTP" {
	serve
	client net-smtp.pl
	is_stored
}

@test "Email::Sender" {
	serve
	client email-sender.pl
	is_stored
}

@test "MIME::Lite" {
	serve
	client mime-lite.pl
	is_stored
}

@test "Mail::Sendmail" {
	serve
	client mail-sendmail.pl
	is_stored
}

@test "Python's smtplib" {
	serve
	client python-smtplib.py
	is_stored
}

@test "Python's smtplib, with addresses in UTF-8" {
	serve
	TO=grüße@ü.test client python-smtputf8.py
	check_stored "$BATS_TEST_TMPDIR/record/1" >"$BATS_TEST_TMPDIR/stored"
	[ "$(cat "$BATS_TEST_TMPDIR/stored")" = "$FROM grüße@ü.test $BCC" ]
	grep -a '^mail FROM:.* SMTPUTF8' "$BATS_TEST_TMPDIR/record/1"
	grep -a "^X-Smtpserver-Options:.* SMTPUTF8" "$spool"/queue/new/*
}

@test "aiosmtplib" {
	serve
	client aio-smtplib.py
	is_stored
}

@test "Twisted" {
	serve
	client twisted-mail.py
	is_stored
}

@test "LuaSocket" {
	serve
	client luasocket.lua
	is_stored
}

# ---- tools -------------------------------------------------------------------

# curl_message FILE [OPTION...]: submit a file by curl.
curl_message() {
	curl -sS --max-time 60 --noproxy '*' -T "$1" --mail-from "$FROM" \
		--mail-rcpt "$TO" --mail-rcpt "$CC" --mail-rcpt "$BCC" \
		"${@:2}" "smtp://localhost:$PORT/client.test"
}

@test "curl" {
	serve
	curl_message "$MAIL/message"
	is_stored
}

@test "curl, with the line ends of a file" {
	serve
	grep -v '^\.' "$MAIL/message.lf" >"$BATS_TEST_TMPDIR/message"
	curl_message "$BATS_TEST_TMPDIR/message"
	check_stored "$BATS_TEST_TMPDIR/record/1"
	grep "event=newlines-normalized" "$log"
}

@test "swaks" {
	serve
	swaks --silent 2 --server 127.0.0.1 --port "$PORT" --from "$FROM" \
		--to "$TO,$CC,$BCC" --h-To "$TO" --h-Cc "$CC" \
		--header "X-Long: $(printf '%0900d' 7)" \
		--body "@$MAIL/text" --attach "@$MAIL/attachment"
	is_stored
}

# msmtp_message [OPTION...]: submit the message by msmtp.
msmtp_message() {
	msmtp --host=localhost --port="$PORT" --from="$FROM" --timeout=60 \
		"$@" -- "$TO" "$CC" "$BCC" <"$MAIL/message.lf"
}

@test "msmtp" {
	serve
	msmtp_message
	is_stored
}

@test "s-nail" {
	serve
	s-nail -:/ -S v15-compat -S mta="smtp://127.0.0.1:$PORT" \
		-S smtp-auth=none -S from="$FROM" -S ttycharset=utf-8 \
		-S sendcharsets=utf-8 -S mime-encoding=8bit -S sendwait \
		-c "$CC" -b "$BCC" -s "$(cat "$MAIL/subject")" \
		-a "$MAIL/attachment" "$TO" <"$MAIL/text"
	is_stored
}

@test "mutt" {
	serve
	mutt -n -F /dev/null -e "set smtp_url=smtp://127.0.0.1:$PORT from=$FROM" \
		-e 'set use_envelope_from allow_8bit charset=utf-8 copy=no' \
		-e 'set ssl_force_tls=no ssl_starttls=no' -c "$CC" -b "$BCC" \
		-s "$(cat "$MAIL/subject")" -a "$MAIL/attachment" -- "$TO" \
		<"$MAIL/text"
	is_stored
}

@test "sendEmail" {
	serve
	sendEmail -q -f "$FROM" -t "$TO" -cc "$CC" -bcc "$BCC" \
		-u "$(cat "$MAIL/subject")" -s "127.0.0.1:$PORT" -o tls=no \
		-o message-charset=utf-8 -o message-file="$MAIL/text" \
		-a "$MAIL/attachment"
	is_stored
}

@test "git send-email" {
	local repository=$BATS_TEST_TMPDIR/repository text

	serve
	git init -q "$repository"
	cd "$repository"
	git config user.name "Zoë"
	git config user.email "$FROM"
	for text in text subject; do
		cp "$MAIL/$text" .
		git add .
		git commit -q -m "$(cat "$MAIL/subject")" -m ".a dot: $text"
	done
	git format-patch -q --root -o patches
	git send-email --quiet --confirm=never --smtp-server=127.0.0.1 \
		--smtp-server-port="$PORT" --from="$FROM" --to="$TO" --cc="$CC" \
		--bcc="$BCC" --suppress-cc=all --8bit-encoding=UTF-8 \
		--transfer-encoding=8bit patches/*
	is_stored "$FROM $BCC $TO $CC" "$FROM $BCC $TO $CC"
}

@test "esmtp" {
	serve
	cat >"$BATS_TEST_TMPDIR/esmtprc" <<-END
		hostname = 127.0.0.1:$PORT
		starttls = disabled
	END
	chmod 600 "$BATS_TEST_TMPDIR/esmtprc"
	esmtp -C "$BATS_TEST_TMPDIR/esmtprc" -i -f "$FROM" -- "$TO" "$CC" \
		"$BCC" <"$MAIL/message.lf"
	is_stored
}

# ---- MTAs, as clients --------------------------------------------------------

@test "Postfix, also with a recipient in UTF-8" {
	local dir=$BATS_TEST_TMPDIR/postfix

	serve
	postfix_start "$dir"
	sendmail -C "$dir/etc" -i -f "$FROM" "$TO" "$CC" "$BCC" \
		<"$MAIL/message.lf"
	sendmail -C "$dir/etc" -i -f "$FROM" grün@ü.test <"$MAIL/message.lf"
	wait_for 60 is_stored "$FROM grün@ü.test" "$FROM $BCC $TO $CC"
	grep -a '^MAIL FROM:.* BODY=8BITMIME' "$BATS_TEST_TMPDIR"/record/*
	grep -a '^RCPT TO:<grün@ü.test> ORCPT=' "$BATS_TEST_TMPDIR"/record/*
}

# postfix_start DIRECTORY: start a Postfix that sends all mail to $PORT; it
# listens nowhere.
postfix_start() {
	local dir=$1

	mkdir -p "$dir/etc" "$dir/queue" "$dir/data"
	chmod a+x "$BATS_TEST_TMPDIR" "$dir"
	chown postfix "$dir/data"
	cat >"$dir/etc/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $dir/queue
		data_directory = $dir/data
		daemon_directory = $(postconf -dh daemon_directory)
		maillog_file = $dir/log
		maillog_file_prefixes = /
		myhostname = client.test
		mydestination =
		alias_maps =
		alias_database =
		inet_interfaces = loopback-only
		inet_protocols = ipv4
		relayhost = [127.0.0.1]:$PORT
		smtp_dns_support_level = disabled
	END
	cat >"$dir/etc/master.cf" <<-END
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		proxymap unix - - n - - proxymap
		smtp unix - - n - - smtp
		relay unix - - n - - smtp
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
		postlog unix-dgram n - n - 1 postlogd
	END
	postfix -c "$dir/etc" start >>"$log" 2>&1 3>&-
}

# mta COMMAND: run a shell command with the unpacked MTAs in /usr, the files in
# $etc in /etc, and an empty /var and /run.
mta() {
	timeout 120 unshare --mount --propagation private \
		"$SMTPSERVER_SOURCE/t/lib/private-root" "$etc" "$mtas_dir/usr" \
		sh -euc "$1" >>"$log" 2>&1 3>&-
}

# Make the folder $etc, with the MTAs' users.
make_etc() {
	etc=$BATS_TEST_TMPDIR/etc
	mkdir "$etc"
	mtas_add_users "$etc"
}

@test "Exim" {
	serve
	make_etc
	mkdir "$etc/exim4"
	cat >"$etc/exim4/exim4.conf" <<-END
		primary_hostname = client.test
		keep_environment =
		never_users =
		begin routers
		relay:
		  driver = manualroute
		  route_list = * 127.0.0.1
		  self = send
		  transport = relay
		begin transports
		relay:
		  driver = smtp
		  port = $PORT
		  allow_localhost
	END
	mta 'install -d -o Debian-exim /var/log/exim4
		exim4 -odf -i -f "$FROM" "$TO" "$CC" "$BCC" <"$MAIL/message.lf"'
	is_stored
}

@test "OpenSMTPD" {
	serve
	make_etc
	cat >"$etc/smtpd.conf" <<-END
		listen on socket
		action "relay" relay host "smtp://127.0.0.1:$PORT"
		match from any for any action "relay"
	END
	mta 'smtpd -d -f /etc/smtpd.conf &
		smtpd=$!
		trap "kill $smtpd; wait" EXIT
		for name in smtpctl sendmail; do
			install -g opensmtpq -m 2755 /usr/sbin/smtpctl \
				/run/$name
		done
		until /run/smtpctl show status; do sleep 0.1; done
		/run/sendmail -i -f "$FROM" "$TO" "$CC" "$BCC" \
			<"$MAIL/message.lf"
		while /run/smtpctl show queue | grep .; do sleep 0.1; done'
	is_stored
}

@test "nullmailer" {
	serve
	{
		printf '%s\n' "$FROM" "$TO" "$CC" "$BCC" ""
		cat "$MAIL/message.lf"
	} >"$BATS_TEST_TMPDIR/queued"
	HELOHOST=client.test "$mtas_dir/usr/lib/nullmailer/smtp" \
		--port="$PORT" --host=127.0.0.1 \
		</dev/null 3<"$BATS_TEST_TMPDIR/queued"
	is_stored
}

@test "dma" {
	serve
	make_etc
	mkdir "$etc/dma"
	printf '%s\n' "SMARTHOST 127.0.0.1" "PORT $PORT" \
		"MAILNAME client.test" >"$etc/dma/dma.conf"
	mta 'install -d -m 2775 -o root -g mail /var/spool/dma
		dma -i -f "$FROM" "$TO" "$CC" "$BCC" <"$MAIL/message.lf"
		while ls /var/spool/dma | grep -q .; do sleep 0.1; done'
	# It sends a message to each recipient.
	is_stored "$FROM $BCC" "$FROM $TO" "$FROM $CC"
}

@test "sSMTP" {
	serve
	printf '%s\n' "mailhub=127.0.0.1:$PORT" "hostname=client.test" \
		"FromLineOverride=YES" >"$BATS_TEST_TMPDIR/ssmtp.conf"
	"$mtas_dir/usr/sbin/ssmtp" -C"$BATS_TEST_TMPDIR/ssmtp.conf" -i \
		-f"$FROM" "$TO" "$CC" "$BCC" <"$MAIL/message.lf"
	is_stored
}

# ---- STARTTLS ----------------------------------------------------------------

# use_certificate NAME: offer STARTTLS with it. Clients trust the CA.
use_certificate() {
	export SMTP_TLS_CERT=$network_dir/ca/$1.pem
	export SMTP_TLS_KEY=$network_dir/ca/$1.key TLS=1
	export SSL_CERT_FILE=$network_dir/ca/ca.pem
	export NODE_EXTRA_CA_CERTS=$SSL_CERT_FILE
}

# The clients that send a given message.
tls_clients=(net-smtp.go net-smtp.pl net-smtp.rb python-smtplib.py
	aio-smtplib.py nodemailer.js curl msmtp swaks)

# submit_over_tls CLIENT: have it send the message. swaks adds a line end.
submit_over_tls() {
	case $1 in
	curl)
		curl_message "$MAIL/message" --ssl-reqd \
			--cacert "$SSL_CERT_FILE"
		;;
	msmtp)
		msmtp_message --tls --tls-starttls \
			--tls-trust-file="$SSL_CERT_FILE" \
			--set-date-header=off --set-msgid-header=off
		;;
	swaks)
		sed '$d' "$MAIL/message.lf" | swaks --silent 2 \
			--server localhost --port "$PORT" --from "$FROM" \
			--to "$TO,$CC,$BCC" --data - --tls --tls-verify \
			--tls-ca-path "$SSL_CERT_FILE"
		;;
	*) client "$1" ;;
	esac
}

@test "STARTTLS: the certificate is verified, and what is sent is stored" {
	local each

	use_certificate localhost
	serve
	for each in "${tls_clients[@]}"; do
		echo "$each"
		submit_over_tls "$each"
		check_stored --sent "$MAIL/message" "$FROM" "$TO" "$CC" "$BCC"
		grep -aq "^	by mail.test (smtpserver) with \(UTF8SMTPS\|ESMTPS\)" \
			"$spool"/queue/new/*
		not is_in_content "$BCC"
		find "$spool" -type f \( -name '*.eml' -o -path '*/new/*' \) \
			-delete
	done
	# Nothing went without TLS.
	run ! grep -a "^MAIL" "$BATS_TEST_TMPDIR"/record/*
}

@test "STARTTLS: no client sends anything to a server that it cannot verify" {
	local each

	use_certificate stranger
	serve
	for each in "${tls_clients[@]}"; do
		echo "$each"
		not submit_over_tls "$each"
	done
	[ -z "$(find "$spool" -name '*.eml')" ]
	[ "$(grep -al "^STARTTLS" "$BATS_TEST_TMPDIR"/record/* | wc -l)" -ge \
		${#tls_clients[@]} ]
}
