"""A board management controller a host: OpenIPMI's ipmi_sim, which fence_ipmilan talks to as to any BMC.

They stand on the management network at 10.77.2.10N: a host that is cut from the cluster can still be fenced
through them, and can still fence the others, which it must not do. Their chassis power is the host's init, in
the keeper's hands.
"""
import os
import signal

import config
import spaces

EMULATOR = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""

LAN = """\
name "%(name)s"
set_working_mc 0x20
  startlan 1
    addr %(address)s 623
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa12345678900%(number)04d
  endlan
  chassis_control "%(init)s bmc %(socket)s %(name)s"
  startnow false
  user 1 true "" "%(password)s" user 10 none md2 md5 straight
  user 2 true "%(user)s" "%(password)s" admin 10 none md2 md5 straight
"""


def _folder(lab, host):
    return os.path.join(lab.folder, "bmc", host.name)


def start(lab, hosts=None):
    hosts = hosts or lab.hosts
    lab.tools.ip(lab.pid, ["addr replace %s/24 dev br2" % config.bmc_address(host.number) for host in hosts])
    for host in hosts:
        folder = _folder(lab, host)
        os.makedirs(os.path.join(folder, "state"), exist_ok=True)
        with open(os.path.join(folder, "emulator"), "w") as out:
            out.write(EMULATOR)
        with open(os.path.join(folder, "lan"), "w") as out:
            out.write(LAN % {"name": host.name, "number": host.number, "address": config.bmc_address(host.number),
                             "user": config.BMC_USER, "password": config.BMC_PASSWORD, "init": lab.tools.init,
                             "socket": os.path.join(lab.folder, "power")})
        pid = lab.spawn(["ipmi_sim", "-c", os.path.join(folder, "lan"), "-f", os.path.join(folder, "emulator"),
                         "-s", os.path.join(folder, "state"), "-n"], os.path.join(folder, "log"))
        with open(os.path.join(folder, "pid"), "w") as out:
            out.write("%d %d" % (pid, spaces.start_time(pid)))


def _process(lab, host):
    with open(os.path.join(_folder(lab, host), "pid")) as text:
        pid, started = text.read().split()
    return int(pid), int(started)


def freeze(lab, host):
    """The BMC takes packets and never answers: every call runs into its timeout."""
    spaces.kill(*_process(lab, host), signal.SIGSTOP)


def thaw(lab, host):
    spaces.kill(*_process(lab, host), signal.SIGCONT)


def stop(lab, host):
    """The BMC has no power either. start(lab, [host]) brings it back."""
    spaces.kill_wait(*_process(lab, host))


def power_log(lab):
    """What the BMCs did: [(boot clock s, host, "off"|"on")]."""
    try:
        with open(os.path.join(lab.folder, "power.log")) as log:
            return [(float(when), host, what) for when, host, what in (line.split() for line in log)]
    except FileNotFoundError:
        return []


def trap(lab, host, also):
    """When this host's BMC is next told to switch off, `also` loses its power in the same moment, before the
    BMC has answered."""
    with open(os.path.join(lab.folder, "trap-" + host.name), "w") as out:
        out.write(also.name)
