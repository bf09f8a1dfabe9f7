#!/usr/bin/python3
"""Answers what Nova asks of Neutron for servers that have no ports: lists, all of them empty.

usage: neutronstub.py PORT. The only part of the lab's cloud that is not the real one: without networks there is nothing
that a real Neutron would say differently.
"""
import http.server
import json
import sys

SELF = "http://10.77.0.200:9696/v2.0/"


def answer(path):
    """(status, object) for a GET of this path."""
    words = [word for word in path.split("?")[0].split("/") if word]
    if not words:
        return 200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": SELF}]}]}
    if words == ["v2.0"]:
        return 200, {"resources": []}
    if words[:2] == ["v2.0", "quotas"]:
        return 200, {"quota": {"port": -1, "network": -1, "security_group": -1}}
    if words[0] == "v2.0" and len(words) == 2:
        return 200, {words[1].replace("-", "_").replace(".json", ""): []}
    return 404, {"NeutronError": {"type": "NotFound", "message": "nothing here", "detail": ""}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, what):
        data = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.say(*answer(self.path))

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
