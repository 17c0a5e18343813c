# SPDX-License-Identifier: ISC
"""scale - the cost of a run of smtp-deliver over a long queue.

CPU time is that of the run and of all its workers, counted by their cgroup.
Memory is sampled during the run: VmHWM of the run itself, and the maximum of
what it and its workers had together (PSS).
"""

import contextlib
import os
import pathlib
import subprocess
import time

import delivery
import network
import servers

LOOK_SEC = 0.1
ENDLESS = 10**9  # messages
GONE = (FileNotFoundError, ProcessLookupError)


class Cost:
    """CPU time and memory of a process and its children."""

    def __init__(self, folder):
        self.group = folder / f"bench-{os.getpid()}"
        self.cpu_seconds = 0
        self.own_kib = self.all_kib = 0

    def measure(self, command, patience, **options):
        """Run a command to its end; raise Trouble if it fails."""
        self.group.mkdir()
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, preexec_fn=self.join, **options)
            try:
                self.watch(process, time.monotonic() + patience)
            finally:
                process.kill()  # its workers end with it
                process.wait()
                servers.wait_for("the workers end", lambda: not self.pids())
            self.cpu_seconds = self.read_cpu()
        finally:
            self.group.rmdir()
        if process.returncode != 0:
            raise servers.Trouble(f"{command[0]}: {process.returncode}")

    def join(self):
        (self.group / "cgroup.procs").write_text("0")

    def pids(self):
        return (self.group / "cgroup.procs").read_text().split()

    def read_cpu(self):
        for line in (self.group / "cpu.stat").read_text().splitlines():
            name, figure = line.split()
            if name == "usage_usec":
                return int(figure) / 1e6
        raise servers.Trouble("a cgroup counts no CPU time")

    def watch(self, process, end):
        while process.poll() is None:
            if time.monotonic() > end:
                raise servers.Trouble(f"{process.args[0]} does not end")
            self.own_kib = max(self.own_kib, peak_kib(process.pid))
            self.all_kib = max(self.all_kib,
                               sum(map(servers.pss_kib, self.pids())))
            time.sleep(LOOK_SEC)


def peak_kib(pid):
    """Peak memory of a process; 0 if it has ended."""
    with contextlib.suppress(*GONE):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text(
                ).splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def mount_groups(folder):
    """Mount the cgroups; the mount ends with our mount namespace."""
    folder.mkdir()
    network.call("mount", "-t", "cgroup2", "none", folder)
    return folder


class Scale:
    def __init__(self, bench, dns, folder):
        self.bench = bench
        self.dns = dns
        self.folder = folder
        self.groups = mount_groups(folder / "cgroups")
        self.made = 0

    @contextlib.contextmanager
    def sender(self):
        self.made += 1
        sender = delivery.Ours(self.bench, self.folder / f"{self.made}",
                               (20, 5))
        try:
            yield sender
        finally:
            sender.empty()

    def run(self, sender):
        cost = Cost(self.groups)
        cost.measure([self.bench.program("smtp-deliver")],
                     self.bench.options.patience,
                     env={**os.environ, **sender.environment()})
        return cost

    @contextlib.contextmanager
    def sink(self):
        """A host that takes all mail."""
        process = delivery.start_sink(self.dns, ENDLESS)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def add(sections, subject, cost, count):
        time_spent, memory = sections
        time_spent.add("CPU time for each", subject,
                       1000 * cost.cpu_seconds / count)
        memory.add("the run", subject, cost.own_kib / 1024)
        memory.add("with its workers", subject, cost.all_kib / 1024)

    def among_others(self, sections, due, others, subject):
        """Measure messages for one host while others are not due."""
        self.dns.serve([("one.test", network.address(0))])
        with self.sender() as sender:
            sender.start()
            self.bench.fill(sender.folder / "spool", "later", others)
            self.run(sender)  # for the daily sweep
            delivery.fill(sender, ["one.test"], due)
            with self.sink():
                self.add(sections, subject, self.run(sender), due)
            check_queue(sender, others)

    def to_many(self, sections, domains, count, subject):
        """Measure messages for many domains, each with its own address."""
        names = [f"d{i}.test" for i in range(domains)]
        self.dns.serve([(name, network.address(i))
                        for i, name in enumerate(names)])
        with self.sender() as sender:
            delivery.fill(sender, names, count // domains)
            with self.sink():
                self.add(sections, subject, self.run(sender), count)
            check_queue(sender, 0)


def check_queue(sender, expected):
    """Raise Trouble unless just the expected number is still queued."""
    queue = sender.folder / "spool/queue"
    left = (len(os.listdir(queue / "new")) +
            sum(len(files) for _, _, files in os.walk(queue / "retry")))
    if left != expected:
        raise servers.Trouble(f"{left} messages are queued, not {expected}")
