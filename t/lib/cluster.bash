# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# cluster.bash - hosts that share a file system: load lib/cluster, after
# lib/network
#
# GlusterFS over FUSE, on two hosts of the network. A third host is the arbiter,
# and the remote host for the mail. Each has its own mount namespace; everything
# ends with its processes.
#
#	setup_file() {
#		need_root
#		network_start
#		cluster_start
#	}
#	teardown_file() {
#		network_stop
#	}
#
# shellcheck disable=SC2154 # lib/network sets $network_dir

cluster_hosts=(alpha beta gamma)
cluster_commands=(glusterd gluster mount.glusterfs nsenter unshare)

# The folder for the private files of a host.
cluster_dir() {
	printf '%s/cluster/%s\n' "$network_dir" "$1"
}

# Where the shared file system is, on every host that has it.
cluster_mount() {
	printf '%s/cluster/shared\n' "$network_dir"
}

cluster_start() {
	local host brick=()

	need "${cluster_commands[@]}" || return
	[ -c /dev/fuse ] || cannot_run "needs /dev/fuse" || return
	mkdir -p "$(cluster_mount)"
	for host in "${cluster_hosts[@]}"; do
		network_add_host "$host"
		cluster_start_host "$host"
		brick+=("$(network_ip4 "$host"):$(cluster_dir "$host")/brick/spool")
	done
	for host in beta gamma; do
		wait_for 20 cluster_exec alpha \
			gluster peer probe "$(network_ip4 "$host")"
	done
	wait_for 20 cluster_are_peers
	cluster_gluster volume create spool replica 3 arbiter 1 \
		"${brick[@]}" force
	# How long a silent host still counts as present.
	cluster_gluster volume set spool network.ping-timeout 5
	cluster_gluster volume start spool
	cluster_have_mount alpha
	cluster_have_mount beta
}

cluster_have_mount() {
	wait_for 30 cluster_exec "$1" mount -t glusterfs \
		"$(network_ip4 "$1"):/spool" "$(cluster_mount)"
}

# Run the daemon of a host, with its files on a tmpfs that ends with its mounts.
cluster_start_host() {
	local dir

	dir=$(cluster_dir "$1")
	mkdir -p "$dir"/{lib,log,brick}
	# shellcheck disable=SC2016 # the inner shell's variables
	network_exec "$1" setsid unshare --mount --uts sh -c '
		set -e
		mount --make-rprivate /
		mount -t tmpfs tmpfs "$2/brick"
		mount -t tmpfs tmpfs /run
		mkdir -p /run/gluster /var/lib/glusterd /var/log/glusterfs
		mount --bind "$2/lib" /var/lib/glusterd
		mount --bind "$2/log" /var/log/glusterfs
		hostname "$1"
		echo $$ >"$2/pid"
		exec glusterd --no-daemon --log-level=WARNING
		' sh "$1" "$dir" >"$dir/out" 2>&1 3>&- &
	wait_for 20 network_is_listening "$1" 24007
}

# cluster_exec HOST COMMAND...: run a command there, as this process.
cluster_exec() {
	local pid

	pid=$(cat "$(cluster_dir "$1")/pid")
	shift
	nsenter --target "$pid" --mount --net --uts -- "$@"
}

cluster_gluster() {
	cluster_exec alpha gluster --mode=script "$@"
}

# Whether every host sees the two others.
cluster_are_peers() {
	local host

	for host in "${cluster_hosts[@]}"; do
		[ "$(cluster_exec "$host" gluster peer status |
			grep -c 'Peer in Cluster (Connected)')" -eq 2 ] ||
			return 1
	done
}

# Kill a host at once, with all that runs on it.
cluster_kill() {
	network_remove_host "$1"
}

# Take the shared file system away from a host, and nothing else.
cluster_lose_mount() {
	local pid

	for pid in $(ip netns pids "$network_id-$1"); do
		if grep -qzxF "$(cluster_mount)" "/proc/$pid/cmdline" &&
			[ "$(cat "/proc/$pid/comm")" = glusterfs ]; then
			kill -KILL "$pid"
		fi
	done
}

cluster_mount_again() {
	cluster_exec "$1" umount --lazy "$(cluster_mount)"
	cluster_have_mount "$1"
}
