"""What people see and do by hand where Nova is the control plane: servers by their own names."""
import json
import re

import pytest
from test_nova import HAMON, add, cloud, pytestmark, service  # noqa: F401: the fixture and the marks

assert cloud and pytestmark


def command(cluster, *words, host="h2"):
    """Exit code, and stdout parsed when it is JSON."""
    done = cluster.host(host).run(list(words), check=False, timeout=180)
    return done.returncode, json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr


def told(cluster, *words):
    """hamonctl servers: exit code, and title -> (host, state, Nova's status and host) of what hamon knows."""
    code, reply = command(cluster, "hamonctl", "servers", "--json", *words)
    return code, reply["nova"], {(one["title"], one["uuid"]): (one.get("host"), one.get("state"), one["nova"] and (
        one["nova"]["status"], one["nova"]["host"])) for one in reply["servers"]}


@pytest.mark.scenario(41)
def test_evacuate_by_hand_by_the_servers_names(cluster, cloud):  # noqa: F811
    nova = cloud.nova
    asked = [(nova.boot(name, host), host) for name, host in (("web", "h1"), ("web", "h2"), ("my db", "h1"), ("app", "h1"))]
    web, other, db, app = [cluster.add_server(nova.adopt(nova.wait(server, "ACTIVE", host))) for server, host in asked]
    cluster.wait_known()
    assert cluster.instance(db.name)["title"] == "my db"
    both = {("web", web.uuid): ("h1", "running", ("ACTIVE", "h1")), ("web", other.uuid): ("h2", "running", ("ACTIVE", "h2")),
            ("my db", db.uuid): ("h1", "running", ("ACTIVE", "h1")), ("app", app.uuid): ("h1", "running", ("ACTIVE", "h1"))}
    assert told(cluster) == (0, {"ok": True, "error_class": None, "error": None}, both)

    command(cluster, "hamonctl", "maintenance", "h1", "on")
    cluster.wait("h1 is in maintenance", lambda: cluster.host_status("h1", "h2")["maintenance"])
    code, text = command(cluster, "evacuate", "--on-shared-storage", "my db")
    assert code == 2 and "belongs to h1, which is alive" in text, text
    cluster.host("h1").power_off()
    cluster.wait("h1 is gone", lambda: not cluster.host_status("h1", "h2")["member"])
    code, text = command(cluster, "evacuate", "--on-shared-storage", "my db")
    assert code == 2 and "not certified dead" in text, text
    command(cluster, "hamonctl", "confirm-fenced", "h1", "--reason", "its plug is in my hand")

    code, text = command(cluster, "evacuate", "--on-shared-storage", "web")
    assert code == 2 and web.uuid in text and other.uuid in text and "UUID" in text, text
    code, reply = command(cluster, "evacuate", "--on-shared-storage", "--dry-run", "--json", "my db", "h3")
    assert code == 0 and [(one["instance"], one["title"], one["target"], one["action"]) for one in reply["plan"]] == [
        (db.name, "my db", "h3", "start")], reply
    assert nova.migrations() == [] and service(cloud, "h1") == ("enabled", False, None)
    code, reply = command(cluster, "evacuate", "--on-shared-storage", "--json", "my db", "h3")
    assert code == 0 and [(one["title"], one["state"], one["host"]) for one in reply["results"]] == [("my db", "running", "h3")], reply
    cluster.expect("moved", db.name)
    cluster.wait_running(db.name, on=("h3",))
    assert nova.state(db.uuid) == ("ACTIVE", None, "h3")
    assert "my db (%s) runs on h3" % db.name in str(cluster.records("my db", "instance-running"))

    code, text = command(cluster, "evacuate", "--on-shared-storage", "--host", "h1")
    assert code == 0 and "app (%s): running on" % app.name in text and "2 of 2 instances running" in text, text
    cluster.expect("moved", web.name, app.name)
    cluster.wait_running(web.name, app.name, on=("h2", "h3"))
    assert nova.migrations(other.uuid) == []
    code, text = command(cluster, "evacuate", "--on-shared-storage", web.uuid)
    assert code == 2 and web.hosts()[0] in text, text

    code, reply, servers = told(cluster)
    assert code == 0 and {key: (host, *nova) for key, (host, _, nova) in servers.items()} == {
        (guest.title, guest.uuid): (guest.hosts()[0], "ACTIVE", guest.hosts()[0]) for guest in (web, other, db, app)}
    cloud.kill("nova-api")
    code, reply, servers = told(cluster)
    assert code == 1 and not reply["ok"] and "Nova does not answer" in reply["error"] and len(servers) == 4, reply
    cloud.start_control("nova-api")
    cluster.wait("Nova answers again", lambda: told(cluster)[0] == 0)


@pytest.mark.scenario(21)
@pytest.mark.lab(hamon=dict(HAMON, evacuation={"retry_delay": "2s"}))
def test_novas_words_reach_the_operator(cluster, cloud):  # noqa: F811
    """Its code, its message, and the id by which its own log is searched: in the reason, the timeline, and the target's log."""
    (web,) = add(cluster, web="h1")
    cloud.sql("CREATE TRIGGER nova.broken BEFORE INSERT ON migrations FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'full';")
    cluster.host("h1").power_off()
    entry = cluster.wait("Nova's words", lambda: "Nova answered 500" in (cluster.instance(web.name)["failure"] or "")
                         and cluster.instance(web.name)["phase"] == "waiting" and cluster.instance(web.name))
    words = re.search(r"^(h[23]): api: Nova answered 500 to evacuate: Unexpected API Error\. .*\((req-[0-9a-f-]{36})\)$", entry["failure"])
    assert words, entry["failure"]
    host, request = words.groups()
    assert request in entry["reason"]
    assert request in cloud.read("/var/log/openstack/nova-api.log")
    told = cluster.explain("web")
    assert any(request in why for why in told["why"]), told["why"]
    assert any("web (%s) did not start on %s: api: Nova answered 500 to evacuate" % (web.name, host) in record["text"] and
               request in record["text"] for record in told["timeline"]), told["timeline"]
    assert any(request in line and "OperationalError" in line for line in cluster.host(host).read("/var/log/hamond.log").splitlines())
    for words in (["hamonctl", "status"], ["hamonctl", "explain", "web"], ["hamonctl", "servers"], ["hamonctl", "incidents"]):
        print("$", *words)
        print(cluster.host("h2").run(words, check=False).stdout)
    cloud.sql("DROP TRIGGER nova.broken;")
    cluster.wait_closed("h1")
    cluster.expect("moved", web.name)
    cluster.wait_running(web.name, on=("h2", "h3"))
    assert cluster.instance(web.name)["failure"] is None
