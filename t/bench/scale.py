# SPDX-License-Identifier: ISC
"""scale - what a run of smtp-deliver costs where the queue is long.

CPU time is that of the run and of all its workers, as a cgroup of their own has
counted it. Memory is asked for while the run goes on: VmHWM of the run itself,
and the most that it and its workers were seen to have together (PSS).
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
    """Of a process and its children, from when it is started to its end."""

    def __init__(self, folder):
        self.group = folder / f"bench-{os.getpid()}"
        self.cpu_seconds = 0
        self.own_kib = self.all_kib = 0

    def measure(self, command, patience, **options):
        """Run a command to its end, which is to be good."""
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
    """The most that a process had; 0 if it has ended."""
    with contextlib.suppress(*GONE):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text(
                ).splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def mount_groups(folder):
    """Until our mount namespace ends."""
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
        """Who takes it all."""
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
        """Messages for one host while others are not due."""
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
        """Messages for many domains, each with an address of its own."""
        names = [f"d{i}.test" for i in range(domains)]
        self.dns.serve([(name, network.address(i))
                        for i, name in enumerate(names)])
        with self.sender() as sender:
            delivery.fill(sender, names, count // domains)
            with self.sink():
                self.add(sections, subject, self.run(sender), count)
            check_queue(sender, 0)


def check_queue(sender, expected):
    """All has gone that was to go."""
    queue = sender.folder / "spool/queue"
    left = (len(os.listdir(queue / "new")) +
            sum(len(files) for _, _, files in os.walk(queue / "retry")))
    if left != expected:
        raise servers.Trouble(f"{left} messages are queued, not {expected}")
