/* Reads one domain. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/report_domain.h"
#include "evacuate/libvirt/status.h"
#include "hamon/common/json.h"
#include "hamon/common/sha256.h"

/* hamond takes lines of 1 MiB; JSON needs up to twice the bytes of ordinary XML. */
#define XML_REPORT_MAX (400u * 1024)

static struct json_object *names_array(char **names, size_t n)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(array, json_object_new_string(names[i]));
	return array;
}

static void meta_add(struct json_object *obj, const struct domxml_meta *meta, const char *error)
{
	if (meta->protect < 0)
		json_put_string(obj, "protected", NULL);
	else
		json_put_bool(obj, "protected", meta->protect);
	if (meta->priority < 0)
		json_put_string(obj, "priority", NULL);
	else
		json_put_u64(obj, "priority", (uint64_t)meta->priority);
	json_put_string(obj, "group", meta->group);
	json_object_object_add(obj, "allow", names_array(meta->allow, meta->n_allow));
	json_object_object_add(obj, "deny", names_array(meta->deny, meta->n_deny));
	json_put_string(obj, "metadata_error", error ? error : meta->error);
}

/* The definition that another host would get, and what it says about the instance. */
static void definition_add(struct json_object *obj, const char *xml, const struct domxml *dom,
			   const char *error)
{
	static const struct domxml_meta none = { .protect = -1, .priority = -1 };
	char hash[SHA256_HEX_SIZE];
	size_t len = strlen(xml);
	bool fits = len <= XML_REPORT_MAX;

	json_put_string(obj, "title", dom ? dom->title : NULL);
	json_put_u64(obj, "memory_mib", dom ? dom->memory_mib : 0);
	json_put_u64(obj, "vcpus", dom ? dom->vcpus : 0);
	json_put_bool(obj, "has_secrets", dom ? dom->has_secrets : true);
	meta_add(obj, dom ? &dom->meta : &none,
		 fits ? error : "the definition is too long to be replicated");
	sha256_hex(xml, len, hash);
	json_put_string(obj, "def_hash", hash);
	json_put_string(obj, "xml", fits ? xml : NULL);
}

/* True when the running domain writes to other images than its definition names: a change not yet recorded. */
static bool disks_differ(const struct domxml *live, const struct domxml *inactive)
{
	size_t j = 0;

	for (size_t i = 0; i < live->n_disks; i++) {
		const struct domxml_disk *a = &live->disks[i];

		if (a->readonly || !a->source)
			continue;
		for (j = 0; j < inactive->n_disks; j++) {
			const struct domxml_disk *b = &inactive->disks[j];

			if (!strcmp(a->target, b->target) && b->source &&
			    !strcmp(a->source, b->source))
				break;
		}
		if (j == inactive->n_disks)
			return true;
	}
	return false;
}

static void status_add(struct json_object *obj, const struct domain_status *status, bool mirror)
{
	json_put_bool(obj, "block_job", status->block_job || mirror);
	json_put_string(obj, "job", status->job);
	json_put_bool(obj, "status_known", status->known);
}

static int domain_gone_or_failed(void)
{
	return connection_no_domain() ? -ENOENT : -EIO;
}

static int state_add(struct json_object *obj, virDomainPtr dom, struct domain_report *ret)
{
	int state, reason, persistent, autostart = 0, saved;

	persistent = virDomainIsPersistent(dom);
	if (persistent < 0 || virDomainGetState(dom, &state, &reason, 0))
		return domain_gone_or_failed();
	saved = virDomainHasManagedSaveImage(dom, 0);
	if (persistent)
		virDomainGetAutostart(dom, &autostart);
	/* Not virDomainIsActive: it would be another call, and the domain may end between the two. */
	ret->active = state != VIR_DOMAIN_SHUTOFF;
	ret->persistent = persistent;
	json_put_string(obj, "state", domain_state_name(state));
	json_put_string(obj, "reason", domain_reason_name(state, reason));
	json_put_bool(obj, "persistent", persistent);
	json_put_bool(obj, "autostart", autostart);
	json_put_bool(obj, "managed_save", saved == 1);
	return 0;
}

static int domain_read(virDomainPtr dom, const char *run_dir, struct domain_report *ret)
{
	unsigned int flags = VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE;
	char *xml = NULL, *live = NULL, error[DOMXML_ERROR_SIZE];
	struct domxml *inactive = NULL, *parsed_live = NULL;
	struct domain_status status = { .known = true, .job = "none" };
	struct json_object *obj = ret->obj;
	bool differs = false;
	int rc, rc_parse;

	rc = state_add(obj, dom, ret);
	xml = rc ? NULL : virDomainGetXMLDesc(dom, flags);
	if (!rc && !xml)
		rc = domain_gone_or_failed();
	/* A domain that has just ended has no live definition: the inactive one will do. */
	if (!rc && ret->active)
		live = virDomainGetXMLDesc(dom, 0);
	if (rc)
		goto out;
	rc_parse = domxml_parse(xml, strlen(xml), &inactive, error, sizeof(error));
	if (live && !domxml_parse(live, strlen(live), &parsed_live, NULL, 0) && inactive)
		differs = disks_differ(parsed_live, inactive);
	if (ret->active)
		status_read(run_dir, virDomainGetName(dom), &status);
	status_add(obj, &status, parsed_live && parsed_live->mirror);
	json_put_bool(obj, "live_differs", differs);
	definition_add(obj, xml, inactive, rc_parse ? error : NULL);
	ret->probe = inactive && inactive->meta.probe;
	if (parsed_live) {
		ret->dom = parsed_live;
		ret->xml = live;
		parsed_live = NULL;
		live = NULL;
	} else if (inactive) {
		ret->dom = inactive;
		ret->xml = xml;
		inactive = NULL;
		xml = NULL;
	}
out:
	domxml_free(inactive);
	domxml_free(parsed_live);
	free(live);
	free(xml);
	return rc;
}

int report_read(virConnectPtr conn, const char *uuid, const char *run_dir,
		struct domain_report *ret)
{
	struct domain_report report = { .obj = json_object_new_object() };
	virDomainPtr dom = virDomainLookupByUUIDString(conn, uuid);
	int rc = dom ? 0 : domain_gone_or_failed();

	if (!rc) {
		json_put_string(report.obj, "type", "domain");
		json_put_string(report.obj, "uuid", uuid);
		json_put_string(report.obj, "name", virDomainGetName(dom));
		rc = domain_read(dom, run_dir, &report);
	}
	if (dom)
		virDomainFree(dom);
	if (rc) {
		report_free(&report);
		return rc;
	}
	*ret = report;
	return 0;
}

void report_add_disks(struct domain_report *report, const char *lines, size_t len,
		      bool *ret_unmarked)
{
	struct disks disks = { 0 };

	*ret_unmarked = false;
	if (report->dom) {
		disks_build(report->dom, lines ? lines : "", len, &disks);
		*ret_unmarked = disks.local;
	}
	json_object_object_add(report->obj, "disks",
			       disks.list ? json_object_get(disks.list) : json_object_new_array());
	json_object_object_add(report->obj, "places",
			       disks.places ? json_object_get(disks.places) : json_object_new_array());
	disks_free(&disks);
}

void report_free(struct domain_report *report)
{
	json_object_put(report->obj);
	domxml_free(report->dom);
	free(report->xml);
	memset(report, 0, sizeof(*report));
}
