#!/usr/bin/python3
"""hamon-storage's verdict on servers of Nova with Cinder's volumes: tests/unit/nova/domain_volume.xml is one as Nova has defined it. What its
share is mounted on exists nowhere here, as on a host that has nothing of it attached.
"""
import json
import os
import subprocess
import sys

SRC = os.environ.get("HAMON_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILD = os.environ.get("HAMON_BUILDDIR", os.getcwd())
LOCAL = """<disk type='file' device='disk'><source file='/nonexistent/instances/disk.swap'/><target dev='vdb'/></disk>
    <controller type='usb'"""


def verdict(xml, plane="nova"):
    request = {"op": "1", "self": "h2", "plane": plane, "probe_timeout_ms": 3000, "instances": [
        {"uuid": "1", "name": "v1", "owner": "h1", "xml": xml, "places": [], "devices": []}]}
    done = subprocess.run([os.path.join(BUILD, "hamon-storage"), "check"], input=json.dumps(request), capture_output=True,
                          text=True, timeout=60)
    told = next(json.loads(line) for line in done.stdout.splitlines() if '"verdict"' in line)
    return told["verdict"], told["reason"]


def main():
    with open(os.path.join(SRC, "tests/unit/nova/domain_volume.xml")) as text:
        xml = text.read()
    serial = xml[xml.index("<serial>"):xml.index("</serial>") + 9]
    assert len(serial) == 53
    cases = [
        ("a volume", verdict(xml), "volume", "vda: Cinder's volume %s: Nova attaches it where the instance goes" % serial[8:44]),
        ("without Nova as the control plane", verdict(xml, None), "local", "vda: h2 has no folder /var/lib/nova/mnt"),
        ("not defined by Nova", verdict(xml.replace("openstack.org", "example.org")), "local", "vda: h2 has no folder /var/lib/nova/mnt"),
        ("a disk without a serial", verdict(xml.replace(serial, "")), "local", "vda: h2 has no folder /var/lib/nova/mnt"),
        ("a serial that is no id", verdict(xml.replace(serial, "<serial>WD-1234</serial>")), "local", "vda: h2 has no folder /var/lib/nova/mnt"),
        ("a LUN", verdict(xml.replace("type='file' device", "type='block' device").replace("source file", "source dev")), "volume",
         "vda: Cinder's volume"),
        ("a local disk beside it", verdict(xml.replace("<controller type='usb'", LOCAL, 1)), "local",
         "vdb: h2 has no folder /nonexistent"),
    ]
    bad = 0
    for what, (found, reason), expected, words in cases:
        good = found == expected and words in reason
        bad += not good
        print("%s %s: %s, %s" % ("ok" if good else "FAILED", what, found, reason))
    return 1 if bad else 0


sys.exit(main())
