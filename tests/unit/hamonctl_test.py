#!/usr/bin/python3
"""hamonctl and evacuate, as a person and as a script see them, against a control socket with canned replies.

The screens are compared with tests/unit/hamonctl/*.txt. After a wanted change: HAMON_GOLDEN=write hamonctl_test.py,
and read the difference.
"""
import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import unittest

SRC = os.environ.get("HAMON_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILD = os.environ.get("HAMON_BUILDDIR", os.getcwd())
CANNED = os.path.join(SRC, "tests/unit/hamonctl")
PROGRAMS = {"hamonctl": os.path.join(BUILD, "hamonctl"),
            "evacuate": os.path.join(BUILD, "evacuate/command/evacuate")}
PATIENCE_S = 60  # only so that a hanging program fails the test


def environment(**more):
    env = {"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8", "HAMON_SERVICE": f"hamon-none-{os.getpid()}"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(more)
    return env


class Server:
    """A process with the canned replies of one file, under a service name of its own."""
    count = 0

    def __init__(self, canned):
        Server.count += 1
        self.service = f"hamon-cli-{os.getpid()}-{Server.count}"
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/unit/hamonctl_server"), self.service, os.path.join(CANNED, canned + ".json")],
            stdout=subprocess.PIPE, env=environment())
        assert self.process.stdout.readline() == b"ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def requests(self):
        """Ends the server; returns all requests it got."""
        self.process.kill()
        return [json.loads(line) for line in self.process.stdout.read().splitlines()]


def run(line, service=None, stdin="", **env):
    """Runs a command line without a terminal: (stdout, stderr, exit code)."""
    words = line if isinstance(line, list) else line.split()
    if service:
        env["HAMON_SERVICE"] = service
    done = subprocess.run([PROGRAMS[words[0]]] + words[1:], input=stdin, capture_output=True, text=True,
                          env=environment(**env), timeout=PATIENCE_S)
    return done.stdout, done.stderr, done.returncode


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, line, service, columns=80, rows=40, **env):
        words = line.split()
        self.text = ""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(PROGRAMS[words[0]], words, environment(**{"TERM": "xterm", "HAMON_SERVICE": service, **env}))

    def read(self):
        """More of what it printed, or False at its end."""
        ready, _, _ = select.select([self.fd], [], [], PATIENCE_S)
        if not ready:
            raise AssertionError(f"it prints nothing more and does not end: {self.text!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def until(self, text):
        while text not in self.text:
            if not self.read():
                raise AssertionError(f"{text!r} is not in {self.text!r}")

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def end(self):
        """Waits for its end: (what it printed, exit code)."""
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.left_echo = self.echoes()
        os.close(self.fd)
        return self.text.replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)


class Golden(unittest.TestCase):
    maxDiff = None

    def check(self, name, commands):
        """Runs each command against a fresh server with the replies NAME, and compares with NAME.txt."""
        text = ""
        for command in commands:
            with Server(name) as server:
                out, err, code = run(command, server.service)
            text += f"$ {command if isinstance(command, str) else shlex.join(command)}\n{out}" + (f"[stderr]\n{err}" if err else "") + f"[exit {code}]\n\n"
        path = os.path.join(CANNED, name + ".txt")
        if os.environ.get("HAMON_GOLDEN") == "write":
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(text, f.read())

    def test_well(self):
        self.check("well", ["hamonctl status", "hamonctl incidents", "hamonctl events", "hamonctl explain vmx",
                            "hamonctl release", "hamonctl return h1", "hamonctl maintenance h1 on", "hamonctl maintenance h1 off",
                            "hamonctl maintenance --all on", "hamonctl maintenance off --all",
                            "hamonctl confirm-fenced h3 --reason dark", "hamonctl forget h3 --yes",
                            "hamonctl shutting-down on", "hamonctl shutting-down off", "hamonctl release --json"])

    def test_ill(self):
        self.check("ill", ["hamonctl status", "hamonctl incidents", "hamonctl explain vm6", "hamonctl events",
                           "hamonctl maintenance h9 on", "hamonctl release", "hamonctl return h1", "hamonctl incidents --json"])

    def test_what_is_left_to_its_host_is_no_problem(self):
        self.check("excluded", ["hamonctl status"])

    def test_worst(self):
        self.check("worst", ["hamonctl status", "hamonctl incidents"])

    def test_servers(self):
        self.check("servers", ["hamonctl servers", "hamonctl status", ["hamonctl", "explain", "web 1"]])
        self.check("servers_silent", ["hamonctl servers", "hamonctl servers --json"])
        self.check("servers_good", ["hamonctl servers"])

    def test_many(self):
        self.check("many", ["hamonctl status"])

    def test_hostile(self):
        self.check("hostile", ["hamonctl status", "hamonctl explain x", "hamonctl incidents", "hamonctl events"])

    def test_evacuate(self):
        for name in ("evac_all", "evac_mixed", "evac_local", "evac_refused", "evac_heldlater",
                     "evac_alive"):
            self.check(name, ["evacuate --on-shared-storage --host h3", "evacuate --host h3",
                              "evacuate -s --host h3 --dry-run", "evacuate -s --host h3 --no-wait",
                              "evacuate -s --host h3 --json"])
        self.check("evac_accepted", ["evacuate vm7 h1", "evacuate vm7 h1 --accept-data-loss vm7",
                                     "evacuate vm7 --accept-data-loss=vm8", "evacuate -s vm7"])

    def test_usage(self):
        self.check("usage", ["hamonctl", "hamonctl --help", "hamonctl --version", "hamonctl statsu", "hamonctl --json",
                             "hamonctl status x", "hamonctl status --jsn", "hamonctl status -x",
                             "hamonctl status --json=1", "hamonctl explain", "hamonctl maintenance",
                             "hamonctl maintenance h1", "hamonctl maintenance --all", "hamonctl maintenance --all h1 on",
                             "hamonctl maintenance h1 onn", "hamonctl confirm-fenced h1",
                             "hamonctl confirm-fenced h1 --reason", "hamonctl forget h1", "hamonctl events --since -1",
                             "hamonctl status --timeout x", "hamonctl status --timeout 0", "hamonctl shutting-down",
                             "hamonctl return", "evacuate", "evacuate --help", "evacuate vm1 h1 h2", "evacuate --host h1 h1",
                             "evacuate --on-shared vm1", "evacuate vm1 --timeout never", "evacuate --version"] +
                   [f"hamonctl {name} --help" for name in
                    ("status", "incidents", "servers", "explain", "events", "watch", "maintenance", "confirm-fenced", "forget",
                     "return", "release", "shutting-down")])


class Requests(unittest.TestCase):
    def sent(self, line, canned="well"):
        with Server(canned) as server:
            run(line, server.service)
            return server.requests()

    def test_changes(self):
        self.assertEqual(self.sent("hamonctl maintenance h2 on"),
                         [{"v": 1, "verb": "maintenance", "host": "h2", "all": False, "on": True}])
        self.assertEqual(self.sent("hamonctl maintenance --all off"),
                         [{"v": 1, "verb": "maintenance", "host": None, "all": True, "on": False}])
        self.assertEqual(self.sent(["hamonctl", "confirm-fenced", "h3", "--reason", "cable ü pulled"]),
                         [{"v": 1, "verb": "confirm-fenced", "host": "h3", "reason": "cable ü pulled"}])
        self.assertEqual(self.sent("hamonctl forget h3 -y"), [{"v": 1, "verb": "forget", "host": "h3"}])
        self.assertEqual(self.sent("hamonctl return h1"), [{"v": 1, "verb": "return", "host": "h1"}])
        self.assertEqual(self.sent("hamonctl forget h3"), [])
        self.assertEqual(self.sent("hamonctl release"), [{"v": 1, "verb": "release"}])
        self.assertEqual(self.sent("hamonctl shutting-down on"), [{"v": 1, "verb": "shutting-down", "on": True}])
        self.assertEqual(self.sent("hamonctl servers", "servers"), [{"v": 1, "verb": "servers", "within_ms": 4000}])
        self.assertEqual(self.sent("hamonctl explain h3-e1"), [{"v": 1, "verb": "explain", "what": "h3-e1"}])
        self.assertEqual(self.sent("hamonctl events --since 17"), [{"v": 1, "verb": "events", "since": 17}])
        self.assertEqual(self.sent("hamonctl explain -- --odd"), [{"v": 1, "verb": "explain", "what": "--odd"}])

    def evacuations(self, line, canned):
        return [r for r in self.sent(line, canned) if r["verb"] == "evacuate"]

    def test_evacuate_asks_first(self):
        plan, act = self.evacuations("evacuate -s --host h3 h2", "evac_all")
        self.assertEqual(plan, {"v": 1, "verb": "evacuate", "instance": None, "host": "h3", "target": "h2",
                                "on_shared_storage": True, "accept_data_loss": [], "dry_run": True})
        self.assertEqual(act, {**plan, "dry_run": False})
        plan, act = self.evacuations("evacuate vm7 --accept-data-loss vm7", "evac_accepted")
        self.assertEqual(plan["accept_data_loss"], ["vm7"])
        self.assertEqual(act, {**plan, "dry_run": False})

    def test_evacuate_without_consent_does_nothing(self):
        for canned, line in (("evac_all", "evacuate --host h3"), ("evac_all", "evacuate -s --host h3 --dry-run"),
                             ("evac_mixed", "evacuate --host h3"), ("evac_local", "evacuate vm7"),
                             ("evac_local", "evacuate -s vm7"), ("evac_refused", "evacuate -s vm7"),
                             ("evac_accepted", "evacuate vm7"),
                             ("evac_accepted", "evacuate vm7 --accept-data-loss vm8")):
            with self.subTest(line=line, canned=canned):
                self.assertEqual([r["dry_run"] for r in self.evacuations(line, canned)], [True])


class Unreachable(unittest.TestCase):
    def test_nobody_listens(self):
        for line in ("hamonctl status", "hamonctl release", "evacuate -s vm1"):
            out, err, code = run(line)
            self.assertEqual((out, code), ("", 3))
            self.assertIn("hamond is not running on this host; start it with: systemctl start hamond", err)
            out, _, code = run(line + " --json")
            self.assertEqual((json.loads(out)["error"]["code"], code), ("not-reachable", 3))

    def test_hamond_is_stopped(self):
        with Server("stopped") as server:
            for _ in range(2):  # in the middle of a request, and before the next connection
                _, err, code = run("hamonctl status --timeout 0.3", server.service)
                self.assertEqual(code, 3)
                self.assertIn("hamond did not answer in time", err)


class OnATerminal(unittest.TestCase):
    def screen(self, line, canned, **more):
        with Server(canned) as server:
            return Terminal(line, server.service, **more).end()

    def test_colours_only_where_wanted(self):
        self.assertIn("\033[32mOK\033[0m: 3 of 3", self.screen("hamonctl status", "well")[0])
        self.assertIn("\033[1;31mDEGRADED\033[0m", self.screen("hamonctl status", "ill")[0])
        self.assertIn("\033[", self.screen("hamonctl status", "well", NO_COLOR="")[0])
        self.assertNotIn("\033", self.screen("hamonctl status", "well", NO_COLOR="1")[0])
        self.assertNotIn("\033", self.screen("hamonctl status", "well", TERM="dumb")[0])
        with Server("ill") as server:
            self.assertNotIn("\033", run("hamonctl status", server.service, TERM="xterm")[0])

    def test_nothing_is_wider_than_the_terminal(self):
        wide = {"日": 2, "本": 2}
        for canned, line in (("ill", "hamonctl status"), ("ill", "hamonctl explain vm6"), ("ill", "hamonctl incidents"),
                             ("ill", "hamonctl events"), ("worst", "hamonctl status"), ("many", "hamonctl status"),
                             ("well", "hamonctl --help"), ("well", "hamonctl confirm-fenced --help"),
                             ("evac_mixed", "evacuate -s --host h3 -n"), ("well", "evacuate --help")):
            for columns in (80, 100):
                text, _ = self.screen(line, canned, columns=columns, NO_COLOR="1")
                for row in text.splitlines():
                    self.assertLessEqual(sum(wide.get(c, 1) for c in row), columns, (line, row))

    def test_a_person_is_asked(self):
        for answer, code, count in (("h3\n", 0, 1), ("h2\n", 64, 0), ("\n", 64, 0), ("\004", 64, 0)):
            for line in ("hamonctl confirm-fenced h3 --reason dark", "hamonctl forget h3"):
                with self.subTest(answer=answer, line=line), Server("well") as server:
                    terminal = Terminal(line, server.service)
                    terminal.until("Type the host's name to go on: ")
                    terminal.type(answer)
                    self.assertEqual(terminal.end()[1], code)
                    self.assertEqual(len(server.requests()), count)
        self.assertNotIn("Type", self.screen("hamonctl forget h3 --yes", "well")[0])

    def test_progress_bar(self):
        text, code = self.screen("evacuate -s --host h3", "evac_all", NO_COLOR="1")
        self.assertEqual(code, 0)
        self.assertRegex(text, r"\r\[█{15}·{15}\] 1 of 2 running, \d+\.\d s")
        self.assertTrue(text.endswith("vm6: running on h2\n2 of 2 instances running\n"), text)
        plain = self.screen("evacuate -s --host h3", "evac_all", NO_COLOR="1", LC_ALL="C")[0]
        self.assertRegex(plain, r"\r\[#{15}-{15}\] 1 of 2 running")

    def test_interrupting_evacuate_tells_that_hamond_goes_on(self):
        with Server("evac_all") as server:
            terminal = Terminal("evacuate -s --host h3", server.service)
            terminal.until("vm5: starting")
            os.kill(terminal.pid, signal.SIGINT)
            text, code = terminal.end()
        self.assertIn("interrupted; hamond goes on", text)
        self.assertEqual(code, 1)


class Watch(unittest.TestCase):
    def test_screen_follows_and_is_put_back(self):
        for end in ("q", "\003", signal.SIGTERM):
            with Server("live") as server:
                terminal = Terminal("hamonctl watch", server.service, columns=80, rows=24)
                terminal.until("\033[?1049h")
                terminal.until("11:50:03  \033[1;31mh3 left the membership")  # from the third second on
                self.assertIn("OK", terminal.text)
                self.assertFalse(terminal.echoes())
                if isinstance(end, str):
                    terminal.type(end)
                else:
                    os.kill(terminal.pid, end)
                terminal.until("\033[?25h\033[?1049l")
                text, code = terminal.end()
            self.assertEqual(code, 0)
            self.assertEqual(text.count("\033[?1049h"), 1)
            self.assertTrue(terminal.left_echo)

    def test_screen_stays_inside_the_terminal(self):
        with Server("many") as server:
            terminal = Terminal("hamonctl watch", server.service, columns=70, rows=20, NO_COLOR="1")
            terminal.until("\033[J")
            terminal.type("q")
            text, _ = terminal.end()
        frame = re.sub(r"\r|\033\[[0-9;?]*[A-Za-z]", "", text.split("\033[H")[1].split("\033[J")[0])
        rows = frame.split("\n")
        self.assertLessEqual(len(rows), 20)
        self.assertLessEqual(max(len(row) for row in rows), 70)
        self.assertIn("… and ", frame)
        self.assertTrue(rows[0].startswith("DEGRADED: "), rows[0])

    def test_hamond_goes_away(self):
        with Server("live") as server:
            terminal = Terminal("hamonctl watch", server.service, rows=24)
            terminal.until("OK")
            server.process.kill()
            terminal.until("NO ANSWER")
            terminal.type("q")
            self.assertEqual(terminal.end()[1], 0)

    def test_lines_without_a_terminal(self):
        def told(*options):
            """The first line that it prints: what was there before it began is not told."""
            with Server("live") as server:
                watch = subprocess.Popen([PROGRAMS["hamonctl"], "watch", *options], stdout=subprocess.PIPE,
                                         env=environment(HAMON_SERVICE=server.service), text=True)
                line = watch.stdout.readline()
                watch.send_signal(signal.SIGINT)
                rest = watch.stdout.read()
                watch.stdout.close()
                self.assertEqual((watch.wait(), rest), (0, ""))
            return line

        self.assertEqual(told(), "2026-11-21 11:50:03  host-lost: h3 left the membership\n")
        self.assertEqual(json.loads(told("--json"))["seq"], 3)


if __name__ == "__main__":
    signal.alarm(600)
    unittest.main(argv=sys.argv, verbosity=1)
