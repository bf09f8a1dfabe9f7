"""A Linux guest as in life is recovered with its nvram, its network and its qcow2 chain."""
import os

import linux
import pytest

CACHE = os.path.join(os.environ.get("HAMON_BUILD") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                                                                   "build"), "guest")


@pytest.mark.lab(services=["corosync", "bridge", "libvirtd", "hamond"])
def test_uefi_linux_guest(cluster):
    guest = linux.LinuxGuest(cluster.lab, "linux", CACHE)
    cluster.add(guest, "h1")
    cluster.wait_known()
    assert guest.efi_boots() == 1 and guest.heard(cluster.host("h1")).nonce == guest.read().nonce
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "linux")
    cluster.wait_running("linux", on=("h2", "h3"))
    assert guest.efi_boots() == 2  # it found the nvram that it had left
    assert guest.heard(cluster.host(guest.hosts()[0])).nonce == guest.read().nonce
