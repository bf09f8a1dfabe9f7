/*
 * Credentials as every OpenStack client takes them: an entry of clouds.yaml (with a secure.yaml beside it), or the OS_* variables.
 * Follows openstacksdk's configuration guide. Password and application credentials; TLS is always verified.
 */
#ifndef HAMON_EVACUATE_NOVA_CLOUDS_H
#define HAMON_EVACUATE_NOVA_CLOUDS_H

#include <json-c/json_object.h>

#define CLOUD_ERROR_SIZE 512

/* Where to look. Strings are "" for what is not given, never NULL. */
struct cloud_source {
	const char *cloud;         /* the entry's name; "": the variables */
	const char *file;          /* a path of its own; "": the usual places */
	const char *region;        /* these two win over the cloud's own */
	const char *interface;
	const char *auth_url;      /* and so do these, lists with commas */
	const char *endpoint;
	struct json_object *environment; /* the variables; NULL: those of this process */
};

enum cloud_key {
	CLOUD_AUTH_URL,        /* one, or several with commas between them */
	CLOUD_USERNAME,
	CLOUD_USER_ID,
	CLOUD_PASSWORD,
	CLOUD_USER_DOMAIN_NAME,
	CLOUD_USER_DOMAIN_ID,
	CLOUD_PROJECT_NAME,
	CLOUD_PROJECT_ID,
	CLOUD_PROJECT_DOMAIN_NAME,
	CLOUD_PROJECT_DOMAIN_ID,
	CLOUD_APPLICATION_ID,
	CLOUD_APPLICATION_NAME,
	CLOUD_APPLICATION_SECRET,
	CLOUD_REGION,
	CLOUD_INTERFACE,
	CLOUD_CACERT,
	CLOUD_CERT,
	CLOUD_KEY,
	CLOUD_AUTH_TYPE,
	CLOUD_VERIFY,
	CLOUD_DOMAIN_NAME,     /* for the user's and the project's domain, where those are not given */
	CLOUD_DOMAIN_ID,
	CLOUD_COMPUTE_ENDPOINT, /* instead of what the catalogue has */
	CLOUD_KEYS,
};

struct cloud {
	char *value[CLOUD_KEYS]; /* "" for what is not given */
	char origin[256];        /* for messages: "cloud NAME of PATH", or "the OS_* variables" */
};

/*
 * 0 and *ret (free it with cloud_free), or -ENOENT (nothing to read), -EACCES (others may read the secrets), -EINVAL, -EIO,
 * -ENOMEM; error then says what is wrong and where, without any secret.
 */
int cloud_load(const struct cloud_source *source, struct cloud *ret, char error[CLOUD_ERROR_SIZE]);
void cloud_free(struct cloud *cloud);

/* The text of a file of clouds: takes the entry over what cloud holds. For the fuzzer too. -ENOENT: no such entry. */
int cloud_text_take(struct cloud *cloud, const char *text, size_t len, const char *name,
		    char error[CLOUD_ERROR_SIZE]);

/* The body of POST /auth/tokens; a new reference. */
struct json_object *cloud_auth_body(const struct cloud *cloud);

#endif
