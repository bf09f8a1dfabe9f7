#!/usr/bin/python3
"""hamon-store as hamond sees it: its answers, and what it makes of kills, damage, a full disk and nonsense."""
import fcntl
import json
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

F_SETPIPE_SZ = 1031
PAUSE = 0.005
LIMIT_S = 900  # then something hangs, and the run ends as a failure
PROGRAM = os.path.join(os.environ.get("HAMON_LIBEXEC", "."), "hamon-store")
FIELDS = ("wall", "id", "incident", "kind", "severity", "host", "instance", "uuid", "text", "data")


class Store:
    """A running hamon-store. Answers are waited for without a limit of their own: the whole run has one."""

    def __init__(self, path, *args):
        self.process = subprocess.Popen([PROGRAM, "--path", path, *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.facts = []
        self.defs = []
        self.loaded = self.read()
        while self.loaded["type"] == "loading":
            self.facts += self.loaded.get("facts", [])
            self.defs += self.loaded.get("defs", [])
            self.loaded = self.read()
        self.facts += self.loaded.get("facts", [])
        self.defs += self.loaded.get("defs", [])

    def read(self):
        line = self.process.stdout.readline()
        assert line.endswith(b"\n"), "no answer"
        assert len(line) <= 1 << 20, "a line of %d bytes" % len(line)
        return json.loads(line)

    def send(self, *requests):
        data = b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in requests)
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, request):
        self.send(request)
        return self.read()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def end(self):
        self.process.stdin.close()
        code = self.process.wait()
        self.process.stdout.close()
        return code


def fact(key, n, kind="t", counter=None, **value):
    return {"kind": kind, "key": key, "term": 1, "counter": n if counter is None else counter,
            "value": {"n": n, **value}}


def row(seq, **fields):
    return {"seq": seq, "t_ms": seq * 10, "kind": "test", **fields}


def hash_of(n):
    return "%064x" % n


class StoreCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="store_check.", dir=os.environ.get("HAMON_BUILDDIR", "."))
        self.path = os.path.join(self.folder, "s")
        self.stores = []

    def tearDown(self):
        for store in self.stores:
            if store.process.poll() is None:
                store.kill()
            store.process.stdin.close()
            store.process.stdout.close()
        shutil.rmtree(self.folder)

    def start(self, *args):
        self.stores.append(Store(self.path, *args))
        return self.stores[-1]

    def started(self, *args):
        store = self.start(*args)
        self.assertTrue(store.loaded["ok"], store.loaded)
        return store

    def refused(self, error_class):
        store = self.start()
        self.assertFalse(store.loaded["ok"])
        self.assertEqual(store.loaded["error_class"], error_class, store.loaded)
        # It goes on answering, and acknowledges nothing.
        answer = store.ask({"seq": 1, "meta": {"a": 1}})
        self.assertEqual((answer["type"], answer["seq"], answer["error_class"]), ("error", 1, error_class))
        answer = store.ask({"query": "history", "id": "q"})
        self.assertEqual((answer["type"], answer["id"], answer["error_class"]), ("error", "q", error_class))
        store.end()
        return store.loaded["error"]

    def file(self, name):
        return os.path.join(self.path, name)


class Content(StoreCase):
    def test_what_is_written_is_loaded_again(self):
        store = self.started()
        self.assertTrue(store.loaded["created"])
        top = (1 << 63) - 1
        facts = [fact("h1", 1, state="admitted"), fact("h2", 2, text="ü \n \" \\ /"),
                 {"kind": "u", "key": "h1", "term": top, "counter": top, "value": {"big": 18446744073709551615}}]
        record = {"seq": 7, "t_ms": 5, "wall": "2026-01-01T00:00:00.000Z", "id": "3.9", "incident": "h1-e3",
                  "kind": "host-lost", "severity": "alert", "host": "h1", "instance": None, "uuid": None,
                  "text": "host h1 is lost", "data": {"list": [1, None, "x"]}}
        answer = store.ask({"seq": 41, "meta": {"term": 4, "self": {"name": "h1"}, "zero": 0, "old": "x"},
                            "facts": facts, "history": [record], "defs": [{"hash": hash_of(5), "xml": "<a/>\n"}]})
        self.assertEqual((answer["type"], answer["seq"]), ("persisted", 41))
        self.assertIsInstance(answer["fsync_us"], int)
        self.assertEqual(store.ask({"seq": 42, "meta": {"old": None}})["seq"], 42)
        identity = store.loaded["node_identity"]
        self.assertEqual(store.end(), 0)

        store = self.started()
        self.assertFalse(store.loaded["created"])
        self.assertEqual(store.loaded["node_identity"], identity)
        self.assertEqual(store.loaded["meta"], {"term": 4, "self": {"name": "h1"}, "zero": 0})
        self.assertEqual(store.facts, facts)
        self.assertEqual(store.defs, [hash_of(5)])
        self.assertEqual(store.loaded["history_last"], 7)
        answer = store.ask({"query": "history", "id": "q1"})
        self.assertEqual(answer, {"type": "history", "id": "q1", "rows": [record], "more": False})
        answer = store.ask({"query": "def", "id": 2, "hash": hash_of(5)})
        self.assertEqual(answer, {"type": "def", "id": 2, "hash": hash_of(5), "xml": "<a/>\n"})
        self.assertIsNone(store.ask({"query": "def", "id": 3, "hash": hash_of(6)})["xml"])

    def test_a_higher_version_wins(self):
        store = self.started()
        store.ask({"seq": 1, "facts": [fact("a", 1, counter=5), fact("b", 1, counter=5)]})
        store.ask({"seq": 2, "facts": [fact("a", 2, counter=4), fact("b", 2, counter=6)]})
        store.ask({"seq": 3, "facts": [{"kind": "t", "key": "b", "term": 0, "counter": 99, "value": {"n": 9}}]})
        store.kill()
        values = {f["key"]: f["value"]["n"] for f in self.started().facts}
        self.assertEqual(values, {"a": 1, "b": 2})

    def test_replace_is_the_whole_of_the_facts(self):
        store = self.started()
        store.ask({"seq": 1, "facts": [fact("k%d" % i, 1, counter=50) for i in range(500)], "meta": {"m": 1}})
        store.ask({"seq": 2, "replace": True, "facts": [fact("k1", 2, counter=3), fact("n", 2)]})
        store.kill()
        store = self.started()
        self.assertEqual(store.facts, [fact("k1", 2, counter=3), fact("n", 2)])
        self.assertEqual(store.loaded["meta"], {"m": 1})

    def test_definitions_are_pruned_on_request_only(self):
        store = self.started()
        store.ask({"seq": 1, "defs": [{"hash": hash_of(i), "xml": "<d%d/>" % i} for i in range(5)]})
        store.ask({"seq": 2, "replace": True, "facts": []})
        store.send({"prune_defs": [hash_of(1), hash_of(3), hash_of(77)]})
        store.ask({"seq": 3})
        store.end()
        self.assertEqual(self.started().defs, [hash_of(1), hash_of(3)])

    def test_everything_that_waits_is_one_transaction(self):
        store = self.started()
        fcntl.fcntl(store.process.stdin, F_SETPIPE_SZ, 1 << 20)  # more than it takes in one go
        os.kill(store.process.pid, signal.SIGSTOP)
        store.send(*[{"seq": i, "facts": [fact("a", i, x="x" * 1000)]} for i in range(1, 201)])
        os.kill(store.process.pid, signal.SIGCONT)
        answer = store.read()
        self.assertEqual((answer["seq"], answer["requests"]), (200, 200))

    def test_a_large_store_comes_in_several_lines(self):
        store = self.started()
        n = 100
        facts = [fact("%03d" % i, 1, text=chr(97 + i % 26) * 40000) for i in range(n)]
        for i in range(0, n, 10):
            store.ask({"seq": i + 1, "facts": facts[i:i + 10]})
        store.ask({"seq": n + 1, "defs": [{"hash": hash_of(i), "xml": "<a/>"} for i in range(20000)]})
        store.end()
        store = self.started()
        self.assertEqual(store.facts, facts)
        self.assertEqual(store.loaded["facts_total"], n)
        self.assertLess(len(store.loaded["facts"]), n)
        self.assertEqual(store.defs, [hash_of(i) for i in range(20000)])

    def test_files_are_private(self):
        os.mkdir(self.path, 0o755)
        store = self.started()
        store.ask({"seq": 1, "facts": [fact("a", 1)]})
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o700)
        for name in os.listdir(self.path):
            self.assertEqual(os.stat(self.file(name)).st_mode & 0o777, 0o600, name)
        self.assertIn("hamon.db", os.listdir(self.path))

    def test_people_can_look_into_it(self):
        store = self.started()
        store.ask({"seq": 1, "facts": [fact("a", 1)]})
        with sqlite3.connect(self.file("hamon.db")) as db:
            self.assertEqual(db.execute("SELECT key, counter FROM facts").fetchall(), [("a", 1)])
            self.assertEqual(store.ask({"seq": 2, "facts": [fact("a", 2)]})["seq"], 2)
        db.close()
        self.assertEqual(store.ask({"seq": 3})["seq"], 3)
        store.end()
        self.started()


class GateList(StoreCase):
    def read(self):
        with open(self.file("gate.list"), encoding="utf-8") as f:
            return json.load(f)

    def wait(self, n):
        while not os.path.exists(self.file("gate.list")) or self.read()["n"] != n:
            time.sleep(PAUSE)

    def test_it_is_written_when_requests_pause(self):
        store = self.started()
        store.send({"gate_list": {"n": 1}}, {"gate_list": {"n": 2}})
        self.wait(2)
        self.assertEqual(os.stat(self.file("gate.list")).st_mode & 0o777, 0o600)

    def test_it_is_written_while_they_do_not(self):
        store = self.started()
        store.send({"gate_list": {"n": 1}})
        for seq in range(1, 70):
            store.ask({"seq": seq})
        self.assertEqual(self.read(), {"n": 1})

    def test_it_is_written_at_the_end(self):
        store = self.started()
        store.send({"gate_list": {"n": 1}})
        store.end()
        self.assertEqual(self.read(), {"n": 1})

    def test_failure_is_told_and_tried_again(self):
        store = self.started()
        os.mkdir(self.file("gate.list"))
        answer = store.ask({"gate_list": {"n": 1}})
        self.assertEqual((answer["type"], answer["error_class"], answer["retrying"]), ("error", "io", True))
        store.send({"query": "history", "id": 1})
        while store.read().get("id") != 1:
            time.sleep(PAUSE)
        os.rmdir(self.file("gate.list"))
        self.wait(1)


class History(StoreCase):
    def setUp(self):
        super().setUp()
        self.store = self.started("--history", "100")
        self.store.ask({"seq": 1, "history": [
            row(i, incident="h%d-e1" % (i % 3), instance="vm%d" % (i % 5), uuid="u%d" % (i % 5), host="h%d" % (i % 3),
                kind="kind%d" % (i % 2)) for i in range(1, 61)]})

    def rows(self, **query):
        answer = self.store.ask({"query": "history", "id": 1, **query})
        return [r["seq"] for r in answer["rows"]], answer["more"]

    def test_queries(self):
        self.assertEqual(self.rows(), (list(range(1, 61)), False))
        self.assertEqual(self.rows(limit=3), ([58, 59, 60], True))
        self.assertEqual(self.rows(since=57), ([58, 59, 60], False))
        self.assertEqual(self.rows(since=0, limit=3), ([1, 2, 3], True))
        self.assertEqual(self.rows(since=50, incident="h1-e1"), ([52, 55, 58], False))
        self.assertEqual(self.rows(since=50, instance="vm2"), ([52, 57], False))
        self.assertEqual(self.rows(since=50, instance="u2"), ([52, 57], False))
        self.assertEqual(self.rows(instance="vm2", incident="h1-e1", host="h1", kind="kind1"), ([7, 37], False))
        self.assertEqual(self.rows(incident="none"), ([], False))

    def test_a_long_answer_is_cut_and_says_so(self):
        store = self.started_again()
        text = "x" * 16000
        for i in range(100, 200, 20):
            store.ask({"seq": i, "history": [row(j, text=text) for j in range(i, i + 20)]})
        seen, since = [], 99
        while True:
            answer = store.ask({"query": "history", "id": 1, "since": since, "limit": 10000})
            seen += [r["seq"] for r in answer["rows"]]
            if not answer["more"]:
                break
            since = seen[-1]
        self.assertEqual(seen, list(range(100, 200)))

    def started_again(self):
        self.store.end()
        self.store = self.started("--history", "1000")
        return self.store

    def test_old_rows_are_dropped(self):
        for i in range(61, 2061, 100):
            self.store.ask({"seq": i, "history": [row(j) for j in range(i, i + 100)]})
        while True:  # it is done in quiet moments
            with sqlite3.connect(self.file("hamon.db"), timeout=30) as db:
                n, least, last = db.execute("SELECT count(*), min(seq), max(seq) FROM history").fetchone()
            db.close()
            if n <= 110:
                break
        self.assertEqual(last, 2060)
        self.assertEqual(least, 2061 - n)

    def test_a_repeated_row_is_one_row(self):
        self.store.ask({"seq": 2, "history": [row(60, text="again")]})
        answer = self.store.ask({"query": "history", "id": 1, "since": 59})
        self.assertEqual([(r["seq"], r["text"]) for r in answer["rows"]], [(60, "again")])


class BadInput(StoreCase):
    BAD = [
        b"\n", b"x\n", b"17\n", b"[]\n", b"{\n", b'{"seq":1}{"seq":2}\n', b"\xff\xfe\n", b"\0\n",
        b'{"seq":-1}\n', b'{"seq":"1"}\n', b'{"seq":1.5}\n', b'{"seq":9223372036854775808}\n', b"{}\n",
        b'{"seq":5,"fact":[]}\n', b'{"seq":5,"facts":{}}\n', b'{"seq":5,"facts":[1]}\n',
        b'{"seq":5,"replace":true}\n', b'{"seq":5,"replace":1,"facts":[]}\n', b'{"seq":5,"meta":[]}\n',
        b'{"seq":5,"meta":{"store.id":"x"}}\n', b'{"seq":5,"meta":{"":"x"}}\n',
        b'{"seq":5,"facts":[{"kind":"k","key":"a","term":9223372036854775808,"counter":1,"value":{}}]}\n',
        b'{"seq":5,"facts":[{"kind":"k","key":"a","term":1,"counter":-1,"value":{}}]}\n',
        b'{"seq":5,"facts":[{"kind":"k","key":"a","term":1,"counter":1,"value":[]}]}\n',
        b'{"seq":5,"facts":[{"kind":"k","key":"a\\u0000b","term":1,"counter":1,"value":{}}]}\n',
        b'{"seq":5,"facts":[{"kind":"","key":"a","term":1,"counter":1,"value":{}}]}\n',
        b'{"seq":5,"facts":[{"kind":"k","key":"a","term":1,"counter":1}]}\n',
        b'{"seq":5,"facts":[{"kind":"k","key":"a","term":1,"counter":1,"value":{},"more":1}]}\n',
        b'{"seq":5,"defs":[{"hash":"' + hash_of(1).encode() + b'","xml":"<a/>","more":1}]}\n',
        b'{"query":"history","more":1}\n',
        b'{"seq":5,"history":[{"kind":"k"}]}\n', b'{"seq":5,"history":[{"seq":1}]}\n',
        b'{"seq":5,"history":[{"seq":1,"kind":"k","more":1}]}\n',
        b'{"seq":5,"defs":[{"hash":"abc","xml":"<a/>"}]}\n',
        b'{"seq":5,"prune_defs":["../x"]}\n', b'{"meta":{"a":1}}\n',
        b'{"query":"everything"}\n', b'{"query":"history","limit":0}\n', b'{"query":"history","id":{}}\n',
        b'{"query":"def","hash":"abc"}\n', b'{"query":1}\n',
        b'{"gate_list":[]}\n', b'{"gate_list":{},"seq":5}\n',
        b'{"seq":5,"meta":{"a":' + b"[" * 100 + b"]" * 100 + b"}}\n",
        b'{"seq":5,"meta":{"a":"' + b"x" * 70000 + b'"}}\n',
        b'{"seq":5,"defs":[{"hash":"' + hash_of(1).encode() + b'","xml":"' + b"\\n" * 500000 + b'"}]}\n',
        b'{"seq":5,"meta":{"a":"' + b"x" * (9 << 20) + b'"}}\n',
    ]

    def test_each_is_answered_and_costs_nothing_else(self):
        store = self.started()
        seq = 10
        for bad in self.BAD:
            bad = bad.replace(b'"seq":5', b'"seq":%d' % (seq + 1))  # its number is not what is wrong with it
            # Between two good ones, all in one go: the good ones must be persisted.
            os.kill(store.process.pid, signal.SIGSTOP) if len(bad) < 60000 else None
            store.send({"seq": seq, "facts": [fact("a", seq)]}, bad, {"seq": seq + 2, "facts": [fact("b", seq)]})
            os.kill(store.process.pid, signal.SIGCONT)
            answers = [store.read()]
            while answers[-1].get("seq") != seq + 2:
                answers.append(store.read())
            errors = [a for a in answers if a["type"] == "error"]
            self.assertEqual(len(errors), 1, (bad[:80], answers))
            self.assertEqual(errors[0]["error_class"], "bad-request", bad[:80])
            self.assertGreater(len(errors[0]["error"]), 10)
            seq += 3
        store.kill()
        self.assertEqual({f["key"]: f["value"]["n"] for f in self.started().facts}, {"a": seq - 3, "b": seq - 3})

    def test_the_answer_names_the_request(self):
        store = self.started()
        self.assertEqual(store.ask({"seq": 12, "fact": 1})["seq"], 12)
        self.assertEqual(store.ask({"query": "x", "id": "q"})["id"], "q")
        self.assertIn("facts[1]", store.ask({"seq": 13, "facts": [fact("a", 1), {}]})["error"])

    def test_numbers_must_grow(self):
        store = self.started()
        self.assertEqual(store.ask({"seq": 5})["type"], "persisted")
        for seq in (5, 4, 0):
            answer = store.ask({"seq": seq, "facts": [fact("a", 1)]})
            self.assertEqual((answer["type"], answer["seq"]), ("error", seq))
        store.kill()
        self.assertEqual(self.started().facts, [])

    def test_half_a_line_is_not_done(self):
        store = self.started()
        store.send(b'{"seq":1,"facts":[]}\n{"seq":2,"meta":{"a":1}}')
        self.assertEqual(store.read()["seq"], 1)
        store.end()
        self.assertEqual(self.started().loaded["meta"], {})

    def test_noise(self):
        store = self.started()
        noise = random.Random(1)
        for _ in range(50):
            store.send(bytes(noise.randrange(256) for _ in range(2000)).replace(b"\n", b" ") + b"\n")
            self.assertEqual(store.read()["error_class"], "bad-request")
        self.assertEqual(store.ask({"seq": 1})["seq"], 1)

    def test_wrong_arguments(self):
        for args in (["--history", "5"], ["--history", "x"], ["--what"], ["more"]):
            done = subprocess.run([PROGRAM, "--path", self.path, *args], stdin=subprocess.DEVNULL,
                                  capture_output=True, check=False)
            self.assertEqual(done.returncode, 2, args)
            self.assertFalse(os.path.exists(self.path))


class Kills(StoreCase):
    def test_killed_at_any_moment(self):
        """Each commit sets two facts, a meta value and a row together: none may be seen without the others."""
        chance = random.Random(2)
        n, acknowledged = 0, 0
        for _ in range(40):
            store = self.started("--history", "200")
            values = {f["key"]: f["value"]["n"] for f in store.facts}
            n = values.get("a", 0)
            self.assertGreaterEqual(n, acknowledged)
            self.assertEqual(values, {"a": n, "b": n} if n else {})
            self.assertEqual(store.loaded["meta"], {"n": n} if n else {})
            self.assertEqual(store.loaded["history_last"], n)
            acknowledged = n
            stop = n + chance.randrange(1, 60)
            while acknowledged < stop:
                while n < acknowledged + chance.randrange(1, 20):
                    n += 1
                    text = chr(97 + n % 26) * chance.randrange(3000)
                    store.send({"seq": n, "meta": {"n": n}, "facts": [fact("a", n, x=text), fact("b", n)],
                                "history": [row(n, text=text)]})
                acknowledged = store.read()["seq"]
            # Some more that nobody waits for, so that the kill comes in the middle of work.
            for _ in range(chance.randrange(30)):
                n += 1
                store.send({"seq": n, "meta": {"n": n}, "facts": [fact("a", n), fact("b", n)], "history": [row(n)]})
            store.kill()

    def test_killed_while_it_replaces(self):
        chance = random.Random(3)
        for i in range(1, 15):
            store = self.started()
            generations = {f["value"]["n"] for f in store.facts}
            self.assertLessEqual(len(generations), 1)
            if store.facts:
                self.assertEqual(len(store.facts), 300 + generations.pop() % 50)
            for n in range(i * 100, i * 100 + chance.randrange(2, 20)):
                store.send({"seq": n, "replace": True, "facts": [fact("k%d" % k, n) for k in range(300 + n % 50)]})
            self.assertEqual(store.read()["type"], "persisted")
            store.kill()

    def test_killed_while_it_is_made(self):
        for _ in range(30):
            shutil.rmtree(self.path, ignore_errors=True)
            process = subprocess.Popen([PROGRAM, "--path", self.path], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            while not os.path.isdir(self.path) or len(os.listdir(self.path)) < random.randrange(1, 5):
                pass
            process.kill()
            process.communicate()
            self.started().kill()

    def test_two_writers(self):
        store = self.started()
        self.assertIn("another process", self.refused("locked"))
        self.assertEqual(store.ask({"seq": 1})["type"], "persisted")
        done = subprocess.run([PROGRAM, "--path", self.path, "--reset"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)
        store.kill()
        self.started()


class Damage(StoreCase):
    def setUp(self):
        super().setUp()
        self.write(killed=False)

    def write(self, killed):
        store = self.started()
        for i in range(1, 31):
            store.ask({"seq": i, "facts": [fact("a%d" % j, i, text="x" * 300) for j in range(30)],
                       "history": [row(i, text="y" * 200)], "meta": {"m": i}})
        if killed:
            store.kill()
        else:
            store.end()

    def contents(self):
        found = {}
        for name in os.listdir(self.path):
            if name not in ("hamon.db-shm", "store.lock"):
                with open(self.file(name), "rb") as f:
                    found[name] = f.read()
        return {name: data for name, data in found.items() if data or name != "hamon.db-wal"}

    def stays_refused(self, error_class):
        before = self.contents()
        text = self.refused(error_class)
        self.assertEqual(self.refused(error_class), text)
        self.assertEqual(self.contents(), before)
        return text

    def patch(self, name, offset, data):
        with open(self.file(name), "r+b") as f:
            f.seek(offset)
            f.write(data)

    def sql(self, statement):
        with sqlite3.connect(self.file("hamon.db")) as db:
            db.execute(statement)
        db.close()

    def test_header(self):
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self.patch("hamon.db", 0, b"x" * 100)
        self.stays_refused("corrupt")

    def test_no_database_at_all(self):
        with open(self.file("hamon.db"), "wb") as f:
            f.write(b"hello " * 1000)
        self.stays_refused("corrupt")

    def test_pages(self):
        size = os.path.getsize(self.file("hamon.db"))
        for page in range(1, 8):
            self.patch("hamon.db", page * 4096, bytes(random.Random(page).randrange(256) for _ in range(4096)))
        self.assertGreater(size, 8 * 4096)
        self.stays_refused("corrupt")

    def test_a_page_that_belongs_to_nobody(self):
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(self.file("hamon.db"), "rb") as f:
            f.seek(36)
            free = int.from_bytes(f.read(4), "big")
        self.assertGreater(free, 0)
        self.patch("hamon.db", 36, (free - 1).to_bytes(4, "big"))
        self.stays_refused("corrupt")

    def test_cut(self):
        os.truncate(self.file("hamon.db"), 5000)
        self.stays_refused("corrupt")

    def test_a_digit_of_a_fact(self):
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(self.file("hamon.db"), "rb") as f:
            data = f.read()
        at = data.index(b'{"n":30,"text"')
        self.patch("hamon.db", at + 5, b"4")
        self.assertIn("fact", self.stays_refused("corrupt"))

    def test_other_tables(self):
        self.sql("CREATE TABLE more(a)")
        self.stays_refused("corrupt")

    def test_a_trigger(self):
        self.sql("CREATE TRIGGER t AFTER INSERT ON facts BEGIN DELETE FROM facts; END")
        self.stays_refused("corrupt")

    def test_another_program_s_database(self):
        self.sql("PRAGMA application_id=7")
        self.assertIn("no store of hamon", self.stays_refused("corrupt"))

    def test_a_later_format(self):
        self.sql("PRAGMA user_version=2")
        self.assertIn("format 2", self.stays_refused("version"))

    def test_a_foreign_journal(self):
        with open(self.file("hamon.db-journal"), "wb") as f:
            f.write(b"x" * 1000)
        self.stays_refused("corrupt")

    def test_damage_in_the_log(self):
        self.write(killed=True)
        # The commits of the last run are at the log's front; damage one that others follow.
        self.patch("hamon.db-wal", 32 + 5 * 4120 + 2000, b"\xff\xff\xff")
        self.assertRegex(self.stays_refused("corrupt"), "frame [0-9]+ of its write-ahead log")

    def test_a_lost_log(self):
        self.write(killed=True)
        os.unlink(self.file("hamon.db-wal"))
        self.assertIn("acknowledged", self.stays_refused("corrupt"))

    def test_rolled_back_to_a_copy(self):
        copy = os.path.join(self.folder, "copy")
        shutil.copy(self.file("hamon.db"), copy)
        self.write(killed=False)
        shutil.copy(copy, self.file("hamon.db"))
        os.unlink(self.file("hamon.db-wal"))
        self.assertIn("acknowledged", self.stays_refused("corrupt"))

    def test_gone(self):
        os.unlink(self.file("hamon.db"))
        self.stays_refused("emptied")
        self.assertFalse(os.path.exists(self.file("hamon.db")))

    def test_emptied(self):
        for name in os.listdir(self.path):
            if name.startswith("hamon.db"):
                os.truncate(self.file(name), 0)
        self.stays_refused("emptied")

    def test_all_but_the_log_gone(self):
        os.unlink(self.file("hamon.db"))
        os.unlink(self.file("store.id"))
        self.stays_refused("emptied")

    def test_another_store_in_its_place(self):
        other = os.path.join(self.folder, "other")
        Store(other).end()
        for name in ("hamon.db", "hamon.db-wal"):
            shutil.copy(os.path.join(other, name), self.file(name))
        self.stays_refused("emptied")

    def test_marker_damaged(self):
        self.patch("store.id", 3, b"\n\n")
        self.stays_refused("emptied")

    def test_marker_missing_after_a_crash_while_making(self):
        os.unlink(self.file("store.id"))
        self.assertEqual(len(self.started().facts), 30)
        self.assertTrue(os.path.exists(self.file("store.id")))

    def test_reset_sets_it_aside(self):
        os.truncate(self.file("hamon.db"), 0)
        before = self.contents()
        self.refused("emptied")
        out = subprocess.run([PROGRAM, "--path", self.path, "--reset"], capture_output=True, check=True, text=True)
        aside = [n for n in os.listdir(self.path) if n.startswith("aside-")]
        self.assertEqual(len(aside), 1)
        self.assertIn(aside[0], out.stdout)
        for name, data in before.items():
            with open(os.path.join(self.file(aside[0]), name), "rb") as f:
                self.assertEqual(f.read(), data, name)
        store = self.started()
        self.assertTrue(store.loaded["created"])
        self.assertEqual(store.facts, [])

    def test_damage_while_it_runs(self):
        store = self.started()
        with sqlite3.connect(self.file("hamon.db")) as db:  # so that the store reads its pages again
            db.execute("UPDATE meta SET value = '7' WHERE key = 'm'")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.patch("hamon.db", 4096, b"\xff" * (os.path.getsize(self.file("hamon.db")) - 4096))
        seq, answer = 100, {"type": "persisted"}
        while answer["type"] == "persisted":
            seq += 1
            answer = store.ask({"seq": seq, "facts": [fact("new%d" % (seq * 100 + i), 1) for i in range(50)],
                                "defs": [{"hash": hash_of(seq), "xml": "<a/>"}]})
        self.assertEqual((answer["error_class"], answer["seq"]), ("corrupt", seq))
        answer = store.ask({"seq": seq + 1, "meta": {"a": 1}})
        self.assertEqual((answer["type"], answer["error_class"], answer["retrying"]), ("error", "corrupt", False))

    def test_folder_is_a_file(self):
        shutil.rmtree(self.path)
        with open(self.path, "w", encoding="ascii"):
            pass
        self.refused("io")


@unittest.skipUnless(os.environ.get("STORE_CHECK_MOUNTS"), "needs root for a mount namespace of its own")
class FullDisk(StoreCase):
    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.folder, "disk")
        os.mkdir(self.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", self.disk], check=True)
        self.path = os.path.join(self.disk, "s")

    def tearDown(self):
        for store in self.stores:
            store.kill()
        subprocess.run(["umount", self.disk], check=True)
        super().tearDown()

    def fill(self):
        with open(os.path.join(self.disk, "filler"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        os.unlink(os.path.join(self.disk, "filler"))

    def until_full(self, store):
        seq, answer = 0, {"type": "persisted"}
        while answer["type"] == "persisted":
            seq += 1
            answer = store.ask({"seq": seq, "facts": [fact("a%d" % i, seq, x="x" * 60000) for i in range(10)]})
        self.assertEqual((answer["error_class"], answer["seq"], answer["retrying"]), ("full", seq, True))
        return seq

    def test_it_waits_and_goes_on(self):
        store = self.started()
        self.fill()
        seq = self.until_full(store)
        answer = store.ask({"seq": seq + 1, "meta": {"m": 1}})  # a retry, in vain, with both of them
        while (answer["type"], answer["seq"]) != ("error", seq + 1):
            self.assertEqual(answer["type"], "error")
            answer = store.read()
        answer = store.ask({"query": "history", "id": "still here"})
        while answer["type"] == "error":
            answer = store.read()
        self.assertEqual(answer["id"], "still here")
        self.free()
        while answer["type"] != "persisted":  # by itself, without another request
            answer = store.read()
        self.assertEqual((answer["seq"], answer["requests"]), (seq + 1, 2))
        store.kill()
        store = self.started()
        self.assertEqual({f["value"]["n"] for f in store.facts}, {seq})
        self.assertEqual(store.loaded["meta"], {"m": 1})

    def test_killed_while_full(self):
        store = self.started()
        self.fill()
        seq = self.until_full(store)
        store.kill()
        self.assertEqual({f["value"]["n"] for f in self.started().facts}, {seq - 1} if seq > 1 else set())

    def test_hanging(self):
        """A file system that was frozen takes no write until it is thawed, like a disk that is gone for a while."""
        subprocess.run(["umount", self.disk], check=True)
        image = os.path.join(self.folder, "image")
        with open(image, "wb") as f:
            f.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        if subprocess.run(["mount", "-o", "loop", image, self.disk], check=False).returncode:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.disk], check=True)
            self.skipTest("no loop devices here")
        store = self.started()
        store.ask({"seq": 1, "facts": [fact("a", 1)]})
        subprocess.run(["fsfreeze", "-f", self.disk], check=True)
        try:
            store.send({"seq": 2, "facts": [fact("a", 2)]})
            state = ""
            while state != "D":
                with open("/proc/%d/stat" % store.process.pid, encoding="ascii") as f:
                    state = f.read().rsplit(")", 1)[1].split()[0]
            self.assertEqual(select.select([store.process.stdout], [], [], 0)[0], [])
        finally:
            subprocess.run(["fsfreeze", "-u", self.disk], check=True)
        self.assertEqual(store.read()["seq"], 2)
        store.kill()
        self.assertEqual(self.started().facts, [fact("a", 2)])

    def test_full_at_first(self):
        self.fill()
        self.refused("full")
        self.free()
        self.started()


if __name__ == "__main__":
    if os.geteuid() == 0 and not os.environ.get("STORE_CHECK_MOUNTS"):
        os.environ["STORE_CHECK_MOUNTS"] = "1"
        if subprocess.run(["unshare", "-m", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
        del os.environ["STORE_CHECK_MOUNTS"]
    signal.alarm(LIMIT_S)
    unittest.main()
