"""Many servers in the lab's cloud: real guests (QEMU, by Nova's libvirt driver) that halt at once, so that hundreds fit into one machine.

They are looked at in Nova's database, which costs far less than its API.
"""
import cloudstate
from spaces import LabError, wait_until

COMPUTE = {"cpu_allocation_ratio": 500}  # for Cloud: the guests do nothing
IMAGE = "halts"
SECTOR = (b"\xfa\xf4\xeb\xfd").ljust(510, b"\0") + b"\x55\xaa"  # cli; hlt; jmp back
AT_ONCE = 50  # asked for by one call, and waited for: a boot that waits behind too many others may time out


class Crowd:
    def __init__(self, cloud):
        self.cloud, self.database = cloud, cloudstate.Database(cloud)
        self._image = cloud.nova.call("POST", "/images", {"name": IMAGE, "disk_format": "raw", "container_format": "bare"},
                                      service="image")["id"]
        cloud.nova.call("PUT", "/images/%s/file" % self._image, service="image", data=SECTOR.ljust(1 << 20, b"\0"))

    def servers(self):
        """Their ids."""
        return [row[0] for row in self.database.rows("SELECT uuid FROM nova.instances WHERE deleted = 0")]

    def states(self):
        """((host, vm_state, task_state, how many), ..)"""
        return self.database.rows("SELECT host, vm_state, task_state, COUNT(*) FROM nova.instances WHERE deleted = 0 GROUP BY "
                                  "host, vm_state, task_state")

    def boot(self, host, count, timeout, tell=lambda done, count: None):
        for first in range(0, count, AT_ONCE):
            some = min(AT_ONCE, count - first)
            self.cloud.nova.call("POST", "/servers", {"server": {
                "name": "s", "imageRef": self._image, "flavorRef": "1", "networks": "none", "min_count": some, "max_count": some,
                "availability_zone": "nova:" + host}})
            self.wait_on(host, first + some, timeout, lambda done, _: tell(done, count))

    def wait_on(self, host, count, timeout, tell=lambda done, count: None):
        """Until so many, and no other, are ACTIVE on that host. tell is told how many are."""
        def there():
            states = self.states()
            if any(vm_state == "error" for _, vm_state, _, _ in states) or self.database.rows(
                    "SELECT 1 FROM nova_cell0.instances WHERE deleted = 0"):
                raise LabError("a server does not boot\n%s" % self.cloud.report())
            tell(sum(number for _, vm_state, task, number in states if vm_state == "active" and not task), count)
            return states == ((host, "active", None, count),)
        wait_until("%d servers are ACTIVE on %s" % (count, host), there, timeout, 0.5, seen=self.states)

    def delete_all(self, timeout):
        for server in self.servers():
            self.cloud.nova.delete(server)
        wait_until("all servers are gone", lambda: not self.states(), timeout, 0.5, seen=self.states)
