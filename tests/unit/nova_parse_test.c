/*
 * The answers of Keystone and Nova, as a real cloud (Zed, microversions as in the files' names) gave them: tests/unit/nova/NAME.json.
 * And what is no such answer.
 */
#include <errno.h>

#include "evacuate/nova/cinder_parse.h"
#include "evacuate/nova/marks.h"
#include "evacuate/nova/parse.h"
#include "tests/unit/test.h"

#define S1 "3db8ccd7-a777-4d2a-9172-ed91d649dd7f"
#define S2 "359b18e5-822e-4f05-bef9-a479dabfa250"
#define S3 "7e8feafa-51ce-442c-a428-349cfc728496"
#define SV "acebbc14-e197-4256-9def-01d42356bcfd" /* one on a volume */
#define VOLUME "20800d38-0997-4bf0-b24d-64becf0af530"

static char *answer(const char *name, size_t *ret_len)
{
	const char *srcdir = getenv("HAMON_SRCDIR");
	static char text[1 << 16];
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/unit/nova/%s.json", srcdir ? srcdir : ".", name);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(1);
	}
	*ret_len = fread(text, 1, sizeof(text) - 1, f);
	text[*ret_len] = '\0';
	fclose(f);
	return text;
}

static struct nova_server server_of(const char *name)
{
	struct nova_server server;
	size_t len;
	char *text = answer(name, &len);

	CHECK_INT(nova_server_parse(text, len, &server), 0);
	return server;
}

static void servers(void)
{
	static const char *const versions[] = { "server_active_2.53", "server_active_2.79", "server_active_2.93" };
	struct nova_server server;

	for (size_t i = 0; i < 3; i++) {
		server = server_of(versions[i]);
		CHECK_STR(server.id, S2);
		CHECK_STR(server.name, "s-2");
		CHECK_STR(server.status, "ACTIVE");
		CHECK_STR(server.task, "");
		CHECK_STR(server.host, "compute1");
		CHECK(server.host_shown);
		CHECK_STR(server.fault, "");
		CHECK(server.image);
		CHECK_INT(server.n_volumes, 0);
	}
	server = server_of("server_volume_2.93");
	CHECK_STR(server.id, SV);
	CHECK(!server.image);
	CHECK_INT(server.n_volumes, 1);
	CHECK_STR(server.volumes[0], VOLUME);
	server = server_of("server_rebuild");
	CHECK_STR(server.status, "REBUILD");
	CHECK_STR(server.task, "rebuilding");
	server = server_of("server_shutoff");
	CHECK_STR(server.status, "SHUTOFF");
	CHECK_STR(server.host, "compute2");
	server = server_of("server_error");
	CHECK_STR(server.status, "ERROR");
	CHECK_STR(server.fault, "No valid host was found. There are not enough hosts available.");
}

static void check_server(const char *text, int expected)
{
	struct nova_server server = { .id = "untouched" };

	CHECK_INT(nova_server_parse(text, strlen(text), &server), expected);
	if (expected)
		CHECK_STR(server.id, "untouched");
}

static void odd_servers(void)
{
	struct nova_server server;
	char text[2048], fault[1500];

	check_server("", -EINVAL);
	check_server("[]", -EINVAL);
	check_server("{}", -EINVAL);
	check_server("{\"server\":7}", -EINVAL);
	check_server("{\"server\":{\"id\":\"" S1 "\"}}", -EINVAL);
	check_server("{\"server\":{\"id\":\"x\",\"status\":\"ACTIVE\"}}", -EINVAL);
	check_server("{\"server\":{\"id\":\"" S1 "\",\"status\":\"ACTIVE\",\"OS-EXT-SRV-ATTR:host\":7}}", -EINVAL);
	check_server("{\"server\":{\"id\":\"" S1 "\",\"status\":\"ACTIVE\",\"OS-EXT-SRV-ATTR:host\":\"a\\u0000b\"}}", -EINVAL);
	/* A host's name that does not fit is never cut to another's. */
	memset(fault, 'h', sizeof(fault));
	snprintf(text, sizeof(text), "{\"server\":{\"id\":\"" S1 "\",\"status\":\"ACTIVE\",\"OS-EXT-SRV-ATTR:host\":\"%.256s\"}}",
		 fault);
	check_server(text, -EINVAL);
	/* Without the role admin the host is not there at all. */
	snprintf(text, sizeof(text), "{\"server\":{\"id\":\"" S1 "\",\"status\":\"ACTIVE\"}}");
	CHECK_INT(nova_server_parse(text, strlen(text), &server), 0);
	CHECK(!server.host_shown && !server.host[0]);
	/* Words for people are cut, between two characters, and stay in one line. */
	for (size_t i = 0; i < sizeof(fault) / 2; i++)
		memcpy(fault + 2 * i, "\xc3\xa4", 2);
	snprintf(text, sizeof(text),
		 "{\"server\":{\"id\":\"" S1 "\",\"status\":\"ERROR\",\"fault\":{\"message\":\"a\\nb%.1400s\"}}}", fault);
	CHECK_INT(nova_server_parse(text, strlen(text), &server), 0);
	CHECK_INT(strlen(server.fault), NOVA_TEXT_SIZE - 1);
	CHECK(!strncmp(server.fault, "a b", 3) && !strcmp(server.fault + NOVA_TEXT_SIZE - 3, "\xc3\xa4"));
}

static void lists_of_servers(void)
{
	static const char two[] = "{\"servers\":[{\"id\":\"" S1 "\",\"status\":\"REBUILD\"},"
				  "{\"id\":\"" S2 "\",\"status\":\"REBUILD\"}]}";
	struct nova_server list[2] = { 0 };
	size_t n = 7;

	CHECK_INT(nova_servers_parse(two, strlen(two), list, 2, &n), 0);
	CHECK_INT(n, 2);
	CHECK_STR(list[1].id, S2);
	CHECK_INT(nova_servers_parse(two, strlen(two), list, 1, &n), 0);
	CHECK_INT(n, 1);
	CHECK_INT(nova_servers_parse("{\"servers\":[]}", 14, list, 2, &n), 0);
	CHECK_INT(n, 0);
	CHECK_INT(nova_servers_parse("{\"servers\":[7]}", 15, list, 2, &n), -EINVAL);
	CHECK_INT(nova_servers_parse("{\"servers\":7}", 13, list, 2, &n), -EINVAL);
}

static void services(void)
{
	static const char *const versions[] = { "services_2.53", "services_2.79", "services_2.93" };
	struct nova_service service;
	size_t len;
	char *text;

	for (size_t i = 0; i < 3; i++) {
		text = answer(versions[i], &len);
		CHECK_INT(nova_service_parse(text, len, "compute2", &service), 0);
		CHECK_STR(service.id, "1b346d73-f7c9-4bc3-8927-26dd922c7044");
		CHECK_STR(service.host, "compute2");
		CHECK(service.up && service.enabled && !service.forced_down);
		CHECK_INT(nova_service_parse(text, len, "compute", &service), -ENOENT);
	}
	text = answer("services_down", &len);
	CHECK_INT(nova_service_parse(text, len, "compute1", &service), 0);
	CHECK(!service.up && service.enabled && service.forced_down);
	CHECK_STR(service.reason, "");
	text = answer("migrations_none", &len);
	CHECK_INT(nova_service_parse(text, len, "compute1", &service), -EINVAL);
}

static void migrations(void)
{
	static const char *const versions[] = { "migrations_2.53", "migrations_2.79", "migrations_2.93" };
	const struct nova_migration *newest;
	struct nova_migrations list;
	size_t len;
	char *text;

	for (size_t i = 0; i < 3; i++) {
		text = answer(versions[i], &len);
		CHECK_INT(nova_migrations_parse(text, len, &list), 0);
		CHECK_INT(list.n, 1);
		newest = nova_migrations_newest(&list, S1);
		CHECK(newest && !nova_migrations_newest(&list, S2));
		CHECK_STR(newest->source, "compute1");
		CHECK_STR(newest->dest, "compute2");
		CHECK_STR(newest->status, "completed");
		CHECK(!nova_migration_is_unfinished(newest));
		nova_migrations_free(&list);
	}
	text = answer("migrations_accepted", &len);
	CHECK_INT(nova_migrations_parse(text, len, &list), 0);
	CHECK(nova_migration_is_unfinished(nova_migrations_newest(&list, S2)));
	nova_migrations_free(&list);
	text = answer("migrations_error", &len);
	CHECK_INT(nova_migrations_parse(text, len, &list), 0);
	CHECK(!nova_migration_is_unfinished(nova_migrations_newest(&list, S2)));
	nova_migrations_free(&list);
	text = answer("migrations_three", &len);
	CHECK_INT(nova_migrations_parse(text, len, &list), 0);
	CHECK_INT(list.n, 3);
	CHECK_INT(nova_migrations_newest(&list, S3)->id, 6);
	nova_migrations_free(&list);
	text = answer("migrations_none", &len);
	CHECK_INT(nova_migrations_parse(text, len, &list), 0);
	CHECK_INT(list.n, 0);
	nova_migrations_free(&list);
	text = answer("services_down", &len);
	CHECK_INT(nova_migrations_parse(text, len, &list), -EINVAL);
}

static int version_of(const char *text, uint32_t *ret)
{
	return nova_version_parse(text, strlen(text), ret);
}

static void versions(void)
{
	uint32_t minor = 7;
	size_t len;
	char *text;

	text = answer("version", &len);
	CHECK_INT(nova_version_parse(text, len, &minor), 0);
	CHECK_INT(minor, 93);
	text = answer("versions", &len);
	minor = 7;
	CHECK_INT(nova_version_parse(text, len, &minor), 0);
	CHECK_INT(minor, 93);
	CHECK_INT(version_of("{\"version\":{\"id\":\"v2.0\",\"version\":\"\"}}", &minor), -ENOENT);
	CHECK_INT(version_of("{\"version\":{\"id\":\"v2.1\",\"version\":\"3.1\"}}", &minor), -EINVAL);
	CHECK_INT(version_of("{\"versions\":[{\"id\":\"v2.0\",\"version\":\"\"}]}", &minor), -ENOENT);
	CHECK_INT(version_of("{\"versions\":[7]}", &minor), -EINVAL);
	CHECK_INT(nova_microversion_parse("2.53", &minor), 0);
	CHECK_INT(minor, 53);
	CHECK_INT(nova_microversion_parse("2.", &minor), -EINVAL);
	CHECK_INT(nova_microversion_parse("2.5x", &minor), -EINVAL);
	CHECK_INT(nova_microversion_parse("2.5000", &minor), -EINVAL);
	CHECK_INT(nova_microversion_parse("", &minor), -EINVAL);
}

static struct cinder_volume volume_of(const char *name)
{
	struct cinder_volume volume;
	size_t len;
	char *text = answer(name, &len);

	CHECK_INT(cinder_volume_parse(text, len, &volume), 0);
	return volume;
}

static void check_volume(const char *text, int expected)
{
	struct cinder_volume volume = { .id = "untouched" };

	CHECK_INT(cinder_volume_parse(text, strlen(text), &volume), expected);
	if (expected)
		CHECK_STR(volume.id, "untouched");
}

static void volumes(void)
{
	struct cinder_volume volume = volume_of("volume_h1_3.70");

	CHECK_STR(volume.id, VOLUME);
	CHECK_STR(volume.name, "root");
	CHECK_STR(volume.status, "in-use");
	CHECK(volume.host_shown);
	CHECK_STR(volume.host, "cloud@nfs");
	CHECK_STR(volume.cluster, "");
	CHECK_INT(volume.n_attachments, 1);
	CHECK_STR(volume.attachments[0].server, SV);
	CHECK_STR(volume.attachments[0].host, "h1");
	volume = volume_of("volume_h2_3.70");
	CHECK_INT(volume.n_attachments, 1);
	CHECK_STR(volume.attachments[0].host, "h2");
#define VOLUME_AND(rest) "{\"volume\":{\"id\":\"" VOLUME "\",\"status\":\"available\"" rest "}}"
	check_volume(VOLUME_AND(",\"attachments\":[]"), 0);
	check_volume(VOLUME_AND(",\"attachments\":[{\"server_id\":null,\"host_name\":\"h1\"}]"), 0);
	check_volume(VOLUME_AND(",\"attachments\":[{\"server_id\":\"x\"}]"), -EINVAL);
	check_volume(VOLUME_AND(",\"attachments\":[7]"), -EINVAL);
	check_volume(VOLUME_AND(""), -EINVAL);
	check_volume("{\"volume\":[]}", -EINVAL);
	check_volume("{\"volumes\":{}}", -EINVAL);
	check_volume("", -EINVAL);
}

static int volume_service(const char *text, const char *host, const char *cluster, bool *ret)
{
	return cinder_service_parse(text, strlen(text), host, cluster, ret);
}

static void volume_services(void)
{
	static const char two[] =
		"{\"services\":[{\"binary\":\"cinder-volume\",\"host\":\"a@x\",\"cluster\":\"c@x\",\"state\":\"down\"},"
		"{\"binary\":\"cinder-volume\",\"host\":\"b@x\",\"cluster\":\"c@x\",\"state\":\"up\"},"
		"{\"binary\":\"cinder-backup\",\"host\":\"b\",\"state\":\"down\"}]}";
	bool up = false;
	size_t len;
	char *text = answer("volume_services_3.70", &len);

	CHECK_INT(cinder_service_parse(text, len, "cloud@nfs", "", &up), 0);
	CHECK(up);
	CHECK_INT(cinder_service_parse(text, len, "cloud@ceph", "", &up), -ENOENT);
	CHECK_INT(volume_service(two, "a@x", "", &up), 0);
	CHECK(!up);
	/* Another one of its cluster can do it. */
	CHECK_INT(volume_service(two, "a@x", "c@x", &up), 0);
	CHECK(up);
	CHECK_INT(volume_service(two, "b", "", &up), -ENOENT);
	CHECK_INT(volume_service("{\"services\":[{\"state\":\"sideways\"}]}", "b", "", &up), -EINVAL);
	CHECK_INT(volume_service("{\"services\":[7]}", "b", "", &up), -EINVAL);
	CHECK_INT(volume_service("{\"services\":{}}", "b", "", &up), -EINVAL);
}

static int endpoint(const char *text, const char *region, struct nova_endpoints *ret)
{
	return keystone_endpoints_parse(text, strlen(text), "compute", "public", region, ret);
}

static void catalogues(void)
{
	static const char two[] =
		"{\"token\":{\"catalog\":[{\"type\":\"identity\",\"endpoints\":[]},{\"type\":\"compute\",\"endpoints\":["
		"{\"interface\":\"internal\",\"region_id\":\"A\",\"url\":\"http://i/\"},"
		"{\"interface\":\"public\",\"region_id\":\"A\",\"url\":\"http://a/\"},"
		"{\"interface\":\"public\",\"region_id\":\"B\",\"url\":\"http://b/\"},"
		"{\"interface\":\"public\",\"region_id\":\"B\",\"url\":\"http://c/\"}]}]}}";
	struct nova_endpoints found = { .n = 7 };
	size_t len;
	char *text = answer("token", &len);

	CHECK_INT(keystone_endpoints_parse(text, len, "compute", "public", "", &found), 0);
	CHECK_STR(found.url[0], "http://127.0.0.1:8774/v2.1");
	CHECK_INT(keystone_endpoints_parse(text, len, "compute", "internal", "RegionOne", &found), 0);
	CHECK_INT(keystone_endpoints_parse(text, len, "compute", "public", "Nowhere", &found), -ENOENT);
	CHECK_INT(keystone_endpoints_parse(text, len, "baremetal", "public", "", &found), -ENOENT);
	CHECK_INT(endpoint(two, "B", &found), 0);
	CHECK_INT(found.n, 2);
	CHECK_STR(found.url[0], "http://b/");
	CHECK_STR(found.url[1], "http://c/");
	CHECK_INT(endpoint(two, "", &found), -ENOTUNIQ);
	CHECK_INT(endpoint("{\"token\":{}}", "", &found), -EINVAL);
	CHECK_INT(endpoint("{\"token\":{\"catalog\":[{\"type\":\"compute\"}]}}", "", &found), -EINVAL);
}

static void check_words(const char *name, const char *expected)
{
	char message[NOVA_TEXT_SIZE];
	size_t len;
	char *text = answer(name, &len);

	CHECK(nova_error_parse(text, len, message));
	CHECK_STR(message, expected);
}

static void errors_have_their_words(void)
{
	char message[NOVA_TEXT_SIZE];

	check_words("evacuate_up_400", "Compute service of compute1 is still in use.");
	check_words("server_404", "Instance 11111111-2222-3333-4444-555555555555 could not be found.");
	check_words("version_406", "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.93.");
	check_words("token_401", "The request you have made requires authentication.");
	check_words("server_401", "The request you have made requires authentication.");
	CHECK(!nova_error_parse("<html>", 6, message));
	CHECK(!nova_error_parse("{\"a\":7}", 7, message));
	CHECK(!nova_error_parse("", 0, message));
}

/* --- what selects a server --- */

static void marks_expect(const char *name, enum request_select select, const char *key, const char *value, bool found,
			 bool selected)
{
	struct nova_marks marks = { 0 };
	size_t len;
	char *text = answer(name, &len);
	const struct nova_wanted wanted = { key, value };

	CHECK_INT(select == SELECT_IMAGE ? nova_marks_image(text, len, &wanted, &marks) :
		  select == SELECT_AGGREGATE ? nova_marks_aggregates(text, len, "h1", &wanted, &marks) :
		  nova_marks_server(text, len, select, &wanted, &marks), 0);
	CHECK_INT(marks.found, found);
	CHECK_INT(marks.selected, selected);
}

/* As a real Nova and Glance have told them. */
static void marks_of_all_kinds(void)
{
	static const char *const versions[] = { "server_marked_2.53", "server_marked_2.79", "server_marked_2.93" };

	for (size_t i = 0; i < 3; i++) {
		marks_expect(versions[i], SELECT_METADATA, "HA_Enabled", "true", true, true);
		marks_expect(versions[i], SELECT_METADATA, "HA_Enabled", "gold", true, false);
		marks_expect(versions[i], SELECT_METADATA, "ha_enabled", "true", false, false);
		marks_expect(versions[i], SELECT_TAG, "evacuable", "", true, true);
		marks_expect(versions[i], SELECT_TAG, "evacuabl", "", false, false);
		marks_expect(versions[i], SELECT_FLAVOR, "evacuable", "true", false, false);
	}
	marks_expect("server_flavor_2.93", SELECT_FLAVOR, "evacuable", "true", true, true);
	marks_expect("image", SELECT_IMAGE, "evacuable", "true", true, true);
	marks_expect("image", SELECT_IMAGE, "disk_format", "raw", true, true);
	marks_expect("image", SELECT_IMAGE, "recover", "true", false, false);
	marks_expect("aggregates_2.93", SELECT_AGGREGATE, "evacuable", "true", true, true);
	marks_expect("aggregates_2.93", SELECT_AGGREGATE, "recover", "true", false, false);
}

static void locks(void)
{
	CHECK(server_of("server_locked_2.53").locked);
	CHECK_STR(server_of("server_locked_2.53").lock_reason, "");
	CHECK(server_of("server_locked_2.79").locked);
	CHECK_STR(server_of("server_locked_2.79").lock_reason, "mine");
	CHECK_STR(server_of("server_locked_2.93").lock_reason, "mine");
	CHECK(!server_of("server_marked_2.93").locked);
	CHECK_STR(server_of("server_marked_2.93").lock_reason, "");
}

static int marks_of(const char *text, enum request_select select)
{
	struct nova_marks marks;

	return nova_marks_server(text, strlen(text), select, &(struct nova_wanted){ "a", "b" }, &marks);
}

/* What cannot be read is no "no". */
static void marks_that_are_none(void)
{
	struct nova_marks marks;
	char image[37];

	marks_expect("server_active_2.93", SELECT_METADATA, "HA_Enabled", "true", false, false);
	marks_expect("server_active_2.93", SELECT_TAG, "evacuable", "", false, false);
	marks_expect("server_active_2.53", SELECT_FLAVOR, "evacuable", "true", false, false);
	CHECK_INT(marks_of("{\"server\":{}}", SELECT_METADATA), -ENODATA);
	CHECK_INT(marks_of("{\"server\":{}}", SELECT_TAG), -ENODATA);
	CHECK_INT(marks_of("{\"server\":{\"flavor\":{}}}", SELECT_FLAVOR), -ENODATA);
	CHECK_INT(marks_of("{\"server\":{\"metadata\":[]}}", SELECT_METADATA), -EINVAL);
	CHECK_INT(marks_of("{\"server\":{\"metadata\":{\"a\":7}}}", SELECT_METADATA), -EINVAL);
	CHECK_INT(marks_of("{\"server\":{\"tags\":[7]}}", SELECT_TAG), -EINVAL);
	CHECK_INT(marks_of("{\"server\":[]}", SELECT_TAG), -EINVAL);
	CHECK_INT(marks_of("", SELECT_TAG), -EINVAL);
	CHECK_INT(nova_marks_aggregates("{}", 2, "h", &(struct nova_wanted){ "a", "b" }, &marks), -EINVAL);
	CHECK_INT(nova_marks_image("{}", 2, &(struct nova_wanted){ "a", "b" }, &marks), -ENODATA);
	CHECK_INT(nova_image_parse("{\"server\":{}}", 13, image), -EINVAL);
	CHECK_INT(nova_image_parse("{\"server\":{\"image\":\"\"}}", 23, image), 0);
	CHECK_STR(image, "");
}

static void marks_agree_as_openstack_reads_them(void)
{
	CHECK(nova_mark_agrees("True", "true"));
	CHECK(nova_mark_agrees("yes", "1"));
	CHECK(nova_mark_agrees("Gold", "gold"));
	CHECK(!nova_mark_agrees("False", "true"));
	CHECK(!nova_mark_agrees("", "true"));
	CHECK(!nova_mark_agrees("true ", "true"));
	CHECK(!nova_mark_agrees("no", "false"));
}

int main(void)
{
	RUN(servers);
	RUN(odd_servers);
	RUN(lists_of_servers);
	RUN(services);
	RUN(migrations);
	RUN(versions);
	RUN(volumes);
	RUN(volume_services);
	RUN(catalogues);
	RUN(errors_have_their_words);
	RUN(marks_of_all_kinds);
	RUN(locks);
	RUN(marks_that_are_none);
	RUN(marks_agree_as_openstack_reads_them);
	return 0;
}
