#!/usr/bin/python3
"""The faults that hamon must survive, and which of the lab's tests show it.

Each test names the rows that it covers: @pytest.mark.scenario(1, 24). As a program (or tests/all --scenarios): the table,
row by row, and what has no test here.
"""
import ast
import collections
import glob
import os
import sys

Row = collections.namedtuple("Row", "number text why_not")


def row(number, text, why_not=None):
    """why_not: the reason when this lab has no test of the row."""
    return Row(number, text, why_not)


ROWS = [
    row(1, "A host loses power, its BMC lives: read back as off, then each protected guest starts once."),
    row(2, "A host loses power and its BMC with it: time is no proof; a second device or a person is."),
    row(3, "A kernel panic with kdump: its message counts as evidence, the power goes after the dump.",
        "hamon does not listen to kdump yet"),
    row(4, "corosync killed under living guests: fenced before any start; back within the grace, nothing happens."),
    row(5, "corosync stopped for a while: shorter than the token, nothing; longer, fencing comes first."),
    row(6, "hamond killed on a healthy host: no host failure, no fencing."),
    row(7, "CPU starved: nobody is fenced."),
    row(8, "A host loses the cluster's network, but not its storage: the side with quorum fences it."),
    row(9, "A host loses the cluster's network and its storage with it: as before; a lost lock proves nothing."),
    row(10, "One host loses its storage: its guests run nowhere else while they may still write."),
    row(11, "Everybody loses the storage: nobody is fenced, nothing moves; it goes on when the storage is back."),
    row(12, "Storage read-only or hung on a target: not a target, and its probes hold up nothing."),
    row(13, "Asymmetric loss, A to B: the majority's view counts, and B alone fences nobody."),
    row(14, "Partition 2 + 3: only the three act."),
    row(15, "Two hosts, partition, no third vote: never both dead; an unsafe configuration is flagged."),
    row(16, "Two hosts that would fence each other: one survives, by its delay."),
    row(17, "The whole network freezes and heals: nobody is fenced."),
    row(18, "More than half of the hosts vanish at once: the brake holds until a person releases it."),
    row(19, "A rack of two among ten: both recovered, within limits and capacity.",
        "ten real hosts are too much for one small machine; the simulator has them"),
    row(20, "The cloud's control plane is dead, the hosts live: no fencing."),
    row(21, "Nova fails in the middle: read before anything is repeated."),
    row(22, "The answer to an accepted evacuate is lost: no second one."),
    row(23, "Nova's token is revoked: one new login, then hold."),
    row(24, "The coordinator dies between the intent and the fencing: the next one goes on."),
    row(25, "The coordinator dies between the fencing and its record: confirmed anew, then on."),
    row(26, "The coordinator dies among the starts: each guest starts once."),
    row(27, "The coordinator stands still and wakes after it was replaced: its old commands have no effect."),
    row(28, "A fence agent says off, the host is on: the readback says so, nothing starts."),
    row(29, "Off is accepted, and reads on for a while: wait, then go on."),
    row(30, "A BMC of the wrong host: what it reads and who lives contradict each other; nothing starts."),
    row(31, "A fenced host switches itself on early: quarantined; its guests move, once."),
    row(32, "A host returns with its old guests: they end, or never start, before it is admitted."),
    row(33, "A host that flaps: no loop of fencing, no second run."),
    row(34, "The wall clock steps by an hour, by years: the same decisions."),
    row(35, "A watchdog that is not armed, or no more: no proof, and it is said.",
        "hamon takes no watchdog for a proof yet"),
    row(36, "A guest is migrating when its host dies: its true owner is found, or it is held."),
    row(37, "A guest on a local disk of the dead host: not rebuilt without a person's word for it."),
    row(38, "A target dies, or is too small: the rest waits, visibly, or goes elsewhere."),
    row(39, "A store full, damaged or hung: no act that cannot be undone; found out."),
    row(40, "Forged, oversized and unprivileged messages: refused, and nothing changes."),
    row(41, "A person stops a guest or sets maintenance in the middle: their wish wins."),
    row(42, "Two versions in one cluster during a failure: the lowest common protocol, or no coordinator.",
        "there is one version yet; the simulator mixes protocols"),
]

Test = collections.namedtuple("Test", "file name numbers long nova")


def _marks(decorators):
    """(name, arguments) of each pytest.mark.NAME or pytest.mark.NAME(..) among the decorators."""
    for node in decorators:
        call = node if isinstance(node, ast.Call) else None
        target = call.func if call else node
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute) and target.value.attr == "mark":
            yield target.attr, [ast.literal_eval(word) for word in call.args] if call and target.attr == "scenario" else []


def tests(folder=os.path.dirname(os.path.abspath(__file__))):
    """Every test of the lab that names a row, in the order of the files; a file's pytestmark counts for all its tests."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "test_*.py"))):
        with open(path) as text:
            tree = ast.parse(text.read(), path)
        whole = [node.value for node in tree.body if isinstance(node, ast.Assign) and
                 getattr(node.targets[0], "id", None) == "pytestmark"]
        shared = [mark for value in whole for mark in _marks(value.elts if isinstance(value, ast.List) else [value])]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = shared + list(_marks(node.decorator_list))
                names = {name for name, _ in marks}
                numbers = [number for name, words in marks if name == "scenario" for number in words]
                if numbers:
                    found.append(Test(os.path.basename(path), node.name, numbers, "long" in names,
                                      "nova" in names and "short" not in names))
    return found


def table(found):
    """The lines to print."""
    lines, covered = [], 0
    for entry in ROWS:
        mine = [test for test in found if entry.number in test.numbers]
        covered += bool(mine)
        lines.append("%2d  %s" % (entry.number, entry.text))
        for test in mine:
            lines.append("      %s%s%s" % (test.name, "  (only with --long)" if test.long else "",
                                           "  (only by tests/nova)" if test.nova else ""))
        if not mine:
            lines.append("      no test here: %s" % (entry.why_not or "NONE YET"))
    lines.append("")
    lines.append("%d of %d faults are tested in the lab, by %d tests" % (covered, len(ROWS), len(found)))
    return lines


if __name__ == "__main__":
    print("\n".join(table(tests())))
    sys.exit(0)
