"""Cinder in the lab's cloud, with its NFS driver: volumes are files of one share, as every host mounts it when Nova attaches one.

The share is a folder of the lab. What stands for NFS itself is only the mount: mount.nfs binds that folder.
"""
import os

import cloudconf
from spaces import wait_until

SHARE = "10.77.0.254:/volumes"
SOURCE = "/srv/shared/volumes"
BACKEND = "nfs"
SERVICES = ("cinder-api", "cinder-scheduler", "cinder-volume")
CONF = "/etc/cinder/cinder.conf"

# mount(8) looks for its helpers in folders that are the machine's own, so we stand before it in PATH.
PROGRAMS = {
    "mount": """\
#!/bin/sh
[ "$1 $2" != "-t nfs" ] || { shift 2; exec mount.nfs "$@"; }
exec /usr/bin/mount "$@"
""",
    "mount.nfs": """\
#!/bin/sh
[ $# -ge 2 ] || exit 1
for word; do share=$folder folder=$word; done
[ "$share" = %s ] || { echo "mount.nfs: access denied by server while mounting $share" >&2; exit 32; }
exec /usr/bin/mount --bind %s "$folder"
""" % (SHARE, SOURCE),
}


def conf():
    helper = {"helper_command": "/usr/bin/privsep-helper --config-file " + CONF}
    return cloudconf.ini({
        "DEFAULT": {"state_path": "/var/lib/cinder", "transport_url": cloudconf.TRANSPORT, "my_ip": cloudconf.ADDRESS, "host": "cloud",
                    "auth_strategy": "keystone", "osapi_volume_workers": 1, "log_dir": "/var/log/openstack",
                    "api_paste_config": cloudconf.UNPACKED + "/usr/share/cinder-common/api-paste.ini",
                    "resource_query_filters_file": cloudconf.UNPACKED + "/etc/cinder/resource_filters.json",
                    "glance_api_servers": cloudconf.ENDPOINTS["image"], "enabled_backends": BACKEND,
                    "default_volume_type": "__DEFAULT__", "report_interval": 2, "service_down_time": 8,
                    "image_conversion_dir": "/var/lib/cinder/conversion"},
        BACKEND: {"volume_driver": "cinder.volume.drivers.nfs.NfsDriver", "volume_backend_name": BACKEND,
                  "nfs_shares_config": "/etc/cinder/shares", "nfs_mount_point_base": "/var/lib/cinder/mnt",
                  "nas_secure_file_operations": "false", "nas_secure_file_permissions": "false",
                  "max_over_subscription_ratio": "1000", "reserved_percentage": 0},
        "database": {"connection": cloudconf.database("cinder")},
        "oslo_concurrency": {"lock_path": "/var/lib/cinder/lock"},
        "nova": cloudconf.login(),
        "keystone_authtoken": cloudconf.login(www_authenticate_uri=cloudconf.AUTH_URL, service_token_roles="service",
                                              service_token_roles_required="true"),
        "cinder_sys_admin": helper, "privsep_osbrick": helper,
    })


def programs(host, folder):
    for name, text in PROGRAMS.items():
        host.write("%s/%s" % (folder, name), text, 0o755)


def folder(lab):
    return os.path.join(lab.shared, "volumes")


class Cinder:
    """Started for the tests that need it: Cinder(cloud).up()."""

    def __init__(self, cloud):
        self.cloud = cloud

    def up(self):
        self._service_role()
        for name in SERVICES:
            self.start(name)
        try:
            self.wait()
        except TimeoutError:
            # Seen once on a busy machine: cinder-api logged its first request, of its services, and never answered it.
            self.cloud.kill("cinder-api")
            self.start("cinder-api")
            self.wait()
        return self

    def _service_role(self):
        """Without it Cinder lets nobody end the attachment of a server that exists, not even Nova."""
        told = self.cloud.nova.call("GET", "/auth/tokens", service="identity")["token"]
        role = self.cloud.nova.call("POST", "/roles", {"role": {"name": "service"}}, service="identity")["role"]["id"]
        self.cloud.nova.call("PUT", "/projects/%s/users/%s/roles/%s" % (told["project"]["id"], told["user"]["id"], role),
                             service="identity")

    def start(self, name):
        self.cloud.service(name, "/srv/bin/" + name, "--config-file", CONF, PATH="/srv/bin:" + self.cloud.tools.ENVIRONMENT["PATH"])

    def wait(self, state="up"):
        self.cloud._tcp(8776)
        wait_until("the volume service is %s" % state, lambda: [one["state"] for one in self.services()] == [state], 120, 0.25,
                   seen=lambda: self.services())

    def ask(self, method, path, body=None):
        return self.cloud.nova.call(method, path, body, service="volumev3", microversion="3.70")

    def services(self):
        return self.ask("GET", "/os-services?binary=cinder-volume")["services"]

    def volume(self, volume):
        return self.ask("GET", "/volumes/" + volume)["volume"]

    def make(self, name, image=None):
        """A volume of one GiB, of that image or empty; its id."""
        return self.ask("POST", "/volumes", {"volume": dict({"size": 1, "name": name}, **({"imageRef": image} if image else {}))})[
            "volume"]["id"]

    def wait_available(self, volume):
        def there():
            told = self.volume(volume)
            if told["status"].startswith("error"):
                raise AssertionError(told)
            return told["status"] == "available"
        wait_until("volume %s is available" % volume, there, 120, 0.25, seen=lambda: self.volume(volume)["status"])

    def attached(self, volume):
        """(status, [(server, host)])"""
        told = self.volume(volume)
        return told["status"], [(one["server_id"], one["host_name"]) for one in told["attachments"]]

    def path(self, volume):
        """Its file, outside."""
        return os.path.join(folder(self.cloud.lab), "volume-" + volume)


def cloud_disk(cloud):
    """Cinder's part of the cloud's disk; before it boots."""
    os.makedirs(folder(cloud.lab), exist_ok=True)
    for name in ("lock", "mnt", "conversion"):
        os.makedirs(cloud.path("/var/lib/cinder/" + name), exist_ok=True)
    cloud.write(CONF, conf())
    cloud.write("/etc/cinder/shares", SHARE + "\n")
    programs(cloud, "/srv/bin")


def compute_disk(host):
    """What nova-compute needs to mount the share."""
    programs(host, "/etc/nova/bin")
