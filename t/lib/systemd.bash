# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# systemd.bash - a real systemd with smtpserver installed: load lib/systemd,
# after lib/common
#
#	setup_file() {
#		need_root
#		systemd_start
#		inside systemctl enable --now smtpserver.socket
#	}
#	teardown_file() {
#		systemd_stop
#	}
#
# It boots in a container over this machine's own file system, which it cannot
# change, since its writes go to a tmpfs. Its network is not connected
# (network_join of lib/network does that), and it has none of this machine's
# services. All mounts are in a mount namespace that ends with the container, so
# nothing is left even if the tests are killed.

systemd_commands=(systemd-nspawn nsenter unshare setpriv make)

# Boot it and install; then inside() works.
systemd_start() {
	local init

	need "${systemd_commands[@]}" || return
	export systemd_dir=$BATS_FILE_TMPDIR/systemd
	mkdir -p "$systemd_dir"
	setpriv --pdeathsig TERM unshare --mount --propagation private \
		bash -euc "$(declare -f systemd_run); systemd_run" \
		>"$systemd_dir/console" 2>&1 </dev/null 3>&- &
	echo $! >"$systemd_dir/pid"
	systemd_wait
	# On the running system, like an administrator.
	init=$(systemd_init)
	make -s -C "$SMTPSERVER_BUILD" install DESTDIR="/proc/$init/root" 3>&-
	inside journalctl --update-catalog
}

# Make the file system, and start the container again after each reboot.
systemd_run() {
	local status=133 nspawn=

	# The container's init is systemd-nspawn's child, which ends with it.
	trap 'kill -KILL $(cat /proc/$nspawn/task/$nspawn/children)' TERM
	mount -t tmpfs -o mode=755 tmpfs "$systemd_dir"
	cd "$systemd_dir" || return
	mkdir upper work root
	mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
	: >root/etc/machine-id
	echo smtpserver-test >root/etc/hostname
	# Hide what is enabled, configured or stored on this machine.
	rm -rf root/etc/systemd/system/*.{wants,requires} root/etc/smtpserver \
		root/var/spool/smtpserver root/var/log/journal
	while [ "$status" -eq 133 ]; do
		systemd-nspawn --quiet --register=no --keep-unit \
			--private-network --console=pipe \
			--system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
			-D root -b systemd.unit=basic.target &
		nspawn=$!
		status=0
		wait "$nspawn" || status=$?
	done
}

systemd_wait() {
	wait_for 60 systemd_is_booted || {
		tail -n 30 "$systemd_dir/console" >&2
		return 1
	}
}

systemd_is_booted() {
	inside systemctl --quiet is-active basic.target
}

# The process id of its init: the child of systemd-nspawn, which is ours.
systemd_init() {
	local pid

	pid=$(systemd_child "$(cat "$systemd_dir/pid")") &&
		systemd_child "$pid"
}

systemd_child() {
	local children

	children=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
	[ -n "$children" ] && echo "${children%% *}"
}

# inside COMMAND...: run a command as root in the booted system.
inside() {
	local init

	init=$(systemd_init) || return
	nsenter -t "$init" -r -w -m -u -i -n -p -C env -i LC_ALL=C.UTF-8 TZ=UTC \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_PAGER= "$@" 3>&-
}

# Reboot the system.
systemd_reboot() {
	local before

	before=$(systemd_init)
	inside systemctl reboot || :
	wait_for 60 systemd_has_another_init "$before"
	systemd_wait
}

systemd_has_another_init() {
	local now

	now=$(systemd_init) && [ "$now" != "$1" ]
}

# Stop it at once, even if it was not or only partly started.
systemd_stop() {
	local pid

	[ -s "${systemd_dir:-}/pid" ] || return 0
	pid=$(cat "$systemd_dir/pid")
	kill "$pid" 2>/dev/null || :
	wait_for 10 is_gone "$pid"
	wait "$pid" 2>/dev/null || :
}
