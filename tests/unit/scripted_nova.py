"""A scripted cloud, and hamon-evacuate against it: what the tests nova_*_test.py share.

The cloud has the faults that a real one has but seldom: answers that are lost or late, 401, 429, 503, records that are left open. What it
answers otherwise is as tests/unit/nova has it, recorded from a real one; the real one itself is met in tests/nova. libvirt is its own test
driver, whose only domain always runs; a start is over here when it says "started": there is no QEMU to verify.
"""
import http.server
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

SRC = os.environ.get("HAMON_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILD = os.environ.get("HAMON_BUILDDIR", os.getcwd())
PROGRAM = os.path.join(BUILD, "hamon-evacuate")
SERVER = "6695eb01-f6a4-8304-79aa-97f2502e193f"  # of libvirt's test driver
OTHER = "6695eb01-f6a4-8304-79aa-97f2502e1940"  # one that it does not know
PEM = os.path.join(SRC, "tests/unit/nova/tls.pem")
PATIENCE_S = 90


def recorded(name):
    with open(os.path.join(SRC, "tests/unit/nova", name + ".json")) as text:
        return json.load(text)


class Cloud:
    """One server on h1, three compute services. faults: [(method, beginning of the path, what to do)], each used once."""

    def __init__(self, tls=False):
        self.calls = []  # (method, path, body)
        self.microversions = set()
        self.faults = []
        self.token = 0
        self.maximum = "2.93"
        self.server = dict(recorded("server_active_2.93")["server"], id=SERVER)
        self.server["OS-EXT-SRV-ATTR:host"] = "h1"
        self.services = {}
        for number, host in enumerate(("h1", "h2", "h3")):
            self.services[host] = dict(recorded("services_2.93")["services"][0], host=host, status="enabled", state="up",
                                       disabled_reason=None, forced_down=False,
                                       id="00000000-0000-0000-0000-00000000000%d" % number)
        self.services["h1"]["state"] = "down"
        self.migrations = []
        self.aggregates = [{"id": 1, "name": "all", "hosts": ["h1", "h2", "h3"], "metadata": {}},
                           {"id": 2, "name": "ha", "hosts": ["h2"], "metadata": {"evacuable": "true"}}]
        self.image = {"id": self.server["image"]["id"], "name": "i", "tags": [], "status": "active"}
        self.deleted = []  # of those the one that is asked for
        self.listed, self.page = [], 100
        self.later = []  # (looks until then, what to do)
        self.evacuates = "done"
        self.queue = 2  # looks until it ends
        self.fault = recorded("server_error")["server"]["fault"]
        self.lock = threading.Lock()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"cloud": self}))
        self.url = "http://127.0.0.1:%d" % self.http.server_port
        if tls:
            # Of 127.0.0.1, signed by itself, for a hundred years.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(PEM)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def put(self, **change):
        names = {"host": "OS-EXT-SRV-ATTR:host", "task": "OS-EXT-STS:task_state"}
        self.server.update({names.get(name, name): value for name, value in change.items()})

    def migration(self, number, dest, status, source="h1"):
        self.migrations.append(dict(recorded("migrations_2.93")["migrations"][0], id=number, instance_uuid=SERVER,
                                    source_compute=source, dest_compute=dest, status=status))

    def asked(self, method, beginning=""):
        return [body for asked, path, body in self.calls if asked == method and path.startswith(beginning)]

    def actions(self, name):
        return [body[name] for body in self.asked("POST", "/v2.1/servers") if name in body]

    # what the API does

    def evacuate(self, body):
        number = len(self.migrations) + 1
        self.migration(number, body["host"], "accepted")
        self.put(status="REBUILD", task="rebuilding")
        migration = self.migrations[-1]

        def end():
            if self.evacuates == "done":
                self.put(status="ACTIVE", task=None, host=body["host"])
                migration["status"] = "done"
            elif self.evacuates == "shutoff":
                self.put(status="SHUTOFF", task=None, host=body["host"])
                migration["status"] = "done"
            elif self.evacuates == "left open":
                self.put(status="ACTIVE", task=None, host=body["host"])
            else:
                self.put(status="ERROR", task=None, fault=self.fault)
                migration["status"] = "error"
        self.evacuation_ends = end
        self.later.append([self.queue, end])
        return 200, None

    def action(self, body):
        if "evacuate" in body:
            return self.evacuate(body["evacuate"])
        if "os-resetState" in body:
            self.put(status=body["os-resetState"]["state"].upper(), task=None)
        elif "lock" in body or "unlock" in body:
            self.put(locked="lock" in body, locked_reason=(body.get("lock") or {}).get("locked_reason"))
        elif "os-stop" in body:
            self.put(status="SHUTOFF", task=None)
        elif "os-start" in body or "reboot" in body:
            self.put(status="ACTIVE", task=None)
        return 202, None

    def service_put(self, path, body):
        service = next(one for one in self.services.values() if path.endswith(one["id"]))
        if body.get("status") == "disabled":
            service["disabled_reason"] = None
        service.update(body)
        if "forced_down" in body and body["forced_down"]:
            service["state"] = "down"
        return 200, {"service": service}

    def get(self, path):
        if path == "/v2.1/":
            told = recorded("version")
            told["version"]["version"] = self.maximum
            return 200, told
        if path.startswith("/v2.1/servers/detail?all_tenants=1&limit=20&status=REBUILD&host="):
            on = self.server["OS-EXT-SRV-ATTR:host"] == path.split("=")[-1] and self.server["status"] == "REBUILD"
            return 200, {"servers": [self.server] if on else []}
        if path.startswith("/v2.1/servers/detail?all_tenants=1&limit=100&host="):
            asked = dict(word.split("=") for word in path.split("?")[1].split("&"))
            mine = [one for one in self.listed if one["OS-EXT-SRV-ATTR:host"] == asked["host"]]
            after = [one["id"] for one in mine].index(asked["marker"]) + 1 if "marker" in asked else 0
            return 200, {"servers": mine[after:after + self.page]}
        if path.startswith("/v2.1/servers/detail?all_tenants=1&limit=20&locked=True&host="):
            on = self.server["OS-EXT-SRV-ATTR:host"] == path.split("=")[-1] and self.server["locked"]
            return 200, {"servers": [self.server] if on else []}
        if path == "/v2.1/servers/detail?all_tenants=1&deleted=True&limit=2&uuid=" + SERVER:
            return 200, {"servers": self.deleted}
        if path.startswith("/v2.1/servers/") and path[-36:] in (SERVER, OTHER):
            self.server["id"] = path[-36:]
            for migration in self.migrations:
                migration["instance_uuid"] = path[-36:]
            return 200, {"server": self.server}
        if path.startswith("/v2.1/os-services?binary=nova-compute&host="):
            host = path.split("=")[-1]
            return 200, {"services": [self.services[host]] if host in self.services else []}
        if path == "/v2.1/os-aggregates":
            return 200, {"aggregates": self.aggregates}
        if path == "/v2/images/" + self.image["id"]:
            return 200, self.image
        if path.startswith("/v2.1/os-migrations?migration_type=evacuation"):
            told = [dict(migration) for migration in self.migrations]
            self.looked()
            return 200, {"migrations": told}
        return 404, recorded("server_404")

    def looked(self):
        """Whoever looks asks for the evacuations first: what ends meanwhile has happened before it asks for the server."""
        for one in self.later:
            one[0] -= 1
            if one[0] == 0:
                one[1]()

    def answer(self, method, path, body, token):
        if path == "/v3/auth/tokens":
            self.token += 1
            told = recorded("token")
            for service in told["token"]["catalog"]:
                for endpoint in service["endpoints"]:
                    endpoint["url"] = self.url + {"compute": "/v2.1/", "image": "/v2/"}.get(service["type"], "/other")
            return 201, told
        if token != "token-%d" % self.token:
            return 401, recorded("server_401")
        if method == "GET":
            return self.get(path)
        return self.action(body) if method == "POST" else self.service_put(path, body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud = None

    def log_message(self, *words):
        pass

    def serve(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(text) if text else None
        with self.cloud.lock:
            self.cloud.calls.append((self.command, self.path, body))
            self.cloud.microversions.add(self.headers.get("OpenStack-API-Version"))
            fault = next((fault for fault in self.cloud.faults
                          if fault[0] == self.command and self.path.startswith(fault[1])), None)
            if fault:
                self.cloud.faults.remove(fault)
            what = fault[2] if fault else {}
            if "status" in what:
                self.reply(what["status"], what.get("body", {}), what.get("headers", {}))
                return
            if what.get("late"):
                time.sleep(what["late"])
            if what.get("revoke"):
                self.cloud.token += 1
            if what.get("unseen"):
                self.close_connection = True
                return
            status, told = self.cloud.answer(self.command, self.path, body, self.headers.get("X-Auth-Token"))
        if what.get("lost"):
            time.sleep(what.get("seconds", 0))
            self.close_connection = True
            return
        self.reply(status, told, {"X-Subject-Token": "token-%d" % self.cloud.token})

    def reply(self, status, told, headers):
        text = json.dumps(told).encode() if told is not None else b""
        self.send_response(status)
        for name, value in dict(headers, **{"X-Openstack-Request-Id": "req-1234"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = serve


class HelperTest(unittest.TestCase):
    """What these tests share; it has none of its own."""

    cloud_class = Cloud
    nova = {}  # what hamond says of the cloud besides

    def setUp(self):
        self.cloud = self.cloud_class()
        self.addCleanup(self.cloud.close)
        self.options = []
        self.run_dir = os.path.join(tempfile.mkdtemp(prefix="nova-api-"), "run")  # there for those tests that make it
        self.addCleanup(shutil.rmtree, os.path.dirname(self.run_dir))

    def run_helper(self, verb, dead=("h1",), timeout_ms=15000, self_name="h2", call_ms=5000, environment=(), nova=(), until="started", **more):
        request = {"op": "1", "plane": "nova", "uri": "test:///default", "uuid": SERVER, "name": "test",
                   "start_timeout_ms": timeout_ms, "nova": dict({
                       "self": self_name, "dead": list(dead), "environment": {
                           "OS_AUTH_URL": self.cloud.url, "OS_USERNAME": "u", "OS_PASSWORD": "s3cret", "OS_PROJECT_NAME": "p",
                           **dict(environment)}}, timeout_ms=call_ms, **dict(nova), **self.nova)}
        request.update(more)
        began = time.monotonic()
        process = subprocess.Popen([PROGRAM, "--run-dir", self.run_dir] + self.options + [verb], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env={name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")})
        timer = threading.Timer(PATIENCE_S, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            lines = []
            for line in process.stdout:
                self.assertNotIn("s3cret", line)
                lines.append(json.loads(line))
                if lines[-1]["type"] == "result" or lines[-1]["phase"] == until:
                    break
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
            timer.cancel()
        self.took = time.monotonic() - began
        self.lines = lines
        self.phases = [line["phase"] for line in lines if line["type"] == "progress"]
        self.details = {line["phase"]: line.get("detail") for line in lines if line["type"] == "progress"}
        self.assertTrue(lines, "it said nothing")
        return lines[-1]

    def next_server(self):
        """As at the beginning: the next helper has the same before it."""
        self.cloud.migrations.clear()
        self.cloud.put(status="ACTIVE", task=None, host="h1")

    def started(self, **more):
        told = self.run_helper("start", **more)
        self.assertEqual(told.get("phase"), "started", told)

    def failed(self, error_class, words, **more):
        told = self.run_helper("start", **more)
        self.assertEqual((told.get("ok"), told.get("error_class")), (False, error_class), told)
        self.assertIn(words, told["error"])


def one(test):
    result = unittest.TestResult()
    began = time.monotonic()
    test.run(result)
    return test, result, time.monotonic() - began


def main(words, case):
    """All at once: they mostly wait. An argument is a part of a test's name."""
    tests = [test for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)
             if not words or any(word in test.id() for word in words)]
    bad = 0
    with ThreadPoolExecutor(max_workers=8) as pool:
        for test, result, took in pool.map(one, tests):
            wrong = result.errors + result.failures
            bad += bool(wrong)
            print("%s %-60s %4.1f s" % ("FAILED" if wrong else "ok    ", test.id().split(".")[-1], took))
            for _, text in wrong:
                print(text)
    print("%d tests, %d failed" % (len(tests), bad))
    return 1 if bad or not tests else 0
