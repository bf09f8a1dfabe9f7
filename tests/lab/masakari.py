"""Debian's Masakari 14 in the lab's cloud, for tests/bench nova: its API, its engine, and a segment of the lab's hosts.

Its own monitors are not here: whoever compares tells it by the API that a host has died, at the moment when it has.
"""
import datetime

import cloudconf
import cloudstate
import nova
from spaces import wait_until

PORT = 15868
CONF = "/etc/masakari/masakari.conf"
LOG = "/var/log/openstack/%s.log"
# As shipped.
THREADS, WAIT_S = 3, 180

# With Debian 12's oslo.messaging (14.0.3 has a security fix that sanitizes contexts) Masakari 14.0.2 refuses every call: "read_deleted
# can only be one of 'no', ..". Without this it does not run here at all.
PROGRAM = """#!/usr/bin/python3
import sys
import masakari.context
from masakari.cmd.%(name)s import main
context = masakari.context.RequestContext
context.read_deleted = property(context._get_read_deleted, lambda self, said: setattr(self, "_read_deleted", said or "no"),
                                context._del_read_deleted)
sys.argv[0] = "masakari-%(name)s"
sys.exit(main())
"""


def conf(threads, wait_s):
    return cloudconf.ini({
        "DEFAULT": {
            "transport_url": cloudconf.TRANSPORT, "host": "cloud", "auth_strategy": "keystone",
            "masakari_api_listen": "0.0.0.0", "masakari_api_listen_port": PORT, "masakari_api_workers": 1,
            "state_path": "/var/lib/masakari", "os_privileged_user_name": cloudconf.USER,
            "os_privileged_user_password": cloudconf.PASSWORD, "os_privileged_user_tenant": "admin",
            "os_privileged_user_auth_url": cloudconf.AUTH_URL, "os_region_name": cloudconf.REGION,
            "os_user_domain_name": "Default", "os_project_domain_name": "Default",
            "nova_catalog_admin_info": "compute:compute:publicURL",
            "host_failure_recovery_threads": threads, "wait_period_after_service_update": wait_s,
            "duplicate_notification_detection_interval": 0,
        },
        "wsgi": {"api_paste_config": cloudconf.UNPACKED + "/etc/masakari/api-paste.ini"},
        # Without a [taskflow] connection: Debian's python3-taskflow has no migrations of its database.
        "database": {"connection": cloudconf.database("masakari")},
        "oslo_concurrency": {"lock_path": "/var/lib/masakari/lock"},
        "keystone_authtoken": cloudconf.login(www_authenticate_uri=cloudconf.AUTH_URL),
    })


class Masakari:
    def __init__(self, cloud):
        self.cloud = cloud
        self._made = False

    def _ask(self, method, path, body=None):
        return self.cloud.nova.call(method, "/%s%s" % (self._project, path), body, service="instance-ha")

    def _make(self):
        cloud = self.cloud
        nova.PORTS["instance-ha"], nova.PREFIX["instance-ha"] = PORT, "/v1"
        self._project = cloud.nova.call("GET", "/projects?name=admin", service="identity")["projects"][0]["id"]
        cloud.run("mkdir -p /var/lib/masakari/lock")
        cloud.sql("CREATE DATABASE masakari CHARACTER SET utf8mb3")
        for name in ("api", "engine"):
            cloud.write("/srv/bin/masakari-" + name, PROGRAM % {"name": name}, 0o755)
        cloud.write(CONF, conf(THREADS, WAIT_S))
        cloud.run(["masakari-manage", "--config-file", CONF, "db", "sync"], 120)
        self._start("api")
        cloud._tcp(PORT)
        segment = self._ask("POST", "/segments", {"segment": {
            "name": "lab", "recovery_method": "auto", "service_type": "COMPUTE"}})["segment"]["uuid"]
        self._hosts = "/segments/%s/hosts" % segment
        for host in cloud.lab.members:
            self._ask("POST", self._hosts, {"host": {"name": host.name, "type": "COMPUTE", "control_attributes": "none"}})
        self._made = True

    def _start(self, name):
        program = "masakari-" + name
        self.cloud.service(program, "/srv/bin/" + program, "--config-file", CONF, "--log-file", LOG % program)

    def start(self, threads=THREADS, wait_s=WAIT_S):
        """The engine with these settings, and a segment in which no host has failed."""
        if not self._made:
            self._make()
        self.cloud.write(CONF, conf(threads, wait_s))
        self._start("engine")
        wait_until("masakari-engine listens", self._listens, 120, 0.2,
                   seen=lambda: self.cloud.log(LOG % "masakari-engine", 10))
        for host in self._ask("GET", self._hosts)["hosts"]:
            if host["on_maintenance"]:
                self._ask("PUT", self._hosts + "/" + host["uuid"], {"host": {"on_maintenance": False}})

    def _listens(self):
        """What is told to an engine that does not listen yet is lost."""
        told = cloudstate.rabbit(self.cloud, "list_queues", "name", "consumers").stdout
        return any(line.split() == ["ha_engine", "1"] for line in told.splitlines())

    def stop(self):
        self.cloud.kill("masakari-engine")
        wait_until("masakari-engine is gone", lambda: not self._listens(), 60, 0.2)

    def host_failed(self, name):
        """Tell it; the notification's id."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return self._ask("POST", "/notifications", {"notification": {
            "hostname": name, "type": "COMPUTE_HOST", "generated_time": now,
            "payload": {"event": "STOPPED", "cluster_status": "OFFLINE", "host_status": "NORMAL"}}})[
                "notification"]["notification_uuid"]

    def state(self, notification):
        """new, running, finished, error, failed."""
        return self._ask("GET", "/notifications/" + notification)["notification"]["status"]
