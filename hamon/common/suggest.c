/* Near misses: optimal string alignment distance, three rows at a time. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "hamon/common/suggest.h"

#define WORD_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2], *swap;
	size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		swap = before;
		before = last;
		last = row;
		row = swap;
	}
	return last[b_len];
}

static const char *prefix_find(const char *word, const char *const *names, size_t count)
{
	const char *found = NULL;
	size_t len = strlen(word);

	for (size_t i = 0; len >= 2 && i < count; i++) {
		if (strncasecmp(word, names[i], len))
			continue;
		if (found)
			return NULL;
		found = names[i];
	}
	return found;
}

const char *suggest_near(const char *word, const char *const *names, size_t count)
{
	const char *found = NULL;
	size_t len = strlen(word), best;

	if (!len || len > WORD_MAX)
		return NULL;
	best = (len / 3 ? len / 3 : 1) + 1;
	for (size_t i = 0; i < count; i++) {
		size_t d = strlen(names[i]) > WORD_MAX ? WORD_MAX : distance(word, names[i]);

		if (d < best) {
			best = d;
			found = names[i];
		} else if (d == best) {
			found = NULL; /* two are equally near: neither is meant for sure */
		}
	}
	return found ? found : prefix_find(word, names, count);
}
