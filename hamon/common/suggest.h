/* "Did you mean ...?": the known name most like what a person typed. */
#ifndef HAMON_COMMON_SUGGEST_H
#define HAMON_COMMON_SUGGEST_H

#include <stddef.h>

/*
 * The one of count names with the fewest letters to add, drop, change or swap (optimal string alignment), when
 * these are at most a third of the word (at least one) and no other name is equally near; or else the only one that
 * begins with word (two letters at least). Borrowed from names; NULL when there is none. Letters are bytes, compared
 * without regard to ASCII case. Words of more than 64 bytes have no near one.
 */
const char *suggest_near(const char *word, const char *const *names, size_t count);

#endif
