/*
 * Credentials of a fence device: read from a file that nobody else can read, and kept out of every
 * text.
 */
#ifndef HAMON_FENCING_SECRETS_H
#define HAMON_FENCING_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "fencing/failure.h"
#include "fencing/options.h"

#define SECRETS_FILE_MAX (64u << 10)

/*
 * Adds the KEY=VALUE lines of path to options, as secrets; they win over options of the same name.
 * The file must be a regular file of the user hamon runs as (root), with no permission for anybody
 * else (0600 or 0400). Empty lines and lines that begin with '#' are skipped. Returns 0, or -errno
 * with failure filled in; it names the file and the line, never its content.
 */
int secrets_load(struct options *options, const char *path, struct failure *failure);

/* The same from a text, for secrets_load() and the tests; text is wiped. */
int secrets_parse(struct options *options, const char *path, char *text, size_t len,
		  struct failure *failure);

/*
 * Overwrites with '*' every secret value in text, also where it is quoted for a shell, for XML or
 * for a URL, or in base64. When cut is true the text ends in the middle of something longer, and
 * the beginning of a secret at its very end is overwritten too. Values of one to three characters
 * are only overwritten where they stand alone, for everything else would become unreadable.
 */
void secrets_scrub(const struct options *options, char *text, size_t len, bool cut);

#endif
