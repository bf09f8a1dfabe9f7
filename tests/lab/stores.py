"""Storage servers on the switch (10.77.0.254), and GlusterFS on the hosts themselves."""
import os

import guests
import spaces

SERVER = "10.77.0.254"


def nbd_guest(lab, name, memory=4, **said):
    """A witness on an NBD export of its own. Nothing locks an NBD disk."""
    folder = os.path.join(lab.folder, "nbd")
    image = os.path.join(folder, name + ".img")
    guests.image_make(lab, image)
    port = 10809 + len(os.listdir(folder)) - 1
    lab.spawn(["qemu-nbd", "-f", "raw", "-b", SERVER, "-p", str(port), "-e", "8", "-t", "-x", name, "--cache=writeback",
               image], os.path.join(lab.folder, "nbd.log"))
    spaces.wait_until("qemu-nbd listens", lambda: lab.run(
        ["qemu-img", "info", "nbd://%s:%d/%s" % (SERVER, port, name)], check=False).returncode == 0,
        seen=lambda: open(os.path.join(lab.folder, "nbd.log")).read())
    source = "<source protocol='nbd' name='%s'><host name='%s' port='%d'/></source>" % (name, SERVER, port)
    guest = guests.Guest(lab, name, guests.raw_disk(source, "none", kind="network"),
                         lambda: guests.read_witness(image), memory, guests.metadata_xml(**said))
    guest.image = image
    return guest
