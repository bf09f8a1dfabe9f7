#!/usr/bin/python3
"""A real OpenStack for the lab's hosts: rabbitmq, mariadb, keystone, placement, glance, nova (and cinder: volumes.py); and a nova-compute on each host.

It stands in namespaces of its own inside the lab's, at 10.77.0.200, like one more host, so that it ends with the lab, and
its cables can be pulled (cut, join). tests/nova unpacks what it needs into $HAMON_CLOUD (default: build/cloud), where also
the databases are kept as they are when just made ("seed"): making them takes longer than all the rest.

As a program: cloud.py up [--hosts N] [--stage STAGE] | enter [COMMAND..] | down
"""
import argparse
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import cloudconf
import nova
import volumes
from host import Host
from lab import Lab, LabError, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
NUMBER = 200
SERVICES = ["corosync", "libvirtd", "hamond", "nova"]  # what a host of a lab with a cloud starts
UWSGI = ["uwsgi-core", "--plugin", "python3", "--master", "--lazy-apps", "--no-orphans", "--die-on-term", "--enable-threads",
         "--buffer-size", "65535", "--add-header", "Connection: close", "--disable-logging", "--listen", "100"]
CONTROL = ("nova-conductor", "nova-scheduler", "nova-api")
# What the seed depends on besides our own code; the distribution's security updates change its tables at times.
SEED_PACKAGES = ("mariadb-server-core", "python3-keystone", "python3-placement", "python3-glance", "python3-nova", "python3-cinder")


def cache():
    """Where tests/nova put what is unpacked, not installed."""
    folder = os.path.abspath(os.environ.get("HAMON_CLOUD") or os.path.join(HERE, "..", "..", "build", "cloud"))
    if not os.path.exists(os.path.join(folder, "root/usr/share/nova-common/api-paste.ini")):
        raise LabError("no unpacked packages of Nova in %s: run tests/nova, or set HAMON_CLOUD" % folder)
    return folder


class Cloud(Host):
    """The host of the control plane. times: [(what, seconds since up() began)]."""

    def __init__(self, lab, local=(), compute=None, libvirt=None):
        """local: the names of hosts that keep their servers' own disks to themselves. compute, libvirt: more for [DEFAULT] and
        [libvirt] of nova-compute."""
        super().__init__(lab, NUMBER)
        self.local, self.compute, self.libvirt = local, compute or {}, libvirt or {}
        self.name = "cloud"
        self.folder = os.path.join(lab.folder, "hosts", self.name)
        self.address = cloudconf.ADDRESS
        self.times = []
        self._client = None

    def _mark(self, what):
        self.times.append((what, round(time.monotonic() - self._began, 1)))

    # up

    def up(self):
        """Start everything; returns when Nova's API answers and a server could be booted, but for the hosts."""
        self._began = time.monotonic()
        self._cache = cache()
        self._disk()
        self.boot(services=[])
        self._mark("namespaces")
        with ThreadPoolExecutor(max_workers=2) as pool:
            rabbit = pool.submit(self._rabbit_up)
            pool.submit(self._database_up).result()
            self._mark("database")
            self._keystone_up()
            rabbit.result()
        self._mark("keystone and rabbit")
        self._services_up()
        self._mark("nova-api")
        self.nova.prepare()
        self._mark("image and flavor")
        for host in self.lab.hosts:
            compute_disk(self.lab, host, host.name in self.local, self.compute, self.libvirt)
        return self

    def _disk(self):
        root = os.path.join(self.folder, "root")
        for name in ("var/lib/rabbitmq", "var/lib/mysql", "var/lib/nova/lock", "var/lib/glance/images", "var/lib/glance/staging",
                     "var/cache", "var/log/openstack", "srv/shared", "mnt"):
            os.makedirs(os.path.join(root, name), exist_ok=True)
        subprocess.run(["cp", "-a", "/etc", root + "/"], check=True)
        self.bind(os.path.join(self._cache, "root"), cloudconf.UNPACKED)
        self.write("/etc/hosts", "127.0.0.1 localhost\n%s cloud\n" % self.address)
        self.write("/etc/keystone/keystone.conf", cloudconf.keystone())
        self.write("/etc/keystone/catalog", cloudconf.catalog())
        self.write("/etc/placement/placement.conf", cloudconf.placement())
        self.write("/etc/glance/glance-api.conf", cloudconf.glance())
        for name in CONTROL + ("nova-manage",):
            self.write("/etc/nova/%s.conf" % name, cloudconf.nova_control(name))
        for name in cloudconf.PROGRAMS:
            self.write("/srv/bin/" + name, cloudconf.program(name), 0o755)
        volumes.cloud_disk(self)
        shutil.copy(os.path.join(HERE, "neutronstub.py"), self.path("/srv/bin/neutron-stub"))

    def log_of(self, name):
        return "/var/log/openstack/%s.out" % name

    def service(self, name, *words, **environment):
        """Start one of the cloud's daemons."""
        return self.spawn(list(words), self.log_of(name), environment)

    def _tcp(self, port, timeout=120):
        wait_until("port %d of the cloud answers" % port, lambda: self.run(
            ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/%d" % port], check=False).returncode == 0, timeout, 0.2)

    def _rabbit_up(self):
        self.service("rabbit", "/usr/lib/rabbitmq/bin/rabbitmq-server", HOME="/var/lib/rabbitmq",
                     RABBITMQ_NODENAME="rabbit@localhost", RABBITMQ_MNESIA_BASE="/var/lib/rabbitmq",
                     RABBITMQ_LOG_BASE="/var/log/openstack", RABBITMQ_NODE_PORT="5672", RABBITMQ_CONFIG_FILE="/srv/none",
                     RABBITMQ_ENABLED_PLUGINS_FILE="/srv/none", RABBITMQ_CONF_ENV_FILE="/dev/null",
                     RABBITMQ_DEFAULT_USER="lab", RABBITMQ_DEFAULT_PASS="lab",
                     RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none")
        self._tcp(5672)
        self._mark("rabbit")

    # the databases

    def _mariadb(self):
        self.service("mariadb", "mariadbd", "--no-defaults", "--user=root", "--datadir=/var/lib/mysql",
                     "--socket=" + cloudconf.SOCKET, "--skip-networking", "--pid-file=/run/mysqld.pid", "--skip-name-resolve",
                     "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=128M",
                     "--innodb-log-file-size=16M", "--max-connections=500", "--character-set-server=utf8mb3",
                     "--performance-schema=0")
        wait_until("mariadb answers", lambda: self.sql("select 1", check=False).returncode == 0, 60, 0.1,
                   seen=lambda: self.log(self.log_of("mariadb"), 10))

    def sql(self, text, check=True):
        return self.run(["mariadb", "--no-defaults", "-S", cloudconf.SOCKET, "-u", "root", "-N", "-B"], 60, check, stdin=text)

    def _seed_folder(self):
        """One for each way of filling the databases."""
        told = subprocess.run(["dpkg-query", "-W"] + list(SEED_PACKAGES), capture_output=True, text=True, check=True).stdout
        told += inspect.getsource(cloudconf) + inspect.getsource(Cloud._mariadb) + inspect.getsource(Cloud._database_make)
        return os.path.join(self._cache, "seed-" + hashlib.sha256(told.encode()).hexdigest()[:16])

    SEEDED = ("/var/lib/mysql", "/etc/keystone/fernet-keys", "/etc/keystone/credential-keys")

    def _database_up(self):
        seed = self._seed_folder()
        if os.path.isdir(seed):
            os.utime(seed)
            for path in self.SEEDED:
                subprocess.run(["cp", "-a", "--sparse=always", os.path.join(seed, os.path.basename(path)) + "/.",
                                self.path(path) + "/"] if os.path.isdir(self.path(path)) else
                               ["cp", "-a", os.path.join(seed, os.path.basename(path)), self.path(path)], check=True)
            self._mariadb()
            return
        self._database_make()
        self.stop("mariadbd")
        fresh = seed + ".new.%d" % os.getpid()
        os.makedirs(fresh)
        for path in self.SEEDED:
            subprocess.run(["cp", "-a", "--sparse=always", self.path(path), fresh + "/"], check=True)
        for name in os.listdir(self._cache):  # of other versions, which nobody has used for a day
            path = os.path.join(self._cache, name)
            if name.startswith("seed-") and time.time() - os.stat(path).st_mtime > 86400:
                shutil.rmtree(path, ignore_errors=True)
        try:
            os.rename(fresh, seed)
        except OSError:  # another run was quicker
            shutil.rmtree(fresh)
        self._mariadb()

    def _do(self, *words):
        """One step of making the cloud."""
        done = self.run(list(words), 300, check=False)
        with open(self.path("/var/log/openstack/setup.log"), "a") as log:
            log.write("$ %s\n%s%s" % (" ".join(words), done.stdout, done.stderr))
        if done.returncode:
            raise LabError("%s: exit %d\n%s" % (" ".join(words), done.returncode, (done.stdout + done.stderr)[-2000:]))

    def _database_make(self):
        do = self._do
        do("mariadb-install-db", "--no-defaults", "--user=root", "--datadir=/var/lib/mysql", "--skip-test-db",
           "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M")
        self._mariadb()
        self.sql("".join("CREATE DATABASE %s CHARACTER SET utf8mb3;" % name for name in cloudconf.DATABASES))

        def keystone():
            for words in (["db_sync"], ["fernet_setup", "--keystone-user", "root", "--keystone-group", "root"],
                          ["credential_setup", "--keystone-user", "root", "--keystone-group", "root"],
                          ["bootstrap", "--bootstrap-username", cloudconf.USER, "--bootstrap-password", cloudconf.PASSWORD]):
                do("keystone-manage", "--config-file", "/etc/keystone/keystone.conf", *words)

        def others():
            do("placement-manage", "--config-file", "/etc/placement/placement.conf", "db", "sync")
            do("/srv/bin/glance-manage", "--config-file", "/etc/glance/glance-api.conf", "db_sync")
            do("/srv/bin/cinder-manage", "--config-file", volumes.CONF, "db", "sync")

        def compute():
            manage = ["/srv/bin/nova-manage", "--config-file", "/etc/nova/nova-manage.conf"]
            do(*manage, "api_db", "sync")
            do(*manage, "cell_v2", "map_cell0", "--database_connection", cloudconf.database("nova_cell0"))
            do(*manage, "db", "sync")
            do(*manage, "cell_v2", "create_cell", "--name", "cell1", "--database_connection", cloudconf.database("nova"),
               "--transport-url", cloudconf.TRANSPORT)
            # What discover_hosts would do once their nova-computes have reported, and takes seconds to do.
            self.sql("".join("INSERT INTO nova_api.host_mappings (created_at, cell_id, host) SELECT now(), id, 'h%d' FROM "
                             "nova_api.cell_mappings WHERE name = 'cell1';" % number for number in range(1, 10)))

        with ThreadPoolExecutor(max_workers=3) as pool:
            for job in [pool.submit(work) for work in (compute, keystone, others)]:
                job.result()

    # the services

    def keystone_renew(self):
        """New keys: every token that was given until now is void."""
        self.run("rm -r /etc/keystone/fernet-keys")
        self._do("keystone-manage", "--config-file", "/etc/keystone/keystone.conf", "fernet_setup",
                 "--keystone-user", "root", "--keystone-group", "root")

    def start_keystone(self):
        # Processes, no threads: eventlet, which comes with oslo's modules, has locks that hang for ever when two threads want one.
        self.service("keystone", *UWSGI, "--http-socket", "0.0.0.0:5000", "--wsgi-file", "/usr/bin/keystone-wsgi-public",
                     "--processes", "2", "--procname", "keystone",
                     OS_KEYSTONE_CONFIG_FILES="/etc/keystone/keystone.conf")

    def _keystone_up(self):
        self.start_keystone()
        self.service("placement", *UWSGI, "--http-socket", "0.0.0.0:8778", "--wsgi-file", "/usr/bin/placement-api",
                     "--processes", "2", "--procname", "placement",
                     OS_PLACEMENT_CONFIG_DIR="/etc/placement")
        self.service("glance", "/srv/bin/glance-api", "--config-file", "/etc/glance/glance-api.conf")
        self.service("neutron", "/usr/bin/python3", "/srv/bin/neutron-stub", "9696")
        self._tcp(5000)

    def start_control(self, name):
        self.service(name, "/srv/bin/" + name, "--config-file", "/etc/nova/%s.conf" % name)

    def _services_up(self):
        for name in CONTROL:
            self.start_control(name)
        for port in (8778, 9292, 8774):
            self._tcp(port)

    # the hosts' part

    def up_with_hosts(self):
        """For a lab whose hosts are off (Lab.up(boot=False)): the cloud, its hosts beside it, and then their nova-computes."""
        members = self.lab.members
        with ThreadPoolExecutor(max_workers=1) as pool:
            hosts = pool.submit(lambda: self.lab.each(lambda host: host.boot(
                [service for service in self.lab.services if service != "nova"]), members))
            self.up()
            hosts.result()
        for host in members:
            host.start("nova")
        self.wait_computes(members)
        return self

    @property
    def nova(self):
        if not self._client:
            self._client = nova.Nova(self)
        return self._client

    def wait_computes(self, hosts=None, timeout=180):
        """The nova-compute of each of these hosts (all that live) is up by Nova's word."""
        names = {host.name for host in hosts or self.lab.alive_hosts()}
        wait_until("nova-compute is up on %s" % sorted(names), lambda: names <= {
            service["host"] for service in self.nova.services() if service["state"] == "up"}, timeout, 0.25,
            seen=lambda: [(service["host"], service["state"]) for service in self.nova.services()])
        # It is up a moment before placement knows what it has, and until then the scheduler finds no host.
        wait_until("placement knows what %s have" % sorted(names), lambda: names <= set(self.sql(
            "SELECT DISTINCT p.name FROM placement.resource_providers p JOIN placement.inventories i ON "
            "i.resource_provider_id = p.id").stdout.split()), timeout, 0.25)
        self._mark("computes")

    def memory(self):
        """Resident MiB of the cloud's processes and of one host's nova-compute, pages shared among them counted once (PSS)."""
        def pss(pids):
            total = 0
            for pid in pids:
                try:
                    with open("/proc/%d/smaps_rollup" % pid) as text:
                        total += next(int(line.split()[1]) for line in text if line.startswith("Pss:"))
                except (OSError, StopIteration):
                    pass
            return total // 1024
        return pss(self.processes()), {host.name: pss(host.pids("nova-compute")) for host in self.lab.alive_hosts()}

    def report(self):
        """What Nova says, for whoever looks into a failed test."""
        try:
            lines = ["service %s: %s, %s%s %s" % (one["host"], one["state"], one["status"], one["forced_down"] and
                                                  ", forced down" or "", one["disabled_reason"] or "") for one in self.nova.services()]
            lines += ["server %s %s: %s, task %s, on %s %s" % (
                one["id"], one["name"], one["status"], one["OS-EXT-STS:task_state"], one["OS-EXT-SRV-ATTR:host"],
                one.get("fault", {}).get("message", "")) for one in self.nova.servers()]
            lines += ["migration of %s: %s -> %s %s" % (one["instance_uuid"], one["source_compute"], one["dest_compute"],
                                                        one["status"]) for one in self.nova.migrations()]
            return "\n".join(lines)
        except (LabError, OSError) as error:
            return "nova: %s" % error

    def save_logs(self, folder):
        shutil.copytree(self.path("/var/log/openstack"), os.path.join(folder, "cloud"), dirs_exist_ok=True)


def compute_disk(lab, host, local=False, more=None, libvirt=None):
    """What nova-compute needs on a host's disk, and how hamon logs in."""
    for name in ("var/lib/nova/lock", "var/lib/nova/instances", "var/log/nova", "etc/openstack"):
        os.makedirs(host.path("/" + name), exist_ok=True)
    os.makedirs(os.path.join(lab.shared, "nova", "instances"), exist_ok=True)
    host.write("/etc/nova/nova.conf", cloudconf.nova_compute(host, cloudconf.INSTANCES_LOCAL if local else cloudconf.INSTANCES) +
               cloudconf.ini({"DEFAULT": more or {}, "libvirt": libvirt or {}}))
    host.write("/etc/nova/bin/nova-compute", cloudconf.program("nova-compute"), 0o755)
    volumes.compute_disk(host)
    host.write("/etc/openstack/clouds.yaml", cloudconf.clouds_yaml(), 0o600)
    if "cloud" not in host.read("/etc/hosts"):
        host.write("/etc/hosts", host.read("/etc/hosts") + "%s cloud\n" % cloudconf.ADDRESS)


def attach():
    cloud = Cloud(Lab.attach())
    cloud.times, cloud._began = [], time.monotonic()
    return cloud


def main(argv):
    parser = argparse.ArgumentParser(prog="cloud.py", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="a lab with a cloud, which stays until `cloud.py down`")
    up.add_argument("--hosts", type=int, default=3)
    up.add_argument("--stage", help="hamon's installed tree; without it the hosts have no hamon")
    enter = verbs.add_parser("enter", help="run a command in the cloud's namespaces (a shell)")
    enter.add_argument("command", nargs=argparse.REMAINDER)
    verbs.add_parser("down", help="end the lab")
    said = parser.parse_args(argv)
    if said.verb == "up":
        services = [service for service in SERVICES if said.stage or service != "hamond"]
        lab = Lab(hosts=said.hosts, stage=said.stage and os.path.abspath(said.stage), services=services, what="a cloud")
        try:
            lab.up(boot=False)
            cloud = Cloud(lab).up_with_hosts()
        except BaseException:
            lab.keep_files = True
            lab.down()
            raise
        lab.keep()
        lab.referee.stop()
        print("\n".join("%6.1f s  %s" % (seconds, what) for what, seconds in cloud.times))
        print("memory (MiB): %d, and nova-compute %s" % cloud.memory())
        print("Keystone is at %s, for those inside: cloud.py enter; lab.py enter h1 (clouds.yaml: /etc/openstack)" %
              cloudconf.AUTH_URL)
    elif said.verb == "enter":
        cloud = attach()
        command = said.command or ["/bin/bash", "--norc"]
        os.execve(cloud.tools.init, [cloud.tools.init, "run", str(cloud.pid), "--"] + command,
                  dict(cloud.tools.ENVIRONMENT, PS1="cloud:\\w# "))
    else:
        Lab.attach().down()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print("cloud.py: %s" % error, file=sys.stderr)
        sys.exit(1)
