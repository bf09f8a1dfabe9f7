#!/usr/bin/python3
"""What came of the lab's tests, from pytest's JUnit files: results.py FILE..

Tells the slowest, every test that was skipped, and why, and every failure, and ends with the line "PASSED FAILED SKIPPED". A file that is missing or torn is a
failure: its tests were not seen to pass.
"""
import sys
import xml.etree.ElementTree as tree


def verdict(case):
    for kind in ("failure", "error", "skipped"):
        if case.find(kind) is not None:
            return kind
    return "passed"


def read(paths):
    """(seconds, name, verdict) of each test, and what else is to be told. One that passed and failed to clean up is told
    twice by pytest: it failed."""
    cases, problems, skips = {}, [], []
    for path in paths:
        try:
            for case in tree.parse(path).getroot().iter("testcase"):
                name = "%s::%s" % (case.get("classname"), case.get("name").split("@")[0])
                seconds, before = cases.get(name, (0.0, "passed"))
                skips += ["%s: %s" % (name, skip.get("message")) for skip in case.iter("skipped")]
                cases[name] = seconds + float(case.get("time")), before if before in ("failure", "error") else verdict(case)
        except (OSError, tree.ParseError) as error:
            problems.append("%s: %s" % (path, error))
    return sorted((seconds, name, what) for name, (seconds, what) in cases.items()), problems, skips


def main(paths):
    cases, problems, skips = read(paths)
    print("  slowest: " + ", ".join("%s %.0f s" % (name, seconds) for seconds, name, _ in cases[:-6:-1]))
    for text in skips:
        print("  SKIPPED " + text)
    failed = ["%s (%s)" % (name, what) for _, name, what in cases if what in ("failure", "error")] + problems
    for text in failed:
        print("  FAILED " + text)
    count = [what for _, _, what in cases].count
    print("%d %d %d" % (count("passed"), len(failed), count("skipped")))


if __name__ == "__main__":
    main(sys.argv[1:])
