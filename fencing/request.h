/* One request to hamon-fence, as it comes on stdin. */
#ifndef HAMON_FENCING_REQUEST_H
#define HAMON_FENCING_REQUEST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fencing/failure.h"
#include "fencing/options.h"

#define REQUEST_BYTES_MAX (1u << 20)
#define REQUEST_NAME_SIZE 256
#define REQUEST_TIME_MAX_MS (60u * 60u * 1000u)
#define REQUEST_RETRIES_MAX 10u
#define AGENT_FOLDER "/usr/sbin"

struct fence_request {
	char op[REQUEST_NAME_SIZE];         /* repeated in the result */
	char host[REQUEST_NAME_SIZE];       /* "" when the request is about a device alone */
	char device[REQUEST_NAME_SIZE];
	char agent[PATH_MAX];               /* absolute */
	char agent_name[REQUEST_NAME_SIZE]; /* its last part, for texts */
	char secrets_file[PATH_MAX];        /* absolute, or "" */
	struct options options;
	bool has_options;                   /* there was an "options", even if empty */
	uint64_t timeout_ms;                /* for one attempt, from `off` to the readback */
	uint64_t status_timeout_ms; /* for one reading; for all of a request that only looks */
	unsigned int retries;	    /* how often a failed attempt, or reading, is repeated */
};

/*
 * Parses a request:
 * {"op","host","device","agent","options":{},"secrets_file","timeout_ms","retries",
 * "status_timeout_ms"}; only "agent" is required. The secrets file is not read yet. Returns 0;
 * -EBADMSG when the text is no JSON object, -EINVAL when a field is wrong, -ENOMEM, with failure
 * filled in. The names are filled in as far as they could be read, for the result. The caller
 * clears request with request_clear(), after a failure too.
 */
int request_parse(struct fence_request *request, const char *text, size_t len,
		  struct failure *failure);
void request_clear(struct fence_request *request);

#endif
