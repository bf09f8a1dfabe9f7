"""A lab leaves nothing behind, however the program that uses it ends."""
import json
import os
import subprocess

import keeper
import pytest
import spaces
from lab import Lab
from spaces import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))

SCRIPT = """
import sys, time
sys.path.insert(0, %r)
from lab import Lab
import guests
lab = Lab(what="child")
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


def leftovers(folder, lab_spaces):
    """What a lab left on the machine: processes, folder, route, mounts, lock."""
    return {
        "processes": [(pid, spaces.command_line(pid)) for pid in spaces.all_pids()
                      if spaces.space_id(pid) in lab_spaces
                      or any(folder in word for word in spaces.command_line(pid))],
        "folder": os.path.exists(folder),
        "route": keeper.route_present(),
        "mounts": [line for line in open("/proc/self/mounts") if "hamon-lab" in line],
        "base": os.path.exists(keeper.BASE),
    }


NOTHING = {"processes": [], "folder": False, "route": False, "mounts": [], "base": False}


@pytest.mark.parametrize("how", ["INT", "TERM", "KILL", "KILL keeper too", "INT early"])
def test_nothing_is_left(how):
    """However the program that uses a lab ends. After the death of the keeper too, the next lab clears up."""
    full = how != "INT early"
    child = subprocess.Popen(["/usr/bin/python3", "-c", SCRIPT % (HERE, full, full)], stdout=subprocess.PIPE, text=True)
    if full:
        _, folder, pid = child.stdout.readline().split()
        assert os.path.exists(folder)
    else:
        wait_until("the keeper has its record", lambda: os.path.exists(keeper.LOCK) and '"init": [' in open(keeper.LOCK).read())
        folder = json.load(open(keeper.LOCK))["dir"]
    record = json.load(open(keeper.LOCK))
    lab = Lab.attach(folder) if full else None
    lab_spaces = {spaces.space_id(record["init"][0])} | {spaces.space_id(host.pid) for host in (lab.hosts if full else [])}
    assert None not in lab_spaces
    if how == "KILL keeper too":
        os.kill(record["keeper"][0], 9)
    child.send_signal({"INT": 2, "TERM": 15, "KILL": 9, "KILL keeper too": 9, "INT early": 2}[how])
    child.wait()
    child.stdout.close()
    wait_until("the lab's init is gone", lambda: spaces.start_time(record["init"][0]) != record["init"][1])
    if how == "KILL keeper too":
        assert os.path.exists(folder)
        keeper.unlock(keeper.lock_take())
    wait_until("nothing is left", lambda: leftovers(folder, lab_spaces) == NOTHING, seen=lambda: leftovers(folder, lab_spaces))
