"""Fence devices that lie, delay, or belong to another host; fenced hosts that come back at once."""
import os
import time

import pytest
import spaces
from cluster import LONG
from faults import FAILS_SOON, moves_from_h1, stay

AGENT = """\
#!/bin/sh
# Stands before the real agent: "off" goes the way that the test wants.
options=$(cat)
real() { printf '%s\\n' "$options" | /usr/sbin/fence_ipmilan "$@"; }
case $options in
*action=off*)
	[ ! -e /etc/hamon/lies ] || exit 0
	[ ! -e /etc/hamon/delays ] || { : >/etc/hamon/accepted; exit 0; } ;;
esac
real "$@"
exit $?
"""
OWN_AGENT = dict(FAILS_SOON, agent="/etc/hamon/agent", timeout="20s")


def own_agent(cluster, flag):
    for host in cluster.lab.hosts:
        host.write("/etc/hamon/agent", AGENT, 0o755)
        host.write("/etc/hamon/" + flag, "")
    cluster.lab.each(lambda host: host.boot())
    cluster.wait_settled()


@pytest.mark.scenario(28)
@pytest.mark.lab(boot=False, hamon={"fence-device ipmi1": dict(OWN_AGENT, timeout="6s"), "fencing": {"retry_backoff": "2s"}})
@pytest.mark.long
def test_agent_says_off_and_the_host_is_on(cluster):
    own_agent(cluster, "lies")
    stay(cluster)
    cluster.host("h1").cut()
    failed = cluster.wait("the readback contradicts it", lambda: cluster.records("h1", "fence-failed", "h2"), LONG)
    assert "still-on" in failed[0]["text"] or "still on" in failed[0]["text"]
    assert cluster.host("h1").alive() and cluster.guests["a1"].hosts() == ["h1"]
    for host in cluster.lab.hosts:
        os.unlink(host.path("/etc/hamon/lies"))
    moves_from_h1(cluster)


@pytest.mark.scenario(29)
@pytest.mark.lab(boot=False, hamon={"fence-device ipmi1": dict(OWN_AGENT, timeout="40s")})
@pytest.mark.long
def test_off_is_accepted_and_comes_late(cluster):
    own_agent(cluster, "delays")
    stay(cluster)
    cluster.host("h1").cut()
    cluster.wait("off was accepted", lambda: any(os.path.exists(host.path("/etc/hamon/accepted")) for host in cluster.lab.hosts))
    time.sleep(8)
    assert cluster.guests["a1"].hosts() == ["h1"]
    cluster.host("h1").power_off()
    moves_from_h1(cluster)
    assert cluster.records("h1", "fence-failed") == []


@pytest.mark.scenario(30)
@pytest.mark.lab(hosts=4, members=3, hamon={"fence-device ipmi1": {"option.ip": "10.77.2.104"}, "fencing": {"retry_backoff": "2s"}})
def test_bmc_of_the_wrong_host(cluster):
    """ipmi1 is really the BMC of h4, a spare that is off: it would say of h1 whatever one likes to hear. The regular
    self-test sees that h1 is alive all the same, and from then on it proves nothing."""
    stay(cluster)
    device = lambda: next(entry for entry in cluster.status("h2")["fence_devices"] if entry["name"] == "ipmi1")
    cluster.wait("ipmi1 is not believed", lambda: all(next(entry for entry in cluster.status(name)["fence_devices"]
                                                           if entry["name"] == "ipmi1")["state"] == "failed"
                                                      for name in ("h1", "h2", "h3")), LONG)
    assert "not its device" in device()["error"]
    cluster.host("h1").cut()
    cluster.wait("h1 is not proven dead by it", lambda: cluster.records("h1", "fence-failed", "h2"), LONG)
    assert cluster.guests["a1"].hosts() == ["h1"]
    cluster.host("h1").power_off()
    cluster.host("h2").run(["hamonctl", "confirm-fenced", "h1", "--reason", "its plug is in my hand"])
    moves_from_h1(cluster)


@pytest.mark.scenario(31)
@pytest.mark.lab(hamon={"evacuation": {"parallel_starts": "1"}})
def test_fenced_host_switches_itself_on_early(cluster):
    names = ["a%d" % number for number in range(1, 6)]
    for name in names:
        cluster.file_guest(name, "h1")
        cluster.host("h1").virsh("autostart", name)
    cluster.wait_known()
    cluster.host("h1").cut()
    spaces.wait_until("the first guest starts elsewhere", lambda: any(
        set(cluster.guests[name].hosts()) - {"h1"} for name in names), LONG, 0.01)
    cluster.host("h1").boot()
    cluster.wait_closed("h1")
    cluster.expect("moved", *names)
    cluster.wait_running(*names)
    cluster.wait_settled()


@pytest.mark.scenario(31, 32)
@pytest.mark.long
def test_reset_faster_than_anybody_notices(cluster):
    """The host is back before its token was missed: its own word about its new boot is the proof."""
    names = ["a1", "a2"]
    for name in names:
        cluster.file_guest(name, "h1")
    cluster.file_guest("b1", "h2")
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.host("h1").boot()
    cluster.expect("moved", *names)
    cluster.wait_running(*names)
    if cluster.host("h1").alive():
        cluster.wait_settled()
