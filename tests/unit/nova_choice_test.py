#!/usr/bin/python3
"""Which servers hamon-evacuate takes from a dead host, and the lock that it puts on them, against the API of scripted_nova.py."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from scripted_nova import HelperTest, main  # noqa: E402


class ChoiceTest(HelperTest):
    # selection

    def left(self, words, **nova):
        """Nothing at all is done about it, even where something would be cleared away first."""
        self.cloud.put(task="rebooting")
        self.failed("not-selected", words, nova=nova, timeout_ms=8000)
        self.cloud.put(task=None)
        self.assertEqual(self.cloud.asked("POST", "/v2.1") + self.cloud.asked("PUT"), [])

    def unknown(self, error_class, words, **nova):
        self.failed(error_class, words, nova=nova)
        self.assertEqual(self.cloud.asked("POST", "/v2.1") + self.cloud.asked("PUT"), [])

    def test_selected_by_metadata(self):
        select = {"select": "metadata", "select_key": "HA_Enabled", "select_value": "true"}
        self.left("[nova] select = metadata, and there is no metadata HA_Enabled", **select)
        self.cloud.server["metadata"] = {"HA_Enabled": "False", "ha_enabled": "True"}
        self.left("[nova] select = metadata, and the metadata HA_Enabled is False, not true", **select)
        self.cloud.server["metadata"] = {"HA_Enabled": "True"}
        self.started(nova=select)
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])

    def test_selected_by_tag(self):
        select = {"select": "tag", "select_key": "evacuable"}
        self.cloud.server["tags"] = ["web", "not-evacuable"]
        self.left("[nova] select = tag, and there is no tag evacuable", **select)
        self.cloud.server["tags"] = ["web", "evacuable"]
        self.started(nova=select)

    def test_selected_by_flavor(self):
        select = {"select": "flavor", "select_key": "hw:class", "select_value": "gold"}
        self.cloud.server["flavor"]["extra_specs"] = {"hw:class": "silver"}
        self.left("the extra spec of its flavor hw:class is silver, not gold", **select)
        self.cloud.server["flavor"]["extra_specs"] = {"hw:class": "Gold"}
        self.started(nova=select)

    def test_selected_by_image(self):
        select = {"select": "image", "select_key": "evacuable", "select_value": "true"}
        self.left("there is no property of its image evacuable", **select)
        self.cloud.image["evacuable"] = "yes"
        self.started(nova=select)
        del self.cloud.image["evacuable"]
        self.cloud.image["tags"] = ["evacuable"]
        self.cloud.put(host="h1")
        self.started(nova=select)

    def test_selected_by_image_with_a_kept_session(self):
        os.mkdir(self.run_dir)
        self.test_selected_by_image()
        self.assertEqual(len(self.cloud.asked("POST", "/v3/auth/tokens")), 1)

    def test_made_from_a_volume_it_has_no_image(self):
        self.cloud.server["image"] = ""
        self.left("there is no property of its image evacuable", select="image", select_key="evacuable", select_value="true")

    def test_selected_by_aggregate(self):
        select = {"select": "aggregate", "select_key": "evacuable", "select_value": "true"}
        self.left("there is no metadata of an aggregate of its host evacuable", **select)
        self.cloud.aggregates[1]["hosts"].append("h1")
        self.started(nova=select)

    def test_a_selection_that_cannot_be_read_is_no_no(self):
        aggregate = {"select": "aggregate", "select_key": "evacuable", "select_value": "true"}
        self.cloud.faults.append(("GET", "/v2.1/os-aggregates", {"status": 403}))
        self.unknown("auth", "Nova answered 403 to GET /os-aggregates", **aggregate)
        self.cloud.faults += [("GET", "/v2.1/os-aggregates", {"status": 500})] * 3
        self.unknown("api", "Nova answered 500 to GET /os-aggregates", **aggregate)
        self.cloud.aggregates = [{"id": 1, "name": "all"}]
        self.unknown("auth", "Nova does not show these credentials the metadata of an aggregate", **aggregate)
        image = dict(aggregate, select="image")
        self.cloud.faults.append(("GET", "/v2/images", {"status": 404}))
        self.unknown("api", "cannot be read from its image: Glance answered 404 to GET /v2/images/", **image)
        del self.cloud.server["flavor"]["extra_specs"]
        self.unknown("auth", "credentials the extra spec of its flavor", **dict(aggregate, select="flavor"))
        self.cloud.server["metadata"] = []
        self.unknown("api", "the answer has no metadata that could be read", **dict(aggregate, select="metadata"))

    def test_a_person_asks_for_what_is_not_selected(self):
        self.started(nova={"select": "tag", "select_key": "evacuable"}, by_hand=True)
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])

    # locks

    OURS = "hamon: evacuating to h2"

    def locked(self):
        return self.cloud.server["locked"], self.cloud.server["locked_reason"]

    def ended(self):
        """A start until it has taken its lock off; a little longer where there is none of its own."""
        self.assertEqual(self.run_helper("start", nova={"lock": True}, until="unlocked").get("phase"), "unlocked")

    def test_it_is_locked_while_it_moves(self):
        seen = []
        evacuate = self.cloud.evacuate
        self.cloud.evacuate = lambda body: (seen.append(self.locked()), evacuate(body))[1]
        self.ended()
        self.assertEqual(seen, [(True, self.OURS)])
        self.assertEqual(self.locked(), (False, None))
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])

    def test_it_is_unlocked_when_it_is_given_up(self):
        self.cloud.evacuates = "error"
        self.failed("no-valid-host", "No valid host", nova={"lock": True})
        self.assertEqual(self.cloud.actions("lock"), [{"locked_reason": self.OURS}])
        self.assertEqual(self.locked(), (False, None))

    def test_it_is_unlocked_when_it_is_refused_at_once(self):
        """What was read a moment ago is from before its lock."""
        self.cloud.evacuate = lambda body: (409, {"conflictingRequest": {"code": 409, "message": "while it is in vm_state paused"}})
        self.failed("conflict", "vm_state paused", nova={"lock": True})
        self.assertEqual(self.cloud.actions("lock"), [{"locked_reason": self.OURS}])
        self.assertEqual(self.locked(), (False, None))

    def test_it_is_unlocked_when_its_time_is_over(self):
        self.cloud.evacuate = lambda body: (self.cloud.migration(1, "h2", "accepted"),
                                            self.cloud.put(status="REBUILD", task="rebuilding"), (200, None))[2]
        self.failed("timeout", "REBUILD", nova={"lock": True}, timeout_ms=9000)
        self.assertEqual(self.locked(), (False, None))

    def test_it_is_unlocked_though_nova_is_slow_at_the_end(self):
        evacuate = self.cloud.evacuate
        self.cloud.evacuate = lambda body: (evacuate(body), self.cloud.faults.append(
            ("GET", "/v2.1/os-migrations", {"lost": True, "seconds": 15})))[0]
        self.failed("api", "Operation timed out", nova={"lock": True}, timeout_ms=9000, call_ms=20000)
        self.assertEqual(self.locked(), (False, None))

    def test_a_persons_lock_stays(self):
        self.cloud.evacuates = "error"
        for reason in ("do not touch", None, "evacuating to hamon: h2"):
            self.cloud.put(host="h1", locked=True, locked_reason=reason)
            self.failed("no-valid-host", "No valid host", nova={"lock": True})
            self.assertEqual(self.locked(), (True, reason))
        self.cloud.evacuates = "done"
        told = self.run_helper("start", nova={"lock": True}, until="unlocked")
        self.assertEqual(told.get("type"), "result")
        self.assertIn("started", self.phases)
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}] * 4)
        self.assertEqual(self.cloud.actions("lock") + self.cloud.actions("unlock"), [])

    def test_a_lock_of_one_that_was_killed(self):
        self.cloud.put(locked=True, locked_reason="hamon: evacuating to h3")
        self.ended()
        self.assertEqual(self.locked(), (False, None))
        self.assertEqual(self.cloud.actions("lock"), [])

    def test_a_lock_on_a_host_that_lives_is_that_hosts(self):
        self.cloud.put(host="h3", locked=True, locked_reason="hamon: evacuating to h3")
        self.failed("elsewhere", "not proven dead", nova={"lock": True})
        self.assertEqual(self.cloud.actions("unlock"), [])

    def test_an_api_without_reasons(self):
        self.cloud.maximum = "2.72"
        self.started(nova={"lock": True})
        self.assertEqual(self.cloud.actions("lock") + self.cloud.actions("unlock"), [])

    def test_a_lock_that_is_refused_hinders_nothing(self):
        self.cloud.faults.append(("POST", "/v2.1/servers", {"status": 403}))
        self.started(nova={"lock": True})
        self.assertIn("not-locked", self.phases)
        self.assertEqual(self.cloud.actions("evacuate"), [{"host": "h2"}])

    def test_locks_that_were_left_are_ended_by_the_servers_host(self):
        def enable():
            self.run_helper("enable", self_name="h1", dead=[])
        for change in ({"locked_reason": "mine"}, {"locked_reason": None}, {"task": "rebuilding"}, {"host": "h2"}):
            self.cloud.put(**dict(dict(host="h1", task=None, locked=True, locked_reason=self.OURS), **change))
            enable()
            self.assertEqual(self.cloud.actions("unlock"), [])
        self.cloud.put(host="h1", locked_reason=self.OURS)
        self.cloud.migration(1, "h2", "accepted")
        enable()
        self.assertEqual(self.cloud.actions("unlock"), [])
        self.cloud.migrations[0]["status"] = "error"
        enable()
        self.assertEqual(self.locked(), (False, None))
        enable()
        self.assertEqual(len(self.cloud.actions("unlock")), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ChoiceTest))
