"""tests/bench works: it measures, and its figures can be true. How good they are is not asked here."""
import json
import os
import subprocess
import sys

import pytest

import bench
import bench_nova_told
from conftest import HERE, stage


def test_intervals():
    assert bench.union([(5, 9), (1, 3), (2, 4), (7, 7)]) == [(1, 4), (5, 9)]
    assert bench.length([(0, 10), (5, 20)]) == 20
    assert bench.without((0, 100), [(10, 20), (15, 30), (90, 200)]) == [(0, 10), (30, 90)]
    assert bench.clip([(0, 10), (20, 30)], 5, 20) == [(5, 10)]


@pytest.mark.alone
def test_bench_short():
    done = subprocess.run([sys.executable, os.path.join(HERE, "bench.py"), "--stage", stage(), "--short", "--json"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert sorted(run["was_coordinator"] for run in result["runs"]) == [False, True]
    for run in result["runs"]:
        assert 0 < run["own"] < run["whole"]
        assert 0 <= run["fsync"] <= run["own"]
        assert run["ratio"] == pytest.approx(run["own"] / run["whole"])
        assert run["commits"] >= 4, "the intent and the certificate, on two hosts each"
        # An agent that needs no time, or that is not seen, would make all of it hamon's own.
        agent = run["phases"]["agent"]
        assert agent["whole"] > agent["own"] >= 0
        assert all(0 <= phase["own"] <= phase["whole"] + 0.001 for phase in run["phases"].values())
    cost = result["cost"]
    assert cost["instances"] == 20 and all(0.5 < rss < 1024 for rss in cost["rss_anon_mib"].values())
    assert all(0 <= percent < 200 for percent in cost["idle_percent"].values()) and any(cost["idle_percent"].values())
    text = subprocess.run([sys.executable, "-c", "import json, sys, bench; bench.tell(json.load(sys.stdin))"], cwd=HERE,
                          input=done.stdout, capture_output=True, text=True, check=True).stdout
    assert "ratio: hamon's own share is" in text


@pytest.mark.nova
@pytest.mark.long
def test_bench_nova():
    """All three ways bring all servers up, on both targets, and what is compared is what was measured."""
    done = subprocess.run([sys.executable, os.path.join(HERE, "bench_nova.py"), "--stage", stage(), "--servers", "4", "--rounds", "2",
                           "--short", "--only", "masakari", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["complete"] and result["machine"]["packages"]["python3-nova"]
    ways = [(run["way"], run["servers"]) for run in result["runs"]]
    # There and back: with every second round the other way round.
    assert ways == [("hamon", 1), ("hamon", 4), ("loop", 4), ("loop", 4), ("masakari", 4), ("hamon", 4), ("masakari", 4), ("loop", 4)]
    for run in result["runs"]:
        assert sum(run["spread"].values()) == run["servers"] == len(run["arrivals"])
        assert run["arrivals"] == sorted(run["arrivals"])
        assert 0.5 < run["seconds"] < 600
        if run["way"] != "masakari" and run["servers"] == 4:
            assert run["spread"] == {"h2": 2, "h3": 2}
        if run["way"] == "hamon":
            assert run["whole"] > run["seconds"] and 1024 < run["peak_kib"] and 1024 < run["hamond_kib"]
    assert [row["most"] for row in result["ratios"]] == [bench_nova_told.MAX_LOOP, bench_nova_told.MAX_MASAKARI]
    hamon = [run["seconds"] for run in result["runs"] if (run["way"], run["servers"]) == ("hamon", 4)]
    assert all(row["hamon"] == pytest.approx(sum(hamon) / 2) and row["ratio"] == pytest.approx(row["hamon"] / row["other"])
               for row in result["ratios"])
    text = subprocess.run([sys.executable, "-c", "import json, sys, bench_nova_told as told; told.tell(json.load(sys.stdin), 'ab')"], cwd=HERE,
                          input=done.stdout, capture_output=True, text=True, check=True).stdout
    assert "certificate -> all ACTIVE" in text and "peak memory of hamon-evacuate" in text
