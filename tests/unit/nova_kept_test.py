#!/usr/bin/python3
"""What one hamon-evacuate leaves for the next: its session with the cloud, and what it has seen of the services (scripted_nova.py)."""
import json
import os
import stat
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from scripted_nova import HelperTest, main, recorded  # noqa: E402


class KeptTest(HelperTest):
    def setUp(self):
        """libvirt has begun with the server: each start is looked at often, and the next one comes before what was kept is too old."""
        super().setUp()
        libvirt_run = os.path.join(os.path.dirname(self.run_dir), "libvirt")
        os.mkdir(libvirt_run)
        open(os.path.join(libvirt_run, "test.pid"), "w").close()
        self.options = ["--libvirt-run", libvirt_run]

    # what another helper has seen of the services

    def services_asked(self):
        return len(self.cloud.asked("GET", "/v2.1/os-services"))

    def test_the_next_helper_does_not_ask_for_the_services(self):
        os.mkdir(self.run_dir)
        self.started()
        self.assertEqual(self.services_asked(), 2)
        self.next_server()
        self.started()
        self.assertEqual((self.services_asked(), len(self.cloud.actions("evacuate"))), (2, 2))
        # From another host.
        self.next_server()
        self.cloud.put(host="h3")
        self.started(dead=["h1", "h3"])
        self.assertEqual(self.services_asked(), 4)
        self.assertTrue(self.cloud.services["h3"]["forced_down"])

    def test_what_another_helper_saw_has_changed(self):
        os.mkdir(self.run_dir)
        self.started()
        self.next_server()
        self.cloud.services["h1"].update(forced_down=False, state="up", status="enabled", disabled_reason=None)
        self.cloud.faults.append(("POST", "/v2.1/servers", {"status": 400, "body": recorded("evacuate_up_400")}))
        self.started()
        self.assertIn("refused", self.phases)
        self.assertEqual((self.services_asked(), len(self.cloud.migrations)), (4, 1))
        self.assertTrue(self.cloud.services["h1"]["forced_down"])
        # A refusal that has other reasons is told after one look of its own.
        self.next_server()
        self.cloud.faults += 2 * [("POST", "/v2.1/servers", {"status": 400, "body": recorded("evacuate_up_400")})]
        self.failed("api", "Nova answered 400")
        self.assertEqual(self.services_asked(), 6)

    def test_what_another_helper_saw_is_too_old(self):
        os.mkdir(self.run_dir)
        self.started()
        path = os.path.join(self.run_dir, "nova-prepared")
        with open(path) as text:
            kept = json.load(text)
        if kept["since_ms"] > 15001:
            with open(path, "w") as text:
                json.dump(dict(kept, since_ms=kept["since_ms"] - 15001), text)
            self.next_server()
            self.started()
            self.assertEqual(self.services_asked(), 4)

    # a session that is kept for the next helper

    def kept(self):
        return os.path.join(self.run_dir, "nova-session")

    def logins(self):
        return len(self.cloud.asked("POST", "/v3/auth/tokens"))

    def test_the_next_helper_needs_no_login(self):
        os.mkdir(self.run_dir)
        self.started()
        self.assertEqual(stat.S_IMODE(os.stat(self.kept()).st_mode), 0o600)
        self.assertEqual(sorted(os.listdir(self.run_dir)), ["nova-prepared", "nova-session"])
        self.next_server()
        self.started()
        self.assertEqual((self.logins(), len(self.cloud.asked("GET", "/v2.1/")) - len(self.cloud.asked("GET", "/v2.1/s"))
                          - len(self.cloud.asked("GET", "/v2.1/o"))), (1, 1))
        self.assertEqual(len(self.cloud.actions("evacuate")), 2)
        self.assertEqual(self.cloud.microversions, {None, "compute 2.93"})

    def test_without_its_folder_each_logs_in(self):
        self.started()
        self.next_server()
        self.started()
        self.assertEqual(self.logins(), 2)

    def test_a_kept_token_is_void(self):
        os.mkdir(self.run_dir)
        self.started()
        self.cloud.token += 1
        for logins in (2, 2):
            self.next_server()
            self.started()
            self.assertEqual(self.logins(), logins)

    def test_a_kept_session_of_other_credentials(self):
        os.mkdir(self.run_dir)
        self.started()
        self.next_server()
        self.started(environment={"OS_PROJECT_NAME": "another"})
        self.assertEqual(self.logins(), 2)

    def test_a_kept_endpoint_is_not_there_any_more(self):
        os.mkdir(self.run_dir)
        self.started()
        with open(self.kept()) as text:
            session = json.load(text)
        with open(self.kept(), "w") as text:
            json.dump(dict(session, compute_urls=["http://127.0.0.1:1/v2.1"]), text)
        self.next_server()
        self.started()
        self.assertEqual(self.logins(), 2)

    def test_a_kept_session_that_is_not_to_be_trusted(self):
        os.mkdir(self.run_dir)
        self.started()
        with open(self.kept()) as text:
            session = json.load(text)
        changes = [{"since_ms": max(0, session["since_ms"] - 300001)}, {"since_ms": session["since_ms"] + 3600000},
                   {"token": ""}, {"token": 7}, {"minor": None}, {"compute_urls": ["x" * 2000]},
                   {"compute_urls": []}, {"compute_urls": [7]}, {"volume_urls": None}, {"cloud": ""}]
        texts = [json.dumps(dict(session, **change)) for change in changes] + ["", "{", "[]", "x" * 100000]
        if session["since_ms"] <= 300001:  # this machine has just booted
            del texts[0]
        for logins, text in enumerate(texts, 2):
            with open(self.kept(), "w") as out:
                out.write(text)
            self.next_server()
            self.started()
            self.assertEqual(self.logins(), logins, text[:200])
        os.chmod(self.kept(), 0o640)
        self.next_server()
        self.started()
        self.assertEqual(self.logins(), logins + 1)
        self.assertEqual(stat.S_IMODE(os.stat(self.kept()).st_mode), 0o600)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], KeptTest))
