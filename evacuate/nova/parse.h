/*
 * The answers of Keystone and Nova as structs. Pure, and the only place that knows their JSON: recorded answers of a real
 * cloud are its test data, and it is fuzzed. Follows the API references of Identity v3 and Compute v2.1 (microversions
 * 2.53 to 2.93). Whatever is longer than its field, or of another type than the reference says, makes the answer wrong: a name
 * that was cut could be another host's.
 */
#ifndef HAMON_EVACUATE_NOVA_PARSE_H
#define HAMON_EVACUATE_NOVA_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOVA_HOST_SIZE 256   /* Nova's own column */
#define NOVA_WORD_SIZE 64    /* states and ids */
#define NOVA_TEXT_SIZE 1024  /* words for people: these are cut */
#define NOVA_URL_SIZE 1024
#define NOVA_MIGRATIONS_MAX 1000 /* in one answer, Nova's own default limit */
#define NOVA_VOLUMES_MAX 64
#define NOVA_ENDPOINTS_MAX 4 /* of one service; more are not tried */

/* GET /servers/ID */
struct nova_server {
	char id[37];
	char name[NOVA_HOST_SIZE];       /* cut */
	char status[NOVA_WORD_SIZE];     /* ACTIVE, SHUTOFF, ERROR, REBUILD, ... */
	char task[NOVA_WORD_SIZE];       /* "" for none */
	char host[NOVA_HOST_SIZE];       /* "" when it has none, or when these credentials may not see it */
	bool host_shown;
	char fault[NOVA_TEXT_SIZE];      /* Nova's message, "" for none; cut */
	bool image;                      /* its root disk is not one of its volumes */
	size_t n_volumes;                /* Cinder's, attached to it */
	char volumes[NOVA_VOLUMES_MAX][37];
	bool locked;
	char lock_reason[NOVA_TEXT_SIZE]; /* from 2.73 on, "" for none; cut */
};

/* GET /os-services?binary=nova-compute&host=H */
struct nova_service {
	char id[37];                     /* a UUID from 2.53 on */
	char host[NOVA_HOST_SIZE];
	bool up;
	bool enabled;
	bool forced_down;
	char reason[NOVA_TEXT_SIZE];     /* of being disabled, "" for none; cut */
};

/* GET /os-migrations */
struct nova_migration {
	uint64_t id;
	char uuid[37];                   /* the server's */
	char type[NOVA_WORD_SIZE];
	char status[NOVA_WORD_SIZE];
	char source[NOVA_HOST_SIZE];
	char dest[NOVA_HOST_SIZE];       /* "" while none is chosen */
};

struct nova_migrations {
	struct nova_migration *list;     /* free it with nova_migrations_free */
	size_t n;
};

/* All return 0, -EINVAL for what is not the answer that it should be, -ENOMEM, and what their comments add. */
int nova_server_parse(const char *text, size_t len, struct nova_server *ret);

/* GET /servers/detail: at most max of them, as many as the answer has. */
int nova_servers_parse(const char *text, size_t len, struct nova_server *ret, size_t max, size_t *ret_n);

/* -ENOENT when there is no compute service of exactly that host. */
int nova_service_parse(const char *text, size_t len, const char *host, struct nova_service *ret);

int nova_migrations_parse(const char *text, size_t len, struct nova_migrations *ret);
void nova_migrations_free(struct nova_migrations *migrations);

/* Neither done nor failed: whoever carries it out may still start the server. */
bool nova_migration_is_unfinished(const struct nova_migration *migration);

/* The newest evacuation of that server, or NULL: later requests have higher numbers. */
const struct nova_migration *nova_migrations_newest(const struct nova_migrations *migrations, const char *uuid);

/* The version document of an endpoint: the highest microversion of API 2, as its minor number. -ENOENT without one. */
int nova_version_parse(const char *text, size_t len, uint32_t *ret_max_minor);

/* "2.53" to its minor number. -EINVAL for what is not "2." and at most three digits. */
int nova_microversion_parse(const char *text, uint32_t *ret_minor);

/*
 * The endpoints of the service `type` in the catalogue of a token's answer, in its order. region "" takes any, and is -ENOTUNIQ when
 * the catalogue has several regions. -ENOENT when there is none.
 */
struct nova_endpoints {
	char url[NOVA_ENDPOINTS_MAX][NOVA_URL_SIZE];
	size_t n;
	size_t at; /* the one that answered last */
};

int keystone_endpoints_parse(const char *text, size_t len, const char *type, const char *interface,
			     const char *region, struct nova_endpoints *ret);

/* An error's own words: Nova's {"KIND":{"code","message"}} and Keystone's {"error":{...}}; false for anything else. */
bool nova_error_parse(const char *text, size_t len, char ret_message[NOVA_TEXT_SIZE]);

#endif
