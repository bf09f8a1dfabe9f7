/*
 * What hamon-storage reads from others: beacons, qemu-img's JSON, requests; and what it tells
 * qemu-img.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "hamon/common/json.h"
#include "storage-check/beacon.h"
#include "storage-check/imginfo.h"
#include "storage-check/imgsecret.h"
#include "storage-check/imgspec.h"
#include "storage-check/request.h"
#include "tests/unit/test.h"

#define NONCE "0123456789abcdef0123456789abcdef"
#define SECRET "5c0ffee5-0000-4000-8000-00000000cafe"

static int beacon(const char *text)
{
	struct beacon ret;

	return beacon_parse(text, strlen(text), &ret);
}

static void beacons_are_checked(void)
{
	static char big[BEACON_FILE_MAX + 2];
	struct beacon ret;
	const char *text = "{\"host\":\"h1\",\"nonce\":\"" NONCE "\",\"boot_id\":\"b-1\"}\n";

	CHECK_INT(beacon_parse(text, strlen(text), &ret), 0);
	CHECK_STR(ret.host, "h1");
	CHECK_STR(ret.nonce, NONCE);
	CHECK_STR(ret.boot_id, "b-1");
	CHECK_INT(beacon(""), -EBADMSG);
	CHECK_INT(beacon("[]"), -EBADMSG);
	CHECK_INT(beacon("{\"host\":\"h1\",\"nonce\":\"" NONCE "\"}"), -EBADMSG);
	CHECK_INT(beacon("{\"host\":\"../h1\",\"nonce\":\"" NONCE "\",\"boot_id\":\"b\"}"),
		  -EBADMSG);
	CHECK_INT(beacon("{\"host\":\"h1\",\"nonce\":\"XYZ\",\"boot_id\":\"b\"}"), -EBADMSG);
	CHECK_INT(beacon("{\"host\":\"h1\",\"nonce\":\"" NONCE NONCE "0\",\"boot_id\":\"b\"}"),
		  -EBADMSG);
	CHECK_INT(beacon("{\"host\":\"h1\",\"nonce\":7,\"boot_id\":\"b\"}"), -EBADMSG);
	memset(big, ' ', sizeof(big));
	CHECK_INT(beacon_parse(big, sizeof(big), &ret), -E2BIG);
}

static void host_names_are_file_names(void)
{
	static const char *const bad[] = {
	    "",	   ".",
	    "..",  ".h",
	    "a/b", "a b",
	    "h\n", "0123456789012345678901234567890123456789012345678901234567890123456789"};

	CHECK(beacon_host_valid("h1") && beacon_host_valid("node-1.rack_2"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!beacon_host_valid(bad[i]));
}

static void chain(const char *text, int expected, const char *names)
{
	char **got = NULL, joined[1024] = "";
	size_t n = 0;

	CHECK_INT(imginfo_parse(text, strlen(text), &got, &n), expected);
	for (size_t i = 0; i < n; i++)
		snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
			 i ? " " : "", got[i]);
	CHECK_STR(joined, names);
	imginfo_free(got, n);
}

static void chains_are_read(void)
{
	chain("[{\"filename\":\"/a\",\"format\":\"qcow2\",\"backing-filename\":\"b\"},"
	      "{\"filename\":\"/b\",\"format\":\"raw\"}]",
	      0, "/a /b");
	chain("{\"filename\":\"/a\",\"format\":\"raw\"}", 0, "/a");
	chain("[{\"filename\":\"/"
	      "a\",\"format\":\"qcow2\",\"format-specific\":{\"type\":\"qcow2\",\"data\":"
	      "{\"data-file\":\"d.raw\",\"corrupt\":false}}}]",
	      0, "/a d.raw");
	chain("[{\"filename\":\"/"
	      "a\",\"format\":\"qcow2\",\"format-specific\":{\"type\":\"qcow2\",\"data\":"
	      "{\"corrupt\":true}}}]",
	      -EUCLEAN, "");
	chain("[{\"filename\":\"/a\",\"format\":\"qcow2\",\"backing-filename\":\"b\"}]", -ENOTUNIQ,
	      "");
	chain("[]", -EBADMSG, "");
	chain("[1]", -EBADMSG, "");
	chain("null", -EBADMSG, "");
	chain("{\"filename\":7,\"format\":\"raw\"}", -EBADMSG, "");
	chain("{\"filename\":\"\",\"format\":\"raw\"}", -EBADMSG, "");
	chain("{\"filename\":\"/a\"}", -EBADMSG, "");
	chain("[{\"filename\":\"/a\",\"format\":\"raw\",\"format-specific\":3}]", -EBADMSG, "");
}

static void long_chains_are_refused(void)
{
	static char text[16384];
	size_t used = (size_t)sprintf(text, "[");
	char **names = NULL;
	size_t n = 0;

	for (int i = 0; i < IMGINFO_CHAIN_MAX + 1; i++)
		used += (size_t)sprintf(text + used, "%s{\"filename\":\"/a\",\"format\":\"raw\"}",
					i ? "," : "");
	sprintf(text + used, "]");
	CHECK_INT(imginfo_parse(text, strlen(text), &names, &n), -E2BIG);
}

static void spec(const char *source, const char *expected, const char *why_words)
{
	char xml[1024];
	const char *why = NULL;
	struct domxml *dom = NULL;
	char *text;

	snprintf(xml, sizeof(xml),
		 "<domain><name>a</name><devices><disk type='network'>%s<target dev='vda'/></disk>"
		 "</devices></domain>",
		 source);
	CHECK_INT(domxml_parse(xml, strlen(xml), &dom, NULL, 0), 0);
	text = image_spec_of_network(&dom->disks[0], &why);
	if (expected) {
		CHECK_STR(text, expected);
	} else {
		CHECK(!text && why);
		if (!strstr(why, why_words))
			fprintf(stderr, "said: %s\n", why);
		CHECK(strstr(why, why_words));
	}
	free(text);
	domxml_free(dom);
}

static void network_disks_become_block_options(void)
{
	spec("<source protocol='nbd' name='v&quot;1'><host name='s' port='99'/></source>",
	     "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"nbd\",\"server\":{\"type\":\"inet\","
	     "\"host\":\"s\","
	     "\"port\":\"99\"},\"export\":\"v\\\"1\"}}",
	     NULL);
	spec("<driver type='qcow2'/><source protocol='iscsi' name='iqn.a:b/3'><host "
	     "name='fe80::1'/></source>",
	     "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"iscsi\",\"transport\":\"tcp\","
	     "\"portal\":\"[fe80::1]:3260\","
	     "\"target\":\"iqn.a:b\",\"lun\":3}}",
	     NULL);
	spec("<auth username='u'><secret type='ceph' uuid='x'/></auth><source protocol='rbd' "
	     "name='p/n/i'>"
	     "<host name='m'/></source>",
	     "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"rbd\",\"namespace\":\"n\",\"pool\":"
	     "\"p\",\"image\":\"i\","
	     "\"user\":\"u\",\"server\":[{\"host\":\"m\",\"port\":\"6789\"}]}}",
	     NULL);
	spec("<auth username='u'><secret type='ceph' uuid='" SECRET "'/></auth><source protocol='rbd' "
	     "name='p/i'><host name='m'/></source>",
	     "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"rbd\",\"pool\":\"p\",\"image\":\"i\","
	     "\"user\":\"u\",\"server\":[{\"host\":\"m\",\"port\":\"6789\"}],"
	     "\"key-secret\":\"libvirt-" SECRET "\"}}",
	     NULL);
	spec("<source protocol='iscsi' name='i/1'><host name='s'/><auth username='u'>"
	     "<secret type='iscsi' uuid='" SECRET "'/></auth></source>",
	     "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"iscsi\",\"transport\":\"tcp\","
	     "\"portal\":\"s:3260\",\"target\":\"i\",\"lun\":1,\"user\":\"u\","
	     "\"password-secret\":\"libvirt-" SECRET "\"}}",
	     NULL);
	spec("<source protocol='gluster' name='v/a/b'><host name='g'/></source>",
	     "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"gluster\",\"volume\":\"v\",\"path\":"
	     "\"a/b\",\"server\":"
	     "[{\"type\":\"inet\",\"host\":\"g\",\"port\":\"24007\"}]}}",
	     NULL);
	spec("<source protocol='nfs' name='/e/x'><host name='n'/></source>",
	     "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"nfs\",\"server\":{\"type\":\"inet\","
	     "\"host\":\"n\"},"
	     "\"path\":\"/e/x\"}}",
	     NULL);
	spec("<source protocol='https' name='/i.iso' query='k=v'><host name='w' "
	     "port='444'/></source>",
	     "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"https\",\"url\":\"https://w:444/"
	     "i.iso?k=v\"}}",
	     NULL);
}

static void what_qemu_img_cannot_be_asked_has_a_reason(void)
{
	spec("<source protocol='vxhs' name='x'><host name='s'/></source>", NULL,
	     "cannot check this protocol");
	spec("<source protocol='nbd' name='x'><host name='localhost'/></source>", NULL, "loopback");
	spec("<source protocol='nbd' name='x'><host transport='unix' socket='/s'/></source>", NULL,
	     "loopback");
	spec("<source protocol='nbd' name='x' tls='yes'><host name='s'/></source>", NULL, "TLS");
	spec("<source protocol='nbd' name='x'/>", NULL, "no server");
	spec("<auth username='u'><secret type='iscsi' usage='x'/></auth><source protocol='iscsi' "
	     "name='i/1'>"
	     "<host name='s'/></source>",
	     NULL, "secret");
	spec("<source protocol='iscsi' name='iqn/x'><host name='s'/></source>", NULL,
	     "another form");
	spec("<source protocol='rbd' name='image'><host name='m'/></source>", NULL, "another form");
	spec("<source protocol='rbd' name='p/i'/>", NULL, "no monitor");
	spec("<source protocol='gluster' name='v'><host name='s'/></source>", NULL, "another form");
}

static void file_make(const char *folder, const char *name)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	CHECK(file && !fclose(file));
}

static void libvirts_secrets_open_images(void)
{
	char folder[] = "/tmp/hamon-secret-XXXXXX", uuid[IMGSECRET_UUID_SIZE], option[IMGSECRET_OPTION_SIZE];
	char named[] = "json:{\"file\":{\"driver\":\"rbd\",\"key-secret\":\"libvirt-" SECRET "\"}}";
	char said[] = "json:{\"file\":{\"image\":\"a-secret\\\":\\\"libvirt-x\"}}";

	CHECK(imgsecret_uuid_valid(SECRET));
	CHECK(!imgsecret_uuid_valid(SECRET "0") && !imgsecret_uuid_valid("../../../../../../../../../../../../"));
	CHECK(!imgsecret_uuid_valid("") && !imgsecret_uuid_valid("5C0FFEE5-0000-4000-8000-00000000CAFE"));
	CHECK(mkdtemp(folder));
	CHECK_INT(imgsecret_find(said, folder, uuid), IMGSECRET_NONE);
	CHECK_INT(imgsecret_find(named, folder, uuid), IMGSECRET_MISSING);
	CHECK_STR(uuid, SECRET);
	file_make(folder, SECRET ".xml");
	CHECK_INT(imgsecret_find(named, folder, uuid), IMGSECRET_ELSEWHERE);
	file_make(folder, SECRET ".base64");
	CHECK_INT(imgsecret_find(named, folder, uuid), IMGSECRET_STORED);
	imgsecret_option("/s", uuid, option);
	CHECK_STR(option, "secret,id=libvirt-" SECRET ",format=base64,file=/s/" SECRET ".base64");
	imgsecret_drop(named);
	CHECK_STR(named, "json:{\"file\":{\"driver\":\"rbd\"}}");
	imgsecret_drop(said);
	CHECK_STR(said, "json:{\"file\":{\"image\":\"a-secret\\\":\\\"libvirt-x\"}}");
	CHECK(!chdir(folder) && !unlink(SECRET ".xml") && !unlink(SECRET ".base64") && !rmdir(folder));
}

static void request(enum request_kind kind, const char *text, int expected, const char *words)
{
	struct request ret;

	CHECK_INT(request_parse(kind, text, strlen(text), &ret), expected);
	if (!strstr(ret.error, words))
		fprintf(stderr, "said: %s\n", ret.error);
	CHECK(strstr(ret.error, words));
	request_clear(&ret);
}

#define CHECK_HEAD "{\"op\":\"1\",\"self\":\"h2\",\"instances\":[{\"uuid\":\"u\",\"name\":\"n\","

static void requests_are_checked(void)
{
	request(REQUEST_CHECK, "", -EBADMSG, "JSON object");
	request(REQUEST_CHECK, "[1]", -EBADMSG, "JSON object");
	request(REQUEST_CHECK, "{}", -EINVAL, "op:");
	request(REQUEST_CHECK, "{\"op\":\"1\"}", -EINVAL, "self:");
	request(REQUEST_CHECK, "{\"op\":\"1\",\"self\":\"../x\"}", -EINVAL, "self:");
	request(REQUEST_CHECK, "{\"op\":\"1\",\"self\":\"h\",\"probe_timeout_ms\":0}", -EINVAL,
		"probe_timeout_ms");
	request(REQUEST_CHECK, "{\"op\":\"1\",\"self\":\"h\",\"probe_timeout_ms\":60001}", -EINVAL,
		"60000");
	request(REQUEST_CHECK, "{\"op\":\"1\",\"self\":\"h\"}", 0, "");
	request(REQUEST_CHECK, "{\"op\":\"1\",\"self\":\"h\",\"instances\":{}}", -EINVAL,
		"instances: expected an array");
	request(REQUEST_CHECK, "{\"op\":\"1\",\"self\":\"h\",\"instances\":[7]}", -EINVAL,
		"instances[0].uuid");
	request(REQUEST_CHECK, CHECK_HEAD "\"owner\":\"/\",\"xml\":\"\"}]}", -EINVAL, "owner");
	request(REQUEST_CHECK, CHECK_HEAD "\"owner\":\"h1\",\"xml\":\"\",\"places\":[{}]}]}",
		-EINVAL, "places[0].path");
	request(REQUEST_CHECK,
		CHECK_HEAD
		"\"owner\":\"h1\",\"xml\":\"\",\"places\":[{\"path\":\"/a\",\"nonce\":1}]}]}",
		-EINVAL, "places[0].nonce");
	request(REQUEST_CHECK,
		CHECK_HEAD "\"owner\":\"h1\",\"xml\":\"\",\"devices\":[{\"path\":\"/a\"}],"
			   "\"disks\":[{\"target\":\"vda\",\"id\":null}]}]}",
		0, "");
	request(REQUEST_IDENTIFY, "{\"op\":\"1\"}", -EINVAL, "xml:");
	request(REQUEST_IDENTIFY, "{\"op\":\"1\",\"xml\":\"<a/>\"}", -EINVAL,
		"xml: the root element is <a>");
	request(REQUEST_BEACON, "{\"op\":\"1\",\"self\":\"h\",\"nonce\":\"x\"}", -EINVAL, "nonce:");
	request(REQUEST_BEACON,
		"{\"op\":\"1\",\"self\":\"h\",\"nonce\":\"" NONCE "\",\"boot_id\":\"\\\"\"}",
		-EINVAL, "boot_id");
	request(REQUEST_BEACON,
		"{\"op\":\"1\",\"self\":\"h\",\"nonce\":\"" NONCE
		"\",\"boot_id\":\"a-1\",\"places\":[\"a\"]}",
		-EINVAL, "places[0]");
	request(REQUEST_BEACON,
		"{\"op\":\"1\",\"self\":\"h\",\"nonce\":\"" NONCE
		"\",\"boot_id\":\"a-1\",\"places\":[\"/a\"],"
		"\"peers\":[\"..\"]}",
		-EINVAL, "peers[0]");
}

/* One bad definition must not cost the others their verdicts. */
static void a_bad_xml_is_its_own_instances_trouble(void)
{
	struct request ret;
	const char *text = "{\"op\":\"1\",\"self\":\"h\",\"instances\":[{\"uuid\":\"u\",\"name\":"
			   "\"n\",\"owner\":\"h1\","
			   "\"xml\":\"<domain\"},{\"uuid\":\"u\",\"name\":\"n\",\"owner\":\"h1\","
			   "\"xml\":\"<domain><name>a</name></domain>\"}]}";

	CHECK_INT(request_parse(REQUEST_CHECK, text, strlen(text), &ret), 0);
	CHECK(!ret.instances[0].dom && strstr(ret.instances[0].error, "not well-formed"));
	CHECK(ret.instances[1].dom);
	request_clear(&ret);
}

int main(void)
{
	RUN(beacons_are_checked);
	RUN(host_names_are_file_names);
	RUN(chains_are_read);
	RUN(long_chains_are_refused);
	RUN(network_disks_become_block_options);
	RUN(what_qemu_img_cannot_be_asked_has_a_reason);
	RUN(libvirts_secrets_open_images);
	RUN(requests_are_checked);
	RUN(a_bad_xml_is_its_own_instances_trouble);
	return 0;
}
