"""hamon-fence with a real fence_ipmilan against a real BMC's software (OpenIPMI's ipmi_sim).

One private namespace of network and processes, whose only link is its loopback: nothing that is sent in here can
leave, and everything in here ends with it. Needs root, and HAMON_BUILDDIR (or HAMON_STAGE) for the program.
"""
import glob
import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.xdist_group("test_fence_agent")

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ADDRESS = "10.77.9.101"
PASSWORD = "s3cret-bmc"

EMULATOR = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""

LAN = """\
name "bmc"
set_working_mc 0x20
  startlan 1
    addr %(address)s 623
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789000001
  endlan
  chassis_control "%(chassis)s"
  startnow false
  user 1 true "" "%(password)s" user 10 none md2 md5 straight
  user 2 true "admin" "%(password)s" admin 10 none md2 md5 straight
"""

# The host's power supply. off.at: the boot clock's ms at which it is, or was, off; delay: how long that takes;
# stuck: it takes the command and does nothing.
CHASSIS = """\
#!/bin/sh
cd %(folder)s || exit 1
echo "$*" >>chassis.log
now() { awk '{ printf "%%d", $1 * 1000 }' /proc/uptime; }
power() { [ -e off.at ] && [ "$(now)" -ge "$(cat off.at)" ] && echo 0 || echo 1; }
shift
op=$1
shift
case $op in
get)
	for what in "$@"; do
		case $what in
		power) echo "power:$(power)" ;;
		boot) echo boot:default ;;
		*) exit 1 ;;
		esac
	done
	;;
set)
	while [ $# -ge 2 ]; do
		if [ "$1 $2" = "power 0" ]; then
			[ -e stuck ] || [ -e off.at ] || echo $(($(now) + $(cat delay))) >off.at
		elif [ "$1 $2" = "power 1" ]; then
			rm -f off.at
		fi
		shift 2
	done
	;;
esac
exit 0
"""


def program_path():
    stage = os.environ.get("HAMON_STAGE", "")
    places = [os.path.join(os.environ.get("HAMON_BUILDDIR", TOP), "hamon-fence"),
              os.path.join(TOP, "build", "hamon-fence")]
    places += glob.glob(os.path.join(stage, "**", "libexec", "hamon", "hamon-fence"), recursive=True) if stage else []
    for path in places:
        if os.access(path, os.X_OK):
            return path
    raise RuntimeError("hamon-fence is in none of %s; set HAMON_BUILDDIR" % places)


class Bmc:
    """The namespace, the BMC in it and the host behind the BMC."""

    def __init__(self, folder):
        self.folder = folder
        self.program = program_path()
        # The first process of the space is a shell that lives as long as its stdin: even a killed test leaves
        # nothing behind. The BMC is its child, for a process that is entered with nsenter has a parent outside.
        self.space = subprocess.Popen(
            ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "sh"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.shell("ip link set lo up && ip addr add %s/32 dev lo && echo up" % ADDRESS)
        assert self.space.stdout.readline() == "up\n"
        with open("/proc/%d/task/%d/children" % (self.space.pid, self.space.pid)) as children:
            self.init = int(children.read().split()[0])
        self.write("emulator", EMULATOR)
        self.write("chassis", CHASSIS % {"folder": folder}, 0o755)
        self.write("lan", LAN % {"address": ADDRESS, "password": PASSWORD, "chassis": self.path("chassis") + " 0x20"})
        self.write("secrets", "password=%s\n" % PASSWORD, 0o600)
        self.write("wrong-secrets", "password=wr0ng-bmc\n", 0o600)
        os.mkdir(self.path("state"))
        self.host_on()
        self.shell("ipmi_sim -c %(f)s/lan -f %(f)s/emulator -s %(f)s/state -n </dev/null >%(f)s/sim.log 2>&1 &"
                   % {"f": folder})
        self.wait(lambda: self.fence("status")[-1]["ok"])

    def close(self):
        self.space.stdin.close()
        self.space.wait()
        self.space.stdout.close()

    def shell(self, line):
        self.space.stdin.write(line + "\n")
        self.space.stdin.flush()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as out:
            out.write(text)
        os.chmod(self.path(name), mode)

    def inside(self, command):
        return ["nsenter", "-t", str(self.init), "-n", "-p", "-m", "--"] + command

    def wait(self, probe):
        for _ in range(600):
            if probe():
                return
            time.sleep(0.1)
        raise AssertionError("waited in vain")

    def host_on(self, delay=0):
        for name in ("off.at", "stuck", "chassis.log"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        self.write("delay", str(delay))

    def is_off(self):
        with open("/proc/uptime") as text:
            now = float(text.read().split()[0]) * 1000
        try:
            with open(self.path("off.at")) as text:
                return now >= int(text.read())
        except FileNotFoundError:
            return False

    def request(self, **changes):
        options = {"ip": ADDRESS, "username": "admin", "lanplus": "1", "cipher": "3"}
        options.update(changes.pop("options", {}))
        request = {"op": "op-1", "host": "h1", "device": "ipmi1", "agent": "fence_ipmilan", "options": options,
                   "secrets_file": self.path("secrets"), "timeout_ms": 60000, "retries": 1, "status_timeout_ms": 20000}
        request.update(changes)
        return json.dumps(request)

    def start(self, verb, **changes):
        child = subprocess.Popen(self.inside([self.program, verb]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        child.stdin.write(self.request(**changes))
        child.stdin.close()
        return child

    def fence(self, verb, **changes):
        """Its lines, the result last; its stderr in self.words."""
        done = subprocess.run(self.inside([self.program, verb]), input=self.request(**changes), capture_output=True,
                              text=True, timeout=300)
        self.words = done.stderr
        assert done.returncode == 0, done
        assert PASSWORD not in done.stdout + done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["type"] for line in lines].count("result") == 1 and lines[-1]["type"] == "result"
        return lines

    def processes(self, *names):
        """The pids inside of the living programs inside that are called so; a shell as init reaps no orphans."""
        done = subprocess.run(self.inside(["ps", "-e", "-o", "pid=,stat=,comm="]), capture_output=True, text=True, check=True)
        found = [line.split(None, 2) for line in done.stdout.splitlines()]
        return [pid for pid, state, name in found if name in names and state[0] != "Z"]

    def signal(self, name, number):
        """To the one process inside with this name: by its pid there, where nobody else's process can be."""
        pids = self.processes(name)
        assert len(pids) == 1, pids
        subprocess.run(self.inside(["kill", "-%d" % number, pids[0]]), check=True)


@pytest.fixture(scope="module")
def bmc(tmp_path_factory):
    made = Bmc(str(tmp_path_factory.mktemp("bmc")))
    yield made
    made.close()


def test_status_and_monitor(bmc):
    bmc.host_on()
    assert bmc.fence("status")[-1]["power"] == "on"
    result = bmc.fence("monitor")[-1]
    assert result["ok"] and result["power"] == "on" and result["warnings"] == []
    assert not bmc.is_off()
    with open(bmc.path("chassis.log")) as log:
        assert " set " not in log.read()


def test_off(bmc):
    bmc.host_on()
    lines = bmc.fence("off")
    result = lines[-1]
    assert result["ok"] and result["readback"] == "off" and result["proof"] == "readback" and result["attempts"] == 1, result
    assert not result["already_off"] and not result["may_still_arrive"]
    assert bmc.is_off()
    assert lines[0]["phase"] == "off-sent"


def test_already_off(bmc):
    bmc.host_on()
    bmc.fence("off")
    result = bmc.fence("off")[-1]
    assert result["ok"] and result["already_off"], result
    assert bmc.fence("status")[-1]["power"] == "off"


@pytest.mark.scenario(29)
def test_reads_on_for_a_while(bmc):
    bmc.host_on(delay=4000)
    lines = bmc.fence("off")
    assert lines[-1]["ok"] and lines[-1]["attempts"] == 1 and not lines[-1]["already_off"], lines
    assert bmc.is_off()
    assert {"type": "progress", "op": "op-1", "phase": "readback", "detail": "on"} in lines


@pytest.mark.scenario(28)
def test_accepted_and_still_on(bmc):
    bmc.host_on()
    bmc.write("stuck", "")
    result = bmc.fence("off", timeout_ms=9000, options={"power_timeout": "3"}, retries=0)[-1]
    assert not result["ok"] and result["readback"] == "on" and result["proof"] is None, result
    assert result["may_still_arrive"]
    # fence_ipmilan looks for itself before it says that all is well; so it is its word that tells.
    assert result["error_class"] in ("still-on", "unreachable", "agent-failed", "timeout") and "still reads on" in result["error"], result


def test_wrong_password(bmc):
    bmc.host_on()
    for verb in ("monitor", "status", "off"):
        result = bmc.fence(verb, secrets_file=bmc.path("wrong-secrets"), retries=0)[-1]
        assert not result["ok"] and result["error_class"] == "unreachable", result
        assert "wr0ng-bmc" not in json.dumps(result) + bmc.words
    assert not bmc.is_off()


def test_secrets_that_others_can_read(bmc):
    bmc.write("open-secrets", "password=%s\n" % PASSWORD, 0o644)
    result = bmc.fence("off", secrets_file=bmc.path("open-secrets"))[-1]
    assert result["error_class"] == "secrets" and not result["may_still_arrive"]
    assert not bmc.is_off()


def test_misspelt_option(bmc):
    result = bmc.fence("monitor", options={"lan_plus": "1"})[-1]
    assert result["error"] == "fence_ipmilan: unknown option lan_plus (did you mean lanplus?)"


@pytest.mark.scenario(2)
def test_silent_bmc_is_no_proof(bmc):
    bmc.host_on()
    bmc.signal("ipmi_sim", signal.SIGSTOP)
    try:
        result = bmc.fence("off", timeout_ms=15000, status_timeout_ms=5000, retries=0)[-1]
    finally:
        bmc.signal("ipmi_sim", signal.SIGCONT)
    assert not result["ok"] and result["readback"] == "unknown" and result["proof"] is None, result
    assert result["error_class"] in ("unreachable", "timeout")
    assert result["may_still_arrive"]
    bmc.wait(lambda: bmc.fence("status")[-1]["ok"])


def test_killed_in_the_middle(bmc):
    bmc.host_on()
    bmc.signal("ipmi_sim", signal.SIGSTOP)
    try:
        # The agent itself would wait for a quarter of an hour.
        child = bmc.start("off", options={"ipmitool_timeout": "900", "power_timeout": "900"})
        bmc.wait(lambda: bmc.processes("ipmitool"))
        bmc.signal("hamon-fence", signal.SIGKILL)
        child.wait()
        bmc.wait(lambda: not bmc.processes("ipmitool", "fence_ipmilan", "fence-keeper", "hamon-fence"))
    finally:
        bmc.signal("ipmi_sim", signal.SIGCONT)
    child.stdout.close()
    child.stderr.close()
    bmc.wait(lambda: bmc.fence("status")[-1]["ok"])


def test_readback_against_the_agents_own_end(bmc, capsys):
    """How much sooner the readback is than the end of the agent's `off`. A measure, and no assertion about it."""
    readback, agent = [], []
    for _ in range(5):
        bmc.host_on()
        start = time.monotonic()
        child = bmc.start("off")
        while json.loads(child.stdout.readline())["type"] != "result":
            pass
        readback.append(time.monotonic() - start)
        child.stdout.close()
        assert child.wait() == 0 and bmc.is_off()
        child.stderr.close()
        bmc.host_on()
        options = "action=off\nip=%s\nusername=admin\npassword=%s\nlanplus=1\ncipher=3\n" % (ADDRESS, PASSWORD)
        start = time.monotonic()
        subprocess.run(bmc.inside(["fence_ipmilan"]), input=options, capture_output=True, text=True, check=True)
        agent.append(time.monotonic() - start)
        assert bmc.is_off()
    with capsys.disabled():
        print("\n  off by readback: %s s (median %.2f); fence_ipmilan's own end: %s s (median %.2f)"
              % (" ".join("%.2f" % t for t in readback), sorted(readback)[2],
                 " ".join("%.2f" % t for t in agent), sorted(agent)[2]), file=sys.stdout)


@pytest.mark.parametrize("path", sorted(glob.glob("/usr/sbin/fence_*")))
def test_metadata_of_every_agent(bmc, path):
    """What is installed is understood, and what could prove nothing is refused with its reason."""
    name = os.path.basename(path)
    own = subprocess.run([path, "-o", "metadata"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    done = subprocess.run(bmc.inside([bmc.program, "metadata"]), input=json.dumps({"op": "op-1", "agent": name}),
                          capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    if own.returncode or "<resource-agent" not in own.stdout:
        assert not result["ok"] and result["error_class"] == "agent-failed", result
        return
    assert len(result["parameters"]) == own.stdout.count("<parameter "), result
    assert len(result["actions"]) == own.stdout.count("<action "), result
    proves = '<action name="off"' in own.stdout and '<action name="status"' in own.stdout
    assert result["ok"] == proves, result
    if not proves:
        assert "it has no action" in result["error"]
