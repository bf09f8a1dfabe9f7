/* Marks in the JSON of Nova and Glance. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <json-c/json.h>

#include "evacuate/nova/marks.h"
#include "hamon/common/json.h"

/* What OpenStack itself reads as true (oslo's bool_from_string); Masakari reads HA_Enabled with it. */
static bool is_yes(const char *text)
{
	static const char *const words[] = { "1", "t", "true", "on", "y", "yes" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

bool nova_mark_agrees(const char *value, const char *wanted)
{
	return !strcasecmp(value, wanted) || (is_yes(value) && is_yes(wanted));
}

/* Values are cut for people only after they have been compared. */
static void value_take(const char *value, const struct nova_wanted *wanted, struct nova_marks *marks)
{
	size_t len = strnlen(value, sizeof(marks->value) - 1);

	if (marks->selected)
		return;
	marks->found = true;
	marks->selected = nova_mark_agrees(value, wanted->value);
	memcpy(marks->value, value, len);
	while (value[len] && len && ((unsigned char)value[len] & 0xc0) == 0x80)
		len--;
	marks->value[len] = '\0';
	for (char *c = marks->value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

/* {"KEY": "VALUE", ..} */
static int pairs_look(struct json_object *pairs, const struct nova_wanted *wanted, struct nova_marks *marks)
{
	struct json_object *value;

	if (!json_object_object_get_ex(pairs, wanted->key, &value))
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return -EINVAL;
	value_take(json_object_get_string(value), wanted, marks);
	return 0;
}

/* ["TAG", ..] */
static int tags_look(struct json_object *tags, const struct nova_wanted *wanted, struct nova_marks *marks)
{
	for (size_t i = 0; i < json_object_array_length(tags); i++) {
		struct json_object *tag = json_object_array_get_idx(tags, i);

		if (!json_object_is_type(tag, json_type_string))
			return -EINVAL;
		if (!strcmp(json_object_get_string(tag), wanted->key))
			marks->found = marks->selected = true;
	}
	return 0;
}

/* The object that is the answer, or the one below key. *ret_root is to be put on success. */
static int answer_open(const char *text, size_t len, const char *key, struct json_object **ret_root,
		       struct json_object **ret)
{
	struct json_object *root, *obj;
	int rc = json_parse(text, len, &root);

	if (rc)
		return rc == -ENOMEM ? rc : -EINVAL;
	obj = root;
	if (!json_object_is_type(root, json_type_object) ||
	    (key && (json_get_object(root, key, &obj)))) {
		json_object_put(root);
		return -EINVAL;
	}
	*ret_root = root;
	*ret = obj;
	return 0;
}

/* One that is absent is kept back, for Nova has it from 2.53 on. */
static int part_get(struct json_object *obj, const char *key, enum json_type type, struct json_object **ret)
{
	if (!json_object_object_get_ex(obj, key, ret))
		return -ENODATA;
	return json_object_is_type(*ret, type) ? 0 : -EINVAL;
}

int nova_marks_server(const char *text, size_t len, enum request_select select, const struct nova_wanted *wanted,
		      struct nova_marks *ret)
{
	struct json_object *root, *server, *part, *specs;
	struct nova_marks marks = { 0 };
	int rc = answer_open(text, len, "server", &root, &server);

	if (rc)
		return rc;
	if (select == SELECT_METADATA) {
		rc = part_get(server, "metadata", json_type_object, &part);
		rc = rc ? rc : pairs_look(part, wanted, &marks);
	} else if (select == SELECT_TAG) {
		rc = part_get(server, "tags", json_type_array, &part);
		rc = rc ? rc : tags_look(part, wanted, &marks);
	} else {
		rc = part_get(server, "flavor", json_type_object, &part);
		rc = rc ? rc : part_get(part, "extra_specs", json_type_object, &specs);
		rc = rc ? rc : pairs_look(specs, wanted, &marks);
	}
	json_object_put(root);
	if (!rc)
		*ret = marks;
	return rc;
}

int nova_image_parse(const char *text, size_t len, char ret_id[37])
{
	struct json_object *root, *server, *image;
	const char *id;
	int rc = answer_open(text, len, "server", &root, &server);

	if (rc)
		return rc;
	if (!json_object_object_get_ex(server, "image", &image))
		rc = -EINVAL;
	else if (json_object_is_type(image, json_type_string) && !json_object_get_string_len(image))
		ret_id[0] = '\0';
	else if (!json_object_is_type(image, json_type_object) || json_get_string(image, "id", &id) ||
		 !uuid_normalize(id, ret_id))
		rc = -EINVAL;
	json_object_put(root);
	return rc;
}

int nova_marks_image(const char *text, size_t len, const struct nova_wanted *wanted, struct nova_marks *ret)
{
	struct json_object *root, *image, *tags;
	struct nova_marks marks = { 0 };
	int rc = answer_open(text, len, NULL, &root, &image);

	if (rc)
		return rc;
	rc = part_get(image, "tags", json_type_array, &tags);
	rc = rc ? rc : pairs_look(image, wanted, &marks);
	rc = rc ? rc : tags_look(tags, wanted, &marks);
	json_object_put(root);
	if (!rc)
		*ret = marks;
	return rc;
}

static int aggregate_look(struct json_object *aggregate, const char *host, const struct nova_wanted *wanted,
			  struct nova_marks *marks)
{
	struct json_object *hosts, *pairs;
	struct nova_marks member = { 0 };
	int rc = json_object_is_type(aggregate, json_type_object) ? 0 : -EINVAL;

	rc = rc ? rc : part_get(aggregate, "hosts", json_type_array, &hosts);
	rc = rc ? rc : part_get(aggregate, "metadata", json_type_object, &pairs);
	rc = rc ? rc : tags_look(hosts, &(struct nova_wanted){ .key = host, .value = "" }, &member);
	return rc || !member.selected ? rc : pairs_look(pairs, wanted, marks);
}

int nova_marks_aggregates(const char *text, size_t len, const char *host, const struct nova_wanted *wanted,
			  struct nova_marks *ret)
{
	struct json_object *root, *obj, *list;
	struct nova_marks marks = { 0 };
	int rc = answer_open(text, len, NULL, &root, &obj);

	if (rc)
		return rc;
	if (json_get_array(obj, "aggregates", &list))
		rc = -EINVAL;
	for (size_t i = 0; !rc && i < json_object_array_length(list); i++)
		rc = aggregate_look(json_object_array_get_idx(list, i), host, wanted, &marks);
	json_object_put(root);
	if (!rc)
		*ret = marks;
	return rc;
}
