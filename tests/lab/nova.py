"""The lab's word with Nova, as an operator's client: plain HTTP to the real API, from inside the cloud's network."""
import ctypes
import http.client
import json
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import cloudconf
import guests
from spaces import LabError, wait_until

MICROVERSION = "2.93"
CLONE_NEWNET = 0x40000000
FLAVOR, LARGER, IMAGE = "witness", "larger-witness", "witness"
PORTS = {"identity": 5000, "compute": 8774, "image": 9292, "placement": 8778, "volumev3": 8776}
PREFIX = {"identity": "/v3", "compute": "/v2.1", "image": "/v2", "placement": "", "volumev3": "/v3"}
VERSIONED = {"compute": "compute", "volumev3": "volume"}


class ApiError(LabError):
    def __init__(self, what, status, told):
        super().__init__("%s: %d %s" % (what, status, told))
        self.status, self.told = status, told


class Inside:
    """A thread in the network namespace of a process: what it connects, connects there."""

    def __init__(self, pid):
        self._pool = ThreadPoolExecutor(max_workers=1, initializer=self._enter, initargs=(pid,))

    @staticmethod
    def _enter(pid):
        fd = os.open("/proc/%d/ns/net" % pid, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(fd)

    def do(self, work, *words):
        return self._pool.submit(work, *words).result()


class Nova:
    def __init__(self, cloud):
        self.cloud = cloud
        self._inside = None
        self._token = None

    def _call(self, *words):
        self._inside = self._inside or Inside(self.cloud.pid)
        return self._inside.do(self._http, *words)

    def _http(self, service, method, path, body, headers):
        # Its own address answers also while its cables are pulled.
        connection = http.client.HTTPConnection(cloudconf.ADDRESS, PORTS[service], timeout=60)
        try:
            connection.request(method, PREFIX[service] + path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _login(self):
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        user = {"name": cloudconf.USER, "domain": {"id": "default"}, "password": cloudconf.PASSWORD}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        status, headers, told = self._call("identity", "POST", "/auth/tokens", json.dumps(body),
                                          {"Content-Type": "application/json"})
        if status != 201:
            raise ApiError("login", status, told[:500])
        return headers["X-Subject-Token"]

    def ask(self, method, path, body=None, service="compute", microversion=MICROVERSION, data=None):
        """(status, parsed JSON or None). A token that has ended is renewed once."""
        for fresh in (False, True):
            if fresh or not self._token:
                self._token = self._login()
            status, told = self._ask(method, path, body, service, microversion, data)
            if status != 401:
                break
        return status, told

    def _ask(self, method, path, body, service, microversion, data):
        headers = {"X-Auth-Token": self._token, "X-Subject-Token": self._token,
                   "Content-Type": "application/octet-stream" if data is not None else "application/json"}
        if service in VERSIONED:
            headers["OpenStack-API-Version"] = "%s %s" % (VERSIONED[service], microversion)
        status, _, told = self._call(service, method, path, data if data is not None else body and json.dumps(body),
                                     headers)
        try:
            return status, json.loads(told) if told else None
        except ValueError:
            return status, told.decode("utf-8", "replace")

    def call(self, method, path, body=None, **more):
        """The parsed answer; ApiError when it is none of success."""
        status, told = self.ask(method, path, body, **more)
        if status >= 300:
            raise ApiError("%s %s" % (method, path), status, told)
        return told

    # what is there

    def prepare(self):
        """The witness's boot sector as an image, and a flavor for it."""
        self.call("POST", "/flavors", {"flavor": {"name": FLAVOR, "id": "1", "ram": 16, "vcpus": 1, "disk": 0}})
        self.call("POST", "/flavors", {"flavor": {"name": LARGER, "id": "2", "ram": 24, "vcpus": 1, "disk": 0}})
        image = self.call("POST", "/images", {"name": IMAGE, "disk_format": "raw", "container_format": "bare"}, service="image")
        with open(self.cloud.lab.tools.witness, "rb") as sector:
            data = sector.read().ljust(1 << 20, b"\0")
        self.call("PUT", "/images/%s/file" % image["id"], service="image", data=data)

    def image(self):
        return self.call("GET", "/images?" + urlencode({"name": IMAGE}), service="image")["images"][0]["id"]

    def services(self, host=None):
        query = {"binary": "nova-compute"}
        if host:
            query["host"] = host
        return self.call("GET", "/os-services?" + urlencode(query))["services"]

    def service(self, host):
        return self.services(host)[0]

    def service_put(self, host, **change):
        """forced_down=True, status="disabled", disabled_reason=.."""
        return self.call("PUT", "/os-services/" + self.service(host)["id"], change)

    def server(self, server):
        return self.call("GET", "/servers/" + server)["server"]

    def servers(self, host=None):
        query = {"all_tenants": "1"}
        if host:
            query["host"] = host
        return self.call("GET", "/servers/detail?" + urlencode(query))["servers"]

    def migrations(self, server=None):
        query = {"migration_type": "evacuation"}
        if server:
            query["instance_uuid"] = server
        return self.call("GET", "/os-migrations?" + urlencode(query))["migrations"]

    def state(self, server):
        """(status, task, host)."""
        told = self.server(server)
        return told["status"], told["OS-EXT-STS:task_state"], told["OS-EXT-SRV-ATTR:host"]

    # what is done

    def boot(self, name, host):
        """Ask for a server on that host; its id."""
        return self.call("POST", "/servers", {"server": {
            "name": name, "imageRef": self.image(), "flavorRef": "1", "networks": "none",
            "availability_zone": "nova:" + host}})["server"]["id"]

    def boot_volume(self, name, host, volume, flavor="1"):
        """The same with a volume for its root disk, which stays when it goes."""
        return self.call("POST", "/servers", {"server": {
            "name": name, "flavorRef": flavor, "networks": "none", "availability_zone": "nova:" + host,
            "block_device_mapping_v2": [{"boot_index": 0, "uuid": volume, "source_type": "volume", "destination_type": "volume",
                                         "delete_on_termination": False}]}})["server"]["id"]

    def action(self, server, **body):
        return self.call("POST", "/servers/%s/action" % server, body)

    def stop(self, server):
        self.action(server, **{"os-stop": None})
        self.wait(server, "SHUTOFF")

    def start(self, server):
        self.action(server, **{"os-start": None})
        self.wait(server, "ACTIVE")

    def reboot(self, server, how="HARD"):
        self.action(server, reboot={"type": how})
        self.wait(server, "ACTIVE")

    def reset(self, server, state="active"):
        self.action(server, **{"os-resetState": {"state": state}})

    def delete(self, server):
        self.call("DELETE", "/servers/" + server)

    def wait(self, server, status, host=None, timeout=180):
        """Until the server is in that state, with no task (and on that host); ERROR ends the wait at once."""
        def there():
            told = self.server(server)
            if told["status"] == "ERROR" and status != "ERROR":
                raise ApiError("server %s" % server, 500, told.get("fault"))
            return told if (told["status"], told["OS-EXT-STS:task_state"]) == (status, None) and \
                host in (None, told["OS-EXT-SRV-ATTR:host"]) else None
        return wait_until("server %s is %s" % (server, status), there, timeout, 0.25, seen=lambda: self.state(server))

    def wait_gone(self, server, timeout=60):
        wait_until("server %s is gone" % server, lambda: self.ask("GET", "/servers/" + server)[0] == 404, timeout, 0.25)

    def adopt(self, told):
        """A server, as the API has told it, as a guest of the lab."""
        return Server(self, told)


class Server(guests.Guest):
    """A server as a guest: its domain has Nova's name, its UUID, and its disk is an overlay over the image."""

    def __init__(self, nova, told):
        self.nova, self.title = nova, told["name"]
        local = told["OS-EXT-SRV-ATTR:host"] in nova.cloud.local
        self.path = "%s/%s/disk" % (cloudconf.INSTANCES_LOCAL if local else cloudconf.INSTANCES, told["id"])
        self.home = next(host for host in nova.cloud.lab.hosts if host.name == told["OS-EXT-SRV-ATTR:host"]) if local else None
        super().__init__(nova.cloud.lab, told["OS-EXT-SRV-ATTR:instance_name"], "", self._witness, domain_uuid=told["id"])

    def _witness(self):
        """Nova's overlay names its base by the hosts' path, so it is read where that is one: in the cloud or a host."""
        there = self.home or next(host for host in [self.nova.cloud] + self.lab.hosts if host.alive())
        done = there.run(["bash", "-c", "t=$(mktemp) && qemu-img dd -U -f qcow2 -O raw bs=512 count=2 if=$0 of=$t "
                                    "&& cat $t; s=$?; rm -f $t; exit $s", self.path], text=False)
        return guests.witness_parse(done.stdout)

    def state(self):
        return self.nova.state(self.uuid)


class VolumeServer(Server):
    """One whose root disk is a volume of Cinder's."""

    def __init__(self, nova, told, file):
        super().__init__(nova, told)
        self.path, self.home = file, None

    def _witness(self):
        return guests.read_witness(self.path)
