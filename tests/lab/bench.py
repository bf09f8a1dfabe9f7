#!/usr/bin/python3
"""The benchmark itself: tests/bench starts it once hamon is built. What a failure costs because of hamon alone.

hamon's own share is the time from the lost membership (the quorum callback on the host that coordinates the recovery) to
the last start request (libvirt is asked to create the last guest), less the time in which a fence agent runs or a start
helper is inside its calls to libvirt. Everything else counts: hamond, the messages, the store, the helpers' own start-up,
every pause. hamond writes a trace (HAMON_TRACE), the agent stands behind a program that logs when it runs (timed.c); all
hosts of the lab have one CLOCK_BOOTTIME, so their times compare.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import cluster as cluster_module
import guests
from ending import Ended, end_by_exception
from lab import Lab
from spaces import LabError

TRACE, AGENTS = "/var/log/hamond.trace", "/var/log/agents"
AGENT = "/etc/hamon/fence_ipmilan_timed"
BEYOND_FSYNC_MS, RSS_MIB, IDLE_PERCENT = 100, 16, 0.5
INSTANCES = 100
IDLE_SETTLE_S = 75  # what a new instance sets off (storage is checked often at first) is over by then

PHASES = (("intent", "loss -> intent committed, helper started"),
          ("helper", "helper started -> fence agent runs"),
          ("agent", "fence agent runs -> readback told to hamond"),
          ("certificate", "-> certificate committed here"),
          ("assignment", "-> committed and seen by the first target"),
          ("starts", "first start helper -> last start request"))


# intervals, in microseconds: lists of (begin, end)

def union(intervals):
    merged = []
    for begin, end in sorted(interval for interval in intervals if interval[1] > interval[0]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def clip(intervals, begin, end):
    return [(max(a, begin), min(b, end)) for a, b in intervals if b > begin and a < end]


def length(intervals):
    return sum(end - begin for begin, end in union(intervals))


def without(whole, holes):
    """What is left of an interval."""
    left, at = [], whole[0]
    for begin, end in union(clip(holes, *whole)):
        if begin > at:
            left.append((at, begin))
        at = end
    return left + ([(at, whole[1])] if at < whole[1] else [])


def trace_read(host):
    """[(boot clock in us, what, [words])]"""
    lines = []
    for line in host.read(TRACE).splitlines():
        words = line.split()
        if len(words) >= 2 and words[0].isdigit():
            lines.append((int(words[0]), words[1], words[2:]))
    if any(what == "lost" for _, what, _ in lines):
        raise LabError("%s lost lines of its trace" % host.name)
    return lines


def agents_read(host):
    """When a fence agent ran; one that was killed has no end."""
    begun, runs = {}, []
    try:
        text = host.read(AGENTS)
    except FileNotFoundError:
        return []
    for line in text.splitlines():
        what, pid, at = line.split()
        if what == "begin":
            begun[pid] = int(at)
        elif pid in begun:
            runs.append((begun.pop(pid), int(at)))
    return runs + [(at, 1 << 62) for at in begun.values()]


def fsyncs(lines):
    found = []
    for at, what, words in lines:
        if what == "persisted":
            found.append((at - int(words[1].split("=")[1]), at))
    return found


def libvirt_calls(lines, since):
    """{guest: (begin, end)}: from the connection to the answer of the start; and when each start was asked for."""
    calls, asked, spawned = {}, {}, {}
    connecting = {words[0]: int(words[2]) * 1000 for at, what, words in lines
                  if what == "start" and at >= since and words[1] == "result" and int(words[2])}
    for at, what, words in lines:
        if what != "start" or at < since:
            continue
        name, phase = words[:2]
        if phase == "spawn":
            spawned[name] = at
        elif phase == "starting":
            asked[name] = at
        elif phase == "started":
            calls[name] = (connecting.get(name, spawned[name]), at)
    return calls, asked, spawned


def run_measure(lab, victim, killed_us, names):
    """One run's figures, in ms, from what the survivors wrote."""
    survivors = [host for host in lab.hosts if host.name != victim]
    traces = {host.name: [line for line in trace_read(host) if line[0] >= killed_us] for host in survivors}
    fence = [(at, name, words) for name in traces for at, what, words in traces[name] if what == "fence"]
    began = min((at, name) for at, name, words in fence if words[1] == "spawn")
    coordinator = began[1]
    result = min(at for at, name, words in fence if words[1] == "result" and at > began[0] and name == coordinator)
    lost = min(at for at, what, _ in traces[coordinator] if what == "quorum")
    certified = min(at for at, what, _ in traces[coordinator] if what == "persisted" and at > result)
    outside, asked, spawned = [], {}, {}
    for name in traces:
        calls, asked_here, spawned_here = libvirt_calls(traces[name], result)
        outside += calls.values()
        asked.update(asked_here)
        spawned.update(spawned_here)
    if set(asked) != set(names):
        raise LabError("not every guest's start was asked for: %s" % sorted(set(names) - set(asked)))
    last = max(asked.values())
    coordinating = lab.host(coordinator)
    agents = clip(agents_read(coordinating), began[0], result)
    if not agents:
        raise LabError("no fence agent ran")
    outside = union(outside + agents)
    syncs = [sync for name in traces for sync in fsyncs(traces[name])]
    cuts = [lost, began[0], min(begin for begin, _ in agents), result, min(certified, min(spawned.values())),
            min(spawned.values()), last]
    figures = {"coordinator": coordinator, "victim": victim, "phases": {}}
    for (key, _), begin, end in zip(PHASES, cuts, cuts[1:]):
        own = without((begin, end), outside)
        synced = sum(length(clip(syncs, *piece)) for piece in own)
        figures["phases"][key] = {"whole": (end - begin) / 1000, "own": length(own) / 1000, "fsync": synced / 1000}
    total = lambda what: sum(phase[what] for phase in figures["phases"].values())
    figures.update(whole=total("whole"), own=total("own"), fsync=total("fsync"), beyond=total("own") - total("fsync"),
                   detect=(lost - killed_us) / 1000,
                   core=sum(int(words[1].split("=")[1]) for lines in traces.values() for at, what, words in lines
                            if what == "step" and lost <= at <= last) / 1000,
                   commits=sum(lost <= at <= last for lines in traces.values() for at, what, _ in lines if what == "persisted"))
    figures["gaps"] = gaps_tell(traces, without((lost, last), outside), lost)
    figures["ratio"] = figures["own"] / figures["whole"]
    return figures


def gaps_tell(traces, own, lost):
    """hamon's own pieces, longest first, each with what the traces say about it: where to look for what is slow."""
    told = []
    for begin, end in sorted(own, key=lambda piece: piece[0] - piece[1])[:6]:
        inside = sorted((at, name, what, words) for name in traces for at, what, words in traces[name]
                        if begin - 500 <= at <= end + 500)
        told.append({"at": (begin - lost) / 1000, "ms": (end - begin) / 1000,
                     "trace": ["%+.1f %s %s %s" % ((at - lost) / 1000, name, what, " ".join(words))
                               for at, name, what, words in inside]})
    return told


def boot_us():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def lab_make(stage, wait):
    agents = {"fence-device ipmi%d" % number: {"agent": AGENT} for number in (1, 2, 3)}
    return Lab(stage=stage, what="tests/bench", wait=wait, hamon=agents, environment={"HAMON_TRACE": TRACE})


def lab_up(lab):
    """Booted once the timed agent is on every host's disk; the referee ends: it would take part of the processors."""
    cluster = cluster_module.Cluster(lab)
    lab.up(boot=False)
    lab.referee.stop()
    timed = os.path.join(lab.folder, "bin", "timed")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "timed.c")
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-static", "-o", timed, source], check=True)
    for host in lab.hosts:
        host.write(AGENT, "#!/bin/sh\nexec %s %s /usr/sbin/fence_ipmilan \"$@\"\n" % (timed, AGENTS), 0o755)
    lab.each(lambda host: host.boot())
    cluster.wait_settled()
    return cluster


def one_run(stage, number, count, wait):
    with lab_make(stage, wait) as lab:
        cluster = lab_up(lab)
        # Every second run loses the host that coordinates: then a new coordinator has to be found first.
        leader = cluster.coordinator()
        victim = leader if number % 2 else next(host.name for host in lab.hosts if host.name != leader)
        names = ["guest%02d" % i for i in range(1, count + 1)]
        for name in names:
            cluster.file_guest(name, victim)
        cluster.wait_known()
        other = next(host.name for host in lab.hosts if host.name != victim)
        killed = boot_us()
        lab.host(victim).power_off()
        cluster.wait("%s's guests are recovered" % victim, lambda: (cluster.incident(victim, other) or {}).get("state") == "closed")
        time.sleep(2)  # the traces are written out once a second
        figures = run_measure(lab, victim, killed, names)
        figures["was_coordinator"] = victim == leader
        return figures


# what hamond costs while nothing happens

def rss_anon_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def cpu_ticks(host):
    """Of hamond and its helpers, with the children that they have waited for."""
    total = 0
    parents = {}
    for pid in host.processes():
        try:
            with open("/proc/%d/stat" % pid) as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[pid] = (int(fields[1]), sum(int(field) for field in fields[11:15]))
    tree = set(host.pids("hamond"))
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in parents.items() if parent in tree} - tree
        tree |= more
        grown = bool(more)
    for pid in tree:
        total += parents.get(pid, (0, 0))[1]
    return total


def idle_percent(lab, seconds):
    before = {host.name: cpu_ticks(host) for host in lab.hosts}
    begin = time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - begin
    hertz = os.sysconf("SC_CLK_TCK")
    return {host.name: 100 * (cpu_ticks(host) - before[host.name]) / hertz / spent for host in lab.hosts}


def known_instances(cluster):
    return len(cluster.status()["instances"])


def cost_measure(stage, instances, running, seconds, settle, wait):
    with lab_make(stage, wait) as lab:
        cluster = lab_up(lab)
        names = ["guest%03d" % i for i in range(1, instances + 1)]
        for name in names[:running]:
            cluster.file_guest(name, "h1")
        for name in names[running:]:
            guests.file_guest(lab, name).define(lab.host("h1"))
        cluster.wait("hamon knows %d instances" % instances, lambda: known_instances(cluster) == instances, 180)
        time.sleep(settle)
        idle = idle_percent(lab, seconds)
        rss = {host.name: max(rss_anon_kib(pid) for pid in host.pids("hamond")) / 1024 for host in lab.hosts}
        return {"instances": instances, "running": running, "idle_percent": idle, "rss_anon_mib": rss}


# telling

def summary(runs):
    median = lambda key: statistics.median(run[key] for run in runs)
    return {key: median(key) for key in ("detect", "whole", "own", "fsync", "beyond", "ratio", "core", "commits")}


def goals(result):
    rows = []
    if result["runs"]:
        rows.append(("own share beyond fsyncs, median", "%.0f ms" % result["median"]["beyond"], "< %d ms" % BEYOND_FSYNC_MS,
                     result["median"]["beyond"] < BEYOND_FSYNC_MS))
    cost = result.get("cost")
    if cost:
        rss, idle = max(cost["rss_anon_mib"].values()), max(cost["idle_percent"].values())
        rows.append(("RssAnon of hamond, %d instances" % cost["instances"], "%.1f MiB" % rss, "< %d MiB" % RSS_MIB, rss < RSS_MIB))
        rows.append(("idle CPU, hamond and helpers", "%.2f %%" % idle, "< %g %%" % IDLE_PERCENT, idle < IDLE_PERCENT))
    return rows


def tell(result):
    runs = result["runs"]
    if runs:
        print("\n  %d guests, %d runs; medians in ms (of which: hamon's own, its fsyncs)\n" % (result["guests"], len(runs)))
        print("    %-46s %9s %9s %9s" % ("", "WHOLE", "OWN", "FSYNC"))
        for key, text in PHASES:
            column = lambda what: statistics.median(run["phases"][key][what] for run in runs)
            print("    %-46s %9.1f %9.1f %9.1f" % (text, column("whole"), column("own"), column("fsync")))
        middle = result["median"]
        print("    %-46s %9.1f %9.1f %9.1f" % ("loss -> last start request", middle["whole"], middle["own"], middle["fsync"]))
        for text, chosen in (("the coordinator was lost", True), ("another host was lost", False)):
            part = [run for run in runs if run["was_coordinator"] == chosen]
            if part:
                print("    %-46s %9.1f %9.1f %9.1f" % ("  of these, %d where %s" % (len(part), text), summary(part)["whole"],
                                                      summary(part)["own"], summary(part)["fsync"]))
        beyond = sorted(run["beyond"] for run in runs)
        print("\n    beyond fsyncs, each run: %s" % " ".join("%.0f" % value for value in beyond))
        print("    inside the core: %.1f ms over both hosts; %d commits" % (middle["core"], middle["commits"]))
        print("    ratio: hamon's own share is %.1f %% of the time from the loss to the last start request" % (
            100 * middle["ratio"]))
    cost = result.get("cost")
    if cost:
        print("\n  %d instances defined and protected, %d of them running, on h1; by host" % (cost["instances"], cost["running"]))
        for name in sorted(cost["idle_percent"]):
            print("    %s  RssAnon %5.1f MiB   idle CPU %5.2f %% of a core" % (
                name, cost["rss_anon_mib"][name], cost["idle_percent"][name]))
    print("\n  %-44s %12s %12s" % ("FIGURE", "VALUE", "GOAL"))
    for text, value, goal, good in goals(result):
        print("  %-44s %12s %12s   %s" % (text, value, goal, "ok" if good else "NOT"))
    print("\n  load of the machine %.1f on %d processors: it was %s" % (
        os.getloadavg()[0], os.cpu_count(), "busy" if os.getloadavg()[0] > os.cpu_count() else "quiet"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", required=True)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--guests", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--enforce", action="store_true")
    parser.add_argument("--only", choices=("share", "cost"))
    options = parser.parse_args()
    runs = 2 if options.short else options.runs
    if runs < 1 or not 1 <= options.guests <= 50:
        parser.error("at least one run, and 1 to 50 guests")

    end_by_exception()
    progress = lambda text: print("  " + text, file=sys.stderr if options.json else sys.stdout, flush=True)
    result = {"guests": options.guests, "runs": []}
    try:
        for number in range(0 if options.only == "cost" else runs):
            figures = one_run(options.stage, number, options.guests, 3600)
            result["runs"].append(figures)
            progress("run %2d of %d: %s lost%s, own %.0f ms (fsyncs %.0f) of %.0f ms" % (
                number + 1, runs, figures["victim"], " (the coordinator)" if figures["was_coordinator"] else "",
                figures["own"], figures["fsync"], figures["whole"]))
        if result["runs"]:
            result["median"] = summary(result["runs"])
        if options.only != "share":
            progress("memory and idle CPU, %s" % ("shortly" if options.short else "a few minutes"))
            short = options.short
            result["cost"] = cost_measure(options.stage, 20 if short else INSTANCES, 2 if short else 10, 10 if short else 60,
                                          5 if short else IDLE_SETTLE_S, 3600)
    except Ended as ended:
        print("\n  interrupted: everything is taken down", file=sys.stderr)
        return ended.args[0]
    except LabError as error:
        print("bench: %s" % error, file=sys.stderr)
        return 1
    if options.json:
        result["goals"] = [dict(zip(("figure", "value", "goal", "ok"), row)) for row in goals(result)]
        print(json.dumps(result, indent=1))
    else:
        tell(result)
    return 1 if options.enforce and not all(good for _, _, _, good in goals(result)) else 0


if __name__ == "__main__":
    sys.exit(main())
