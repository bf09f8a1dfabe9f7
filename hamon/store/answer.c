/* The lines that hamon-store prints. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hamon/common/json.h"
#include "hamon/store/answer.h"

/* Consumes obj. Whatever is wrong with stdout, its reader is gone. */
static int line_put(struct json_object *obj)
{
	int rc = json_write_line(STDOUT_FILENO, obj);

	json_object_put(obj);
	return rc ? -EPIPE : 0;
}

static struct json_object *line_new(const char *type)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", type);
	return obj;
}

static size_t object_bytes(struct json_object *obj)
{
	return strlen(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN)) + 1;
}

/*
 * Moves the front of a list into lines of their own until what is left, together with what is beside it, fits into
 * one line; *beside grows by what is left.
 */
static int list_shorten(struct json_object *list, const char *name, size_t *beside)
{
	size_t n = json_object_array_length(list), left = object_bytes(list), from = 0;
	int rc = 0;

	while (!rc && *beside + left > STORE_ANSWER_MAX && from < n) {
		struct json_object *obj = line_new("loading"), *part = json_object_new_array();
		size_t bytes = 1024;

		do {
			struct json_object *item = json_object_array_get_idx(list, from++);
			size_t item_bytes = object_bytes(item);

			json_object_array_add(part, json_object_get(item));
			bytes += item_bytes;
			left -= item_bytes < left ? item_bytes : left;
		} while (from < n && bytes < STORE_ANSWER_MAX - STORE_VALUE_MAX - 1024);
		json_object_object_add(obj, name, part);
		rc = line_put(obj);
	}
	json_object_array_del_idx(list, 0, from);
	*beside += left;
	return rc;
}

int answer_loaded(struct db_content *content)
{
	size_t total = json_object_array_length(content->facts), beside = 1024 + object_bytes(content->meta);
	struct json_object *obj = line_new("loaded");
	int rc = list_shorten(content->defs, "defs", &beside);

	if (!rc)
		rc = list_shorten(content->facts, "facts", &beside);
	json_put_bool(obj, "ok", true);
	json_put_bool(obj, "created", content->created);
	json_put_string(obj, "node_identity", content->id);
	json_object_object_add(obj, "meta", json_object_get(content->meta));
	json_object_object_add(obj, "facts", json_object_get(content->facts));
	json_put_u64(obj, "facts_total", total);
	json_put_u64(obj, "history_last", content->history_last);
	json_object_object_add(obj, "defs", json_object_get(content->defs));
	db_content_drop(content);
	if (!rc)
		return line_put(obj);
	json_object_put(obj);
	return rc;
}

int answer_not_loaded(const struct store_fault *fault)
{
	struct json_object *obj = line_new("loaded");

	json_put_bool(obj, "ok", false);
	json_put_string(obj, "error_class", fault->error_class);
	json_put_string(obj, "error", fault->text);
	return line_put(obj);
}

int answer_persisted(uint64_t seq, uint64_t sync_us, uint64_t requests)
{
	struct json_object *obj = line_new("persisted");

	json_put_u64(obj, "seq", seq);
	json_put_u64(obj, "fsync_us", sync_us);
	json_put_u64(obj, "requests", requests);
	return line_put(obj);
}

int answer_error(struct json_object *seq, struct json_object *id, const struct store_fault *fault, bool retrying)
{
	struct json_object *obj = line_new("error");

	json_object_object_add(obj, "seq", json_object_get(seq));
	if (id)
		json_object_object_add(obj, "id", json_object_get(id));
	json_put_string(obj, "error_class", fault->error_class);
	json_put_string(obj, "error", fault->text);
	json_put_bool(obj, "retrying", retrying);
	return line_put(obj);
}

int answer_query(struct store_db *db, const struct store_request *query)
{
	bool history = query->verb == STORE_QUERY_HISTORY, more = false;
	struct json_object *obj, *content;
	struct store_fault fault;
	int rc;

	if (history)
		rc = db_history(db, query, &content, &more, &fault);
	else
		rc = db_def(db, query->hash, &content, &fault);
	if (rc)
		return answer_error(NULL, query->id, &fault, false);
	obj = line_new(history ? "history" : "def");
	json_object_object_add(obj, "id", json_object_get(query->id));
	if (!history)
		json_put_string(obj, "hash", query->hash);
	json_object_object_add(obj, history ? "rows" : "xml", content);
	if (history)
		json_put_bool(obj, "more", more);
	return line_put(obj);
}
