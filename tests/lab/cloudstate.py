"""Nova's state, kept at one moment and put back: so that each way of recovering a dead host's servers begins with the very same.

What Nova, its API's cells and placement have in their databases is put back; domains on the hosts that have taken servers end, and
their nova-computes start anew. The disks stay: all servers of the lab have theirs in one shared folder.
"""
import cloudconf

SCHEMAS = ("nova", "nova_api", "placement")
KEPT = {("nova", "services")}  # who reports, and since when, is of now


class Database:
    """A connection to the cloud's database, from outside: a look costs far less than the API's."""

    def __init__(self, cloud):
        import pymysql  # comes with Nova's packages
        self._connection = pymysql.connect(unix_socket="/proc/%d/root%s" % (cloud.pid, cloudconf.SOCKET), user="root",
                                           autocommit=True)

    def rows(self, text, *values):
        with self._connection.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall()

    def close(self):
        self._connection.close()


def _dump(schema):
    return "/var/lib/mysql/kept-%s.sql" % schema


def save(cloud, what):
    """Keep the state under that name."""
    for schema in SCHEMAS:
        skipped = ["--ignore-table=%s.%s" % pair for pair in KEPT if pair[0] == schema]
        cloud.run(["mariadb-dump", "--no-defaults", "-S", cloudconf.SOCKET, "-u", "root", "--no-create-info", "--skip-triggers",
                   "--single-transaction", "--result-file", _dump("%s-%s" % (what, schema))] + skipped + [schema], 120)


def _database_restore(cloud, database, what):
    for schema in SCHEMAS:
        tables = [row[0] for row in database.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = %s "
                                                  "AND table_type = 'BASE TABLE'", schema)]
        empty = "".join("DELETE FROM %s.%s;" % (schema, table) for table in tables if (schema, table) not in KEPT)
        cloud.sql("SET FOREIGN_KEY_CHECKS=0;%s USE %s; SOURCE %s;" % (empty, schema, _dump("%s-%s" % (what, schema))))


def rabbit(cloud, *words):
    """rabbitmqctl, without the su of Debian's own: here the server runs as root."""
    return cloud.run(["env", "HOME=/var/lib/rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "-n", "rabbit@localhost"] +
                     list(words), 60, check=False)


def domains_end(host):
    """Nothing runs on that host any more, and nothing is defined there."""
    host.run("for uuid in $(virsh -q list --all --uuid); do virsh -q destroy $uuid; virsh -q undefine $uuid; done >/dev/null 2>&1 "
             "|| true", 600)


def restore(cloud, database, what, dead):
    """The kept state, but for the domains of the host that died: its service is as before, its nova-compute is not there."""
    others = [host for host in cloud.lab.alive_hosts() if host.name != dead]
    for host in others:
        host.kill("nova-compute")
    cloud.lab.each(domains_end, others)
    _database_restore(cloud, database, what)
    # None is up before its new nova-compute has said so.
    cloud.sql("UPDATE nova.services SET forced_down = 0, disabled = 0, disabled_reason = NULL, last_seen_up = '2000-01-01', "
              "updated_at = '2000-01-01' WHERE topic = 'compute';")
    # What the dead one was asked meanwhile would be carried out by the next nova-compute of its name.
    rabbit(cloud, "purge_queue", "compute." + dead)
    for host in others:
        host.start("nova")
    cloud.wait_computes(others)
