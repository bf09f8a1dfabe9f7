/* clouds.yaml by libyaml's document interface, and the OS_* variables. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "evacuate/nova/clouds.h"
#include "hamon/common/json.h"

#define FILE_BYTES_MAX (1u << 20)
#define ETC_FILE "/etc/openstack/clouds.yaml"

/* Where each value stands in an entry of clouds.yaml ("auth" or beside it), and what its variable is called. */
static const struct {
	const char *yaml, *yaml_old; /* yaml_old: another name that clients take */
	bool beside_auth;
	const char *variable;
} keys[CLOUD_KEYS] = {
	[CLOUD_AUTH_URL] = { "auth_url", NULL, false, "OS_AUTH_URL" },
	[CLOUD_USERNAME] = { "username", NULL, false, "OS_USERNAME" },
	[CLOUD_USER_ID] = { "user_id", NULL, false, "OS_USER_ID" },
	[CLOUD_PASSWORD] = { "password", NULL, false, "OS_PASSWORD" },
	[CLOUD_USER_DOMAIN_NAME] = { "user_domain_name", NULL, false, "OS_USER_DOMAIN_NAME" },
	[CLOUD_USER_DOMAIN_ID] = { "user_domain_id", NULL, false, "OS_USER_DOMAIN_ID" },
	[CLOUD_PROJECT_NAME] = { "project_name", NULL, false, "OS_PROJECT_NAME" },
	[CLOUD_PROJECT_ID] = { "project_id", NULL, false, "OS_PROJECT_ID" },
	[CLOUD_PROJECT_DOMAIN_NAME] = { "project_domain_name", NULL, false, "OS_PROJECT_DOMAIN_NAME" },
	[CLOUD_PROJECT_DOMAIN_ID] = { "project_domain_id", NULL, false, "OS_PROJECT_DOMAIN_ID" },
	[CLOUD_APPLICATION_ID] = { "application_credential_id", NULL, false,
				   "OS_APPLICATION_CREDENTIAL_ID" },
	[CLOUD_APPLICATION_NAME] = { "application_credential_name", NULL, false,
				     "OS_APPLICATION_CREDENTIAL_NAME" },
	[CLOUD_APPLICATION_SECRET] = { "application_credential_secret", NULL, false,
				       "OS_APPLICATION_CREDENTIAL_SECRET" },
	[CLOUD_REGION] = { "region_name", NULL, true, "OS_REGION_NAME" },
	[CLOUD_INTERFACE] = { "interface", "endpoint_type", true, "OS_INTERFACE" },
	[CLOUD_CACERT] = { "cacert", NULL, true, "OS_CACERT" },
	[CLOUD_CERT] = { "cert", NULL, true, "OS_CERT" },
	[CLOUD_KEY] = { "key", NULL, true, "OS_KEY" },
	[CLOUD_AUTH_TYPE] = { "auth_type", NULL, true, "OS_AUTH_TYPE" },
	[CLOUD_VERIFY] = { "verify", NULL, true, NULL },
	[CLOUD_DOMAIN_NAME] = { "domain_name", NULL, false, "OS_DOMAIN_NAME" },
	[CLOUD_DOMAIN_ID] = { "domain_id", NULL, false, "OS_DOMAIN_ID" },
	[CLOUD_COMPUTE_ENDPOINT] = { "compute_endpoint_override", NULL, true, "OS_COMPUTE_ENDPOINT_OVERRIDE" },
};

static int __attribute__((format(printf, 3, 4))) wrong(char error[CLOUD_ERROR_SIZE], int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, CLOUD_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return rc;
}

static int value_set(struct cloud *cloud, enum cloud_key key, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(cloud->value[key]);
	cloud->value[key] = copy;
	return 0;
}

void cloud_free(struct cloud *cloud)
{
	for (size_t i = 0; i < CLOUD_KEYS; i++)
		free(cloud->value[i]);
	memset(cloud, 0, sizeof(*cloud));
}

/* --- YAML --- */

static const char *scalar_text(const yaml_node_t *node)
{
	const char *text;

	if (!node || node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

/* The value below key of a mapping; NULL when there is none. */
static yaml_node_t *mapping_get(yaml_document_t *document, yaml_node_t *node, const char *key)
{
	if (!node || node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const char *name = scalar_text(yaml_document_get_node(document, pair->key));

		if (name && !strcmp(name, key))
			return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

/* An unquoted null or ~ is no value. */
static bool node_is_null(const yaml_node_t *node)
{
	const char *text = scalar_text(node);

	return !node || (text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
			 (!*text || !strcmp(text, "~") || !strcasecmp(text, "null")));
}

static int entry_take(struct cloud *cloud, yaml_document_t *document, yaml_node_t *entry, const char *name,
		      char error[CLOUD_ERROR_SIZE])
{
	yaml_node_t *auth = mapping_get(document, entry, "auth"), *node;
	const char *text;

	for (size_t i = 0; i < CLOUD_KEYS; i++) {
		yaml_node_t *place = keys[i].beside_auth ? entry : auth;

		node = mapping_get(document, place, keys[i].yaml);
		if (!node && keys[i].yaml_old)
			node = mapping_get(document, place, keys[i].yaml_old);
		if (node_is_null(node))
			continue;
		text = scalar_text(node);
		if (!text)
			return wrong(error, -EINVAL, "cloud %s: %s: expected a text", name, keys[i].yaml);
		if (value_set(cloud, (enum cloud_key)i, text))
			return -ENOMEM;
	}
	return 0;
}

static int document_take(struct cloud *cloud, yaml_document_t *document, const char *name,
			 char error[CLOUD_ERROR_SIZE])
{
	yaml_node_t *clouds = mapping_get(document, yaml_document_get_root_node(document), "clouds"), *entry;

	if (!clouds || clouds->type != YAML_MAPPING_NODE)
		return wrong(error, -EINVAL, "expected \"clouds:\" with an entry for each cloud below it");
	entry = mapping_get(document, clouds, name);
	if (!entry)
		return wrong(error, -ENOENT, "there is no cloud %s in it", name);
	if (entry->type != YAML_MAPPING_NODE)
		return wrong(error, -EINVAL, "cloud %s: expected \"auth:\" and more below it", name);
	return entry_take(cloud, document, entry, name, error);
}

int cloud_text_take(struct cloud *cloud, const char *text, size_t len, const char *name,
		    char error[CLOUD_ERROR_SIZE])
{
	yaml_document_t document;
	yaml_parser_t parser;
	int rc;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &document)) {
		rc = wrong(error, -EINVAL, "line %zu is no YAML: %s", parser.problem_mark.line + 1,
			   parser.problem ? parser.problem : "it cannot be read");
		yaml_parser_delete(&parser);
		return rc;
	}
	rc = document_take(cloud, &document, name, error);
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	return rc;
}

/* --- files --- */

static int file_read(const char *path, char **ret_text, size_t *ret_len, char error[CLOUD_ERROR_SIZE])
{
	FILE *file = fopen(path, "re");
	struct stat st;
	char *text = NULL;
	size_t len;
	int rc = 0;

	if (!file || fstat(fileno(file), &st)) {
		rc = wrong(error, errno == ENOENT ? -ENOENT : -EIO, "cannot read %s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_BYTES_MAX) {
		rc = wrong(error, -EINVAL, "%s: expected a file of at most %u bytes", path, FILE_BYTES_MAX);
		goto out;
	}
	if (st.st_mode & (S_IRWXO | S_IWGRP)) {
		rc = wrong(error, -EACCES, "%s holds secrets and its mode is %04o: expected one that others cannot "
			   "read or change; say \"chmod 0600 %s\"", path, (unsigned int)(st.st_mode & 07777), path);
		goto out;
	}
	text = malloc(FILE_BYTES_MAX);
	len = text ? fread(text, 1, FILE_BYTES_MAX, file) : 0;
	if (!text || ferror(file)) {
		rc = text ? wrong(error, -EIO, "cannot read %s", path) : -ENOMEM;
		goto out;
	}
	*ret_text = text;
	*ret_len = len;
	text = NULL;
out:
	free(text);
	if (file)
		fclose(file);
	return rc;
}

static int file_take(struct cloud *cloud, const char *path, const char *name, char error[CLOUD_ERROR_SIZE])
{
	char inner[CLOUD_ERROR_SIZE] = "", *text = NULL;
	size_t len = 0;
	int rc = file_read(path, &text, &len, error);

	if (rc)
		return rc;
	rc = cloud_text_take(cloud, text, len, name, inner);
	explicit_bzero(text, len);
	free(text);
	return rc ? wrong(error, rc == -ENOENT ? -EINVAL : rc, "%.200s: %s", path, inner) : 0;
}

/* Secrets may stand apart, in secure.yaml of the same folder; it wins, and need not know the cloud. */
static int secure_take(struct cloud *cloud, const char *path, const char *name, char error[CLOUD_ERROR_SIZE])
{
	const char *slash = strrchr(path, '/');
	char secure[PATH_MAX];
	int rc;

	snprintf(secure, sizeof(secure), "%.*ssecure.yaml", slash ? (int)(slash + 1 - path) : 0, path);
	rc = file_take(cloud, secure, name, error);
	if (rc == -ENOENT || (rc == -EINVAL && strstr(error, "there is no cloud")))
		return 0;
	return rc;
}

/* --- variables --- */

static const char *variable(const struct cloud_source *source, const char *name)
{
	const char *text = source->environment ? json_string_or(source->environment, name, NULL) : getenv(name);

	return text ? text : "";
}

static int variables_take(struct cloud *cloud, const struct cloud_source *source)
{
	for (size_t i = 0; i < CLOUD_KEYS; i++) {
		const char *text = keys[i].variable ? variable(source, keys[i].variable) : "";

		if (*text && value_set(cloud, (enum cloud_key)i, text))
			return -ENOMEM;
	}
	if (!*cloud->value[CLOUD_INTERFACE] &&
	    value_set(cloud, CLOUD_INTERFACE, variable(source, "OS_ENDPOINT_TYPE")))
		return -ENOMEM;
	snprintf(cloud->origin, sizeof(cloud->origin), "the OS_* variables");
	return 0;
}

/* The first of the usual places that is there. A daemon has no current folder worth the name, so ./ is none. */
static int places_take(struct cloud *cloud, const struct cloud_source *source, char error[CLOUD_ERROR_SIZE])
{
	const char *given = variable(source, "OS_CLIENT_CONFIG_FILE"), *home = variable(source, "HOME");
	char own[PATH_MAX] = "";
	const char *places[] = { source->file, given, own, ETC_FILE };
	const char *path = NULL;
	struct stat st;
	int rc;

	if (*home)
		snprintf(own, sizeof(own), "%s/.config/openstack/clouds.yaml", home);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !path; i++)
		if (*places[i] && (i == 0 || !stat(places[i], &st)))
			path = places[i];
	if (!path)
		return wrong(error, -ENOENT, "there is no clouds.yaml in the usual places (%s is the last); name it "
			     "with clouds_file", ETC_FILE);
	snprintf(cloud->origin, sizeof(cloud->origin), "cloud %.60s of %.170s", source->cloud, path);
	rc = file_take(cloud, path, source->cloud, error);
	return rc ? rc : secure_take(cloud, path, source->cloud, error);
}

/* --- the whole --- */

static bool says_no(const char *text)
{
	return !strcasecmp(text, "false") || !strcasecmp(text, "no") || !strcasecmp(text, "off") ||
		!strcmp(text, "0");
}

/* Other clients say publicURL, too. */
static int interface_normalize(struct cloud *cloud, char error[CLOUD_ERROR_SIZE])
{
	static const char *const words[] = { "public", "internal", "admin" };
	const char *text = cloud->value[CLOUD_INTERFACE];
	size_t len;

	if (!*text)
		return value_set(cloud, CLOUD_INTERFACE, "public");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		len = strlen(words[i]);
		if (!strncmp(text, words[i], len) && (!text[len] || !strcmp(text + len, "URL")))
			return value_set(cloud, CLOUD_INTERFACE, words[i]);
	}
	return wrong(error, -EINVAL, "%s: interface: expected public, internal or admin, found \"%.40s\"",
		     cloud->origin, text);
}

static bool has(const struct cloud *cloud, enum cloud_key key)
{
	return *cloud->value[key];
}

/* What a token is asked with must be whole: half of it would be answered by a 401 that explains nothing. */
static int cloud_check(struct cloud *cloud, char error[CLOUD_ERROR_SIZE])
{
	bool application = has(cloud, CLOUD_APPLICATION_ID) || has(cloud, CLOUD_APPLICATION_NAME) ||
		has(cloud, CLOUD_APPLICATION_SECRET) || strstr(cloud->value[CLOUD_AUTH_TYPE], "applicationcredential");
	const char *missing = NULL;

	if (!has(cloud, CLOUD_AUTH_URL))
		missing = "auth_url";
	else if (application && !has(cloud, CLOUD_APPLICATION_SECRET))
		missing = "application_credential_secret";
	else if (application && !has(cloud, CLOUD_APPLICATION_ID) && !has(cloud, CLOUD_APPLICATION_NAME))
		missing = "application_credential_id";
	else if (!(application && has(cloud, CLOUD_APPLICATION_ID)) && !has(cloud, CLOUD_USERNAME) &&
		 !has(cloud, CLOUD_USER_ID))
		missing = "username";
	else if (!application && !has(cloud, CLOUD_PASSWORD))
		missing = "password";
	else if (!application && !has(cloud, CLOUD_PROJECT_NAME) && !has(cloud, CLOUD_PROJECT_ID))
		missing = "project_name";
	if (missing)
		return wrong(error, -EINVAL, "%s: expected %s", cloud->origin, missing);
	if (says_no(cloud->value[CLOUD_VERIFY]))
		return wrong(error, -EINVAL, "%s: verify is off, and hamon gives its password to nobody whose "
			     "certificate is not verified: name the authority's file with cacert", cloud->origin);
	return interface_normalize(cloud, error);
}

int cloud_load(const struct cloud_source *source, struct cloud *ret, char error[CLOUD_ERROR_SIZE])
{
	struct cloud cloud = { 0 };
	int rc = 0;

	error[0] = '\0';
	for (size_t i = 0; i < CLOUD_KEYS && !rc; i++)
		rc = value_set(&cloud, (enum cloud_key)i, "");
	if (!rc)
		rc = *source->cloud ? places_take(&cloud, source, error) : variables_take(&cloud, source);
	if (!rc && *source->region)
		rc = value_set(&cloud, CLOUD_REGION, source->region);
	if (!rc && *source->interface)
		rc = value_set(&cloud, CLOUD_INTERFACE, source->interface);
	if (!rc && *source->auth_url)
		rc = value_set(&cloud, CLOUD_AUTH_URL, source->auth_url);
	if (!rc && *source->endpoint)
		rc = value_set(&cloud, CLOUD_COMPUTE_ENDPOINT, source->endpoint);
	if (!rc)
		rc = cloud_check(&cloud, error);
	if (rc) {
		if (!error[0])
			wrong(error, rc, "out of memory");
		cloud_free(&cloud);
		return rc;
	}
	*ret = cloud;
	return 0;
}

/* --- the request of a token --- */

/* {"id":..} or {"name":..,"domain":{..}}, as Keystone names users and projects. */
static struct json_object *named(const struct cloud *cloud, enum cloud_key id, enum cloud_key name,
				 enum cloud_key domain_id, enum cloud_key domain_name)
{
	struct json_object *obj = json_object_new_object(), *domain;

	if (has(cloud, id)) {
		json_put_string(obj, "id", cloud->value[id]);
		return obj;
	}
	json_put_string(obj, "name", cloud->value[name]);
	domain = json_object_new_object();
	if (has(cloud, domain_id))
		json_put_string(domain, "id", cloud->value[domain_id]);
	else if (has(cloud, domain_name))
		json_put_string(domain, "name", cloud->value[domain_name]);
	else if (has(cloud, CLOUD_DOMAIN_ID))
		json_put_string(domain, "id", cloud->value[CLOUD_DOMAIN_ID]);
	else if (has(cloud, CLOUD_DOMAIN_NAME))
		json_put_string(domain, "name", cloud->value[CLOUD_DOMAIN_NAME]);
	else
		json_put_string(domain, "id", "default");
	json_object_object_add(obj, "domain", domain);
	return obj;
}

static struct json_object *user_object(const struct cloud *cloud)
{
	return named(cloud, CLOUD_USER_ID, CLOUD_USERNAME, CLOUD_USER_DOMAIN_ID, CLOUD_USER_DOMAIN_NAME);
}

static void identity_add(struct json_object *identity, const char *method, struct json_object *details)
{
	struct json_object *methods = json_object_new_array();

	json_object_array_add(methods, json_object_new_string(method));
	json_object_object_add(identity, "methods", methods);
	json_object_object_add(identity, method, details);
}

struct json_object *cloud_auth_body(const struct cloud *cloud)
{
	struct json_object *root = json_object_new_object(), *auth = json_object_new_object();
	struct json_object *identity = json_object_new_object(), *details = json_object_new_object(), *scope;

	json_object_object_add(auth, "identity", identity);
	json_object_object_add(root, "auth", auth);
	if (has(cloud, CLOUD_APPLICATION_SECRET)) {
		/* An application credential has its project in it, and a scope beside it is refused. */
		if (has(cloud, CLOUD_APPLICATION_ID)) {
			json_put_string(details, "id", cloud->value[CLOUD_APPLICATION_ID]);
		} else {
			json_put_string(details, "name", cloud->value[CLOUD_APPLICATION_NAME]);
			json_object_object_add(details, "user", user_object(cloud));
		}
		json_put_string(details, "secret", cloud->value[CLOUD_APPLICATION_SECRET]);
		identity_add(identity, "application_credential", details);
		return root;
	}
	json_object_put(details);
	details = user_object(cloud);
	json_put_string(details, "password", cloud->value[CLOUD_PASSWORD]);
	scope = json_object_new_object();
	json_object_object_add(scope, "user", details);
	identity_add(identity, "password", scope);
	scope = json_object_new_object();
	json_object_object_add(scope, "project",
			       named(cloud, CLOUD_PROJECT_ID, CLOUD_PROJECT_NAME, CLOUD_PROJECT_DOMAIN_ID,
				     CLOUD_PROJECT_DOMAIN_NAME));
	json_object_object_add(auth, "scope", scope);
	return root;
}
