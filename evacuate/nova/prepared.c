/* A small file that helpers share, as session.c's. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <json-c/json.h>

#include "evacuate/nova/kept.h"
#include "evacuate/nova/prepared.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define FILE_NAME "nova-prepared"

bool prepared_is_kept(const char *run_dir, const char *source, const char *self)
{
	struct json_object *obj = run_dir ? kept_read(run_dir, FILE_NAME) : NULL;
	uint64_t now_ms = clock_boot_ms(), since_ms;
	bool ok;

	if (!obj)
		return false;
	ok = !json_get_u64(obj, "since_ms", now_ms, &since_ms) && now_ms - since_ms <= PREPARED_MAX_AGE_MS &&
		!strcmp(json_string_or(obj, "source", ""), source) && !strcmp(json_string_or(obj, "self", ""), self);
	json_object_put(obj);
	return ok;
}

void prepared_keep(const char *run_dir, const char *source, const char *self)
{
	struct json_object *obj;

	if (!run_dir)
		return;
	obj = json_object_new_object();
	json_put_string(obj, "source", source);
	json_put_string(obj, "self", self);
	json_put_u64(obj, "since_ms", clock_boot_ms());
	kept_write(run_dir, FILE_NAME, obj);
	json_object_put(obj);
}

void prepared_forget(const char *run_dir)
{
	if (run_dir)
		kept_remove(run_dir, FILE_NAME);
}
