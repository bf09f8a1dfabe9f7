/* Answers of Keystone and Nova, and clouds.yaml, from any bytes. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "evacuate/nova/cinder_parse.h"
#include "evacuate/nova/clouds.h"
#include "evacuate/nova/marks.h"
#include "evacuate/nova/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STRING(field) do { if (!memchr(field, '\0', sizeof(field))) abort(); } while (0)

static void server_check(const char *text, size_t size)
{
	struct nova_server server, few[2];
	size_t n = 0;

	(void)nova_servers_parse(text, size, few, 2, &n);
	if (n > 2)
		abort();
	if (nova_server_parse(text, size, &server))
		return;
	STRING(server.name);
	STRING(server.task);
	STRING(server.host);
	STRING(server.fault);
	if (strlen(server.id) != 36 || !server.status[0] || strpbrk(server.fault, "\r\n"))
		abort();
}

static void service_check(const char *text, size_t size)
{
	struct nova_service service;

	if (!nova_service_parse(text, size, "compute1", &service) &&
	    (strlen(service.id) != 36 || strcmp(service.host, "compute1")))
		abort();
}

static void migrations_check(const char *text, size_t size)
{
	const struct nova_migration *newest;
	struct nova_migrations migrations;

	if (nova_migrations_parse(text, size, &migrations))
		return;
	for (size_t i = 0; i < migrations.n; i++) {
		newest = nova_migrations_newest(&migrations, migrations.list[i].uuid);
		if (newest && newest->id < migrations.list[i].id && !strcmp(migrations.list[i].type, "evacuation"))
			abort();
		(void)nova_migration_is_unfinished(&migrations.list[i]);
	}
	nova_migrations_free(&migrations);
}

static void cinder_check(const char *text, size_t size)
{
	struct cinder_volume volume;
	bool up;

	(void)cinder_service_parse(text, size, "cloud@nfs", "", &up);
	if (cinder_volume_parse(text, size, &volume))
		return;
	STRING(volume.name);
	STRING(volume.host);
	if (strlen(volume.id) != 36 || !volume.status[0] || strchr(volume.host, '#') ||
	    volume.n_attachments > CINDER_ATTACHMENTS_MAX)
		abort();
	for (size_t i = 0; i < volume.n_attachments; i++)
		STRING(volume.attachments[i].host);
}

static void cloud_check(const char *text, size_t size)
{
	char error[CLOUD_ERROR_SIZE] = "";
	struct cloud cloud = { 0 };
	int rc = cloud_text_take(&cloud, text, size, "a", error);

	if ((rc == -EINVAL || rc == -ENOENT) && !error[0])
		abort();
	cloud_free(&cloud);
}

static void marks_check(const char *text, size_t size)
{
	const struct nova_wanted wanted = { "evacuable", "true" };
	struct nova_marks marks;
	char image[37];

	for (enum request_select i = SELECT_METADATA; i <= SELECT_FLAVOR; i++)
		if (!nova_marks_server(text, size, i, &wanted, &marks)) {
			STRING(marks.value);
			if (marks.selected && !marks.found)
				abort();
		}
	if (!nova_marks_image(text, size, &wanted, &marks))
		STRING(marks.value);
	if (!nova_marks_aggregates(text, size, "compute1", &wanted, &marks))
		STRING(marks.value);
	if (!nova_image_parse(text, size, image) && image[0] && strlen(image) != 36)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char message[NOVA_TEXT_SIZE];
	struct nova_endpoints endpoints;
	uint32_t minor;

	server_check(text, size);
	service_check(text, size);
	migrations_check(text, size);
	(void)nova_version_parse(text, size, &minor);
	if (!keystone_endpoints_parse(text, size, "compute", "public", "", &endpoints)) {
		if (!endpoints.n || endpoints.n > NOVA_ENDPOINTS_MAX)
			abort();
		for (size_t i = 0; i < endpoints.n; i++)
			STRING(endpoints.url[i]);
	}
	cinder_check(text, size);
	if (nova_error_parse(text, size, message))
		STRING(message);
	cloud_check(text, size);
	marks_check(text, size);
	return 0;
}
