/* SHA-256 as in FIPS 180-4, for content addresses of definitions: not for secrets. */
#ifndef HAMON_COMMON_SHA256_H
#define HAMON_COMMON_SHA256_H

#include <stddef.h>

#define SHA256_HEX_SIZE 65

/* The digest of len bytes in lower case hexadecimal digits, NUL-terminated. */
void sha256_hex(const void *data, size_t len, char ret_hex[SHA256_HEX_SIZE]);

#endif
