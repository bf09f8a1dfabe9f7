"""What is on a host's disk before its first boot: /etc, /var and the settings of corosync, libvirt and hamon."""
import os
import shutil
import subprocess
import uuid

COPIED = ("corosync", "libvirt", "glusterd")  # of the machine's /var/lib: the packages' own skeletons

BMC_USER, BMC_PASSWORD = "admin", "test"


def bmc_address(number):
    """On the management network: a host without its cluster links can still reach every BMC."""
    return "10.77.2.%d" % (100 + number)


# What libvirtd found out about the machine's QEMU, which takes seconds of each host's first boot: it checks itself
# whether that still holds. Kept from lab to lab where there is a folder for it.
CACHE = os.environ.get("HAMON_LAB_CACHE")
CAPABILITIES = "/var/cache/libvirt/qemu/capabilities"


def capabilities_keep(host):
    if CACHE and not os.path.exists(CACHE) and os.path.isdir(host.path(CAPABILITIES)):
        new = "%s.%d.%s" % (CACHE, os.getpid(), host.name)
        shutil.copytree(host.path(CAPABILITIES), new)
        try:
            os.rename(new, CACHE)
        except OSError:  # another host was first
            shutil.rmtree(new)


def host_disk(lab, host):
    root = os.path.join(host.folder, "root")
    for name in ("var/lib/hamon", "var/cache/libvirt/qemu", "var/log/corosync", "var/log/libvirt/qemu",
                 "var/log/glusterfs", "srv/shared", "srv/local", "mnt"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    os.chmod(os.path.join(root, "var/lib/hamon"), 0o700)
    subprocess.run(["cp", "-a", "/etc", root + "/"], check=True)
    for name in COPIED:
        if os.path.isdir("/var/lib/" + name):
            subprocess.run(["rsync", "-a", "--exclude=images/*", "/var/lib/" + name, root + "/var/lib/"]
                           if shutil.which("rsync") else ["cp", "-a", "/var/lib/" + name, root + "/var/lib/"], check=True)
    for name in ("glusterd.info", "peers", "vols"):  # of the machine's own, if it ever ran one
        path = os.path.join(root, "var/lib/glusterd", name)
        shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.path.exists(path) and os.unlink(path)
    if CACHE and os.path.isdir(CACHE):
        shutil.copytree(CACHE, host.path(CAPABILITIES))
    if lab.stage:
        subprocess.run(["cp", "-a", os.path.join(lab.stage, "etc") + "/.", root + "/etc/"], check=True)
    host.write("/etc/hostname", host.name + "\n")
    host.write("/etc/machine-id", uuid.uuid5(uuid.NAMESPACE_DNS, host.name + ".lab.hamon").hex + "\n")
    host.write("/etc/hosts", "127.0.0.1 localhost\n" + "".join(
        "%s %s\n" % (other.address, other.name) for other in lab.hosts))
    if "\nhamon:" not in host.read("/etc/group"):
        host.write("/etc/group", host.read("/etc/group") + "hamon:x:64738:\n")
    corosync(lab, host)
    libvirt(lab, host)
    hamon(lab, host)


def corosync(lab, host):
    """corosync.conf and the cluster's key. lab.options: corosync = totem settings, quorum = quorum settings."""
    totem = {"version": 2, "cluster_name": "lab", "transport": "knet", "crypto_cipher": "aes256",
             "crypto_hash": "sha256", "ip_version": "ipv4", "link_mode": "passive", "token": 1000,
             "token_coefficient": 0}
    totem.update(lab.options["corosync"])
    quorum = {"provider": "corosync_votequorum"}
    quorum.update(lab.options["quorum"])
    logging = {"to_stderr": "no", "to_syslog": "no", "to_logfile": "yes",
               "logfile": "/var/log/corosync/corosync.log", "timestamp": "hires"}
    block = lambda name, keys: "%s {\n%s}\n" % (name, "".join("\t%s: %s\n" % pair for pair in keys.items()))
    nodes = "".join("\tnode {\n\t\tname: %s\n\t\tnodeid: %d\n\t\tring0_addr: 10.77.0.%d\n\t\tring1_addr: 10.77.1.%d\n\t}\n"
                    % (other.name, other.number, other.number, other.number) for other in lab.members)
    host.write("/etc/corosync/corosync.conf",
               block("totem", totem) + block("quorum", quorum) + block("logging", logging)
               + block("system", {"allow_knet_handle_fallback": "yes"}) + "nodelist {\n%s}\n" % nodes)
    key = os.path.join(lab.folder, "authkey")
    if not os.path.exists(key):
        with open(key, "wb") as out:
            out.write(os.urandom(256))
    shutil.copy(key, host.path("/etc/corosync/authkey"))
    os.chmod(host.path("/etc/corosync/authkey"), 0o400)


def libvirt(lab, host):
    for folder in ("/etc/libvirt/qemu/networks/autostart", "/etc/libvirt/qemu/autostart", "/etc/libvirt/storage/autostart"):
        shutil.rmtree(host.path(folder), ignore_errors=True)
    host.write("/etc/libvirt/libvirtd.conf", """\
listen_tls = 0
listen_tcp = 1
listen_addr = "%(address)s"
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
host_uuid = "00000000-0000-4000-8000-00000000000%(number)d"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
keepalive_interval = 1
keepalive_count = 3
""" % {"address": host.address, "number": host.number})
    # No cgroups, security labels or private /dev: the namespaces of the lab stand in their way.
    host.write("/etc/libvirt/qemu.conf", """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
migration_address = "%(address)s"
migration_host = "%(address)s"
max_core = 0
""" % {"address": host.address})


def hamon(lab, host, changes=None):
    """hamon.conf: one fence device (IPMI) a host. lab.options["hamon"] and changes: {section: {key: value}};
    a value of None takes the key away, a section of None the section."""
    sections = {"cluster": {}}
    for other in lab.members:
        name = "ipmi%d" % other.number
        sections["fence-device " + name] = {
            "agent": "fence_ipmilan", "option.ip": bmc_address(other.number), "option.username": BMC_USER,
            "option.lanplus": "1", "option.cipher": "3",
        }
        sections["host " + other.name] = {"fence_level_1": name}
    for change in (lab.options["hamon"], changes or {}):
        for section, keys in change.items():
            if keys is None:
                sections.pop(section, None)
                continue
            for key, value in keys.items():
                sections.setdefault(section, {})[key] = value
    for section, keys in sections.items():
        if section.startswith("fence-device "):
            name = section.split()[1]
            keys.setdefault("secrets", "/etc/hamon/secrets/" + name)
            host.write("/etc/hamon/secrets/" + name, "password=%s\n" % BMC_PASSWORD, 0o600)
    os.chmod(host.path("/etc/hamon/secrets"), 0o700)
    host.write("/etc/hamon/hamon.conf", "".join(
        "[%s]\n%s\n" % (section, "".join("%s = %s\n" % (key, value) for key, value in keys.items() if value is not None))
        for section, keys in sections.items()))
