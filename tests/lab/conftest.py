"""What all lab tests share.

A test that uses `cluster` gets a lab of its own, with hamon on every host: it is up in seconds, and nothing
that one test did can matter to the next. @pytest.mark.lab(hosts=5, hamon={..}) are Lab's arguments, and boot=False
leaves the hosts off; @pytest.mark.scenario(1, 24) says which rows of
scenarios.py it covers, @pytest.mark.long that it is too slow for every day, @pytest.mark.nova that it needs tests/nova
(and short that tests/all runs it all the same). Every
such test ends with the invariant check of cluster.py, and leaves the hosts' logs in $HAMON_LAB_LOGS when it fails.

tests/all runs them in several processes (pytest-xdist, --dist loadgroup), each with one lab at a time, and then those that
are marked @pytest.mark.alone one after the other: they measure, look at the machine as a whole, or leave nothing for others.
A module whose tests share a lab is one group.
"""
import os
import re
import signal
import sys
import threading

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

if "PYTEST_XDIST_WORKER" in os.environ:  # before anybody imports keeper.py
    os.environ["HAMON_LAB_BASE"] = "%s-%s" % (os.environ.get("HAMON_LAB_BASE", "/var/tmp/hamon-lab"),
                                              os.environ["PYTEST_XDIST_WORKER"])

LOGS = os.environ.get("HAMON_LAB_LOGS") or os.path.join(HERE, "..", "..", "build", "lab-logs")


def pytest_configure(config):
    config.addinivalue_line("markers", "lab(**options): arguments for the Lab of this test")
    config.addinivalue_line("markers", "scenario(number, ..): the rows of scenarios.py that this test covers")
    config.addinivalue_line("markers", "nova: needs the real OpenStack of tests/nova; left out unless --nova is given")
    config.addinivalue_line("markers", "short: of the tests with a real Nova, one that tests/all runs too")
    config.addinivalue_line("markers", "alone: not while other tests run")
    config.addinivalue_line("markers", "xdist_group(name): its tests go to the same process")
    config.addinivalue_line("markers", "long: slow; left out unless --long is given")
    # A terminated test run ends like an interrupted one: through the finalizers, which take the lab down.
    # Whoever starts us in the background makes us ignore SIGINT.
    # A worker of xdist may run its tests in another thread than its first: its signals stay as they are, the process that started it ends it.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the slow tests too")
    parser.addoption("--nova", action="store_true", help="the tests with a real Nova, and only these; see tests/nova")
    parser.addoption("--nova-short", action="store_true", help="besides the others those tests with a real Nova that are marked short")


def pytest_collection_modifyitems(config, items):
    def wanted(item):
        if item.get_closest_marker("nova") and not config.getoption("--nova"):
            return config.getoption("--nova-short") and item.get_closest_marker("short")
        if config.getoption("--nova") and not item.get_closest_marker("nova"):
            return False
        return config.getoption("--long") or not item.get_closest_marker("long")

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]


def stage():
    """The tree that `make install DESTDIR=` made: from tests/all, or of the last build."""
    folder = os.environ.get("HAMON_STAGE") or os.path.join(HERE, "..", "..", "build", "all", "stage")
    if not os.path.exists(os.path.join(folder, "usr/local/sbin/hamond")):
        pytest.fail("no installed hamon in %s: run tests/all, or set HAMON_STAGE" % os.path.abspath(folder), pytrace=False)
    return os.path.abspath(folder)


@pytest.fixture
def cluster(request):
    import cluster as cluster_module
    from lab import Lab
    options = {}
    for marker in reversed(list(request.node.iter_markers("lab"))):  # the test's own word is the last
        options.update(marker.kwargs)
    boot = options.pop("boot", True)
    with Lab(stage=stage(), what=request.node.name, wait=3600, **options) as lab:
        made = request.node.cluster = cluster_module.Cluster(lab)
        made.tell = print  # shown when the test fails, and with -s
        try:
            made.up(boot)
        except BaseException:
            save_logs(request.node)
            raise
        yield made


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    outcome = yield
    outcome.get_result()
    if "cluster" in pyfuncitem.funcargs:
        pyfuncitem.funcargs["cluster"].check()


def save_logs(item):
    folder = os.path.join(LOGS, re.sub(r"[^A-Za-z0-9_.-]+", "-", item.name))
    try:
        item.cluster.save_logs(folder)
    except Exception as error:  # what failed first is what must be shown
        return "logs could not be saved: %r" % error
    return "logs: %s" % os.path.abspath(folder)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and call.when == "call" and "cluster" in getattr(item, "funcargs", {}):
        report.sections.append(("cluster", save_logs(item) + "\n" + item.cluster.report()))
