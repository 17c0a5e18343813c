# SPDX-License-Identifier: ISC
"""network - two hosts in network namespaces, and a DNS server.

Within network.own() this process and its children are in a network namespace
that is linked to another one, which has all addresses of HOSTS. Packets to DEAD
are dropped silently. A Knot on 127.0.0.1 serves the root zone: domains that
it does not know do not exist. Needs root.
"""

import contextlib
import ctypes
import ipaddress
import os
import subprocess

import servers

HOSTS = ipaddress.ip_network("198.18.0.0/15")
DEAD = ipaddress.ip_network("203.0.113.0/24")
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise servers.Trouble(f"{what}: {os.strerror(ctypes.get_errno())}")


def call(*command, **options):
    subprocess.run([str(word) for word in command], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   **options)


def enter(descriptor):
    check(libc.setns(descriptor, 0), "setns")


@contextlib.contextmanager
def own(folder):
    """Yields a DNS server that keeps its files in the folder."""
    cwd = os.getcwd()
    before = [open_namespace("net"), open_namespace("mnt")]
    dns = None
    try:
        check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
        there = open_namespace("net")
        check(libc.unshare(CLONE_NEWNET), "unshare")
        call("mount", "--make-rprivate", "/")
        build(there)
        dns = Dns(folder, there)
        yield dns
        os.close(there)
    finally:
        if dns:
            dns.stop()
        for descriptor in before:
            enter(descriptor)
            os.close(descriptor)
        os.chdir(cwd)  # a mount namespace has a root of its own


def open_namespace(kind):
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY)


def build(there):
    for command in ("link set lo up",
                    f"link add name uplink type veth peer netns {os.getpid()}"
                    " name uplink",
                    "addr add 192.0.2.1/24 dev uplink",
                    "link set uplink up",
                    f"route add local {HOSTS} dev lo"):
        call("ip", *command.split(), preexec_fn=lambda: enter(there))
    for command in ("link set lo up",
                    "addr add 192.0.2.2/24 dev uplink",
                    "link set uplink up",
                    f"route add {HOSTS} via 192.0.2.1",
                    # A static neighbour, so that packets vanish without an
                    # ICMP error.
                    "neigh add 192.0.2.3 lladdr 02:00:00:00:00:01 dev uplink"
                    " nud permanent",
                    f"route add {DEAD} via 192.0.2.3"):
        call("ip", *command.split())


def dead_address():
    return str(DEAD[1])


def address(number):
    return str(HOSTS[number + 1])


class Dns:
    def __init__(self, folder, there):
        folder.mkdir()
        self.folder = folder
        self.there = there
        resolv = folder / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\nsearch .\n")
        call("mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf"))
        (folder / "knot.conf").write_text(f"""
server:
    rundir: {folder}
    listen: 127.0.0.1@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: {folder}/knot.sock
database:
    storage: {folder}
zone:
  - domain: .
    file: {folder}/root.zone
    journal-content: none
""")
        self.process = None

    def go_there(self):
        """Enter the namespace of HOSTS, in a process that acts as a host."""
        enter(self.there)

    def serve(self, records):
        """Serve these domains: pairs of a name and the address of its one MX
        host."""
        lines = ["$ORIGIN .", "$TTL 300",
                 "@ SOA dns.test. root.test. 1 60 60 60 60",
                 "@ NS dns.test."]
        for name, ip in records:
            lines += [f"{name}. MX 10 mx.{name}.", f"mx.{name}. A {ip}"]
        (self.folder / "root.zone").write_text("\n".join(lines) + "\n")
        self.stop()
        self.process = subprocess.Popen(
            ["knotd", "-c", self.folder / "knot.conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        servers.wait_for("the DNS server answers", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise servers.Trouble("knotd has ended")
        return subprocess.run(
            ["knotc", "-c", self.folder / "knot.conf", "-b", "zone-read", "."],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False).returncode == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(servers.PATIENCE)
            self.process = None
