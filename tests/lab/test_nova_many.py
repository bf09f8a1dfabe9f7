"""Hundreds of servers on one host that dies: none is lost, none is asked for twice, and neither hamon nor Nova is overrun."""
import threading
import time

import cloud as cloud_module
import crowd
import pytest
from bench_nova import status_kib
from cluster import LONG
from test_nova import HAMON, cloud_up, domains

pytestmark = [pytest.mark.nova, pytest.mark.lab(boot=False, services=cloud_module.SERVICES, hamon=HAMON)]
COUNT = 200
TARGETS = ("h2", "h3")
BOOT_S, MOVE_S = 1200, 900
MEMORY_KIB = 32 * 1024


class Helpers(threading.Thread):
    """The most memory that a process of hamon-evacuate has had."""

    def __init__(self, hosts):
        super().__init__(daemon=True)
        self._hosts, self._end, self.peak_kib = hosts, threading.Event(), 0
        self.start()

    def run(self):
        while not self._end.wait(0.2):
            pids = [pid for host in self._hosts for pid in host.pids("hamon-evacuate")]
            self.peak_kib = max([self.peak_kib] + [status_kib(pid, "VmHWM") for pid in pids])

    def end(self):
        self._end.set()
        self.join()


def wait_known(cluster):
    def known():
        entries = [entry for entry in cluster.status("h2")["instances"] if (entry["host"], entry["state"], entry["phase"],
                                                                            entry["wish"]) == ("h1", "running", "settled", "running")]
        return len(entries) == COUNT and all(
            set(TARGETS) <= {verdict["host"] for verdict in entry["verdicts"] if verdict["verdict"] == "shared"} for entry in entries)
    cluster.wait("hamon knows %d servers on h1" % COUNT, known, 300, 0.5)


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.scenario(1)
def test_two_hundred_servers(cluster, request):
    cloud = cloud_up(cluster, request, compute=crowd.COMPUTE)
    many = crowd.Crowd(cloud)
    many.boot("h1", COUNT, BOOT_S)
    wait_known(cluster)
    servers = set(many.servers())
    helpers = Helpers([cluster.host(name) for name in TARGETS])
    began = time.monotonic()
    cluster.host("h1").power_off()
    cluster.wait_closed("h1", MOVE_S)  # with none held
    print("%d servers: closed %.1f s after the power was cut" % (COUNT, time.monotonic() - began))
    helpers.end()

    # A lock that a slow Nova did not take off at once goes later.
    cluster.wait("no server is locked", lambda: not [one for one in cloud.nova.servers() if one["locked"]], LONG, 5)
    # By Nova's word, by libvirt's, and by hamon's: each once, and all in the same place.
    told = {server["id"]: server for server in cloud.nova.servers()}
    assert set(told) == servers and len(servers) == COUNT
    assert {(server["status"], server["OS-EXT-STS:task_state"]) for server in told.values()} == {("ACTIVE", None)}
    where = {name: domains(cluster.host(name)) for name in TARGETS}
    assert {state for there in where.values() for state in there.values()} == {"running"}
    assert not set(where["h2"]) & set(where["h3"])
    for name in TARGETS:
        assert set(where[name]) == {server for server in servers if told[server]["OS-EXT-SRV-ATTR:host"] == name}
        assert {entry["uuid"] for entry in cluster.status("h2")["instances"] if entry["host"] == name} == set(where[name])
        # Spread, not piled onto one.
        assert COUNT // 3 <= len(where[name])
    # No server was asked for a second time.
    evacuations = [(one["instance_uuid"], one["source_compute"], one["status"]) for one in cloud.nova.migrations()]
    assert sorted(evacuations) == sorted((server, "h1", "done") for server in servers)
    print("the largest hamon-evacuate: %d KiB" % helpers.peak_kib)
    assert 0 < helpers.peak_kib < MEMORY_KIB
