/* What others say, in the room that a record has for it. */
#include <stdio.h>
#include <string.h>

#include "hamon/daemon/daemon.h"

#define TAIL_MAX 64

/* Nova ends what it says with the id of the request, "(req-...)": that is what its own logs are searched for. */
void words_fit(char *to, size_t size, const char *text)
{
	const char *tail = strrchr(text, '(');
	size_t len = strlen(text), tail_len = tail ? strlen(tail) : 0, head;

	if (len < size || !tail || tail_len > TAIL_MAX || tail_len + 8 > size || text[len - 1] != ')') {
		snprintf(to, size, "%s", text);
		return;
	}
	head = size - 1 - tail_len - strlen("... ");
	while (head && ((unsigned char)text[head] & 0xc0) == 0x80)
		head--;
	snprintf(to, size, "%.*s... %s", (int)head, text, tail);
}
