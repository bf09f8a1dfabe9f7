#!/usr/bin/python3
"""hamon-evacuate's start of servers with Cinder's volumes, and clouds with several endpoints, against the API of scripted_nova.py.

What Cinder answers is recorded from a real one, as the rest; the real one itself is met in tests/nova.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scripted_nova as api
from scripted_nova import OTHER, SERVER, recorded

VOLUME = recorded("volume_h1_3.70")["volume"]["id"]


class CinderCloud(api.Cloud):
    """The server is on a volume that is attached to it on h1; an evacuation takes it along, as Nova does it."""

    def __init__(self):
        super().__init__()
        self.volumes = {}
        self.volume_services = recorded("volume_services_3.70")["services"]
        self.moves = True
        self.cinder = True
        self.add(VOLUME)
        self.server.update(image="")

    def add(self, volume):
        made = dict(recorded("volume_h1_3.70")["volume"], id=volume)
        made["attachments"] = [dict(made["attachments"][0], server_id=SERVER)]
        self.volumes[volume] = made
        self.server["os-extended-volumes:volumes_attached"] = [{"id": one} for one in self.volumes]

    def attach(self, volume=VOLUME, **change):
        self.volumes[volume]["attachments"][0].update(change)

    def evacuate(self, body):
        if self.moves:
            for volume in self.volumes:
                self.later.append([2, lambda volume=volume: self.attach(volume, host_name=body["host"])])
        return super().evacuate(body)

    def get(self, path):
        if path.startswith("/v3/project/volumes/"):
            return (200, {"volume": self.volumes[path[20:]]}) if path[20:] in self.volumes else (404, {
                "itemNotFound": {"code": 404, "message": "Volume %s could not be found." % path[20:]}})
        if path == "/v3/project/os-services?binary=cinder-volume":
            return 200, {"services": self.volume_services}
        return super().get(path)

    def answer(self, method, path, body, token):
        status, told = super().answer(method, path, body, token)
        if path == "/v3/auth/tokens" and status == 201:
            catalog = told["token"]["catalog"]
            for service in catalog:
                for endpoint in service["endpoints"]:
                    if service["type"] == "volumev3":
                        endpoint["url"] = self.url + "/v3/project/"
            told["token"]["catalog"] = [one for one in catalog if self.cinder or one["type"] != "volumev3"]
        return status, told


class VolumesTest(api.HelperTest):
    cloud_class = CinderCloud

    def moved_stopped(self, **more):
        """One that is to stay off is all that ends without a QEMU to verify; its result."""
        for one in self.cloud.volumes.values():
            one["attachments"][0]["server_id"] = OTHER
        self.cloud.put(status="SHUTOFF")
        self.cloud.evacuates = "shutoff"
        told = self.run_helper("start", wish="stopped", uuid=OTHER, **more)
        self.assertTrue(told.get("ok"), told)
        return told

    def test_a_volume_that_moves(self):
        told = self.moved_stopped()
        self.assertEqual((told["volumes"], told.get("volumes_problem")), (1, None))
        # The volume service was asked for before the evacuation was.
        asked = [(method, path) for method, path, _ in self.cloud.calls]
        self.assertLess(asked.index(("GET", "/v3/project/os-services?binary=cinder-volume")),
                        asked.index(("POST", "/v2.1/servers/%s/action" % OTHER)))

    def test_a_volume_that_stays_behind(self):
        self.cloud.moves = False
        told = self.moved_stopped()
        self.assertEqual(told["volumes_problem"], "volume %s of s-2 is still attached to h1, says Cinder" % VOLUME)

    def test_one_of_two_that_stays_behind(self):
        self.cloud.add(OTHER)
        self.cloud.moves = False
        self.cloud.attach(VOLUME, host_name="h2")
        self.assertIn("volume %s of s-2 is still attached to h1" % OTHER, self.moved_stopped()["volumes_problem"])

    def test_a_server_without_volumes_is_none_of_cinders(self):
        self.cloud.server["os-extended-volumes:volumes_attached"] = []
        self.cloud.cinder = False
        self.started()
        self.assertEqual(self.cloud.asked("GET", "/v3/project"), [])

    def test_no_cinder_in_the_catalogue(self):
        self.cloud.cinder = False
        self.failed("config", "the catalogue has no public endpoint of the service block-storage")
        self.assertEqual(self.cloud.asked("PUT"), [])

    def test_its_service_is_down_for_a_moment(self):
        self.cloud.volume_services[0]["state"] = "down"
        reads = []

        def up():
            self.cloud.volume_services[0]["state"] = "up"
            reads.append(len(self.cloud.actions("evacuate")))
        self.cloud.later.append([4, up])
        self.started()
        self.assertEqual((reads, len(self.cloud.actions("evacuate"))), ([0], 1))
        self.assertIn("api-wait", self.phases)

    def test_its_service_stays_down(self):
        self.cloud.volume_services[0]["state"] = "down"
        self.failed("volumes", "cinder-volume on cloud@nfs is down, says Cinder: nobody can attach volume %s of s-2" % VOLUME,
                    timeout_ms=60000)
        self.assertGreater(self.took, 25)
        self.assertEqual(self.cloud.asked("POST", "/v2.1") + self.cloud.asked("PUT"), [])

    def test_another_service_of_its_cluster(self):
        self.cloud.volumes[VOLUME]["cluster_name"] = "c@nfs#pool"
        self.cloud.volume_services[0].update(state="down", cluster="c@nfs")
        self.cloud.volume_services.append(dict(self.cloud.volume_services[0], state="up", host="other@nfs"))
        self.started()

    def test_an_old_cinder(self):
        self.cloud.faults.append(("GET", "/v3/project/volumes", {"status": 406}))
        self.started()

    def test_another_server_has_it(self):
        self.cloud.attach(server_id=OTHER)
        self.failed("volumes", "volume %s of s-2 is attached to another server (%s), says Cinder" % (VOLUME, OTHER))
        self.assertEqual(self.cloud.asked("POST", "/v2.1") + self.cloud.asked("PUT"), [])

    def test_a_volume_in_error(self):
        self.cloud.volumes[VOLUME]["status"] = "error_restoring"
        self.failed("volumes", "volume %s of s-2 is error_restoring, says Cinder" % VOLUME)

    def test_cinder_does_not_know_it(self):
        del self.cloud.volumes[VOLUME]
        self.failed("volumes", "Nova says that s-2 has volume %s, and Cinder knows none of that id" % VOLUME)

    def test_a_kept_session_has_cinders_endpoint(self):
        os.mkdir(self.run_dir)
        for logins in (1, 1):
            self.cloud.migrations.clear()
            self.cloud.attach(host_name="h1")
            self.cloud.put(status="ACTIVE", task=None, host="h1")
            self.started()
            self.assertEqual(len(self.cloud.asked("POST", "/v3/auth/tokens")), logins)
        self.assertEqual(len(self.cloud.asked("GET", "/v3/project/os-services")), 2)

    def test_half_way(self):
        """An evacuation that failed has detached it already."""
        self.cloud.volumes[VOLUME].update(status="reserved", attachments=[])
        self.cloud.moves = False
        self.started()
        self.assertEqual(len(self.cloud.actions("evacuate")), 1)

    def test_cinder_refuses_the_token(self):
        self.cloud.faults.append(("GET", "/v3/project/volumes", {"status": 403, "body": {"forbidden": {
            "code": 403, "message": "Policy doesn't allow volume:get to be performed."}}}))
        self.failed("auth", "Cinder answered 403 to GET /volumes/%s: Policy doesn't allow" % VOLUME)


if __name__ == "__main__":
    sys.exit(api.main(sys.argv[1:], VolumesTest))
