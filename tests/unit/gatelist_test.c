/* The start gate's decisions without hamond. */
#include <errno.h>

#include "evacuate/disks.h"
#include "evacuate/hook/gatelist.h"
#include "hamon/common/json.h"
#include "tests/unit/test.h"

#define DB "01234567-89ab-cdef-0123-456789abcdef"
#define WEB "11234567-89ab-cdef-0123-456789abcdef"
#define NEW "91234567-89ab-cdef-0123-456789abcdef"
#define PLACE "aaaaaaaa-0000-4000-8000-000000000000"
#define META(attr) "<metadata><hamon:instance xmlns:hamon='urn:hamon:instance:1' " attr "/></metadata>"

static const char list_text[] =
	"{\"protect\":\"opted-in\",\"instances\":["
	"{\"uuid\":\"" DB "\",\"name\":\"db\",\"owner\":\"h2\",\"self\":false,"
	"\"disks\":[\"file:" PLACE ":db.img\",\"path:/local/db\"]},"
	"{\"uuid\":\"" WEB "\",\"name\":\"web\",\"owner\":\"h1\",\"self\":true,\"disks\":[\"path:/local/web\"]}]}";

/* One domain with one disk, asked about; the reason must begin so, "" for allowed. */
static void check_at(int line, enum gatelist_state state, const char *list_json, const char *uuid,
		     const char *metadata, const char *id, bool unknown, const char *expected)
{
	char xml[1024], lines[256], reason[GATELIST_REASON_SIZE] = "";
	struct gatelist list = { 0 };
	struct domxml *dom;
	struct disks disks;
	bool allowed;

	snprintf(xml, sizeof(xml),
		 "<domain type='qemu'><name>x</name><uuid>%s</uuid>%s<devices><disk type='file' "
		 "device='disk'><source file='/a/b'/><target dev='vda'/></disk></devices></domain>",
		 uuid, metadata);
	CHECK_INT(domxml_parse(xml, strlen(xml), &dom, NULL, 0), 0);
	snprintf(lines, sizeof(lines), "{\"n\":0,\"id\":\"%s\",\"place\":%s}\n", id,
		 strncmp(id, "file:", 5) ? "null" : "\"/local\"");
	disks_build(dom, lines, strlen(lines), &disks);
	if (state == GATELIST_KNOWN)
		CHECK_INT(gatelist_parse(list_json, strlen(list_json), &list), 0);
	allowed = gatelist_allows(state, &list, dom, disks.list, unknown, reason);
	if (allowed != !expected[0] || strncmp(reason, expected, strlen(expected))) {
		fprintf(stderr, "line %d: %s \"%s\"\n", line, allowed ? "allowed" : "refused", reason);
		exit(1);
	}
	gatelist_free(&list);
	disks_free(&disks);
	domxml_free(dom);
}

#define CHECK_GATE(...) check_at(__LINE__, __VA_ARGS__)
#define KNOWN GATELIST_KNOWN, list_text

static void listed_instances_are_refused(void)
{
	CHECK_GATE(KNOWN, DB, "", "file:x:y", false, "it is protected and was last owned by h2");
	CHECK_GATE(KNOWN, WEB, "", "file:x:y", false, "it is protected and was last owned by this host");
	/* Also when its definition here says otherwise: the list is the cluster's. */
	CHECK_GATE(KNOWN, DB, META("protected='no'"), "file:x:y", false, "it is protected");
}

static void others_may_start(void)
{
	CHECK_GATE(KNOWN, NEW, "", "file:" PLACE ":new.img", false, "");
	CHECK_GATE(KNOWN, NEW, META("protected='no'"), "file:x:y", false, "");
}

static void listed_disks_are_refused_to_anybody(void)
{
	CHECK_GATE(KNOWN, NEW, "", "file:" PLACE ":db.img", false,
		   "it would write to file:" PLACE ":db.img, a disk of the protected instance db");
	CHECK_GATE(KNOWN, NEW, META("protected='no'"), "file:" PLACE ":db.img", false, "it would write");
	/* A path is the same disk only on the host that said it. */
	CHECK_GATE(KNOWN, NEW, "", "path:/local/db", false, "");
	CHECK_GATE(KNOWN, NEW, "", "path:/local/web", false, "it would write to path:/local/web");
	/* /local was marked after this host's entry was written. */
	CHECK_GATE(KNOWN, NEW, "", "file:" PLACE ":web", false, "it would write to file:" PLACE ":web, a disk of the protected instance web");
	CHECK_GATE(KNOWN, NEW, "", "file:" PLACE ":db", false, "");
}

static void a_disk_that_cannot_be_told_is_refused(void)
{
	CHECK_GATE(KNOWN, NEW, "", "path:/a/b", true, "the storage of one of its disks does not answer");
	CHECK_GATE(GATELIST_KNOWN, "{\"protect\":\"opted-in\",\"instances\":[]}", NEW, "", "path:/a/b",
		   true, "");
}

static void opted_in_and_all(void)
{
	static const char all[] = "{\"protect\":\"all\",\"instances\":[]}";

	CHECK_GATE(KNOWN, NEW, META("protected='yes'"), "file:x:y", false, "it is protected, and hamond");
	CHECK_GATE(GATELIST_KNOWN, all, NEW, "", "file:x:y", false, "it is protected, and hamond");
	CHECK_GATE(GATELIST_KNOWN, all, NEW, META("protected='no'"), "file:x:y", false, "");
	/* Metadata that is wrong says nothing. */
	CHECK_GATE(GATELIST_KNOWN, all, NEW, META("protected='maybe'"), "file:x:y", false, "it is protected");
}

static void without_a_list(void)
{
	CHECK_GATE(GATELIST_MISSING, NULL, NEW, "", "file:x:y", false, "");
	CHECK_GATE(GATELIST_MISSING, NULL, NEW, META("protected='yes'"), "file:x:y", false, "it is protected");
	CHECK_GATE(GATELIST_BROKEN, NULL, NEW, "", "file:x:y", false, "hamond does not answer here and its list");
	CHECK_GATE(GATELIST_BROKEN, NULL, NEW, META("protected='no'"), "file:x:y", false, "");
}

static void check_broken(const char *text)
{
	struct gatelist list = { .n_entries = 77 };

	CHECK_INT(gatelist_parse(text, strlen(text), &list), -EINVAL);
	CHECK_INT(list.n_entries, 77);
}

static void lists_that_are_none(void)
{
	check_broken("");
	check_broken("{}");
	check_broken("{\"instances\":[]}");
	check_broken("{\"instances\":[],\"protect\":\"some\"}");
	check_broken("{\"instances\":{},\"protect\":\"all\"}");
	check_broken("{\"instances\":[{}],\"protect\":\"all\"}");
	check_broken("{\"instances\":[{\"uuid\":\"1\"}],\"protect\":\"all\"}");
	check_broken("{\"instances\":[{\"uuid\":\"" DB "\",\"disks\":[3]}],\"protect\":\"all\"}");
	check_broken("{\"instances\":[{\"uuid\":\"" DB "\",\"self\":\"yes\"}],\"protect\":\"all\"}");
	check_broken("{\"instances\":[],\"protect\":\"all\"} {");
}

int main(void)
{
	RUN(listed_instances_are_refused);
	RUN(others_may_start);
	RUN(listed_disks_are_refused_to_anybody);
	RUN(a_disk_that_cannot_be_told_is_refused);
	RUN(opted_in_and_all);
	RUN(without_a_list);
	RUN(lists_that_are_none);
	return 0;
}
