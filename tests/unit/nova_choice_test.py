#!/usr/bin/python3
"""Which servers hamon-evacuate takes from a dead host, and the lock that it puts on them, against nova_api_test.py's API."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from nova_api_test import HelperTest, main  # noqa: E402


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ChoiceTest))
