"""The demo does what it says, alone, kept and interrupted."""
import json
import os
import re
import signal
import subprocess

import keeper
import pytest
from conftest import stage
from lab import Lab
from spaces import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
LAST = re.compile(r"^recovered 3 of 3 instances in \d+\.\d s \(detect \d+\.\d, prove \d+\.\d, start \d+\.\d\)$")


@pytest.fixture
def free_machine():
    """No other lab is up, and none comes up before the demo's own."""
    keeper.unlock(keeper.lock_take(3600))


def demo(*words):
    return subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "demo.py"), "--stage", stage()] + list(words),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lab_is_up():
    try:
        with open(keeper.LOCK) as lock:
            return json.load(lock).get("what") == "tests/demo"
    except (OSError, ValueError):
        return False


def test_demo_recovers_all_and_leaves_nothing(free_machine):
    run = demo()
    told, _ = run.communicate(timeout=300)
    assert run.returncode == 0 and LAST.match(told.splitlines()[-1]), told
    for words in ("scratch1 .* refused .* local", "fence-confirmed", "host-lost", "instance-running"):
        assert re.search(words.replace(" .* ", ".*"), told), told
    assert not lab_is_up()


def test_demo_kept(free_machine):
    run = demo("--keep")
    told, _ = run.communicate(timeout=300)
    try:
        assert run.returncode == 0 and LAST.match(told.splitlines()[-1]), told
        assert lab_is_up() and "lab.py enter h2" in told
        shown = subprocess.run([os.path.join(HERE, "lab.py"), "enter", "h2", "hamonctl", "status"], capture_output=True,
                               text=True, stdin=subprocess.DEVNULL)
        assert "scratch1" in shown.stdout, shown
        subprocess.run([os.path.join(HERE, "lab.py"), "boot", "h1"], check=True, stdin=subprocess.DEVNULL)
        lab = Lab.attach()
        assert lab.host("h1").alive()
    finally:
        subprocess.run([os.path.join(HERE, "lab.py"), "down"])
    assert not lab_is_up()


@pytest.mark.parametrize("when, number", [
    ("three hosts", signal.SIGTERM), ("GUEST", signal.SIGINT), ("loses its power", signal.SIGTERM), ("disks say", signal.SIGINT)])
def test_demo_interrupted(free_machine, when, number):
    run = demo()
    told = ""
    for line in run.stdout:
        told += line
        if when in line:
            break
    else:
        pytest.fail("the demo ended before it said %r:\n%s" % (when, told))
    folder = json.load(open(keeper.LOCK))["dir"]
    run.send_signal(number)
    rest, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + number, told + rest
    assert "interrupted" in rest
    wait_until("the demo's lab is gone", lambda: not lab_is_up() and not os.path.exists(folder))
