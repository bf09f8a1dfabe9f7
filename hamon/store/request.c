/*
 * A request line to hamon-store. An unknown field is refused: a mistyped "fact" that is silently dropped would be
 * reported as persisted.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "hamon/store/request.h"

/* Where an error is described, with what is being looked at. */
struct complaint {
	char *text;
	size_t size;
	const char *list; /* "facts", or NULL at the top */
	size_t index;
};

__attribute__((format(printf, 2, 3)))
static int complain(struct complaint *c, const char *format, ...)
{
	size_t used = 0;
	va_list args;

	if (c->list)
		used = (size_t)snprintf(c->text, c->size, "%s[%zu]: ", c->list, c->index);
	if (used < c->size) {
		va_start(args, format);
		vsnprintf(c->text + used, c->size - used, format, args);
		va_end(args);
	}
	return -EINVAL;
}

/* Refuses what is not in the NULL-terminated list of fields. */
static int fields_check(struct json_object *obj, const char *const *known, struct complaint *c)
{
	struct json_object_iterator it = json_object_iter_begin(obj), end = json_object_iter_end(obj);

	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		const char *name = json_object_iter_peek_name(&it);
		size_t i = 0;

		while (known[i] && strcmp(known[i], name))
			i++;
		if (!known[i])
			return complain(c, "unknown field \"%.64s\"", name);
	}
	return 0;
}

static int string_take(struct json_object *obj, const char *key, size_t max, bool required,
		       const char **ret, struct complaint *c)
{
	int rc = json_get_string(obj, key, ret);

	if (rc == -ENOENT && !required)
		return 0;
	if (rc)
		return complain(c, "\"%s\" must be a string without NUL", key);
	if (strlen(*ret) > max || (required && !**ret))
		return complain(c, "\"%s\" must have %s%zu bytes", key, required ? "1 to " : "at most ", max);
	return 0;
}

static int number_take(struct json_object *obj, const char *key, bool required, uint64_t *ret,
		       struct complaint *c)
{
	int rc = json_get_u64(obj, key, INT64_MAX, ret);

	if (rc == -ENOENT && !required)
		return 0;
	if (rc)
		return complain(c, "\"%s\" must be an integer from 0 to 2^63 - 1", key);
	return 0;
}

static const char *json_text(struct json_object *obj)
{
	return json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static int fact_take(struct json_object *obj, void *item, struct complaint *c)
{
	static const char *const known[] = { "kind", "key", "term", "counter", "value", NULL };
	struct store_fact *fact = item;
	struct json_object *value;

	if (fields_check(obj, known, c) ||
	    string_take(obj, "kind", STORE_KIND_MAX, true, &fact->kind, c) ||
	    string_take(obj, "key", STORE_KEY_MAX, true, &fact->key, c) ||
	    number_take(obj, "term", true, &fact->term, c) ||
	    number_take(obj, "counter", true, &fact->counter, c))
		return -EINVAL;
	if (json_get_object(obj, "value", &value))
		return complain(c, "\"value\" must be an object");
	fact->value = json_text(value);
	if (!fact->value || strlen(fact->value) > STORE_VALUE_MAX)
		return complain(c, "\"value\" must have at most %u bytes", STORE_VALUE_MAX);
	return 0;
}

static int history_take(struct json_object *obj, void *item, struct complaint *c)
{
	static const char *const known[] = { "seq", "t_ms", "wall", "id", "incident", "kind", "severity",
		"host", "instance", "uuid", "text", "data", NULL };
	struct store_history *row = item;
	struct json_object *data;

	if (fields_check(obj, known, c) ||
	    number_take(obj, "seq", true, &row->seq, c) ||
	    number_take(obj, "t_ms", false, &row->t_ms, c) ||
	    string_take(obj, "wall", 64, false, &row->wall, c) ||
	    string_take(obj, "id", 64, false, &row->id, c) ||
	    string_take(obj, "incident", STORE_KEY_MAX, false, &row->incident, c) ||
	    string_take(obj, "kind", 64, true, &row->kind, c) ||
	    string_take(obj, "severity", 16, false, &row->severity, c) ||
	    string_take(obj, "host", STORE_KEY_MAX, false, &row->host, c) ||
	    string_take(obj, "instance", STORE_KEY_MAX, false, &row->instance, c) ||
	    string_take(obj, "uuid", 64, false, &row->uuid, c) ||
	    string_take(obj, "text", STORE_TEXT_MAX, false, &row->text, c))
		return -EINVAL;
	if (!json_object_object_get_ex(obj, "data", &data) || !data)
		return 0;
	row->data = json_text(data);
	if (!row->data || strlen(row->data) > STORE_DATA_MAX)
		return complain(c, "\"data\" must have at most %u bytes", STORE_DATA_MAX);
	return 0;
}

static int hash_check(const char *hash, struct complaint *c)
{
	if (strlen(hash) != STORE_HASH_LEN || strspn(hash, "0123456789abcdef") != STORE_HASH_LEN)
		return complain(c, "a hash must be %d lower case hexadecimal digits", STORE_HASH_LEN);
	return 0;
}

static int def_take(struct json_object *obj, void *item, struct complaint *c)
{
	static const char *const known[] = { "hash", "xml", NULL };
	struct store_def *def = item;
	struct json_object *xml;

	if (fields_check(obj, known, c) ||
	    string_take(obj, "hash", STORE_HASH_LEN, true, &def->hash, c) || hash_check(def->hash, c) ||
	    string_take(obj, "xml", STORE_XML_MAX, true, &def->xml, c))
		return -EINVAL;
	/* What could not be given back in one line is not taken. */
	json_object_object_get_ex(obj, "xml", &xml);
	if (strlen(json_text(xml)) > STORE_XML_MAX)
		return complain(c, "\"xml\" must have at most %u bytes", STORE_XML_MAX);
	return 0;
}

typedef int (*item_take)(struct json_object *obj, void *item, struct complaint *c);

/*
 * Takes a list of objects into *ret_items, zeroed memory of *ret_n items that is the caller's on failure too. An
 * absent list is an empty one.
 */
static int list_take(struct json_object *root, const char *name, item_take take, size_t item_size,
		     void **ret_items, size_t *ret_n, struct complaint *c)
{
	struct json_object *list;
	int rc = json_get_array(root, name, &list);
	size_t n;

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return complain(c, "\"%s\" must be a list", name);
	n = json_object_array_length(list);
	*ret_items = calloc(n + 1, item_size);
	if (!*ret_items)
		return -ENOMEM;
	c->list = name;
	for (c->index = 0; c->index < n; c->index++) {
		struct json_object *obj = json_object_array_get_idx(list, c->index);

		if (!json_object_is_type(obj, json_type_object))
			return complain(c, "must be an object");
		rc = take(obj, (char *)*ret_items + c->index * item_size, c);
		if (rc)
			return rc;
	}
	c->list = NULL;
	*ret_n = n;
	return 0;
}

static int facts_take(struct store_request *request, struct complaint *c)
{
	void *items = NULL;
	int rc = list_take(request->root, "facts", fact_take, sizeof(*request->facts), &items,
			   &request->n_facts, c);

	request->facts = items;
	return rc;
}

static int histories_take(struct store_request *request, struct complaint *c)
{
	void *items = NULL;
	int rc = list_take(request->root, "history", history_take, sizeof(*request->history), &items,
			   &request->n_history, c);

	request->history = items;
	return rc;
}

static int defs_take(struct store_request *request, struct complaint *c)
{
	void *items = NULL;
	int rc = list_take(request->root, "defs", def_take, sizeof(*request->defs), &items,
			   &request->n_defs, c);

	request->defs = items;
	return rc;
}

static int meta_take(struct store_request *request, struct complaint *c)
{
	struct json_object *obj;
	int rc = json_get_object(request->root, "meta", &obj);

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return complain(c, "\"meta\" must be an object");
	request->meta = calloc((size_t)json_object_object_length(obj) + 1, sizeof(*request->meta));
	if (!request->meta)
		return -ENOMEM;
	json_object_object_foreach(obj, key, value) {
		struct store_meta *meta = &request->meta[request->n_meta++];

		if (!*key || strlen(key) > STORE_KEY_MAX || !strncmp(key, "store.", strlen("store.")))
			return complain(c, "meta: a key must have 1 to %d bytes and not begin with \"store.\"",
					STORE_KEY_MAX);
		meta->key = key;
		if (!value)
			continue;
		meta->value = json_text(value);
		if (!meta->value || strlen(meta->value) > STORE_VALUE_MAX)
			return complain(c, "meta: \"%.64s\" must have at most %u bytes", key, STORE_VALUE_MAX);
	}
	return 0;
}

static int prune_take(struct store_request *request, struct complaint *c)
{
	struct json_object *list;
	int rc = json_get_array(request->root, "prune_defs", &list);

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return complain(c, "\"prune_defs\" must be the list of the hashes to keep");
	request->keep = calloc(json_object_array_length(list) + 1, sizeof(*request->keep));
	if (!request->keep)
		return -ENOMEM;
	request->prune = true;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (!json_object_is_type(item, json_type_string) ||
		    hash_check(json_object_get_string(item), c))
			return complain(c, "prune_defs[%zu]: must be a hash", i);
		request->keep[request->n_keep++] = json_object_get_string(item);
	}
	return 0;
}

static int write_take(struct store_request *request, struct complaint *c)
{
	static const char *const known[] = { "seq", "meta", "facts", "replace", "history", "defs",
		"prune_defs", NULL };
	int rc = fields_check(request->root, known, c);

	if (rc)
		return rc;
	rc = json_get_u64(request->root, "seq", INT64_MAX, &request->seq);
	request->has_seq = !rc;
	if (rc && !(rc == -ENOENT && json_object_object_length(request->root) == 1 &&
		    json_object_object_get_ex(request->root, "prune_defs", NULL)))
		return complain(c, "\"seq\" must be an integer from 0 to 2^63 - 1");
	rc = json_get_bool(request->root, "replace", &request->replace);
	if (rc && rc != -ENOENT)
		return complain(c, "\"replace\" must be true or false");
	if (request->replace && !json_object_object_get_ex(request->root, "facts", NULL))
		return complain(c, "\"replace\" needs \"facts\"");
	rc = meta_take(request, c);
	if (!rc)
		rc = facts_take(request, c);
	if (!rc)
		rc = histories_take(request, c);
	if (!rc)
		rc = defs_take(request, c);
	return rc ? rc : prune_take(request, c);
}

static int query_take(struct store_request *request, const char *query, struct complaint *c)
{
	static const char *const history_known[] = { "query", "id", "incident", "instance", "host", "kind",
		"since", "limit", NULL };
	static const char *const def_known[] = { "query", "id", "hash", NULL };
	struct json_object *root = request->root;

	if (json_object_object_get_ex(root, "id", &request->id) && request->id &&
	    !json_object_is_type(request->id, json_type_int) &&
	    (!json_object_is_type(request->id, json_type_string) ||
	     json_object_get_string_len(request->id) > STORE_KEY_MAX))
		return complain(c, "\"id\" must be an integer or a string of at most %d bytes", STORE_KEY_MAX);
	if (!strcmp(query, "def")) {
		request->verb = STORE_QUERY_DEF;
		if (fields_check(root, def_known, c) ||
		    string_take(root, "hash", STORE_HASH_LEN, true, &request->hash, c))
			return -EINVAL;
		return hash_check(request->hash, c);
	}
	if (strcmp(query, "history"))
		return complain(c, "\"query\" must be \"history\" or \"def\"");
	request->verb = STORE_QUERY_HISTORY;
	request->limit = 1000;
	if (fields_check(root, history_known, c) ||
	    string_take(root, "incident", STORE_KEY_MAX, false, &request->incident, c) ||
	    string_take(root, "instance", STORE_KEY_MAX, false, &request->instance, c) ||
	    string_take(root, "host", STORE_KEY_MAX, false, &request->host, c) ||
	    string_take(root, "kind", 64, false, &request->kind, c) ||
	    number_take(root, "since", false, &request->since, c) ||
	    number_take(root, "limit", false, &request->limit, c))
		return -EINVAL;
	request->has_since = json_object_object_get_ex(root, "since", &root) && root;
	if (!request->limit || request->limit > STORE_ROWS_MAX)
		return complain(c, "\"limit\" must be an integer from 1 to %d", STORE_ROWS_MAX);
	return 0;
}

static int request_fill(struct store_request *request, struct complaint *c)
{
	static const char *const gate_known[] = { "gate_list", NULL };
	const char *query;
	int rc;

	if (!json_object_is_type(request->root, json_type_object))
		return complain(c, "a request must be a JSON object");
	if (json_object_object_get_ex(request->root, "gate_list", &request->gate_list)) {
		request->verb = STORE_GATE_LIST;
		if (!json_object_is_type(request->gate_list, json_type_object))
			return complain(c, "\"gate_list\" must be an object");
		return fields_check(request->root, gate_known, c);
	}
	rc = json_get_string(request->root, "query", &query);
	if (rc == -ENOENT)
		return write_take(request, c);
	return rc ? complain(c, "\"query\" must be a string") : query_take(request, query, c);
}

/* Only what is short is repeated: an answer must stay a line that its reader takes. */
static struct json_object *name_take(struct json_object *root, const char *key)
{
	struct json_object *field;

	if (!json_object_is_type(root, json_type_object) || !json_object_object_get_ex(root, key, &field))
		return NULL;
	if (json_object_is_type(field, json_type_int))
		return json_object_get(field);
	if (json_object_is_type(field, json_type_string) && json_object_get_string_len(field) <= STORE_KEY_MAX)
		return json_object_get(field);
	return NULL;
}

int store_request_parse(const char *line, size_t len, struct store_request **ret_request,
			struct store_request_name *ret_name, char *error, size_t error_size)
{
	struct complaint c = { .text = error, .size = error_size };
	struct store_request *request = calloc(1, sizeof(*request));
	int rc;

	*ret_name = (struct store_request_name){ 0 };
	if (!request)
		return -ENOMEM;
	request->bytes = len;
	rc = json_parse(line, len, &request->root);
	if (rc)
		rc = complain(&c, rc == -E2BIG ? "the line is too long" : "the line is not JSON");
	else
		rc = request_fill(request, &c);
	if (!rc) {
		*ret_request = request;
		return 0;
	}
	if (rc == -ENOMEM)
		snprintf(error, error_size, "out of memory");
	ret_name->seq = name_take(request->root, "seq");
	ret_name->id = name_take(request->root, "id");
	store_request_free(request);
	return rc;
}

void store_request_free(struct store_request *request)
{
	if (!request)
		return;
	free(request->meta);
	free(request->facts);
	free(request->history);
	free(request->defs);
	free(request->keep);
	json_object_put(request->root);
	free(request);
}
