#!/usr/bin/python3
"""hamon-evacuate and clouds whose services have several endpoints, against the API of scripted_nova.py: two servers of one cloud."""
import http.server
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scripted_nova as api


def closed_port():
    """An address where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return "http://127.0.0.1:%d" % one.getsockname()[1]


class TwoCloud(api.Cloud):
    """compute: the addresses that the catalogue has of Nova; port: which of its servers was asked what is in ports."""

    def __init__(self):
        super().__init__()
        self.ports = []
        handler = self.http.RequestHandlerClass

        class Second(handler):
            def serve(self):
                self.cloud.ports.append((self.server.server_port, self.command, self.path))
                handler.serve(self)
            do_GET = do_POST = do_PUT = serve
        self.http.RequestHandlerClass = Second
        self.second = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Second)
        self.second_url = "http://127.0.0.1:%d" % self.second.server_port
        threading.Thread(target=self.second.serve_forever, daemon=True).start()
        self.compute = [self.url, self.second_url]

    def close(self):
        super().close()
        self.second.shutdown()
        self.second.server_close()

    def answer(self, method, path, body, token):
        status, told = super().answer(method, path, body, token)
        if path == "/v3/auth/tokens" and status == 201:
            for service in told["token"]["catalog"]:
                if service["type"] == "compute":
                    public = next(one for one in service["endpoints"] if one["interface"] == "public")
                    service["endpoints"] = [dict(public, url=url + "/v2.1") for url in self.compute]
        return status, told

    def servers_of(self, method, beginning):
        return {port for port, asked, path in self.ports if asked == method and path.startswith(beginning)}


class EndpointsTest(api.HelperTest):
    cloud_class = TwoCloud

    def first(self):
        return {self.cloud.http.server_port}

    def both(self):
        return {self.cloud.http.server_port, self.cloud.second.server_port}

    def check_no_wait(self):
        """The other address was asked at once."""
        self.assertEqual([line for line in self.lines if "does not answer" in str(line.get("detail"))], [])

    def test_one_that_answers_is_enough(self):
        self.started()
        self.assertEqual(self.cloud.servers_of("GET", "/v2.1"), self.first())

    def test_the_first_is_not_there(self):
        self.cloud.compute = [closed_port(), self.cloud.second_url]
        self.started()
        self.assertEqual(len(self.cloud.actions("evacuate")), 1)
        self.check_no_wait()

    def test_none_is_there(self):
        self.cloud.compute = [closed_port(), closed_port()]
        self.failed("api", "Nova does not answer", timeout_ms=3000)
        self.assertGreater(self.took, 1)

    def test_an_evacuation_is_not_asked_for_at_the_other(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"lost": True}))
        self.started()
        self.assertEqual(len(self.cloud.actions("evacuate")), 1)
        self.assertIn("answer-lost", self.phases)

    def test_an_evacuation_that_nobody_saw_is_asked_for_once(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"unseen": True}))
        self.started(timeout_ms=30000)
        self.assertEqual((len(self.cloud.migrations), len(self.cloud.actions("evacuate"))), (1, 2))
        self.assertGreater(self.took, 9)  # it was looked for all that time

    def test_what_only_reads_is_read_at_the_other(self):
        self.cloud.faults.append(("GET", "/v2.1/servers", {"lost": True, "seconds": 3}))
        self.started(call_ms=1000)
        self.assertEqual(self.cloud.servers_of("GET", "/v2.1"), self.both())

    def test_several_keystones(self):
        self.started(nova={"auth_url": closed_port() + "/v3," + self.cloud.url + "/v3"})
        self.check_no_wait()

    def test_a_keystone_that_is_ill(self):
        self.cloud.faults.append(("POST", "/v3/auth/tokens", {"status": 503}))
        self.started(nova={"auth_url": self.cloud.url + "," + self.cloud.second_url})
        self.assertEqual(self.cloud.servers_of("POST", "/v3"), self.both())

    def test_a_keystone_that_refuses_is_believed(self):
        self.cloud.faults.append(("POST", "/v3/auth/tokens", {"status": 401, "body": api.recorded("token_401")}))
        self.failed("auth", "Keystone answered 401", nova={"auth_url": self.cloud.url + "," + self.cloud.second_url})
        self.assertEqual(self.cloud.servers_of("POST", "/v3"), self.first())

    def test_endpoints_of_its_own(self):
        self.cloud.compute = [closed_port()]
        self.started(nova={"endpoint": closed_port() + "/v2.1," + self.cloud.second_url + "/v2.1/"})
        self.assertEqual(self.cloud.servers_of("GET", "/v2.1"), {self.cloud.second.server_port})

    def test_endpoints_as_clients_have_them(self):
        self.cloud.compute = [closed_port()]
        self.started(environment={"OS_COMPUTE_ENDPOINT_OVERRIDE": self.cloud.second_url + "/v2.1"})

    def test_too_many(self):
        self.failed("config", "auth_url: expected at most 4 addresses", nova={"auth_url": ",".join([self.cloud.url] * 5)})
        self.failed("config", "endpoint: expected at most 4 addresses", nova={"endpoint": "http://" + "x" * 1024})


if __name__ == "__main__":
    sys.exit(api.main(sys.argv[1:], EndpointsTest))
