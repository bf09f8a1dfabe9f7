/* Fuzz target: a request line to hamon-store. */
#include <stdlib.h>
#include <string.h>

#include "hamon/store/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void used(const char *text, size_t max)
{
	if (text && strlen(text) > max)
		abort();
}

static void write_use(const struct store_request *request)
{
	for (size_t i = 0; i < request->n_facts; i++) {
		used(request->facts[i].kind, STORE_KIND_MAX);
		used(request->facts[i].key, STORE_KEY_MAX);
		used(request->facts[i].value, STORE_VALUE_MAX);
		if (request->facts[i].term > INT64_MAX || request->facts[i].counter > INT64_MAX)
			abort();
	}
	for (size_t i = 0; i < request->n_history; i++) {
		used(request->history[i].text, STORE_TEXT_MAX);
		used(request->history[i].data, STORE_DATA_MAX);
		if (!request->history[i].kind || request->history[i].seq > INT64_MAX)
			abort();
	}
	for (size_t i = 0; i < request->n_defs; i++)
		if (strlen(request->defs[i].hash) != STORE_HASH_LEN || !request->defs[i].xml)
			abort();
	for (size_t i = 0; i < request->n_meta; i++)
		used(request->meta[i].key, STORE_KEY_MAX);
	for (size_t i = 0; i < request->n_keep; i++)
		if (strlen(request->keep[i]) != STORE_HASH_LEN)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_request_name name;
	struct store_request *request = NULL;
	char error[128] = "";

	if (!store_request_parse((const char *)data, size, &request, &name, error, sizeof(error))) {
		if (!request || *error)
			abort();
		if (request->verb == STORE_WRITE)
			write_use(request);
		else if (request->verb == STORE_QUERY_HISTORY && !request->limit)
			abort();
		store_request_free(request);
		return 0;
	}
	if (!*error || strlen(error) >= sizeof(error))
		abort();
	json_object_put(name.seq);
	json_object_put(name.id);
	return 0;
}
