"""A lab leaves nothing behind, however the program that uses it ends."""
import json
import os
import signal
import subprocess
import sys

import keeper
import pytest
import spaces
from lab import Lab
from spaces import wait_until

pytestmark = pytest.mark.alone

HERE = os.path.dirname(os.path.abspath(__file__))

SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us in the background ignores it
sys.path.insert(0, %r)
from lab import Lab
import guests
lab = Lab(what="child", wait=3600)
try:
    lab.up(boot=%r)
    if %r:
        g = guests.file_guest(lab, "g").define(lab.host(1))
        g.start(lab.host(1))
    print("up", lab.folder, lab.pid, flush=True)
    time.sleep(600)
finally:
    lab.down()
"""


def another_lab(folder):
    """Somebody else's lab may have come up on this machine meanwhile."""
    try:
        return json.load(open(keeper.LOCK))["dir"] != folder
    except (OSError, ValueError):
        return False


def leftovers(folder, lab_spaces, record):
    """What a lab left on the machine: processes, folder, route, mounts, lock."""
    other = another_lab(folder)
    return {
        "processes": [(pid, spaces.command_line(pid)) for pid in spaces.all_pids()
                      if spaces.space_id(pid) in lab_spaces
                      or any(folder in word for word in spaces.command_line(pid))],
        "folder": os.path.exists(folder),
        "mounts": [line for line in open("/proc/self/mounts") if folder in line],
        "route": not keeper.route_in_use() and (os.path.exists(keeper.ROUTE_USERS) or record["route"] and keeper.route_present()),
        "base": not other and os.path.exists(keeper.BASE),
    }


NOTHING = {"processes": [], "folder": False, "route": False, "mounts": [], "base": False}


def record_of(child):
    """The record of the lab that this child has started, once its init runs."""
    def mine():
        try:
            record = json.load(open(keeper.LOCK))
        except (OSError, ValueError):
            return None
        return record if record.get("init") and child_of(record["keeper"][0]) == child.pid else None
    return wait_until("the child's lab has an init", mine, 3600)


def child_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def test_folder_goes_though_it_is_written(tmp_path):
    """A program that was interrupted leaves its cp behind."""
    folder, library = str(tmp_path / "lab"), os.path.dirname(os.__file__)
    copy = os.path.join(folder, os.path.basename(library))
    os.mkdir(folder)
    open(os.path.join(folder, keeper.MARK), "w").close()
    with subprocess.Popen(["cp", "-a", library, folder], stderr=subprocess.DEVNULL) as copying:
        wait_until("it copies", lambda: os.path.isdir(copy) and os.listdir(copy), every=0.005)
        assert copying.poll() is None
        keeper.folder_remove(folder)
        assert not os.path.exists(folder)


@pytest.mark.parametrize("how", ["INT", "TERM", "KILL", "KILL keeper too", "INT early"])
def test_nothing_is_left(how):
    """However the program that uses a lab ends. After the death of the keeper too, the next lab clears up."""
    full = how != "INT early"
    child = subprocess.Popen(["/usr/bin/python3", "-c", SCRIPT % (HERE, full, full)], stdout=subprocess.PIPE, text=True)
    try:
        record = record_of(child)
        folder = record["dir"]
        lab_spaces = {spaces.space_id(record["init"][0])}
        if full:
            assert child.stdout.readline().split()[1] == folder
            lab_spaces |= {spaces.space_id(host.pid) for host in Lab.attach(folder).hosts}
        assert os.path.exists(folder) and None not in lab_spaces
        if how == "KILL keeper too":
            os.kill(record["keeper"][0], signal.SIGKILL)
        child.send_signal({"INT": signal.SIGINT, "TERM": signal.SIGTERM, "INT early": signal.SIGINT}.get(how, signal.SIGKILL))
    finally:
        if child.poll() is None and not sys.exc_info()[0] is None:
            child.kill()
        child.wait()
        child.stdout.close()
    wait_until("the lab's init is gone", lambda: spaces.start_time(record["init"][0]) != record["init"][1])
    if how == "KILL keeper too":
        keeper.unlock(keeper.lock_take(3600))
    wait_until("nothing is left", lambda: leftovers(folder, lab_spaces, record) == NOTHING, seen=lambda: leftovers(folder, lab_spaces, record))
