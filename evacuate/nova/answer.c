/* Fields of answers. */
#include <errno.h>
#include <string.h>

#include "evacuate/nova/answer.h"
#include "hamon/common/json.h"

void text_take(struct json_object *obj, const char *key, char *buf, size_t size)
{
	const char *text = json_string_or(obj, key, "");
	size_t len = strlen(text);

	if (len >= size)
		len = size - 1;
	memcpy(buf, text, len);
	/* Not in the middle of a character. */
	while (text[len] && len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	buf[len] = '\0';
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

int word_take(struct json_object *obj, const char *key, char *buf, size_t size)
{
	int rc = json_copy_string(obj, key, buf, size);

	if (rc == -ENOENT)
		buf[0] = '\0';
	return !rc || rc == -ENOENT ? 0 : -EINVAL;
}

int answer_open(const char *text, size_t len, const char *key, struct json_object **ret_root,
		struct json_object **ret)
{
	struct json_object *root;
	int rc = json_parse(text, len, &root);

	if (rc)
		return rc == -ENOMEM ? rc : -EINVAL;
	if (!json_object_is_type(root, json_type_object) || !json_object_object_get_ex(root, key, ret)) {
		json_object_put(root);
		return -EINVAL;
	}
	*ret_root = root;
	return 0;
}
