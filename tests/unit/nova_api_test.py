#!/usr/bin/python3
"""hamon-evacuate's start and enable against a scripted API (scripted_nova.py) with the faults that a real one has but seldom."""
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from scripted_nova import OTHER, PEM, SERVER, Cloud, HelperTest, main, recorded  # noqa: E402


class ApiTest(HelperTest):
    # start

    def test_a_server_of_a_dead_host(self):
        self.started()
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])
        # One request: whoever dies beside it leaves no service forced down that nobody would know as hamon's.
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": True, "status": "disabled",
                                                    "disabled_reason": "hamon: evacuated"}])
        self.assertEqual(self.cloud.actions("os-start"), [])

    def test_it_is_here_already(self):
        self.cloud.put(host="h2")
        self.started()
        self.assertEqual(self.cloud.asked("POST", "/v2.1") + self.cloud.asked("PUT"), [])

    def test_a_host_that_is_not_proven_dead(self):
        self.failed("elsewhere", "on h1, which is not proven dead", dead=["h3"])
        self.assertEqual(self.cloud.asked("POST", "/v2.1") + self.cloud.asked("PUT"), [])

    def test_no_such_server(self):
        self.cloud.faults.append(("GET", "/v2.1/servers", {"status": 404, "body": recorded("server_404")}))
        self.failed("gone", "Nova answered 404 to GET /servers/%s: Instance 11111111-2222-3333-4444-555555555555 could not "
                    "be found. (req-1234)" % SERVER)

    def test_a_deleted_server(self):
        """Nova lists it among the deleted ones; a 404 with anything else is no proof of that."""
        gone = ("GET", "/v2.1/servers/" + SERVER, {"status": 404, "body": recorded("server_404")})
        self.cloud.faults.append(gone)
        self.cloud.deleted = [dict(self.cloud.server, status="DELETED")]
        self.failed("deleted", "Nova has deleted it: " + SERVER)
        for listed in ([], [self.cloud.server], [dict(self.cloud.server, status="DELETED", id=OTHER)]):
            self.cloud.faults.append(gone)
            self.cloud.deleted = listed
            self.failed("gone", "Nova answered 404 to GET /servers/" + SERVER)
        self.cloud.faults += [gone, ("GET", "/v2.1/servers/detail?all_tenants=1&deleted=True", {"status": 403})]
        self.failed("gone", "Nova answered 404 to GET /servers/" + SERVER)
        self.assertEqual(self.cloud.actions("evacuate"), [])

    def test_what_is_being_deleted_is_left_alone(self):
        self.cloud.put(task="deleting")
        self.failed("gone", "is being deleted")
        self.assertEqual(self.cloud.actions("evacuate"), [])

    def test_a_person_disabled_the_dead_host(self):
        self.cloud.services["h1"].update(status="disabled", disabled_reason="broken fan")
        self.started()
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": True, "status": "disabled", "disabled_reason":
                                                    "hamon: evacuated; before that disabled: broken fan"}])
        del self.cloud.calls[:]
        self.assertEqual(self.enable()["state"], "restored")
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": False}, {"status": "disabled", "disabled_reason": "broken fan"}])
        self.assertEqual(self.enable()["state"], "left")
        self.assertEqual(len(self.cloud.asked("PUT")), 2)

    def test_a_person_disabled_it_without_a_word(self):
        self.cloud.services["h1"].update(status="disabled", disabled_reason=None)
        self.started()
        self.assertEqual(self.cloud.services["h1"]["disabled_reason"], "hamon: evacuated; before that disabled: ")
        del self.cloud.calls[:]
        self.assertEqual(self.enable()["state"], "restored")
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": False}, {"status": "disabled"}])

    def test_a_person_disabled_it_with_many_words(self):
        """For the mark there is no room beside them: they matter more."""
        self.cloud.services["h1"].update(status="disabled", disabled_reason="x" * 255)
        self.started()
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": True}])

    def test_it_died_again_before_it_was_enabled(self):
        self.cloud.services["h1"].update(status="disabled", disabled_reason="hamon: evacuated")
        self.started()
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": True, "status": "disabled",
                                                    "disabled_reason": "hamon: evacuated"}])

    def test_a_person_forced_it_down(self):
        self.cloud.services["h1"].update(forced_down=True)
        self.started()
        self.assertEqual(self.cloud.asked("PUT"), [])

    def test_this_host_takes_nothing(self):
        self.cloud.services["h2"].update(status="disabled", disabled_reason="no")
        self.failed("no-valid-host", "nova-compute of this host (h2) is disabled: no, so Nova gives it nothing")
        self.cloud.services["h2"].update(status="enabled", state="down")
        self.failed("no-valid-host", "nova-compute of this host (h2) is down, so Nova gives it nothing")
        self.assertEqual(self.cloud.actions("evacuate"), [])

    def reserved(self, reason="hamon: reserved", **change):
        """h2 is kept free; its service is disabled for that reason."""
        self.cloud.services["h2"].update(dict({"status": "disabled", "disabled_reason": reason}, **change))
        self.nova = {"reserved": True}

    def test_a_reserved_host_is_enabled(self):
        for reason in ("hamon: reserved", "hamon: reserved since May", "Reserved"):
            self.cloud.migrations.clear()
            self.cloud.put(status="ACTIVE", task=None, host="h1")
            self.reserved(reason)
            self.started()
            self.assertIn("reserved-enabled", self.phases)
            self.assertEqual(self.cloud.services["h2"]["status"], "enabled")
        self.assertEqual(len(self.cloud.actions("evacuate")), 3)

    def test_a_reserved_host_that_a_person_has_disabled(self):
        for reason in ("broken fan", None, "reserved for Ann", "hamon: evacuated"):
            self.reserved(reason)
            self.failed("no-valid-host", "as a reserved host it is enabled only if the reason is \"hamon: reserved\"")
        self.reserved(forced_down=True)
        self.failed("no-valid-host", "h2) is forced down and disabled: hamon: reserved, so Nova gives it nothing")
        self.reserved(state="down", forced_down=False)
        self.failed("no-valid-host", "h2) is down and disabled: hamon: reserved, so Nova gives it nothing")
        self.nova = {}
        self.cloud.services["h2"]["state"] = "up"
        self.failed("no-valid-host", "h2) is disabled: hamon: reserved, so Nova gives it nothing")
        self.assertEqual((self.cloud.asked("PUT"), self.cloud.actions("evacuate")), ([], []))

    def test_a_reserved_host_is_not_enabled_by_its_return(self):
        self.cloud.services["h1"].update(status="disabled", disabled_reason="hamon: reserved", state="up")
        self.assertEqual(self.enable()["state"], "left")
        self.nova = {"reserved": True}
        self.assertEqual(self.enable()["state"], "reserved")
        self.assertEqual(self.cloud.asked("PUT"), [])

    def test_a_reserved_host_dies_and_is_back_in_reserve(self):
        self.cloud.services["h1"].update(status="disabled", disabled_reason="hamon: reserved")
        self.started()
        self.assertEqual(self.cloud.services["h1"]["disabled_reason"], "hamon: evacuated; before that disabled: hamon: reserved")
        self.enable()
        self.assertEqual([self.cloud.services["h1"][key] for key in ("status", "disabled_reason", "forced_down")],
                         ["disabled", "hamon: reserved", False])

    def test_one_under_way_is_followed(self):
        self.cloud.evacuate({"host": "h2"})
        self.started()
        self.assertEqual(self.cloud.actions("evacuate"), [])

    def test_an_answer_that_is_lost(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"lost": True}))
        self.started()
        self.assertEqual(len(self.cloud.actions("evacuate")), 1)
        self.assertIn("answer-lost", self.phases)

    def test_an_answer_that_comes_too_late(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"lost": True, "seconds": 3}))
        self.started(timeout_ms=20000, call_ms=1000)
        self.assertEqual(len(self.cloud.actions("evacuate")), 1)

    def test_a_request_that_was_never_seen(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"unseen": True}))
        self.started(timeout_ms=30000)
        self.assertEqual(len(self.cloud.migrations), 1)
        self.assertGreater(self.took, 9)

    def test_a_proxy_that_gives_up(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"status": 504}))
        self.started(timeout_ms=30000)
        self.assertEqual(len(self.cloud.migrations), 1)
        self.assertGreater(self.took, 9)

    def test_a_token_is_revoked(self):
        self.cloud.faults.append(("GET", "/v2.1/os-services", {"revoke": True}))
        self.started()
        self.assertEqual(len(self.cloud.asked("POST", "/v3/auth/tokens")), 2)
        self.assertEqual(len(self.cloud.actions("evacuate")), 1)

    def test_credentials_that_are_refused(self):
        self.cloud.faults.append(("POST", "/v3", {"status": 401, "body": recorded("token_401")}))
        self.failed("auth", "Keystone answered 401 to the request of a token: The request you have made requires")
        self.assertEqual(len(self.cloud.calls), 1)

    def test_it_answers_late(self):
        """hamond asks for fewer servers at a time then."""
        self.cloud.faults.append(("GET", "/v2.1/servers", {"late": 3.1}))
        self.started()
        self.assertIn("api-wait", self.phases)
        self.assertRegex(self.details["api-wait"], "^GET /servers/%s took 3[0-9]{3} ms$" % SERVER)
        self.next_server()
        self.cloud.faults.append(("GET", "/v2.1/servers", {"late": 1}))
        self.started()
        self.assertNotIn("api-wait", self.phases)

    def test_it_asks_to_wait(self):
        self.cloud.faults += [("GET", "/v2.1/servers", {"status": 503, "headers": {"Retry-After": "2"}}),
                              ("POST", "/v2.1/servers", {"status": 429, "headers": {"Retry-After": "1"}})]
        self.started()
        self.assertGreater(self.took, 3)
        self.assertEqual(len(self.cloud.migrations), 1)

    def test_it_asks_to_wait_longer_than_there_is_time(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"status": 429, "headers": {"Retry-After": "100"}}))
        self.failed("api", "Nova answered 429")
        self.assertLess(self.took, 5)

    def test_keystone_is_down_for_a_moment(self):
        self.cloud.faults += [("POST", "/v3", {"status": 503}), ("POST", "/v3", {"unseen": True})]
        self.started()

    def test_a_certificate_is_verified(self):
        self.cloud.close()
        self.cloud = Cloud(tls=True)
        self.started(environment={"OS_CACERT": PEM})
        told = len(self.cloud.calls)
        self.failed("config", "Keystone cannot be asked")
        self.assertLess(self.took, 10)
        self.failed("config", "Keystone cannot be asked", environment={"OS_CACERT": "/nonexistent.pem"})
        # Another name than the certificate's.
        self.failed("config", "Keystone cannot be asked", environment={
            "OS_CACERT": PEM, "OS_AUTH_URL": self.cloud.url.replace("127.0.0.1", "localhost")})
        self.assertEqual(len(self.cloud.calls), told)

    def test_no_valid_host(self):
        self.cloud.evacuates = "error"
        self.failed("no-valid-host", "ended as error, the server is ERROR: No valid host was found. There are not enough hosts")
        self.cloud.evacuates = "done"
        self.started(self_name="h3")
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}, {"host": "h3"}])

    def test_nova_refuses(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"status": 400, "body": recorded("evacuate_up_400")}))
        self.failed("api", "Nova answered 400 to evacuate: Compute service of compute1 is still in use. (req-1234)")
        paused = "Cannot 'evacuate' instance %s while it is in vm_state paused" % SERVER
        self.cloud.faults.append(("POST", "/v2.1/servers", {"status": 409, "body": {"conflictingRequest": {
            "code": 409, "message": paused}}}))
        self.failed("conflict", "Nova answered 409 to evacuate: %s (req-1234)" % paused)
        self.cloud.faults.append(("POST", "/v2.1/servers", {"status": 500, "body": {"computeFault": {
            "code": 500, "message": "Unexpected API Error."}}}))
        self.failed("api", "Nova answered 500 to evacuate: Unexpected API Error. (req-1234)")
        self.assertEqual(len(self.cloud.actions("evacuate")), 3)  # none of them was repeated by itself
        self.started()

    def test_it_goes_to_error_on_its_way(self):
        self.cloud.evacuates = "error"
        self.cloud.fault = {"code": 500, "message": "Hook script execution failed", "created": "2026-11-21T18:56:39Z"}
        self.failed("api", "ended as error, the server is ERROR: Hook script execution failed")
        self.cloud.evacuates = "done"
        self.started(self_name="h3")
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}, {"host": "h3"}])

    def test_it_is_deleted_on_its_way(self):
        def delete():
            self.cloud.deleted = [dict(self.cloud.server, status="DELETED")]
            self.cloud.faults.append(("GET", "/v2.1/servers/" + SERVER, {"status": 404, "body": recorded("server_404")}))
        self.cloud.evacuates = "done"
        self.cloud.later.append([2, delete])
        self.failed("deleted", "Nova has deleted it: " + SERVER)
        self.assertEqual(len(self.cloud.actions("evacuate")), 1)

    def test_it_ends_stopped(self):
        self.cloud.evacuates = "shutoff"
        self.started()
        self.assertEqual(self.cloud.actions("os-start"), [None])

    def test_one_that_was_off_is_not_taken_for_running_on_its_way(self):
        self.cloud.put(status="SHUTOFF")
        self.cloud.queue = 1

        def stops():
            self.cloud.put(status="SHUTOFF", task=None)
        self.cloud.later.append([4, stops])
        self.started()
        self.assertEqual(self.cloud.actions("os-start"), [None])

    def test_one_that_is_to_be_off(self):
        self.cloud.put(status="SHUTOFF")
        self.cloud.evacuates = "shutoff"
        told = self.run_helper("start", wish="stopped", uuid=OTHER)
        self.assertEqual((told.get("ok"), told.get("state")), (True, "shutoff"), told)
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])
        self.assertEqual(self.cloud.actions("os-start") + self.cloud.actions("os-stop"), [])

    def test_one_that_is_to_be_off_and_comes_up(self):
        self.cloud.put(status="ERROR")
        told = self.run_helper("start", wish="stopped", uuid=OTHER)
        self.assertEqual((told.get("ok"), told.get("state")), (True, "shutoff"), told)
        self.assertEqual(self.cloud.actions("os-stop"), [None])

    def test_one_that_is_to_be_off_and_runs(self):
        """Nova's word alone is not believed: libvirt's test driver runs it."""
        self.cloud.put(status="SHUTOFF", host="h2")
        self.failed("timeout", "SHUTOFF, task none", wish="stopped", timeout_ms=3000)

    def test_it_is_here_in_error(self):
        self.cloud.put(host="h2", status="ERROR")
        self.started()
        self.assertEqual(self.cloud.actions("os-resetState"), [{"state": "active"}])
        self.assertEqual(self.cloud.actions("reboot"), [])  # libvirt's test driver runs it

    def test_its_target_died_too(self):
        self.cloud.migration(1, "h3", "accepted")
        self.cloud.put(status="REBUILD", task="rebuilding")
        self.started(dead=["h1", "h3"])
        self.assertEqual(self.cloud.actions("os-resetState"), [{"state": "error"}])
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])

    def test_a_record_that_stays_open(self):
        self.cloud.evacuates = "left open"
        self.started()
        self.assertGreater(self.took, 3)

    def test_an_open_record_of_a_host_that_lives(self):
        self.cloud.migration(1, "h3", "accepted")
        self.started(timeout_ms=30000)
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])

    def test_a_moment_without_a_task_that_is_long(self):
        """A busy Nova shows a server for seconds as if nothing were done with it; its evacuation has not failed."""
        self.cloud.queue = 1e9
        timers = [threading.Timer(2, lambda: self.cloud.put(status="ACTIVE", task=None)),
                  threading.Timer(12, lambda: self.cloud.evacuation_ends())]
        for timer in timers:
            timer.start()
            self.addCleanup(timer.cancel)
        self.started(timeout_ms=30000)
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])

    def test_an_evacuation_to_a_host_that_lives_is_waited_for(self):
        self.cloud.evacuate({"host": "h3"})
        self.cloud.later.clear()
        self.failed("timeout", "REBUILD, task rebuilding, evacuation accepted", timeout_ms=6000)
        self.assertEqual(self.cloud.actions("evacuate") + self.cloud.actions("os-resetState"), [])

    def test_it_is_back_and_its_evacuation_goes_no_further(self):
        """It was accepted, for h3, when this host came back and was given it again."""
        self.cloud.evacuate({"host": "h3"})
        self.cloud.later.clear()
        self.started(self_name="h1", dead=[], timeout_ms=60000)
        self.assertEqual(self.cloud.actions("os-resetState"), [{"state": "active"}])
        self.assertGreater(self.took, 40)

    def test_an_old_api(self):
        self.cloud.maximum = "2.38"
        self.failed("config", "has microversion 2.38 at most; hamon needs 2.53")

    def test_without_the_role_admin(self):
        del self.cloud.server["OS-EXT-SRV-ATTR:host"]
        self.failed("auth", "they need the role admin")

    # servers

    def listed(self, **more):
        return self.run_helper("servers", hosts=["h1", "h2"], within_ms=3000, **more)

    def test_servers_of_some_hosts_page_by_page(self):
        """However few Nova gives at once, and whoever else has some."""
        for number, host in enumerate(("h1", "h1", "h1", "h2", "h3")):
            self.cloud.listed.append(dict(self.cloud.server, id="00000000-0000-0000-0000-00000000000%d" % number, name="s%d" % number,
                                          **{"OS-EXT-SRV-ATTR:host": host}))
        self.cloud.page = 2
        told = self.listed()
        self.assertTrue(told["ok"], told)
        self.assertEqual([(one["name"], one["host"], one["status"]) for one in told["servers"]],
                         [("s0", "h1", "ACTIVE"), ("s1", "h1", "ACTIVE"), ("s2", "h1", "ACTIVE"), ("s3", "h2", "ACTIVE")])

    def test_servers_of_an_api_that_fails(self):
        self.cloud.faults.append(("GET", "/v2.1/servers/detail", {"status": 403, "body": {"forbidden": {
            "code": 403, "message": "Policy doesn't allow it"}}}))
        told = self.listed()
        self.assertEqual((told["ok"], told["error_class"]), (False, "auth"))
        self.assertIn("Policy doesn't allow it (req-1234)", told["error"])

    def test_servers_of_an_api_that_is_silent(self):
        self.cloud.faults.append(("GET", "/v2.1/servers/detail", {"lost": True, "seconds": 30}))
        told = self.listed()
        self.assertFalse(told["ok"])
        self.assertLess(self.took, 6)

    # when it looks again

    def test_it_looks_at_once_when_libvirt_has_begun(self):
        """Queued at its target it is looked at seldom, and the server itself more seldom; the file of its QEMU tells that its turn has come."""
        run = os.path.join(os.path.dirname(self.run_dir), "libvirt")
        os.mkdir(run)
        self.options = ["--libvirt-run", run]
        self.cloud.queue = 1e9
        began, ended = [], []

        def qemu():
            began.append(len(self.cloud.asked("GET", "/v2.1/servers/" + SERVER)))
            ended.append(time.monotonic())
            self.cloud.evacuation_ends()
            with open(os.path.join(run, "test.pid"), "w"):
                pass

        timer = threading.Timer(12, qemu)
        timer.start()
        self.addCleanup(timer.cancel)
        self.started(timeout_ms=30000)
        self.assertLess(time.monotonic() - ended[0], 1.5)
        self.assertIn("begun", self.phases)
        self.assertLessEqual(began[0], 3)

    # enable

    def enable(self, **more):
        return self.run_helper("enable", self_name="h1", dead=[], **more)

    def evacuated(self):
        self.cloud.services["h1"].update(status="disabled", disabled_reason="hamon: evacuated", forced_down=True)

    def test_a_host_returns(self):
        self.evacuated()
        self.cloud.migration(1, "h2", "completed")
        self.assertEqual(self.enable()["state"], "enabled-again")
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": False}, {"status": "enabled"}])
        self.assertEqual(self.enable()["state"], "enabled")
        self.assertEqual(len(self.cloud.asked("PUT")), 2)

    def test_a_host_that_a_person_returns(self):
        """With automatic_return = no: nothing of its service before that, and then only that; what is its own it sees to by itself."""
        self.evacuated()
        self.overtaken()
        told = self.enable(nova={"automatic_return": False})
        self.assertEqual((told["state"], told["mended"]), ("waits", 1), told)
        self.assertIn("hamonctl return h1", told["detail"])
        self.assertEqual(self.cloud.asked("PUT"), [])
        self.overtaken()
        told = self.enable(nova={"automatic_return": False}, by_hand=True)
        self.assertEqual((told["state"], told["detail"]), ("enabled-again", "nova-compute of h1 takes instances again"))
        self.assertEqual(self.cloud.asked("PUT"), [{"forced_down": False}, {"status": "enabled"}])
        self.assertEqual(len(self.cloud.actions("os-resetState")), 1)
        for change in ({"status": "disabled", "disabled_reason": "broken fan"}, {"status": "enabled", "forced_down": True}):
            self.cloud.services["h1"].update(change)
            self.assertEqual(self.enable(by_hand=True)["state"], "left")
        self.assertEqual(len(self.cloud.asked("PUT")), 2)

    def overtaken(self):
        """As it was measured: it runs on h1, whose evacuation was ended in the record of an older one, which has failed since."""
        del self.cloud.migrations[:]
        self.cloud.migration(1, "h3", "failed", source="h2")
        self.cloud.migration(2, "h1", "accepted", source="h2")
        self.cloud.put(host="h1", status="REBUILD", task="rebuilding")

    def test_a_rebuild_that_was_overtaken(self):
        self.overtaken()
        self.enable()
        self.assertEqual(self.cloud.actions("os-resetState"), [{"state": "active"}])
        self.enable()
        self.assertEqual(len(self.cloud.actions("os-resetState")), 1)

    def test_a_rebuild_that_may_go_on(self):
        self.overtaken()
        for change in ({"status": "accepted"}, {"status": "done"}, {"status": "failed", "dest_compute": "h1"}):
            self.cloud.migrations[0].update(change)
            self.enable()
        self.overtaken()
        self.cloud.migrations[-1]["status"] = "migrating"
        self.enable()
        del self.cloud.migrations[:]
        self.enable()
        self.overtaken()
        self.cloud.server["id"] = OTHER  # which does not run here
        for migration in self.cloud.migrations:
            migration["instance_uuid"] = OTHER
        self.enable()
        self.assertEqual(self.cloud.actions("os-resetState"), [])

    def test_it_waits_for_what_moves_away(self):
        self.evacuated()
        self.cloud.migration(1, "h2", "migrating")
        told = self.enable()
        self.assertEqual(told["error_class"], "busy", told)
        self.assertEqual(self.cloud.asked("PUT"), [])

    def test_it_has_not_cleaned_up(self):
        self.evacuated()
        self.cloud.faults.append(("PUT", "/v2.1/os-services", {"status": 400, "body": {"badRequest": {
            "code": 400, "message": "Unable to force up host h1"}}}))
        told = self.enable()
        self.assertEqual(told["error_class"], "busy", told)
        self.assertIn("Unable to force up host h1", told["error"])
        self.assertEqual(len(self.cloud.asked("PUT")), 1)

    def test_what_a_person_did_stays(self):
        for change in ({"status": "disabled", "disabled_reason": "broken fan", "forced_down": True},
                       {"status": "disabled", "disabled_reason": None, "forced_down": False},
                       {"status": "enabled", "forced_down": True}):
            self.cloud.services["h1"].update(change)
            self.assertEqual(self.enable()["state"], "left")
        self.assertEqual(self.cloud.asked("PUT"), [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ApiTest))
