#!/usr/bin/python3
"""hamon-alert as hamond and as alert agents see it: Pacemaker's own samples, hanging agents, floods, restarts."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.join(os.environ.get("HAMON_LIBEXEC", "."), "hamon-alert")
SOURCE = os.environ.get("HAMON_SRCDIR", ".")
SAMPLES = "/usr/share/pacemaker/alerts"
PAUSE = 0.005
LIMIT_S = 900  # then something hangs, and the run ends as a failure
WALL = "2026-01-01T10:00:00.123Z"


def record(seq, kind="host-suspected", **fields):
    return {"type": "record", "id": "3.%d" % seq, "seq": seq, "t_ms": 5, "wall": WALL, "incident": None, "kind": kind,
            "severity": "notice", "host": "h1", "instance": None, "uuid": None, "text": "text %d" % seq,
            "data": None, **fields}


class Alert:
    """A running hamon-alert. What must come is waited for without a limit of its own: the whole run has one."""

    def __init__(self, folder, env=None):
        self.log_path = os.path.join(folder, "log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            env={"PATH": os.environ["PATH"], "TZ": "UTC", **(env or {})})
        self.last = {}
        self.errors = []

    def send(self, *lines):
        data = b"".join(l if isinstance(l, bytes) else json.dumps(l).encode() + b"\n" for l in lines)
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def take(self, line):
        obj = json.loads(line)
        if obj["type"] == "stats":
            self.last = obj
        else:
            self.errors.append(obj)

    def stats(self):
        self.send({"type": "stats"})
        before = self.last
        while self.last is before:
            line = self.process.stdout.readline()
            assert line, "it ended"
            self.take(line)
        return self.last

    def wait(self, **counts):
        while any(self.stats()[name] < n for name, n in counts.items()):
            time.sleep(PAUSE)
        return self.last

    def end(self):
        self.process.stdin.close()
        for line in self.process.stdout:
            self.take(line)
        self.process.stdout.close()
        return self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()


def gone(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class AlertCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="alert_check.", dir=os.environ.get("HAMON_BUILDDIR", "."))
        self.folder = os.path.abspath(self.folder)
        os.chmod(self.folder, 0o755)
        self.agents = self.path("agents")
        os.mkdir(self.agents, 0o755)
        self.running = []

    def tearDown(self):
        for alert in self.running:
            if alert.process.poll() is None:
                alert.kill()
            alert.process.stdin.close()
            alert.process.stdout.close()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def agent(self, name, body, options=None):
        path = os.path.join(self.agents, name)
        with open(path + ".tmp~", "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + body + "\n")
        os.chmod(path + ".tmp~", 0o755)
        os.rename(path + ".tmp~", path)
        if options:
            with open(path + ".conf", "w", encoding="utf-8") as f:
                f.write(options)
        return path

    def start(self, env=None, **config):
        alert = Alert(self.folder, env)
        self.running.append(alert)
        alert.send({"type": "config", "dir": self.agents, "spool": self.path("spool"), "node": "h2", "nodeid": 2,
                    "nodes": {"h1": 1}, "cluster": "c1", **config})
        return alert

    def text(self, name):
        try:
            with open(self.path(name), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def lines(self, name):
        return self.text(name).splitlines()

    def wait_text(self, name, pattern):
        while not re.search(pattern, self.text(name)):
            time.sleep(PAUSE)
        return re.search(pattern, self.text(name)).group(0)

    def spooled(self):
        try:
            return sorted(n for n in os.listdir(self.path("spool")) if re.fullmatch(r"\d{20}\.json", n))
        except FileNotFoundError:
            return []


@unittest.skipUnless(os.path.isdir(SAMPLES), "needs Pacemaker's sample agents")
class Samples(AlertCase):
    """The agents that Debian's pacemaker package ships, unchanged."""

    def test_alert_file(self):
        out = self.path("out")
        alert = self.start(agents=[{"path": SAMPLES + "/alert_file.sh.sample", "recipient": out}])
        alert.send(record(1, "host-lost"), record(2, "host-admitted"), record(3, "fence-confirmed"),
                   record(4, "fence-failed", text="no answer"), record(5, "instance-running", instance="vm1"),
                   record(6, "instance-failed", instance="vm1"), record(7, "instance-held", instance="vm1"),
                   record(8, "brake", text="too many hosts failed"))
        alert.wait(delivered=8)
        t = "10:00:00.123000: "
        self.assertEqual(self.lines("out"), [
            t + "Node 'h1' is now 'lost'",
            t + "Node 'h1' is now 'member'",
            t + "Fencing Operation off of h1 by h2 for hamond@h2: OK (ref=3.3)",
            t + "Fencing Operation off of h1 by h2 for hamond@h2: Error (no answer) (ref=3.4)",
            t + "Resource operation 'start' for 'vm1' on 'h1': ok",
            t + "Resource operation 'start' for 'vm1' on 'h1': error",
            t + "Resource operation 'start' for 'vm1' on 'h1': Cannot execute now",
            t + "Attribute 'hamon-brake' on node 'h1' was updated to 'too many hosts failed'",
        ])
        self.assertEqual(alert.end(), 0)
        self.assertEqual(alert.last["failed"], 0)

    def test_alert_file_in_the_folder(self):
        os.symlink(SAMPLES + "/alert_file.sh.sample", os.path.join(self.agents, "file.sh"))
        with open(os.path.join(self.agents, "file.sh.conf"), "w", encoding="utf-8") as f:
            f.write("recipient = %s\nrecipient = %s\ntimestamp-format = %%Y-%%m-%%d\ndebug_exec_order = true\n" %
                    (self.path("one"), self.path("two")))
        alert = self.start()
        alert.send(record(1, "host-lost"))
        alert.wait(delivered=2)
        for name in ("one", "two"):
            self.assertRegex(self.text(name), r"^000\d\.  2026-01-01 \(.*\): Node 'h1' is now 'lost'\n$")

    def test_alert_smtp(self):
        os.mkdir(self.path("bin"))
        for name, body in (("sendmail", 'echo "$*" >> %s; cat >> %s' % (self.path("args"), self.path("mail"))),
                           ("crm_attribute", "echo cluster-one")):
            with open(os.path.join(self.path("bin"), name), "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n%s\n" % body)
            os.chmod(os.path.join(self.path("bin"), name), 0o755)
        os.symlink(SAMPLES + "/alert_smtp.sh.sample", os.path.join(self.agents, "smtp"))
        with open(os.path.join(self.agents, "smtp.conf"), "w", encoding="utf-8") as f:
            f.write("recipient = admin@example.com\nemail_sender = hamon@example.com\n")
        alert = self.start(env={"PATH": self.path("bin") + ":" + os.environ["PATH"]})
        alert.send(record(1, "host-lost", text="one\nBcc: all@example.com"), record(2, "brake", text="a\nX-Evil: b"))
        alert.wait(delivered=2)
        self.assertEqual(self.text("args"), "-t -r hamon@example.com\n" * 2)
        mails = self.text("mail").split("From: ")
        self.assertIn("To: admin@example.com\n", mails[1])
        self.assertIn("Subject: 10:00:00.123000 cluster-one: Node 'h1' is now 'lost'\n", mails[1])
        self.assertIn("CRM_alert_kind=node\n", mails[1])
        self.assertIn("was updated in 'a X-Evil: b'\n", mails[2])
        self.assertNotRegex(self.text("mail"), r"(?m)^(X-Evil|Bcc)")

    def test_alert_snmp(self):
        trap = self.path("snmptrap")
        with open(trap, "w", encoding="utf-8") as f:
            f.write('#!/bin/sh\nfor a; do printf "%%s\\n" "$a"; done >> %s\necho -- >> %s\n' %
                    (self.path("traps"), self.path("traps")))
        os.chmod(trap, 0o755)
        os.symlink(SAMPLES + "/alert_snmp.sh.sample", os.path.join(self.agents, "snmp"))
        with open(os.path.join(self.agents, "snmp.conf"), "w", encoding="utf-8") as f:
            f.write("recipient = 192.0.2.1\ntrap_binary = %s\ntrap_snmp_persistent_dir = %s\n" %
                    (trap, self.path("snmp")))
        alert = self.start()
        alert.send(record(1, "host-lost"), record(2, "instance-failed", instance="vm1"))
        alert.wait(delivered=2)
        traps = self.text("traps").split("--\n")
        self.assertIn("PACEMAKER-MIB::pacemakerNotificationNode\ns\nh1\n", traps[0])
        self.assertIn("PACEMAKER-MIB::pacemakerNotificationDescription\ns\nlost\n", traps[0])
        self.assertIn("HOST-RESOURCES-MIB::hrSystemDate s 2026-01-01,10:00:00.1".replace(" ", "\n"), traps[0])
        self.assertIn("PACEMAKER-MIB::pacemakerNotificationResource\ns\nvm1\n", traps[1])
        self.assertIn("PACEMAKER-MIB::pacemakerNotificationReturnCode\ni\n1\n", traps[1])
        self.assertIn("PACEMAKER-MIB::pacemakerNotificationTargetReturnCode\ni\n0\n", traps[1])


class Environment(AlertCase):
    COMMON = {"version": "2.1.5", "recipient": "me", "timestamp": "10:00:00.123000", "timestamp_epoch": "1767261600",
              "timestamp_usec": "123000"}

    def run_one(self, rec, **config):
        path = self.agent("env", 'env -0 > %s; cat > %s; pwd > %s' %
                          (self.path("env.new"), self.path("stdin"), self.path("cwd")), "recipient=me\noption=a b\n")
        alert = self.start(env={"SECRET": "x", "NOTIFY_SOCKET": "/run/x", "LD_LIBRARY_PATH": "/x"}, **config)
        alert.send(rec)
        alert.wait(delivered=1)
        alert.end()
        os.unlink(path)
        env = dict(v.split("=", 1) for v in self.text("env.new").split("\0") if v)
        for noise in ("PWD", "SHLVL", "_", "OLDPWD"):
            env.pop(noise, None)
        self.assertEqual(env.pop("PATH"), os.environ["PATH"])
        self.assertEqual(env.pop("TZ"), "UTC")
        self.assertEqual(env.pop("option"), "a b")
        self.assertEqual(self.text("cwd"), "/\n")
        del rec["type"]
        self.assertEqual(json.loads(self.text("stdin")), rec)
        self.assertEqual(self.text("stdin").count("\n"), 1)
        hamon = {k[6:]: env.pop(k) for k in list(env) if k.startswith("HAMON_")}
        old = {k[11:]: env.pop(k) for k in list(env) if k.startswith("CRM_notify_")}
        new = {k[10:]: env.pop(k) for k in list(env) if k.startswith("CRM_alert_")}
        self.assertEqual(env, {})  # nothing of our own got through
        self.assertEqual(old, new)
        return new, hamon

    def test_node(self):
        crm, hamon = self.run_one(record(9, "host-lost", incident="h1-e3"))
        self.assertEqual(crm, {**self.COMMON, "kind": "node", "node": "h1", "nodeid": "1", "desc": "lost",
                               "node_sequence": "1"})
        self.assertEqual(hamon, {"KIND": "host-lost", "INCIDENT": "h1-e3", "HOST": "h1", "INSTANCE": "", "UUID": "",
                                 "TEXT": "text 9", "NODE": "h2", "CLUSTER": "c1", "TERM": "3", "SEQ": "9", "ID": "3.9",
                                 "SEVERITY": "notice", "WALL": WALL})

    def test_fencing(self):
        crm, _ = self.run_one(record(9, "fence-failed", text="a\nb"))
        self.assertEqual(crm, {**self.COMMON, "kind": "fencing", "node": "h1", "task": "st_notify_fence", "rc": "1",
                               "desc": "Operation off of h1 by h2 for hamond@h2: Error (a b) (ref=3.9)",
                               "node_sequence": "1"})

    def test_resource(self):
        crm, _ = self.run_one(record(9, "instance-running", instance="vm1", data={"exec_time_ms": 1234}))
        self.assertEqual(crm, {**self.COMMON, "kind": "resource", "node": "h1", "rsc": "vm1", "task": "start",
                               "interval": "0", "target_rc": "0", "status": "0", "rc": "0", "exec_time": "1234",
                               "desc": "ok", "node_sequence": "1"})

    def test_attribute_of_a_later_kind(self):
        crm, _ = self.run_one(record(9, "from-the-future", host=None, text="ü"))
        self.assertEqual(crm, {**self.COMMON, "kind": "attribute", "node": "h2", "nodeid": "2",
                               "attribute_name": "hamon-from-the-future", "attribute_value": "ü",
                               "node_sequence": "1"})


class Delivery(AlertCase):
    def test_each_agent_gets_all_in_order(self):
        for name in "ab":
            self.agent(name, 'echo $HAMON_SEQ >> %s' % self.path("out." + name))
        alert = self.start(parallel=4)
        alert.send(*[record(i) for i in range(1, 51)])
        alert.wait(delivered=100)
        for name in "ab":
            self.assertEqual(self.lines("out." + name), [str(i) for i in range(1, 51)])
        alert.end()
        self.assertEqual(self.spooled(), [])

    def test_a_hanging_agent_hangs_alone_and_is_killed_with_its_children(self):
        self.agent("hang", "sleep 1000 & echo $$ $! >> %s; wait" % self.path("pids"))
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start(timeout_ms=300, attempts=2, retry_ms=1, parallel=1)
        alert.send(*[record(i) for i in range(1, 4)])
        alert.wait(delivered=3, given_up=3, timeouts=6, failed=6)
        self.assertEqual(self.lines("out"), ["1", "2", "3"])
        pids = self.text("pids").split()
        self.assertEqual(len(pids), 12)
        for pid in pids:
            while not gone(int(pid)):
                time.sleep(PAUSE)
        alert.end()
        self.assertEqual(self.spooled(), [])
        self.assertIn("took too long", alert.log())

    def test_a_failing_agent_is_tried_again(self):
        self.agent("bad", 'echo $HAMON_SEQ >> %s; echo no luck; [ $(wc -l < %s) -ge 3 ]' %
                   (self.path("out"), self.path("out")))
        alert = self.start(retry_ms=1, attempts=5)
        alert.send(record(1), record(2))
        alert.wait(delivered=2, failed=2)
        self.assertEqual(self.lines("out"), ["1", "1", "1", "2"])
        self.assertEqual(alert.last["given_up"], 0)
        self.assertIn("no luck", alert.log())
        self.assertIn("exited with 1", alert.log())

    def test_an_agent_that_never_works_is_given_up(self):
        self.agent("bad", 'echo $HAMON_SEQ >> %s; exit 7' % self.path("out"))
        alert = self.start(retry_ms=1, attempts=2)
        alert.send(*[record(i) for i in range(1, 6)])
        alert.wait(given_up=5)
        # After three in a row each record is tried only once.
        self.assertEqual(self.lines("out"), ["1", "1", "2", "2", "3", "3", "4", "5"])
        alert.end()
        self.assertEqual(self.spooled(), [])

    def test_output_is_bounded(self):
        self.agent("loud", "echo start; while :; do echo noise; done")
        self.agent("evil", r"printf 'red \033[31m text'")
        alert = self.start(timeout_ms=500, attempts=1)
        alert.send(record(1))
        alert.wait(given_up=1, delivered=1)
        alert.end()
        self.assertLess(len(alert.log()), 3000)
        self.assertIn("red ?[31m text", alert.log())

    def test_an_agent_that_leaves_a_child_behind_does_not_hold_us(self):
        self.agent("forks", "sleep 1000 & echo $! >> %s" % self.path("pids"))
        alert = self.start()
        alert.send(record(1), record(2))
        alert.wait(delivered=2)
        for pid in self.lines("pids"):
            os.kill(int(pid), signal.SIGKILL)

    def test_severity(self):
        self.agent("a", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start(severity="warning")
        alert.send(record(1), record(2, severity="alert"), record(3, severity="info"), record(4, severity="warning"))
        alert.wait(delivered=2)
        self.assertEqual(self.lines("out"), ["2", "4"])

    def test_reload(self):
        self.agent("old", "echo $$ >> %s; exec sleep 1000" % self.path("pids"))
        alert = self.start()
        alert.send(record(1), record(2))
        self.wait_text("pids", r"\d+\n")
        os.unlink(os.path.join(self.agents, "old"))
        self.agent("new", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert.send({"type": "config", "dir": self.agents, "spool": self.path("spool"), "node": "h2"}, record(3))
        alert.wait(delivered=1)
        self.assertEqual(self.lines("out"), ["3"])  # what was before it is none of its business
        while not gone(int(self.text("pids"))):
            time.sleep(PAUSE)
        self.assertEqual(alert.wait(received=3)["queued"], 0)

    def test_without_agents(self):
        alert = self.start(dir="/nonexistent")
        alert.send(record(1))
        alert.wait(received=1)
        self.assertEqual(alert.end(), 0)
        self.assertEqual((alert.last["dropped"], alert.last["queued"], self.spooled()), (0, 0, []))

    def test_the_end_waits_a_little_and_no_longer(self):
        self.agent("hang", "sleep 1000 & echo $! > %s; wait" % self.path("pid"))
        self.agent("slow", "sleep 0.2; echo done > %s" % self.path("out"))
        alert = self.start(grace_ms=2000)
        alert.send(record(1))
        self.wait_text("pid", r"\d+\n")
        self.assertEqual(alert.end(), 0)
        self.assertEqual(self.text("out"), "done\n")
        while not gone(int(self.text("pid"))):
            time.sleep(PAUSE)
        self.assertEqual(len(self.spooled()), 1)


class Flood(AlertCase):
    def test_with_a_hanging_agent(self):
        self.agent("hang", "echo $$ >> %s; exec sleep 1000" % self.path("pids"))
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start(max_records=1000, timeout_ms=3600000) # it must not end before the flood does
        alert.wait(agents=2)
        for i in range(100):  # this would block, if it did not read
            alert.send(*[record(i * 100 + j, severity="info", text="x" * 500) for j in range(1, 101)])
        alert.send(record(10001, severity="alert"))
        alert.wait(received=10001)
        self.wait_text("out", r"(?m)^10001$")
        got = [int(line) for line in self.lines("out")]
        self.assertEqual(got, sorted(set(got)))
        self.assertEqual(got[:100], list(range(1, 101)))  # the beginning is kept
        alert.wait(delivered=len(got))
        # Everything is accounted for: delivered to the good one, or dropped and counted.
        stats = alert.stats()
        self.assertGreater(stats["dropped"], 0)
        self.assertGreaterEqual(stats["dropped"] + len(got), 10001)
        self.assertLessEqual(stats["queued"], 1000)
        with open("/proc/%d/maps" % alert.process.pid, encoding="ascii") as f:
            sanitized = "7fff7000-" in f.read() # the address sanitizer keeps what was freed; this is its shadow
        with open("/proc/%d/status" % alert.process.pid, encoding="ascii") as f:
            if not sanitized:
                self.assertLess(int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)), 96 * 1024)
        self.assertLessEqual(len(self.spooled()), 1001)
        self.assertEqual(len(self.lines("pids")), 1)

    def test_of_nonsense(self):
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start()
        alert.send(*[b"\xff\xfe nonsense %d\n" % i for i in range(5000)])
        alert.send(record(1))
        stats = alert.wait(delivered=1)
        self.assertEqual((stats["bad"], stats["received"]), (5000, 1))
        self.assertLess(len(alert.log()), 10000)


class BadInput(AlertCase):
    BAD = [b"\n", b"x\n", b"17\n", b"[]\n", b"{}\n", b"\0\n", b'{"type":1}\n', b'{"type":"record"}\n',
           b'{"type":"record","kind":5}\n', b'{"type":"record","kind":"a","severity":"loud"}\n',
           b'{"type":"record","kind":"a","seq":-1}\n', b'{"type":"record","kind":"a\\u0000b"}\n',
           b'{"type":"record","kind":"a","text":"' + b"x" * 20000 + b'"}\n',
           b'{"type":"record","kind":"a","data":"' + b"x" * 300000 + b'"}\n',
           b'{"type":"record","kind":"a","data":"' + b"x" * 1100000 + b'"}\n',
           b'{"type":"config","dir":"relative"}\n', b'{"type":"config","parallel":0}\n',
           b'{"type":"config","agents":[{}]}\n', b'{"type":"config","agents":5}\n',
           b'{"type":"config","timeout_ms":"x"}\n', b'{"type":"config","nodes":[]}\n',
           b'{"type":"config","severity":"x"}\n', b'{"type":"record","data":' + b"[" * 99 + b"]" * 99 + b"}\n"]

    def test_each_is_told_and_costs_nothing_else(self):
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        for i, bad in enumerate(self.BAD):
            alert = self.start()
            alert.send(record(2 * i), bad, record(2 * i + 1))
            self.assertEqual(alert.wait(delivered=2)["bad"], 1, bad[:80])
            self.assertEqual(alert.end(), 0)
            self.assertEqual(len(alert.errors), 1)
            self.assertEqual(alert.errors[0]["error_class"], "bad-request")
            self.assertGreater(len(alert.errors[0]["error"]), 10)
        self.assertEqual(self.lines("out"), [str(i) for i in range(2 * len(self.BAD))])

    def test_half_a_line_is_not_done(self):
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start()
        alert.send(record(1), json.dumps(record(2)).encode())
        alert.end()
        self.assertEqual(self.lines("out"), ["1"])

    def test_wrong_arguments(self):
        self.assertEqual(subprocess.run([PROGRAM, "--what"], check=False, capture_output=True).returncode, 2)


class Trust(AlertCase):
    """Agents run as root: what others could change is not run."""

    def check_skipped(self, path, words):
        good = self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start()
        alert.send(record(1))
        stats = alert.wait(delivered=1)
        self.assertEqual((stats["agents"], stats["skipped"]), (1, 1))
        alert.send({"type": "config", "dir": self.agents, "spool": self.path("spool"), "node": "h2"})  # looks again
        alert.send(record(2))
        alert.wait(delivered=2)
        alert.end()
        self.assertEqual(alert.log().count("skipped: %s" % path), 1, alert.log())
        self.assertIn(words, alert.log())
        self.assertFalse(os.path.exists(self.path("evil")))
        self.assertEqual(self.lines("out"), ["1", "2"])
        os.unlink(good)

    def evil(self):
        return self.agent("evil.sh", "touch %s" % self.path("evil"))

    def test_not_executable(self):
        os.chmod(self.evil(), 0o644)
        self.check_skipped(os.path.join(self.agents, "evil.sh"), "is not executable")

    def test_writable_by_others(self):
        os.chmod(self.evil(), 0o757)
        self.check_skipped(os.path.join(self.agents, "evil.sh"), "can be written by others")

    def test_writable_by_the_group(self):
        os.chmod(self.evil(), 0o775)
        self.check_skipped(os.path.join(self.agents, "evil.sh"), "can be written by others")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to give a file away")
    def test_of_another_user(self):
        os.chown(self.evil(), 65534, 0)
        self.check_skipped(os.path.join(self.agents, "evil.sh"), "is not owned by root")

    def test_a_folder(self):
        os.mkdir(os.path.join(self.agents, "evil.sh"))
        self.check_skipped(os.path.join(self.agents, "evil.sh"), "is no regular file")

    def test_a_dangling_link(self):
        os.symlink("/nonexistent", os.path.join(self.agents, "evil.sh"))
        self.check_skipped(os.path.join(self.agents, "evil.sh"), "does not exist")

    def test_options_that_others_can_write(self):
        self.evil()
        with open(os.path.join(self.agents, "evil.sh.conf"), "w", encoding="utf-8") as f:
            f.write("recipient = x\n")
        os.chmod(os.path.join(self.agents, "evil.sh.conf"), 0o666)
        self.check_skipped(os.path.join(self.agents, "evil.sh.conf"), "can be written by others")

    def test_options_that_are_none(self):
        self.evil()
        with open(os.path.join(self.agents, "evil.sh.conf"), "w", encoding="utf-8") as f:
            f.write("# fine\n\nLD_PRELOAD = /x\n")
        self.check_skipped(os.path.join(self.agents, "evil.sh.conf"), "line 3")

    def test_the_whole_folder(self):
        self.evil()
        os.chmod(self.agents, 0o777)
        alert = self.start()
        alert.send(record(1))
        alert.wait(received=1)
        alert.end()
        self.assertEqual((alert.last["agents"], alert.last["skipped"]), (0, 1))
        self.assertIn("skipped: %s can be written by others" % self.agents, alert.log())

    def test_what_editors_leave_is_passed_over(self):
        for name in (".hidden", "a~", "a.dpkg-old", "a.conf", "README", "a.swp"):
            self.agent(name, "touch %s" % self.path("evil"))
        self.agent("good", ":")
        alert = self.start()
        alert.send(record(1))
        stats = alert.wait(delivered=1)
        self.assertEqual((stats["agents"], stats["skipped"]), (1, 0))
        self.assertFalse(os.path.exists(self.path("evil")))

    def test_repaired_while_it_runs(self):
        path = self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        os.chmod(path, 0o644)
        alert = self.start()
        alert.send(record(1))
        alert.wait(skipped=1, received=1)
        os.chmod(path, 0o755)
        seq = 1
        while not self.text("out"):
            seq += 1
            alert.send(record(seq))
            alert.wait(received=seq)


class Restart(AlertCase):
    def gate(self):
        """An agent that hangs until the file "go" is there."""
        return self.agent("gate", 'echo $$ >> %s; until [ -e %s ]; do sleep 0.05; done; echo $HAMON_SEQ >> %s' %
                          (self.path("pids"), self.path("go"), self.path("gate.out")))

    def open_gate(self):
        with open(self.path("go"), "w", encoding="ascii"):
            pass

    def spooled_seqs(self):
        seqs = set()
        for name in self.spooled():
            try:
                seqs.add(str(json.loads(self.text("spool/" + name))["seq"]))
            except ValueError:
                pass  # it was delivered in between
        return seqs

    def until_spooled(self, n):
        while len(self.spooled()) < n:
            time.sleep(PAUSE)

    def test_killed_and_started_again(self):
        self.gate()
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("good.out"))
        alert = self.start()
        alert.send(*[record(i) for i in range(1, 31)])
        alert.wait(delivered=30)
        self.until_spooled(30)
        good = lambda: next(l for l in json.loads(self.text("spool/lanes.json"))["lanes"] if "good" in l["agent"])
        last = int(self.spooled()[-1][:20])
        while not self.text("spool/lanes.json") or good()["done"] < last:
            time.sleep(PAUSE)
        alert.kill()
        for pid in self.lines("pids"):  # what hung did not outlive it
            while not gone(int(pid)):
                time.sleep(PAUSE)
        self.open_gate()
        alert = self.start()
        alert.send(record(31))
        stats = alert.wait(delivered=32)
        self.assertEqual(stats["redelivered"], 30)
        self.assertEqual(self.lines("gate.out"), [str(i) for i in range(1, 32)])
        self.assertEqual(self.lines("good.out"), [str(i) for i in range(1, 32)])  # and nothing twice
        alert.end()
        self.assertEqual(self.spooled(), [])

    def test_killed_again_and_again(self):
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        sent = 0
        for _ in range(12):
            alert = self.start()
            alert.send(*[record(sent + i) for i in range(1, 41)])
            sent += 40
            # What was written down or delivered must never be lost; so wait until all of it was one of both.
            while len(self.spooled_seqs() | set(self.lines("out"))) < sent:
                time.sleep(PAUSE)
            alert.kill()
        alert = self.start()
        while len(set(self.lines("out"))) < sent:
            time.sleep(PAUSE)
        self.assertEqual(set(self.lines("out")), {str(i) for i in range(1, sent + 1)})

    def test_ended_and_started_again(self):
        self.gate()
        alert = self.start(grace_ms=0)
        alert.send(record(1), record(2))
        self.until_spooled(2)
        self.assertEqual(alert.end(), 0)
        self.open_gate()
        alert = self.start()
        alert.wait(delivered=2)
        self.assertEqual(self.lines("gate.out"), ["1", "2"])

    def test_an_agent_that_is_new_gets_no_old_records(self):
        self.gate()
        alert = self.start(grace_ms=0)
        alert.send(record(1))
        self.until_spooled(1)
        alert.end()
        self.agent("new", "echo $HAMON_SEQ >> %s" % self.path("new.out"))
        self.open_gate()
        alert = self.start()
        alert.wait(redelivered=1)
        alert.send(record(2))
        alert.wait(delivered=3)
        self.assertEqual(self.lines("new.out"), ["2"])
        self.assertEqual(self.lines("gate.out"), ["1", "2"])

    def test_damaged_spool(self):
        self.gate()
        alert = self.start(grace_ms=0)
        alert.send(record(1), record(2), record(3))
        self.until_spooled(3)
        alert.end()
        names = self.spooled()
        for name, data in ((names[0], b""), (names[1], b'{"kind":"x"' + b"\0" * 99), ("lanes.json", b"\xff{"),
                           ("new", b"half"), ("00000000000000000099.json", b"[]"), ("stranger", b"x")):
            with open(self.path("spool/" + name), "wb") as f:
                f.write(data)
        os.mkdir(self.path("spool/00000000000000000098.json"))
        self.open_gate()
        alert = self.start()
        stats = alert.wait(delivered=1)
        self.assertEqual(stats["redelivered"], 1)
        self.assertEqual(self.lines("gate.out"), ["3"])
        self.assertIn("cannot be delivered and is removed", alert.log())
        alert.end()

    def test_the_next_one_waits_for_the_spool_of_the_last(self):
        self.gate()
        first = self.start(grace_ms=60000)
        first.send(record(1))
        self.until_spooled(1)
        second = self.start()
        second.send(record(2))
        second.wait(received=1)
        self.assertEqual(len(self.spooled()), 1)
        self.open_gate()
        self.assertEqual(first.end(), 0)
        second.wait(delivered=1)
        self.assertEqual(self.lines("gate.out"), ["1", "2"])

    def test_files_are_private(self):
        self.gate()
        alert = self.start()
        alert.send(record(1))
        self.until_spooled(1)
        self.assertEqual(os.stat(self.path("spool")).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(self.path("spool/" + self.spooled()[0])).st_mode & 0o777, 0o600)
        self.open_gate()
        alert.wait(delivered=1)

    def test_no_spool_at_all(self):
        with open(self.path("file"), "w", encoding="ascii"):
            pass
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start(spool=self.path("file/spool"))
        alert.send(record(1))
        self.assertEqual(alert.wait(delivered=1)["unspooled"], 1)
        self.assertIn("alerts are not kept over a restart", alert.log())


@unittest.skipUnless(os.environ.get("ALERT_CHECK_MOUNTS"), "needs root for a mount namespace of its own")
class Disk(AlertCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("disk"))
        self.mounted = False

    def tearDown(self):
        for alert in self.running:
            alert.kill()
        if self.mounted:
            subprocess.run(["umount", self.path("disk")], check=True)
        super().tearDown()

    def mount(self, *args):
        done = subprocess.run(["mount", *args, self.path("disk")], check=False, stderr=subprocess.DEVNULL)
        self.mounted = not done.returncode
        return self.mounted

    def test_full(self):
        self.assertTrue(self.mount("-t", "tmpfs", "-o", "size=64k", "tmpfs"))
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start(spool=self.path("disk/spool"))
        alert.wait(agents=1)
        with open(self.path("disk/filler"), "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    time.sleep(PAUSE)
            except OSError:
                pass
        alert.send(*[record(i) for i in range(1, 11)])
        self.assertEqual(alert.wait(delivered=10)["unspooled"], 10)
        os.unlink(self.path("disk/filler"))
        alert.send(record(11))
        self.assertEqual(alert.wait(delivered=11)["unspooled"], 10)

    def test_hanging(self):
        """A file system that was frozen takes no write until it is thawed, like a disk that is gone for a while."""
        with open(self.path("image"), "wb") as f:
            f.truncate(4 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.path("image")], check=True)
        if not self.mount("-o", "loop", self.path("image")):
            self.skipTest("no loop devices here")
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        alert = self.start(spool=self.path("disk/spool"))
        alert.send(record(1))
        alert.wait(delivered=1)
        subprocess.run(["fsfreeze", "-f", self.path("disk")], check=True)
        try:
            alert.send(*[record(i, text="x" * 1000) for i in range(2, 502)])
            alert.wait(received=501, delivered=501)
            self.assertEqual(self.lines("out"), [str(i) for i in range(1, 502)])
        finally:
            subprocess.run(["fsfreeze", "-u", self.path("disk")], check=True)
        alert.send(record(502))
        alert.wait(delivered=502)
        self.assertEqual(alert.end(), 0)
        self.assertEqual(os.listdir(self.path("disk/spool")), ["lanes.json"])


JOURNALD = "/lib/systemd/systemd-journald"


@unittest.skipUnless(os.environ.get("ALERT_CHECK_MOUNTS") and os.access(JOURNALD, os.X_OK),
                     "needs root for a mount namespace of its own, and journald")
class Journal(AlertCase):
    """The real journald, on a /run of its own."""

    def setUp(self):
        super().setUp()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        os.makedirs("/run/systemd/journal")
        os.makedirs("/run/log/journal")
        self.journald = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        while not os.path.exists("/run/systemd/journal/socket"):
            time.sleep(PAUSE)

    def tearDown(self):
        self.journald.kill()
        self.journald.wait()
        super().tearDown()
        subprocess.run(["umount", "/run"], check=True)

    def entries(self, *match):
        done = subprocess.run(["journalctl", "-D", "/run/log/journal", "-o", "json", "SYSLOG_IDENTIFIER=hamon", *match],
                              check=True, capture_output=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_entries(self, n, *match):
        while len(self.entries(*match)) < n:
            time.sleep(PAUSE)
        return self.entries(*match)

    def test_entries(self):
        alert = self.start()
        alert.send(record(1, "host-lost", severity="alert", incident="h1-e1", text="host h1 is lost\nreally"),
                   record(2, "instance-running", instance="vm1", uuid="u1"), record(3, "from-the-future", text=""))
        kinds = dict(line.split()[:2] for line in subprocess.run([PROGRAM, "--kinds"], capture_output=True, text=True,
                                                                 check=True).stdout.splitlines())
        entries = self.wait_entries(3)
        want = {"MESSAGE": "host h1 is lost\nreally", "MESSAGE_ID": kinds["host-lost"], "PRIORITY": "1",
                "HAMON_KIND": "host-lost", "HAMON_HOST": "h1", "HAMON_INCIDENT": "h1-e1", "HAMON_ID": "3.1",
                "HAMON_TERM": "3", "HAMON_SEQ": "1", "HAMON_SEVERITY": "alert", "HAMON_WALL": WALL}
        self.assertEqual({k: v for k, v in entries[0].items() if k in want or k.startswith("HAMON_")}, want)
        self.assertEqual((entries[1]["HAMON_INSTANCE"], entries[1]["HAMON_UUID"], entries[1]["PRIORITY"]),
                         ("vm1", "u1", "5"))
        self.assertEqual(self.entries("MESSAGE_ID=" + kinds["instance-running"]), entries[1:2])
        self.assertEqual(entries[2]["MESSAGE"], "from-the-future")
        self.assertNotIn(entries[2]["MESSAGE_ID"], kinds.values())
        alert.end()

    def test_hanging_journald(self):
        self.agent("good", "echo $HAMON_SEQ >> %s" % self.path("out"))
        self.journald.send_signal(signal.SIGSTOP)
        alert = self.start(max_records=20000)
        n = 12000  # more than wait for the journal at most
        alert.send(*[record(i, severity="info" if i > 200 else "alert") for i in range(1, n + 1)])
        stats = alert.wait(received=n)
        self.assertGreater(stats["journal_dropped"], 0)
        self.assertLess(stats["journaled"], n - stats["journal_dropped"])
        self.wait_text("out", r"(?m)^200$")
        self.journald.send_signal(signal.SIGCONT)
        alert.wait(journaled=n - stats["journal_dropped"])
        missing = self.wait_entries(1, "PRIORITY=4")
        self.assertEqual(missing[0]["MESSAGE"], "%d records of hamon are missing here, they are in its own history" %
                         stats["journal_dropped"])


class Kinds(unittest.TestCase):
    """One table, and everything else agrees with it."""

    def setUp(self):
        out = subprocess.run([PROGRAM, "--kinds"], capture_output=True, text=True, check=True).stdout
        self.kinds = {line.split()[0]: line.split()[1:] for line in out.splitlines()}

    def test_ids_are_unique(self):
        ids = [i for i, _ in self.kinds.values()]
        self.assertEqual(len(set(ids)), len(ids))
        for i in ids:
            self.assertRegex(i, r"^[0-9a-f]{32}$")

    def test_the_manual_lists_them(self):
        with open(os.path.join(SOURCE, "doc/hamon-alerts.7"), encoding="utf-8") as f:
            listed = re.findall(r"(?m)^\.It Sy (\S+)\n\.Li ([0-9a-f]{32})\n\.Pq Cm (\w+)$", f.read())
        self.assertEqual(listed, [(kind, i, c) for kind, (i, c) in self.kinds.items()])

    def test_every_kind_that_is_recorded_is_known(self):
        used = set()
        for folder in ("hamon/core", "hamon/daemon"):
            for name in sorted(os.listdir(os.path.join(SOURCE, folder))):
                if not name.endswith(".c"):
                    continue
                with open(os.path.join(SOURCE, folder, name), encoding="utf-8") as f:
                    text = f.read()
                for call in re.findall(r"\b(?:note_stage|note_local|daemon_note)\(\w+,([^;]*?)NOTE_", text):
                    used |= set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', call))
        self.assertGreater(len(used), 20)
        self.assertEqual(used - set(self.kinds), set())


if __name__ == "__main__":
    if os.geteuid() == 0 and not os.environ.get("ALERT_CHECK_MOUNTS"):
        os.environ["ALERT_CHECK_MOUNTS"] = "1"
        if subprocess.run(["unshare", "-m", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
        del os.environ["ALERT_CHECK_MOUNTS"]
    signal.alarm(LIMIT_S)
    unittest.main()
