"""What the cloud's services read: one file each, as an operator of a small cloud would write them.

All paths and addresses are the same in every lab, so that a database made once serves them all (see Cloud.seed).
"""
ADDRESS = "10.77.0.200"
REGION = "RegionOne"
USER, PASSWORD = "admin", "lab-admin"
DATABASES = ("keystone", "placement", "glance", "cinder", "nova_api", "nova", "nova_cell0")
SOCKET = "/run/mysqld.sock"
TRANSPORT = "rabbit://lab:lab@%s:5672/" % ADDRESS
AUTH_URL = "http://%s:5000/v3" % ADDRESS
ENDPOINTS = {
    "identity": AUTH_URL,
    "compute": "http://%s:8774/v2.1" % ADDRESS,
    "placement": "http://%s:8778" % ADDRESS,
    "image": "http://%s:9292" % ADDRESS,
    "network": "http://%s:9696" % ADDRESS,
    "volumev3": "http://%s:8776/v3/$(tenant_id)s" % ADDRESS,
}
INSTANCES = "/srv/shared/nova/instances"
INSTANCES_LOCAL = "/var/lib/nova/instances"
UNPACKED = "/srv/openstack"  # of the packages that are not installed: see tests/nova

# How the entry points of Debian's own packages start them; we give each its name, which the lab's kill() goes by.
PROGRAMS = {
    "nova-api": "nova.cmd.api_os_compute",
    "nova-conductor": "nova.cmd.conductor",
    "nova-scheduler": "nova.cmd.scheduler",
    "nova-compute": "nova.cmd.compute",
    "nova-manage": "nova.cmd.manage",
    "glance-api": "glance.cmd.api",
    "glance-manage": "glance.cmd.manage",
    "cinder-api": "cinder.cmd.api",
    "cinder-scheduler": "cinder.cmd.scheduler",
    "cinder-volume": "cinder.cmd.volume",
    "cinder-manage": "cinder.cmd.manage",
}


def program(name):
    return ("#!/usr/bin/python3\nimport sys\nfrom %s import main\nsys.exit(main())\n" % PROGRAMS[name])


def database(name):
    return "mysql+pymysql://root@localhost/%s?unix_socket=%s" % (name, SOCKET)


def ini(sections):
    """{section: {key: value}} as text; a section that is None is left out."""
    return "".join("[%s]\n%s\n" % (name, "".join("%s = %s\n" % pair for pair in keys.items()))
                   for name, keys in sections.items() if keys is not None)


def login(**more):
    return dict({"auth_url": AUTH_URL, "auth_type": "password", "project_domain_id": "default", "user_domain_id": "default",
                 "project_name": "admin", "username": USER, "password": PASSWORD, "region_name": REGION}, **more)


def keystone():
    return ini({
        "DEFAULT": {"log_file": "/var/log/openstack/keystone.log"},
        "database": {"connection": database("keystone")},
        "catalog": {"driver": "templated", "template_file": "/etc/keystone/catalog"},
        "token": {"provider": "fernet", "expiration": 86400},
        "fernet_tokens": {"key_repository": "/etc/keystone/fernet-keys"},
        "credential": {"key_repository": "/etc/keystone/credential-keys"},
        "identity": {"password_hash_rounds": 4},
    })


def catalog():
    lines = []
    for kind, url in ENDPOINTS.items():
        lines.append("catalog.%s.%s.name = %s" % (REGION, kind, kind))
        lines += ["catalog.%s.%s.%sURL = %s" % (REGION, kind, side, url) for side in ("public", "internal", "admin")]
    return "\n".join(lines) + "\n"


def placement():
    return ini({
        "DEFAULT": {"log_file": "/var/log/openstack/placement.log"},
        "api": {"auth_strategy": "keystone"},
        "placement_database": {"connection": database("placement")},
        "keystone_authtoken": login(www_authenticate_uri=AUTH_URL),
    })


def glance():
    return ini({
        "DEFAULT": {"bind_port": 9292, "workers": 1, "log_file": "/var/log/openstack/glance.log",
                    "node_staging_uri": "file:///var/lib/glance/staging"},
        "database": {"connection": database("glance")},
        "glance_store": {"stores": "file", "default_store": "file", "filesystem_store_datadir": "/var/lib/glance/images"},
        "paste_deploy": {"flavor": "keystone",
                         "config_file": UNPACKED + "/usr/share/glance-common/glance-api-paste.ini"},
        "keystone_authtoken": login(www_authenticate_uri=AUTH_URL),
    })


def _nova(host, address, log):
    """What every service of Nova has. A dead compute service is seen after service_down_time."""
    return {
        "DEFAULT": {"host": host, "my_ip": address, "state_path": "/var/lib/nova", "transport_url": TRANSPORT,
                    "log_file": log, "report_interval": 2, "service_down_time": 8},
        "oslo_concurrency": {"lock_path": "/var/lib/nova/lock"},
        "glance": {"api_servers": ENDPOINTS["image"]},
        "keystone_authtoken": login(www_authenticate_uri=AUTH_URL),
        "placement": login(), "neutron": login(), "cinder": login(catalog_info="volumev3::publicURL"),
        "service_user": login(send_service_user_token="true"),
        "vnc": {"enabled": "false"}, "spice": {"enabled": "false"},
    }


def nova_control(name):
    """For nova-api, -conductor, -scheduler, -manage."""
    sections = _nova("cloud", ADDRESS, "/var/log/openstack/%s.log" % name)
    sections["DEFAULT"].update(enabled_apis="osapi_compute", osapi_compute_workers=1)
    sections.update({
        "api": {"auth_strategy": "keystone"},
        "api_database": {"connection": database("nova_api")},
        "database": {"connection": database("nova"), "max_pool_size": 20},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1},
        "quota": {"instances": -1, "cores": -1, "ram": -1},
        "wsgi": {"api_paste_config": UNPACKED + "/usr/share/nova-common/api-paste.ini"},
    })
    return ini(sections)


def nova_compute(host, instances=INSTANCES):
    """For a host's nova-compute: it reaches Nova's databases through the conductor only."""
    # One address for all: so Nova knows without an ssh from host to host that what a cold migration copies lies in one shared folder.
    sections = _nova(host.name, ADDRESS, "/var/log/nova/nova-compute.log")
    helper = {"helper_command": "/usr/bin/privsep-helper --config-file /etc/nova/nova.conf"}
    sections["DEFAULT"].update(
        compute_driver="libvirt.LibvirtDriver", instances_path=instances, force_raw_images="false",
        reserved_host_memory_mb=0, shutdown_timeout=1)  # the witness does not listen to the power button
    sections.update({
        "libvirt": {"virt_type": "qemu", "cpu_mode": "none", "images_type": "qcow2", "connection_uri": "qemu:///system",
                    "live_migration_inbound_addr": host.address},
        "nova_sys_admin": helper, "privsep_osbrick": helper, "vif_plug_linux_bridge_privileged": helper,
        "vif_plug_ovs_privileged": helper,
        "workarounds": {"disable_rootwrap": "true"},
    })
    return ini(sections)


def clouds_yaml():
    return """\
clouds:
  lab:
    auth:
      auth_url: %s
      username: %s
      password: %s
      project_name: admin
      user_domain_id: default
      project_domain_id: default
    region_name: %s
    interface: public
    identity_api_version: 3
""" % (AUTH_URL, USER, PASSWORD, REGION)
