# SPDX-License-Identifier: ISC
"""servers - the servers under test, with one interface to start, stop and clean
them and to measure their cost."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

SESSIONS_MAX = 1500
PATIENCE = 30       # seconds: the limit of every wait
TICKS = os.sysconf("SC_CLK_TCK")
SENDER, RECIPIENT = "sender@example.com", "recipient@example.net"


class Trouble(Exception):
    """Something that the benchmark needs does not work."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Trouble(f"not within {PATIENCE} s: {what}")
        time.sleep(0.02)


def run_json(*command):
    """Run a program that prints a line of JSON. Returns its value."""
    ended = subprocess.run([str(word) for word in command], text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=600)
    if ended.returncode != 0:
        raise Trouble(f"{command[0]}: {ended.stderr.strip()}")
    return json.loads(ended.stdout)


# ---- processes ---------------------------------------------------------------

def read_stat(pid):
    """Parent of a process, and CPU seconds of it and its ended children."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(") ")[2].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / TICKS


def family(root):
    """A process and all its descendants, with their CPU seconds."""
    stats = {int(name): stat for name in os.listdir("/proc")
             if name.isdigit() and (stat := read_stat(name))}
    members = {root: stats[root][1]} if root in stats else {}
    grown = True
    while grown:
        new = {pid: cpu for pid, (parent, cpu) in stats.items()
               if parent in members and pid not in members}
        members.update(new)
        grown = bool(new)
    return members


def command_name(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def pss_kib(pid):
    """Memory of a process, with its share of shared pages."""
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


# ---- a client ----------------------------------------------------------------

class Client:
    """One SMTP session, step by step."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.file = self.socket.makefile("rb")
        self.expect(b"220")
        self.say("EHLO client.example.com", b"250")

    def expect(self, code):
        while True:
            line = self.file.readline()
            if not line.startswith(code):
                raise Trouble(f"a server sent {line!r}, expected {code!r}")
            if line[3:4] != b"-":
                return

    def say(self, line, code):
        self.socket.sendall(line.encode() + b"\r\n")
        self.expect(code)

    def begin_message(self, recipient=RECIPIENT):
        self.say(f"MAIL FROM:<{SENDER}>", b"250")
        self.say(f"RCPT TO:<{recipient}>", b"250")
        self.say("DATA", b"354")

    def send(self, recipient, content):
        self.begin_message(recipient)
        self.socket.sendall(content + b".\r\n")
        self.expect(b"250")

    def close(self):
        try:
            self.say("QUIT", b"221")
        finally:
            self.file.close()
            self.socket.close()


# ---- the servers -------------------------------------------------------------

class Server:
    """A server that takes mail on a port of 127.0.0.1."""

    name = ""
    session_names = ()  # names of processes that serve one session

    def __init__(self, bench, folder):
        self.bench = bench
        self.folder = folder
        self.port = free_port()
        self.process = None
        folder.mkdir()
        folder.chmod(0o755)

    def start(self):
        if self.process and self.process.poll() is None:
            return
        self.process = self.spawn()
        wait_for(f"{self.name} answers", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise Trouble(f"{self.name} exited with {self.process.returncode}")
        try:
            Client(self.port).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def cpu_seconds(self):
        return sum(family(self.process.pid).values())

    def session_pids(self):
        return [pid for pid in family(self.process.pid)
                if pid != self.process.pid
                and command_name(pid) in self.session_names]

    def load(self, *options):
        """Run load. Returns its report, with the CPU time per message."""
        self.start()
        before = self.cpu_seconds()
        report = run_json(self.bench.tool("load"), *options, self.port)
        time.sleep(0.02)
        report["cpu_ms"] = (1000 * (self.cpu_seconds() - before) /
                            max(report["all"], 1))
        self.clean()
        return report

    def clean(self):
        """Remove all mail, and flush what the disk still has to write."""
        for path in self.mail_folders():
            with os.scandir(path) as entries:
                for entry in entries:
                    os.unlink(entry.path)
        subprocess.run(["sync", "--file-system", self.folder], check=True)


class Ours(Server):
    """smtp-session with a socket as systemd passes it, set as by our units."""

    session_names = ("smtp-session",)
    activation = ()

    def __init__(self, bench, folder):
        super().__init__(bench, folder)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.socket.getsockname()[1]

    def spawn(self):
        command = [*self.activation, self.bench.program("smtp-session")]
        descriptor = self.socket.fileno()
        return subprocess.Popen(
            ["sh", "-c", f'exec 3<&{descriptor}; LISTEN_PID=$$ exec "$@"',
             "sh", *command], pass_fds=[descriptor],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment(), "LISTEN_FDS": "1",
                 "SYSTEMD_LOG_LEVEL": "warning"})

    def environment(self):
        return {"SMTP_QUEUE_PATH": str(self.folder / "spool"),
                "SMTP_HOSTNAME": "bench.example.org",
                "SMTP_SESSIONS": str(SESSIONS_MAX),
                "SMTP_SESSIONS_PER_CLIENT": str(SESSIONS_MAX)}

    def mail_folders(self):
        spool = self.folder / "spool"
        return [*spool.glob("????-??-??"), spool / "queue" / "new"]


class PerConnection(Ours):
    name = "per-connection"

    @property
    def activation(self):
        """systemd-socket-activate passes on only variables that are named."""
        variables = self.environment().items()
        return ["systemd-socket-activate", "--accept", "--inetd",
                *(f"--setenv={name}={value}" for name, value in variables)]


class Listening(Ours):
    name = "listening"


class Postfix(Server):
    """A separate instance with default settings, except that accepted mail is
    held and not delivered."""

    name = "Postfix"
    session_names = ("smtpd", "cleanup")
    services = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""
    settings = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
myhostname = bench.example.org
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
# The same limits on sessions and message size as the other servers.
default_process_limit = {sessions}
message_size_limit = 20480000
"""
    # Either hold mail, and keep cleanup from waiting for a delivery that never
    # comes, or discard it.
    afterwards = {
        "holds": "smtpd_client_restrictions = check_client_access static:HOLD\n"
                 "in_flow_delay = 0\n",
        "discards": "default_transport = discard\n",
    }

    def __init__(self, bench, folder):
        super().__init__(bench, folder)
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        shutil.chown(folder / "data", "postfix")
        (folder / "etc/main.cf").write_text(
            self.settings.format(folder=folder, sessions=SESSIONS_MAX) +
            self.afterwards[bench.options.postfix])
        (folder / "etc/master.cf").write_text(self.format_services())
        self.call("postfix", "-c", folder / "etc", "check")

    def format_services(self):
        return self.services.format(port=self.port)

    @staticmethod
    def call(*command):
        return subprocess.run(command, check=True, text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE).stdout.strip()

    def spawn(self):
        daemons = self.call("postconf", "-c", self.folder / "etc", "-h",
                            "daemon_directory")
        return subprocess.Popen(
            [f"{daemons}/master", "-c", self.folder / "etc", "-d"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MAIL_CONFIG": str(self.folder / "etc")})

    def stop(self):
        """Stop all processes: master exits without waiting for its children."""
        members = family(self.process.pid) if self.process else {}
        super().stop()
        for pid in members:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        wait_for("Postfix ends",
                 lambda: not any(map(command_name, members)))

    def mail_folders(self):
        return [self.folder / "queue/hold"]


class Disk:
    """Not a server, but the upper limit of the disk."""

    name = "disk"

    def __init__(self, bench, folder):
        self.bench = bench
        self.folder = folder
        folder.mkdir()

    def load(self, processes, size, warm_sec, sec, most=1000000):
        report = run_json(self.bench.tool("disk"), processes, size, warm_sec,
                          sec, most, self.folder)
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        subprocess.run(["sync", "--file-system", self.folder], check=True)
        return report

    def stop(self):
        pass
