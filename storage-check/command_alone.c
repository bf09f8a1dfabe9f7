/*
 * What this host alone can see: libvirt and storage are asked in children, so that neither can hang
 * a person.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "storage-check/command.h"
#include "storage-check/judge.h"
#include "storage-check/probe.h"
#include "storage-check/survey.h"

#define PARALLEL 16
#define ROUNDS 4
#define URI "qemu:///system"

static struct json_object *answer_new(const char *key, const char *value, int status)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, key, value);
	json_object_object_add(obj, "status", json_object_new_int(status));
	return obj;
}

/* The child. Secrets stay in libvirtd: a read-only connection is enough. */
static void xml_job(void *arg, int out)
{
	const char *uri = getenv("LIBVIRT_DEFAULT_URI"), *name = arg;
	virConnectPtr conn = virConnectOpenReadOnly(uri && uri[0] ? uri : URI);
	virDomainPtr dom = conn ? virDomainLookupByName(conn, name) : NULL;
	struct json_object *obj;
	char *xml;

	if (conn && !dom)
		dom = virDomainLookupByUUIDString(conn, name);
	xml = dom ? virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_INACTIVE) : NULL;
	if (xml)
		obj = answer_new("xml", xml, 0);
	else if (conn && !dom)
		obj = answer_new("error", "libvirt on this host has no such domain", EX_NOINPUT);
	else
		obj = answer_new("error", virGetLastErrorMessage(), EX_UNAVAILABLE);
	json_write_line(out, obj);
}

static void stat_job(void *arg, int out)
{
	struct stat st;
	struct json_object *obj;

	if (stat(arg, &st))
		obj = answer_new("error", strerror(errno), EX_NOINPUT);
	else if (S_ISDIR(st.st_mode))
		obj = answer_new("kind", "d", 0);
	else if (S_ISBLK(st.st_mode))
		obj = answer_new("kind", "b", 0);
	else if (S_ISREG(st.st_mode))
		obj = answer_new("kind", "f", 0);
	else
		obj =
		    answer_new("error", "neither a file, a folder nor a block device", EX_NOINPUT);
	json_write_line(out, obj);
}

/* Runs one job in a child; NULL and a reason when it did not answer. */
static struct json_object *child_ask(void (*run)(void *, int), const char *arg, const char *what,
				     char error[COMMAND_ERROR_SIZE])
{
	const struct probe_limits limits = {.parallel = 1,
					    .timeout_ms = COMMAND_PROBE_MS,
					    .until_ms = clock_boot_ms() + COMMAND_PROBE_MS};
	struct probe probe = {.key = what, .run = run, .arg = (void *)arg};
	struct json_object *obj = NULL;

	probe_run(&probe, 1, &limits);
	if (probe.end != PROBE_DONE ||
	    json_parse(probe.output ? probe.output : "", probe.output_len, &obj)) {
		/* Without a lock there is no earlier probe that could hang. */
		probe_describe(probe.end == PROBE_BUSY ? PROBE_TIMEOUT : probe.end, what,
			       COMMAND_PROBE_MS, error, COMMAND_ERROR_SIZE);
		obj = NULL;
	}
	probe_clear(&probe);
	return obj;
}

int command_domain_xml(const char *name, char **ret_xml, char error[COMMAND_ERROR_SIZE])
{
	struct json_object *obj = child_ask(xml_job, name, "libvirt", error);
	const char *xml = obj ? json_string_or(obj, "xml", NULL) : NULL;
	int status = obj ? (int)json_u64_or(obj, "status", EX_SOFTWARE) : EX_UNAVAILABLE;

	if (xml) {
		*ret_xml = strdup(xml);
		status = *ret_xml ? 0 : EX_OSERR;
	} else if (obj) {
		snprintf(error, COMMAND_ERROR_SIZE, "%s: %s", name,
			 json_string_or(obj, "error", "?"));
	}
	json_object_put(obj);
	return status;
}

char command_path_kind(const char *path, char error[COMMAND_ERROR_SIZE])
{
	struct json_object *obj = child_ask(stat_job, path, path, error);
	char kind = obj ? json_string_or(obj, "kind", "")[0] : 0;

	if (obj && !kind)
		snprintf(error, COMMAND_ERROR_SIZE, "%s: %s", path,
			 json_string_or(obj, "error", "?"));
	json_object_put(obj);
	return kind;
}

static void place_put(const struct survey_folder *folder, struct json_object *places)
{
	struct json_object *obj = json_object_new_object(), *beacons = json_object_new_array(),
			   *item;
	char error[COMMAND_ERROR_SIZE] = "";

	if (folder->state != SURVEY_SEEN)
		probe_describe(folder->end, folder->path, COMMAND_PROBE_MS, error, sizeof(error));
	else if (folder->error)
		snprintf(error, sizeof(error), "%s", strerror(-folder->error));
	json_put_string(obj, "path", folder->real ? folder->real : folder->path);
	json_put_string(obj, "fs", folder->fs);
	json_put_string(obj, "place_id", folder->place_id[0] ? folder->place_id : NULL);
	for (size_t i = 0; i < folder->n_beacons; i++) {
		item = json_object_new_object();
		json_put_string(item, "host", folder->beacons[i].host);
		json_object_object_add(item, "age_s",
				       json_object_new_int64(folder->beacons[i].age_s));
		json_object_array_add(beacons, item);
	}
	json_object_object_add(obj, "beacons", beacons);
	json_put_string(obj, "error", error[0] ? error : NULL);
	json_object_array_add(places, obj);
}

/* A folder is no disk: that it is here proves nothing elsewhere. */
static void folder_verdict(const struct survey_folder *folder, struct json_object *verdict)
{
	json_put_string(verdict, "verdict", verdict_name(VERDICT_UNKNOWN));
	json_put_string(verdict, "reason",
			folder->state != SURVEY_SEEN || folder->error
			    ? "the folder could not be opened"
			    : "the folder is here; hamond alone can prove that other hosts have "
			      "the same storage");
}

static struct json_object *view_make(const struct survey *survey,
				     const struct request_instance *instance)
{
	struct json_object *view = json_object_new_object(), *verdicts = json_object_new_array();
	struct json_object *places = json_object_new_array(), *verdict;
	const struct survey_folder *folder;
	char self[256] = "this host";

	gethostname(self, sizeof(self) - 1);
	verdict = judge_instance(survey, self, instance);
	json_put_string(verdict, "host", self);
	if (!instance->dom->n_disks && instance->name[0] == '/' &&
	    survey_folder(survey, instance->name))
		folder_verdict(survey_folder(survey, instance->name), verdict);
	json_object_array_add(verdicts, verdict);
	for (size_t i = 0; (folder = survey_folder_at(survey, i)); i++)
		place_put(folder, places);
	json_put_string(view, "instance", instance->name);
	json_put_string(view, "uuid", instance->uuid[0] ? instance->uuid : NULL);
	json_put_string(view, "owner", NULL);
	json_object_object_add(view, "verdicts", verdicts);
	json_object_object_add(view, "places", places);
	return view;
}

/*
 * A path as an instance with one disk (a folder: none): its format is looked for in its header, as
 * "" says.
 */
static struct domxml *path_domain(const char *path, char kind)
{
	struct domxml *dom = calloc(1, sizeof(*dom));
	struct domxml_disk *disk = dom ? calloc(1, sizeof(*disk)) : NULL;

	if (!disk) {
		free(dom);
		return NULL;
	}
	dom->name = strdup(path);
	dom->disks = disk;
	if (kind == 'd')
		return dom;
	dom->n_disks = 1;
	disk->target = strdup("path");
	disk->what = strdup("path");
	disk->type = strdup(kind == 'b' ? "block" : "file");
	disk->source = strdup(path);
	disk->format = strdup("");
	disk->kind = kind == 'b' ? DOMXML_BLOCK : DOMXML_FILE;
	disk->readonly = true;
	return dom;
}

int command_view_alone(const char *xml, const char *path, char kind, struct json_object **ret_view,
		       char error[COMMAND_ERROR_SIZE])
{
	const struct survey_limits limits = {.probe_timeout_ms = COMMAND_PROBE_MS,
					     .total_ms = ROUNDS * COMMAND_PROBE_MS,
					     .parallel = PARALLEL};
	struct request_instance instance = {0};
	struct survey *survey = survey_new(&limits);
	int status = EX_OSERR;

	snprintf(error, COMMAND_ERROR_SIZE, "out of memory");
	if (xml && domxml_parse(xml, strlen(xml), &instance.dom, error, COMMAND_ERROR_SIZE)) {
		status = EX_DATAERR;
		goto out;
	}
	if (!xml)
		instance.dom = path_domain(path, kind);
	if (!instance.dom || !survey)
		goto out;
	instance.name = instance.dom->name;
	instance.uuid = instance.dom->uuid;
	survey_set_deep(survey);
	survey_set_all_hosts(survey);
	judge_prepare(survey, instance.dom, false);
	if (kind == 'd')
		survey_add_folder(survey, path);
	survey_run(survey);
	if (survey_failed(survey))
		goto out;
	*ret_view = view_make(survey, &instance);
	status = 0;
out:
	domxml_free(instance.dom);
	survey_free(survey);
	return status;
}
