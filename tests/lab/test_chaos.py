"""A minute of chaos: nothing runs twice, nothing is lost, and the figures add up."""
import json
import os
import subprocess
import sys

from conftest import HERE, LOGS, stage


def test_chaos_short():
    done = subprocess.run([sys.executable, os.path.join(HERE, "chaos.py"), "--stage", stage(), "--logs", LOGS, "--minutes", "0.8",
                           "--seed", "7", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] and told["rounds"] >= 1 and told["faults"] == sum(told["faults_by_kind"].values()) >= 1
    assert told["double_runs"] == 0 and told["violations"] == 0
    assert len(told["generations"]) == 7 and all(generation >= 1 for generation in told["generations"].values())
    assert told["term"] >= 1
    assert told["qemu_starts"] >= 7 and told["writes_last_start"] > 0
