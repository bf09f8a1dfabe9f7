/*
 * hamon/common/domxml: what is read from a domain's XML, what is refused, and what people may see
 * of it.
 */
#include <errno.h>

#include "hamon/common/diskid.h"
#include "hamon/common/domxml.h"
#include "tests/unit/test.h"

#define HEAD                                                                                       \
	"<domain type='kvm' "                                                                      \
	"xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>web</name>"                 \
	"<uuid>AAAAAAAA-2222-3333-4444-555555555555</uuid>"
#define HAMON "xmlns:hamon='urn:hamon:instance:1'"

static char error[DOMXML_ERROR_SIZE];

static int parse(const char *xml, struct domxml **ret)
{
	error[0] = '\0';
	return domxml_parse(xml, strlen(xml), ret, error, sizeof(error));
}

static struct domxml *good(const char *xml)
{
	struct domxml *dom = NULL;

	if (parse(xml, &dom))
		fprintf(stderr, "%s\n", error);
	CHECK(dom);
	return dom;
}

static void bad(const char *xml, int expected, const char *words)
{
	struct domxml *dom = NULL;

	CHECK_INT(parse(xml, &dom), expected);
	CHECK(!dom);
	if (!strstr(error, words))
		fprintf(stderr, "said: %s\n", error);
	CHECK(strstr(error, words));
}

static void identity_is_read(void)
{
	struct domxml *dom = good(HEAD "<memory unit='MiB'>4</memory><vcpu>3</vcpu></domain>");

	CHECK_STR(dom->type, "kvm");
	CHECK_STR(dom->name, "web");
	CHECK_STR(dom->uuid, "aaaaaaaa-2222-3333-4444-555555555555");
	CHECK_INT(dom->memory_mib, 4);
	CHECK_INT(dom->vcpus, 3);
	CHECK_INT(dom->n_disks, 0);
	CHECK(!dom->has_secrets);
	domxml_free(dom);
	dom = good("<domain><name>a</name><uuid>aaaaaaaa222233334444555555555555</"
		   "uuid><memory>1048577</memory></domain>");
	CHECK_STR(dom->uuid, "aaaaaaaa-2222-3333-4444-555555555555");
	CHECK_INT(dom->memory_mib, 1025); /* KiB, rounded up */
	CHECK_INT(dom->vcpus, 1);
	domxml_free(dom);
}

static void bad_text_is_refused(void)
{
	static char big[DOMXML_BYTES_MAX + 2];
	struct domxml *dom = NULL;

	bad("", -EINVAL, "not well-formed");
	bad("<domain><name>a", -EINVAL, "not well-formed");
	bad("<network><name>a</name></network>", -EINVAL, "<network>, expected <domain>");
	bad("<domain/>", -EINVAL, "no <name>");
	bad("<domain><name>a/b</name></domain>", -EINVAL, "no slash");
	bad("<domain><name>a&#10;b</name></domain>", -EINVAL, "control");
	bad("<domain><name>a</name><uuid>12</uuid></domain>", -EINVAL, "<uuid>");
	bad("<domain><name>a</name><memory unit='pounds'>1</memory></domain>", -EINVAL, "pounds");
	bad("<domain><name>a</name><memory unit='TiB'>99999999999999</memory></domain>", -EINVAL,
	    "<memory>");
	bad("<domain><name>a</name><memory>-1</memory></domain>", -EINVAL, "<memory>");
	bad("<domain><name>a</name><vcpu>0</vcpu></domain>", -EINVAL, "<vcpu>");
	memset(big, ' ', sizeof(big));
	CHECK_INT(domxml_parse(big, sizeof(big), &dom, error, sizeof(error)), -E2BIG);
}

static void document_types_and_entities_are_refused(void)
{
	static const char utf16[] =
	    "\xff\xfe<\0!\0D\0O\0C\0T\0Y\0P\0E\0 \0a\0[\0]\0>\0<\0a\0/\0>\0";
	struct domxml *dom = NULL;

	bad("<!DOCTYPE domain><domain><name>a</name></domain>", -EINVAL, "document type");
	bad("<!DOCTYPE d [<!ENTITY x SYSTEM "
	    "'file:///etc/shadow'>]><domain><name>&x;</name></domain>",
	    -EINVAL, "document type");
	bad("<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b "
	    "'&a;&a;&a;'>]><domain><name>&b;</name></domain>",
	    -EINVAL, "document type");
	bad("<domain><name>&x;</name></domain>", -EINVAL, "not well-formed");
	CHECK(domxml_parse(utf16, sizeof(utf16) - 1, &dom, error, sizeof(error)) < 0);
	dom = good("<domain><name>a&amp;b</name></domain>");
	CHECK_STR(dom->name, "a&b");
	domxml_free(dom);
}

static void deep_nesting_is_refused(void)
{
	static char text[100000];
	size_t used = (size_t)sprintf(text, "<domain><name>a</name>");

	for (int i = 0; i < 3000; i++)
		used += (size_t)sprintf(text + used, "<a>");
	bad(text, -EINVAL, "not well-formed");
}

static void disks_are_read(void)
{
	struct domxml *dom = good(
	    HEAD
	    "<devices>"
	    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source "
	    "file='/a/x.qcow2'/>"
	    "<backingStore type='file'><format type='raw'/><source "
	    "file='/b/base.img'/></backingStore>"
	    "<target dev='vda'/></disk>"
	    "<disk type='block' device='lun'><source dev='/dev/sdb'/><target "
	    "dev='sda'/><shareable/></disk>"
	    "<disk type='file' device='cdrom'><source file='/iso/a.iso' "
	    "startupPolicy='optional'/><target dev='sdb'/></disk>"
	    "<disk type='file' device='cdrom'><target dev='sdc'/></disk>"
	    "<disk type='network'><source protocol='nbd' name='v1' tls='yes'><host name='S' "
	    "port='10809'/></source>"
	    "<target dev='vdb'/><readonly/></disk>"
	    "<disk type='network'><auth username='u'><secret type='ceph' uuid='x'/></auth>"
	    "<source protocol='rbd' name='p/i'><host name='m1'/><host name='m2'/></source><target "
	    "dev='vdc'/></disk>"
	    "<disk type='volume'><source pool='p' volume='v'/><target dev='vdd'/></disk>"
	    "<disk type='nvme'><source type='pci' namespace='1'/><target dev='vde'/></disk>"
	    "<disk type='file'><source file='/a/y'/><mirror type='file'/><target dev='vdf'/></disk>"
	    "</devices></domain>");

	CHECK_INT(dom->n_disks, 9);
	CHECK_INT(dom->disks[0].kind, DOMXML_FILE);
	CHECK_STR(dom->disks[0].source, "/a/x.qcow2");
	CHECK_STR(dom->disks[0].format, "qcow2");
	CHECK(dom->disks[0].backing);
	CHECK_STR(dom->disks[0].backing->source, "/b/base.img");
	CHECK(dom->disks[0].backing->readonly && !dom->disks[0].readonly);
	CHECK_INT(dom->disks[1].kind, DOMXML_BLOCK);
	CHECK_STR(dom->disks[1].what, "lun");
	CHECK(dom->disks[1].shareable);
	CHECK(dom->disks[2].readonly && dom->disks[2].optional);
	CHECK_INT(dom->disks[3].kind, DOMXML_EMPTY);
	CHECK_INT(dom->disks[4].kind, DOMXML_NETWORK);
	CHECK(dom->disks[4].readonly && dom->disks[4].tls && dom->disks[4].n_servers == 1);
	CHECK_INT(dom->disks[5].n_servers, 2);
	CHECK_STR(dom->disks[5].auth_user, "u");
	CHECK(dom->disks[5].needs_secret);
	CHECK_STR(dom->disks[5].auth_secret, "x");
	CHECK_INT(dom->disks[6].kind, DOMXML_OTHER);
	CHECK_STR(dom->disks[6].source, "p/v");
	CHECK_INT(dom->disks[7].kind, DOMXML_OTHER);
	CHECK(dom->disks[8].mirror && dom->mirror);
	domxml_free(dom);
	bad(HEAD "<devices><disk type='file'><source file='x'/><target "
		 "dev='vda'/></disk></devices></domain>",
	    -EINVAL, "absolute path");
	bad(HEAD "<devices><disk type='file'><source file='/x'/></disk></devices></domain>",
	    -EINVAL, "<target dev>");
}

static void too_many_disks_are_refused(void)
{
	static char text[60000];
	size_t used = (size_t)sprintf(text, HEAD "<devices>");

	for (int i = 0; i < DOMXML_DISKS_MAX + 1; i++)
		used += (size_t)sprintf(
		    text + used, "<disk type='file'><source file='/x'/><target dev='v%d'/></disk>",
		    i);
	sprintf(text + used, "</devices></domain>");
	bad(text, -E2BIG, "disks");
}

static const struct domxml_disk *disk_find(const struct domxml *dom, const char *target)
{
	for (size_t i = 0; i < dom->n_disks; i++)
		if (!strcmp(dom->disks[i].target, target))
			return &dom->disks[i];
	return NULL;
}

static void firmware_and_kernel_count(void)
{
	struct domxml *dom = good(
	    HEAD "<os><loader readonly='yes' type='pflash'>/usr/share/OVMF/C.fd</loader>"
		 "<nvram template='/t'>/n/web_VARS.fd</nvram><kernel>/k/vmlinuz</kernel><initrd> "
		 "/k/initrd </initrd></os>"
		 "<sysinfo type='fwcfg'><entry name='opt/x' file='/f/x'/></sysinfo>"
		 "<devices><memory "
		 "model='nvdimm'><source><path>/p/nv</path></source></memory></devices></domain>");

	CHECK_STR(disk_find(dom, "nvram")->source, "/n/web_VARS.fd");
	CHECK(!disk_find(dom, "nvram")->readonly);
	CHECK(disk_find(dom, "loader")->readonly);
	CHECK_STR(disk_find(dom, "kernel")->source, "/k/vmlinuz");
	CHECK_STR(disk_find(dom, "initrd")->source, "/k/initrd");
	CHECK_STR(disk_find(dom, "fwcfg")->source, "/f/x");
	CHECK_STR(disk_find(dom, "nvdimm0")->source, "/p/nv");
	domxml_free(dom);
	dom = good(HEAD "<os firmware='efi'/></domain>");
	CHECK_STR(disk_find(dom, "nvram")->source, "/var/lib/libvirt/qemu/nvram/web_VARS.fd");
	domxml_free(dom);
	dom = good(HEAD "<os><nvram type='file'><source file='/n/v'/></nvram></os></domain>");
	CHECK_STR(disk_find(dom, "nvram")->source, "/n/v");
	domxml_free(dom);
}

static bool has_device(const struct domxml *dom, const char *kind, const char *words, bool local)
{
	for (size_t i = 0; i < dom->n_devices; i++)
		if (!strcmp(dom->devices[i].kind, kind) && strstr(dom->devices[i].what, words) &&
		    dom->devices[i].local == local)
			return true;
	return false;
}

static void what_ties_it_to_a_host_is_named(void)
{
	struct domxml *dom =
	    good(HEAD "<devices>"
		      "<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' "
		      "bus='0x03' slot='0x00' function='0x1'/>"
		      "</source></hostdev>"
		      "<interface type='hostdev'><source><address type='pci' "
		      "bus='0x05'/></source></interface>"
		      "<interface type='network'><source network='default'/></interface>"
		      "<tpm><backend type='emulator'/></tpm>"
		      "<filesystem type='mount'><driver type='virtiofs'/><source "
		      "dir='/data'/><target dir='d'/></filesystem>"
		      "<serial type='dev'><source path='/dev/ttyS0'/></serial><serial "
		      "type='file'><source path='/x'/></serial>"
		      "<input type='passthrough'><source evdev='/dev/input/event0'/></input>"
		      "</devices><qemu:commandline><qemu:arg value='-name'/><qemu:arg "
		      "value='file=/x'/></qemu:commandline></domain>");

	CHECK_INT(dom->n_devices, 7);
	CHECK(has_device(dom, "hostdev", "0000:03:00:1", true));
	CHECK(has_device(dom, "interface", "05", true));
	CHECK(has_device(dom, "tpm", "emulated", true));
	CHECK(has_device(dom, "filesystem", "/data", false));
	CHECK(has_device(dom, "serial", "/dev/ttyS0", true));
	CHECK(has_device(dom, "input", "/dev/input/event0", true));
	CHECK(has_device(dom, "commandline", "argument", false));
	CHECK(dom->has_secrets); /* raw arguments may hold some */
	domxml_free(dom);
}

static void title_is_read(void)
{
	struct domxml *dom = good(HEAD "<title>by libvirt</title><metadata><nova:instance "
				  "xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:package version='26.2.2'/>"
				  "<nova:name>web 1&#10;of two</nova:name></nova:instance></metadata></domain>");

	CHECK_STR(dom->title, "web 1 of two");
	CHECK(dom->nova);
	domxml_free(dom);
	dom = good(HEAD "<title> by libvirt </title><metadata><x:instance xmlns:x='http://example.org/'><x:name>no</x:name>"
		   "</x:instance></metadata></domain>");
	CHECK_STR(dom->title, "by libvirt");
	CHECK(!dom->nova);
	domxml_free(dom);
	dom = good(HEAD "</domain>");
	CHECK(!dom->title);
	domxml_free(dom);
}

static struct domxml *with_meta(const char *attrs)
{
	char xml[1024];

	snprintf(xml, sizeof(xml),
		 HEAD "<metadata><hamon:instance " HAMON " %s/></metadata></domain>", attrs);
	return good(xml);
}

static void metadata_is_read(void)
{
	struct domxml *dom = good(HEAD "</domain>");

	CHECK(!dom->meta.present);
	CHECK_INT(dom->meta.protect, -1);
	CHECK_INT(dom->meta.priority, -1);
	domxml_free(dom);
	dom = with_meta("protected='no' priority='1000' group='db' allow='h1 h2,h3' deny=''");
	CHECK(dom->meta.present && !dom->meta.error);
	CHECK_INT(dom->meta.protect, 0);
	CHECK_INT(dom->meta.priority, 1000);
	CHECK_STR(dom->meta.group, "db");
	CHECK_INT(dom->meta.n_allow, 3);
	CHECK_STR(dom->meta.allow[2], "h3");
	CHECK_INT(dom->meta.n_deny, 0);
	domxml_free(dom);
	dom = good(
	    HEAD
	    "<metadata><x:instance xmlns:x='urn:other' protected='maybe'/></metadata></domain>");
	CHECK(!dom->meta.present && !dom->meta.error);
	domxml_free(dom);
	dom = good(HEAD "<metadata><hamon:probe " HAMON " nonce='n1'/></metadata></domain>");
	CHECK_STR(dom->meta.probe, "n1");
	domxml_free(dom);
}

static void bad_metadata_names_attribute_value_and_expected(void)
{
	static const char *const cases[][2] = {
	    {"protected='maybe'", "protected=\"maybe\": expected yes or no"},
	    {"priority='1001'", "priority=\"1001\": expected a number from 0 to 1000"},
	    {"priority='-1'", "priority=\"-1\""},
	    {"priority='1 2'", "priority=\"1 2\""},
	    {"group='a b'", "group=\"a b\": expected one word"},
	    {"allow='h1 h/2'", "allow=\"h/2\": expected host names"},
	    {"protectd='yes'", "protectd=\"yes\": expected only the attributes protected"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char attrs[128];
		struct domxml *dom;

		snprintf(attrs, sizeof(attrs), "%s deny='h9'", cases[i][0]);
		dom = with_meta(attrs);
		CHECK(dom->meta.error);
		if (!strstr(dom->meta.error, cases[i][1]))
			fprintf(stderr, "said: %s\n", dom->meta.error);
		CHECK(strstr(dom->meta.error, cases[i][1]));
		/* Half of a wrong rule is no rule. */
		CHECK_INT(dom->meta.n_deny, 0);
		CHECK_INT(dom->meta.protect, -1);
		domxml_free(dom);
	}
}

static void secrets_are_hidden(void)
{
	static const char xml[] =
	    HEAD "<!-- password: c0mment --><sysinfo type='fwcfg'><entry "
		 "name='opt/cred'>f1rmware</entry></sysinfo>"
		 "<sysinfo type='smbios'><oemStrings><entry>0em</entry></oemStrings></sysinfo>"
		 "<devices><graphics type='vnc' passwd='g3heim' port='5900'/>"
		 "<disk type='network'><source protocol='https' name='x'><host name='h'/>"
		 "<cookies><cookie name='c'>c00kie</cookie></cookies></source><target "
		 "dev='vda'/></disk></devices>"
		 "<qemu:commandline><qemu:env name='K' value='env1'/></qemu:commandline></domain>";
	static const char *const secrets[] = {"c0mment", "f1rmware", "0em<",
					      "g3heim",	 "c00kie",   "env1"};
	struct domxml *dom = good(xml);
	char *text = NULL;

	CHECK(dom->has_secrets);
	domxml_free(dom);
	CHECK_INT(domxml_redact(xml, strlen(xml), &text), 0);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		CHECK(!strstr(text, secrets[i]));
	CHECK(strstr(text, "passwd=\"(hidden)\"") && strstr(text, "port=\"5900\"") &&
	      strstr(text, "<name>web</name>"));
	free(text);
	text = NULL;
	CHECK_INT(domxml_redact("<!DOCTYPE a><a/>", 16, &text), -EINVAL);
	CHECK(!text);
}

static void network_id(const char *source, const char *expected)
{
	char xml[1024], id[DISKID_SIZE];
	struct domxml *dom;

	snprintf(xml, sizeof(xml),
		 HEAD
		 "<devices><disk type='network'>%s<target dev='vda'/></disk></devices></domain>",
		 source);
	dom = good(xml);
	CHECK_INT(diskid_network(&dom->disks[0], id, sizeof(id)), 0);
	CHECK_STR(id, expected);
	CHECK_INT(diskid_network(&dom->disks[0], id, 5), -ENAMETOOLONG);
	domxml_free(dom);
}

static void network_disks_have_identities(void)
{
	network_id("<source protocol='nbd' name='v1'><host name='Server'/></source>",
		   "nbd:server:10809/v1");
	network_id("<source protocol='nbd' name='v1'><host name='10.0.0.1' port='99'/></source>",
		   "nbd:10.0.0.1:99/v1");
	network_id("<source protocol='nbd' name='v1'><host transport='unix' socket='/s'/></source>",
		   "path:nbd:/s/v1");
	network_id("<source protocol='nbd' name='v1'><host name='127.0.0.1'/></source>",
		   "path:nbd:localhost/v1");
	network_id("<source protocol='iscsi' name='iqn.a:b/1'><host name='s'/></source>",
		   "iscsi:s:3260/iqn.a:b/1");
	network_id("<source protocol='iscsi' name='iqn.a:b'><host name='s'/></source>",
		   "iscsi:s:3260/iqn.a:b/0");
	network_id("<source protocol='rbd' name='p/i'><host name='m'/></source>", "rbd:p/i");
	network_id("<source protocol='gluster' name='v/a/b.img'><host name='g'/></source>",
		   "gluster:g/v/a/b.img");
	network_id("<source protocol='nfs' name='/e/x.img'><host name='n'/></source>",
		   "nfs:n/e/x.img");
	network_id("<source protocol='https' name='/x.iso' query='a=1'><host name='w'/></source>",
		   "https:w:443/x.iso?a=1");
}

int main(void)
{
	RUN(identity_is_read);
	RUN(bad_text_is_refused);
	RUN(document_types_and_entities_are_refused);
	RUN(deep_nesting_is_refused);
	RUN(disks_are_read);
	RUN(too_many_disks_are_refused);
	RUN(firmware_and_kernel_count);
	RUN(what_ties_it_to_a_host_is_named);
	RUN(title_is_read);
	RUN(metadata_is_read);
	RUN(bad_metadata_names_attribute_value_and_expected);
	RUN(secrets_are_hidden);
	RUN(network_disks_have_identities);
	return 0;
}
