# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # the files loaded before set more variables
#
# mtas.bash - real MTAs beside Postfix: load lib/mtas, after lib/network
#
# Debian's Exim and OpenSMTPD, and small ones that only send, unpacked by
# t/lib/unpack-mtas and not installed. The former two can take mail: each runs
# on a host of the network with a private /etc/passwd for its users, a
# private /usr for its programs, and a /var for its spool that ends with it. The
# functions of lib/network for received mail, mta_mail and mta_content, work for
# them, too.
#
#	exim_start mx1 certificate
#	opensmtpd_start mx2
#
# Both take mail for every domain into one maildir, except for two local parts:
# "refused" gets 550, "later" gets 450, at Exim until mtas_relent. They take
# messages of up to 5 MB.

mtas_dir=$SMTPSERVER_BUILD/mtas
mtas_uid=801

# Skip the file unless they are available, for setup_file().
mtas_need() {
	need unshare apt-get dpkg-deb || return
	"$SMTPSERVER_SOURCE/t/lib/unpack-mtas" "$mtas_dir" >/dev/null ||
		cannot_run "needs the packages of Exim and OpenSMTPD" || return
	! ldd "$mtas_dir"/usr/sbin/{dma,exim4,smtpd,ssmtp} \
		"$mtas_dir/usr/lib/nullmailer/smtp" | grep "not found" ||
		cannot_run "needs $(tr '\n' ' ' <"$mtas_dir/libraries")"
}

# mtas_add_users ETC: put a passwd and a group with the users of the programs
# into that folder.
mtas_add_users() {
	local user uid=$mtas_uid

	cp /etc/passwd /etc/group "$1/"
	for user in mailbox Debian-exim opensmtpd opensmtpq; do
		sed -i "/^$user:/d" "$1/passwd" "$1/group"
		echo "$user:x:$uid:$uid::/var/lib/opensmtpd/empty:/bin/sh" \
			>>"$1/passwd"
		echo "$user:x:$uid:" >>"$1/group"
		uid=$((uid + 1))
	done
	chmod 644 "$1/passwd" "$1/group"
}

# mtas_make HOST: make the folder of its configuration, with the users of its
# programs.
mtas_make() {
	local dir=$network_dir/mta-$1

	mkdir -p "$dir/etc/exim4" "$dir/mail"
	mtas_add_users "$dir/etc"
	cp "/etc/netns/$network_id-$1"/* "$dir/etc/"
	chmod 755 "$dir" "$dir/etc" "$dir/etc/exim4"
	chown "$mtas_uid:$mtas_uid" "$dir/mail"
	mkdir -p "$dir/logs"
	chown $((mtas_uid + 1)) "$dir/logs"
}

# mtas_run HOST COMMAND...: run it in the background until the network is
# stopped.
mtas_run() {
	local host=$1 dir=$network_dir/mta-$1

	shift
	network_exec "$host" setsid unshare --mount --propagation private \
		"$SMTPSERVER_SOURCE/t/lib/private-root" "$dir/etc" \
		"$mtas_dir/usr" "$@" >>"$dir/log" 2>&1 3>&- &
	wait_for 20 network_is_listening "$host" 25 ||
		{ cat "$dir/log" >&2 && return 1; }
}

# mtas_relent HOST: accept the local part "later" from now on.
mtas_relent() {
	touch "$network_dir/mta-$1/relented"
}

# exim_start HOST CERTIFICATE. It offers STARTTLS, PIPELINING, 8BITMIME,
# SMTPUTF8, SIZE and DSN, and takes only messages whose header it can parse.
exim_start() {
	local host=$1 dir=$network_dir/mta-$1

	mtas_make "$host"
	cp "$network_dir/ca/$2".{pem,key} "$dir/etc/"
	chown $((mtas_uid + 1)) "$dir/etc/$2.key"
	cat >"$dir/etc/exim4/exim4.conf" <<-END
		primary_hostname = $host.hosts.test
		tls_advertise_hosts = *
		tls_certificate = /etc/$2.pem
		tls_privatekey = /etc/$2.key
		dsn_advertise_hosts = *
		smtputf8_advertise_hosts = *
		message_size_limit = 5M
		acl_smtp_rcpt = recipient
		acl_smtp_data = content
		log_file_path = $dir/logs/%s
		spool_directory = /var/spool/exim4
		keep_environment =
		never_users =
		begin acl
		recipient:
		  deny local_parts = refused
		    message = 5.1.1 nobody of that name
		  defer local_parts = later
		    condition = \${if exists{$dir/relented}{no}{yes}}
		    message = 4.2.1 come back later
		  accept
		content:
		  require verify = header_syntax
		    message = 5.6.0 no header
		  accept
		begin routers
		everybody:
		  driver = accept
		  transport = maildir
		begin transports
		maildir:
		  driver = appendfile
		  maildir_format
		  directory = $dir/mail
		  create_directory
		  user = mailbox
		  delivery_date_add = false
		  envelope_to_add
		  return_path_add
	END
	chmod 644 "$dir/etc/exim4/exim4.conf"
	mtas_run "$host" /usr/sbin/exim4 -bdf
}

# opensmtpd_start HOST. It offers 8BITMIME, SIZE and DSN, but not PIPELINING and
# not SMTPUTF8; and not STARTTLS, because Debian 12's cannot sign with its key
# in a process of its own (6.8.0p2 with OpenSSL 3: every handshake ends with an
# internal error, openssl s_client sees the same).
opensmtpd_start() {
	local host=$1 dir=$network_dir/mta-$1

	mtas_make "$host"
	cat >"$dir/etc/smtpd.conf" <<-END
		smtp max-message-size "5M"
		table nobody { "^refused@.*" }
		table grey { "^later@.*" }
		filter "nobody" phase rcpt-to match rcpt-to regex <nobody> \\
			reject "550 5.1.1 nobody of that name"
		filter "grey" phase rcpt-to match rcpt-to regex <grey> \\
			reject "450 4.2.1 come back later"
		filter "both" chain { "nobody", "grey" }
		listen on 0.0.0.0 hostname "$host.hosts.test" filter "both"
		listen on :: hostname "$host.hosts.test" filter "both"
		action "keep" maildir "$dir/mail" virtual { "@" = mailbox }
		match from any for any action "keep"
	END
	mtas_run "$host" /usr/sbin/smtpd -d -f /etc/smtpd.conf
}
