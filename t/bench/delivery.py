# SPDX-License-Identifier: ISC
"""delivery - how fast queued mail is delivered by smtp-deliver and by Postfix.

Both have the same messages in their queues, on the same disk, and the same
limits on processes, in total and for each destination. Nothing is delivered
while the queue is filled. The queue is then released, and the time is taken
from there until the last message has been received. To release Postfix's queue,
its held mail is renamed into the incoming queue and its running queue manager
is flushed; ours is released by the start of smtp-deliver.
"""

import contextlib
import json
import os
import statistics
import subprocess
import threading
import time

import network
import servers

TEXT = b"Subject: benchmark\r\n\r\n" + 52 * (b"x" * 76 + b"\r\n")
CLIENTS = 8
SINK_BACKLOG = 1024


class Postfix(servers.Postfix):
    """Takes mail and holds it until its release; then it delivers."""

    services = servers.Postfix.services + """
smtp unix - - n - {processes} smtp
scache unix - - n - 1 scache
pickup unix n - n 60 1 pickup
error unix - - n - - error
retry unix - - n - - error
"""

    def __init__(self, bench, folder, limits):
        self.processes, self.each = limits
        super().__init__(bench, folder)
        text = (folder / "etc/main.cf").read_text().replace(
            "inet_protocols = ipv4\n", "")
        (folder / "etc/main.cf").write_text(
            f"{text}smtp_destination_concurrency_limit = {self.each}\n"
            "inet_protocols = all\n")

    def format_services(self):
        return self.services.format(port=self.port, processes=self.processes)

    def release(self):
        for entry in list(os.scandir(self.folder / "queue/hold")):
            os.rename(entry.path, self.folder / "queue/incoming" / entry.name)
        self.call("postqueue", "-c", self.folder / "etc", "-f")

    def empty(self):
        self.stop()
        subprocess.run(["postsuper", "-c", self.folder / "etc", "-d", "ALL"],
                       check=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        subprocess.run(["sync", "--file-system", self.folder], check=True)


class Ours(servers.Listening):
    name = "smtp-deliver"

    def __init__(self, bench, folder, limits):
        super().__init__(bench, folder)
        self.processes, self.each = limits
        self.run = None

    def release(self):
        self.run = subprocess.Popen(
            [self.bench.program("smtp-deliver")], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment(),
                 "SMTP_QUEUE_WORKERS": str(self.processes),
                 "SMTP_DESTINATION_WORKERS": str(self.each)})

    def empty(self):
        if self.run:
            self.run.kill()  # its workers end with it
            self.run.wait()
            self.run = None
        self.stop()
        subprocess.run(["rm", "-rf", self.folder / "spool"], check=True)
        subprocess.run(["sync", "--file-system", self.folder], check=True)


# ---- filling -----------------------------------------------------------------

def fill(server, domains, each):
    """Queue as many messages for each domain, in turns over the domains."""
    server.start()
    recipients = [f"recipient@{domain}" for _ in range(each)
                  for domain in domains]
    failures = []

    def hand_in(part):
        try:
            client = servers.Client(server.port)
            for recipient in part:
                client.send(recipient, TEXT)
            client.close()
        except (OSError, servers.Trouble) as trouble:
            failures.append(trouble)

    threads = [threading.Thread(target=hand_in, args=(recipients[i::CLIENTS],))
               for i in range(min(CLIENTS, len(recipients)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise servers.Trouble(
            f"cannot fill the queue of {server.name}: {failures[0]}")
    subprocess.run(["sync", "--file-system", server.folder], check=True)


# ---- receivers ---------------------------------------------------------------

def start_sink(dns, count):
    """Postfix's smtp-sink, which exits after that many messages."""
    process = subprocess.Popen(
        ["smtp-sink", "-u", "nobody", "-m", str(SINK_BACKLOG), "-M",
         str(count), "inet:0.0.0.0:25", str(SINK_BACKLOG)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        preexec_fn=dns.go_there)
    servers.wait_for("smtp-sink listens", lambda: is_listening(dns, process))
    return process


def is_listening(dns, process):
    if process.poll() is not None:
        raise servers.Trouble(f"{process.args[0]} has exited")
    return subprocess.run(
        ["ss", "-Hltn", "sport = :25"], check=True, stdout=subprocess.PIPE,
        preexec_fn=dns.go_there).stdout != b""


def start_hosts(dns, here, delay_ms, count, domains):
    process = subprocess.Popen(
        [here / "hosts", str(delay_ms), str(count), *domains], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        preexec_fn=dns.go_there)
    if process.stdout.readline() != "ready\n":
        raise servers.Trouble("hosts do not listen")
    return process


# ---- rows --------------------------------------------------------------------

class Delivery:
    def __init__(self, bench, here, dns):
        self.bench = bench
        self.here = here
        self.dns = dns
        self.made = 0

    @staticmethod
    def order(number):
        return (Postfix, Ours) if number % 2 else (Ours, Postfix)

    @contextlib.contextmanager
    def sender(self, kind, limits):
        """A sender, which is removed with its queue afterwards."""
        self.made += 1
        sender = kind(self.bench, self.bench.folder / f"delivery-{self.made}",
                      limits)
        try:
            yield sender
        finally:
            sender.empty()

    def to_one_sink(self, number, section, row, count, limits):
        """Messages a second to one host."""
        self.dns.serve([("one.test", network.address(0))])
        for kind in self.order(number):
            with self.sender(kind, limits) as sender:
                fill(sender, ["one.test"], count)
                sink = start_sink(self.dns, count)
                try:
                    start = time.monotonic()
                    sender.release()
                    sink.wait(self.bench.options.patience)
                    section.add(row, sender.name,
                                count / (time.monotonic() - start))
                finally:
                    sink.kill()
                    sink.wait()

    def to_many(self, number, section, row, domains, each, limits):
        """Messages a second to many hosts, each of which is slow."""
        names = [f"d{i}.test" for i in range(domains)]
        self.dns.serve([(name, network.address(i))
                        for i, name in enumerate(names)])
        for kind in self.order(number):
            with self.sender(kind, limits) as sender:
                fill(sender, names, each)
                start, times = self.receive(sender, 100, names, each)
                section.add(row, sender.name,
                            domains * each / (max(times) - start))

    def with_dead(self, number, section, is_dead, domains, each, limits):
        """Latency of messages from their release, with and without a dead
        destination among the others."""
        names = [f"d{i}.test" for i in range(domains)]
        records = [(name, network.address(i)) for i, name in enumerate(names)]
        if is_dead:
            records[0] = (names[0], network.dead_address())
        self.dns.serve(records)
        rows = "one is dead" if is_dead else "none is dead"
        for kind in self.order(number):
            with self.sender(kind, limits) as sender:
                fill(sender, names, each)
                start, times = self.receive(sender, 20, names[1:], each)
                section.add(f"{rows}: median", sender.name,
                            1000 * (statistics.median(times) - start))
                section.add(f"{rows}: the last", sender.name,
                            1000 * (max(times) - start))

    def receive(self, sender, delay_ms, names, each):
        """Release the queue. Returns when that was, and when each message for
        these domains was received."""
        hosts = start_hosts(self.dns, self.here, delay_ms,
                            len(names) * each, names)
        try:
            start = time.monotonic()
            sender.release()
            output, _ = hosts.communicate(timeout=self.bench.options.patience)
        finally:
            hosts.kill()
            hosts.wait()
        times = [each for some in json.loads(output).values()
                 for each in some]
        return start, times
