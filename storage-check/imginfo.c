/* The JSON of qemu-img info: ImageInfo of QEMU's qapi/block-core.json. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "storage-check/imginfo.h"

static int name_add(const char *name, char ***names, size_t *n)
{
	char **grown;

	if (!name[0])
		return -EBADMSG;
	if (*n >= IMGINFO_CHAIN_MAX)
		return -E2BIG;
	grown = realloc(*names, (*n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*names = grown;
	grown[*n] = strdup(name);
	if (!grown[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

/* A qcow2 image may keep its data in another file, and says so when it is damaged. */
static int specific_parse(struct json_object *image, char ***names, size_t *n)
{
	struct json_object *specific, *data;
	const char *file;
	int rc = json_get_object(image, "format-specific", &specific);

	if (!rc)
		rc = json_get_object(specific, "data", &data);
	if (rc)
		return rc == -ENOENT ? 0 : -EBADMSG;
	if (json_bool_or(data, "corrupt", false))
		return -EUCLEAN;
	rc = json_get_string(data, "data-file", &file);
	if (rc)
		return rc == -ENOENT ? 0 : -EBADMSG;
	return name_add(file, names, n);
}

static int image_parse(struct json_object *image, char ***names, size_t *n)
{
	const char *name, *format;
	int rc;

	if (json_get_string(image, "filename", &name) || json_get_string(image, "format", &format))
		return -EBADMSG;
	rc = name_add(name, names, n);
	return rc ? rc : specific_parse(image, names, n);
}

/* One image, or an array of them. */
static int images_parse(struct json_object *root, char ***names, size_t *n)
{
	bool array = json_object_is_type(root, json_type_array);
	size_t count = array ? json_object_array_length(root) : 1;
	struct json_object *image = NULL;
	int rc = count ? 0 : -EBADMSG;

	if (count > IMGINFO_CHAIN_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count && !rc; i++) {
		image = array ? json_object_array_get_idx(root, i) : root;
		rc = image_parse(image, names, n);
	}
	/* The last image of a whole chain has nothing behind it. */
	if (!rc && json_object_object_get_ex(image, "backing-filename", NULL))
		rc = -ENOTUNIQ;
	return rc;
}

int imginfo_parse(const char *text, size_t len, char ***ret_names, size_t *ret_n)
{
	struct json_object *root;
	char **names = NULL;
	size_t n = 0;
	int rc;

	if (len > IMGINFO_BYTES_MAX)
		return -E2BIG;
	if (json_parse(text, len, &root))
		return -EBADMSG;
	rc = images_parse(root, &names, &n);
	json_object_put(root);
	if (rc) {
		imginfo_free(names, n);
		return rc;
	}
	*ret_names = names;
	*ret_n = n;
	return 0;
}

void imginfo_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}
