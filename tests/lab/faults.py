"""What the tests of single faults share."""
import time

import bmc

# fence_ipmilan gives a BMC up after 20 s; the tests need not wait for that
FAILS_SOON = {"option.shell_timeout": "3", "option.power_timeout": "6", "timeout": "15s"}
RETRIES = {"fence-device ipmi1": FAILS_SOON, "fencing": {"retry_backoff": "2s", "retry_backoff_max": "4s"}}


def offs(cluster):
    return [host for _, host, what in bmc.power_log(cluster.lab) if what == "off"]


def stay(cluster, name="h1", other="h2"):
    cluster.file_guest("a1", name)
    cluster.file_guest("a2", other)
    cluster.wait_known()


def quiet(cluster, seconds):
    """Nobody is fenced for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert offs(cluster) == []
        time.sleep(0.2)


def moves_from_h1(cluster):
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))
