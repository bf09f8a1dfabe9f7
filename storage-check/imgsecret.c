/* Where libvirt (9.0, src/conf/virsecretobj.c) keeps a secret: UUID.xml, and UUID.base64 with its value. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hamon/common/json.h"
#include "storage-check/imgsecret.h"

/* A string's quotes are escaped in JSON, so no name in a domain's XML can look like this. */
#define MARK "-secret\":\"libvirt-"

bool imgsecret_uuid_valid(const char *uuid)
{
	for (size_t i = 0; i < IMGSECRET_UUID_SIZE - 1; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (!uuid[i] || (hyphen ? uuid[i] != '-' : !strchr("0123456789abcdef", uuid[i])))
			return false;
	}
	return !uuid[IMGSECRET_UUID_SIZE - 1];
}

void imgsecret_put(struct json_object *obj, const char *key, const char *uuid)
{
	char name[sizeof("libvirt-") + IMGSECRET_UUID_SIZE];

	snprintf(name, sizeof(name), "libvirt-%s", uuid);
	json_put_string(obj, key, name);
}

static bool file_exists(const char *folder, const char *uuid, const char *suffix)
{
	char path[IMGSECRET_OPTION_SIZE];

	snprintf(path, sizeof(path), "%s/%s.%s", folder, uuid, suffix);
	return !access(path, F_OK);
}

enum imgsecret_state imgsecret_find(const char *spec, const char *folder,
				    char uuid[IMGSECRET_UUID_SIZE])
{
	const char *mark = strstr(spec, MARK);

	uuid[0] = '\0';
	if (!mark)
		return IMGSECRET_NONE;
	snprintf(uuid, IMGSECRET_UUID_SIZE, "%s", mark + strlen(MARK));
	if (file_exists(folder, uuid, "base64"))
		return IMGSECRET_STORED;
	return file_exists(folder, uuid, "xml") ? IMGSECRET_ELSEWHERE : IMGSECRET_MISSING;
}

void imgsecret_option(const char *folder, const char *uuid, char option[IMGSECRET_OPTION_SIZE])
{
	snprintf(option, IMGSECRET_OPTION_SIZE,
		 "secret,id=libvirt-%s,format=base64,file=%s/%s.base64", uuid, folder, uuid);
}

void imgsecret_drop(char *spec)
{
	char *mark = strstr(spec, MARK), *start = mark, *end;

	while (start && start > spec && *start != ',')
		start--;
	if (!mark || *start != ',')
		return;
	end = mark + strlen(MARK) + IMGSECRET_UUID_SIZE; /* behind the closing quote */
	memmove(start, end, strlen(end) + 1);
}
