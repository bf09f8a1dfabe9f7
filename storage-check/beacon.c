/* Beacons: what is in the file, and what a valid one is. Touches nothing. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/common/sha256.h"
#include "storage-check/beacon.h"

bool beacon_host_valid(const char *host)
{
	size_t len = strlen(host);

	if (!len || len >= BEACON_HOST_SIZE || host[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)host[i]) && !strchr("._-", host[i]))
			return false;
	return true;
}

bool beacon_nonce_valid(const char *nonce)
{
	size_t len = strlen(nonce);

	return len >= 16 && len < BEACON_NONCE_SIZE && strspn(nonce, "0123456789abcdef") == len;
}

void beacon_place(const char *path, char place[BEACON_PLACE_SIZE])
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(path, strlen(path), hex);
	snprintf(place, BEACON_PLACE_SIZE, "%.32s", hex);
}

int beacon_parse(const char *text, size_t len, struct beacon *ret)
{
	struct beacon beacon = {0};
	struct json_object *obj;
	int rc = -EBADMSG;

	if (len > BEACON_FILE_MAX)
		return -E2BIG;
	if (json_parse(text, len, &obj))
		return -EBADMSG;
	if (json_copy_string(obj, "host", beacon.host, sizeof(beacon.host)) ||
	    json_copy_string(obj, "nonce", beacon.nonce, sizeof(beacon.nonce)) ||
	    json_copy_string(obj, "boot_id", beacon.boot_id, sizeof(beacon.boot_id)))
		goto out;
	(void)json_copy_string(obj, "place", beacon.place, sizeof(beacon.place));
	if (!beacon_host_valid(beacon.host) || !beacon_nonce_valid(beacon.nonce))
		goto out;
	*ret = beacon;
	rc = 0;
out:
	json_object_put(obj);
	return rc;
}
