"""Servers whose own disks are RBD images, beside a real Nova and a real Ceph.

As clouds with Ceph have it the hosts share no folder: what Nova keeps beside the disks is each host's own. glance keeps files.
"""
import ceph as ceph_module
import cloud as cloud_module
import conftest
import pytest
from cluster import LONG
from test_nova import HAMON, check_moved, cloud_up, domains, service
from test_storage import verdicts

MISSING = ceph_module.missing(nova=True)
pytestmark = [pytest.mark.nova, pytest.mark.lab(boot=False, services=cloud_module.SERVICES, hamon=HAMON),
              pytest.mark.skipif(bool(MISSING), reason="needs Debian's packages: " + MISSING)]


@pytest.fixture
def ceph(cluster, request):
    try:
        made = ceph_module.Ceph(cluster.lab).up().manager_up()
        for host in cluster.lab.hosts:
            made.client(host)
    except BaseException:
        conftest.save_logs(request.node)
        raise
    names = [host.name for host in cluster.lab.hosts]
    cloud_up(cluster, request, local=names, compute=ceph_module.COMPUTE, libvirt=ceph_module.LIBVIRT)
    cluster.lab.each(made.secret)
    return made


def add_on_rbd(cluster, ceph, **servers):
    nova = cluster.cloud.nova
    asked = [(nova.boot(name, host), host) for name, host in servers.items()]
    made = [cluster.add_server(ceph_module.Server(nova, nova.wait(server, "ACTIVE", host), ceph)) for server, host in asked]
    cluster.wait_known(*[guest.name for guest in made])
    return made


@pytest.mark.scenario(1, 12, 32)
def test_servers_on_rbd(cluster, ceph):
    """A host dies while one of the others does not reach Ceph; its servers' disks are where they were, and there once."""
    nova = cluster.cloud.nova
    a1, a2 = add_on_rbd(cluster, ceph, a1="h1", a2="h1")
    assert verdicts(cluster, a1.name)["h2"] == ("volume", "vda: h2 opened rbd:%s/%s_disk" % (ceph_module.POOL, a1.uuid))
    ceph_module.cut(cluster.host("h2"))
    cluster.wait("h2 is no target any more", lambda: {verdicts(cluster, guest.name)["h2"][0] for guest in (a1, a2)} == {"unknown"}, LONG)
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)
    assert a1.hosts() == a2.hosts() == ["h3"]
    cluster.check()

    # nova-compute of h1 tidies up after servers that left it; their images are not its own.
    ceph_module.join(cluster.host("h2"))
    cluster.host("h1").boot()
    cluster.wait_settled()
    cluster.wait("h1 takes servers again, says Nova", lambda: service(cluster.cloud, "h1") == ("enabled", False, None), LONG)
    assert {one["status"] for one in nova.migrations()} == {"completed"} and domains(cluster.host("h1")) == {}
    assert sorted(ceph.run("rbd", "ls", ceph_module.POOL).stdout.split()) == sorted(guest.uuid + "_disk" for guest in (a1, a2))
    cluster.wait_known(a1.name, a2.name)
