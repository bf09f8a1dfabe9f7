/* The width of what is asked of Nova: additive increase, multiplicative decrease, a canary first. */
#include <assert.h>

#include "hamon/daemon/pace.h"

static void halve(struct pace *pace, uint64_t now_ms)
{
	if (pace->width < 2 || (pace->halved_ms && now_ms - pace->halved_ms < PACE_HALVED_MS))
		return;
	pace->width /= 2;
	pace->halved_ms = now_ms;
}

uint32_t pace_room(struct pace *pace, uint32_t max, uint64_t now_ms)
{
	uint32_t width;

	assert(max);
	if (!pace->running && pace->width && now_ms - pace->last_ms >= PACE_REST_MS)
		pace->width = 0;
	/* A canary that takes long says nothing yet; but one server that does not come up must not keep all others down. */
	if (pace->canary_ms && now_ms - pace->canary_ms >= PACE_CANARY_MS) {
		pace->canary_ms = 0;
		pace->width = 2;
	}
	width = !pace->width || pace->canary_ms ? 1 : pace->width < max ? pace->width : max;
	return pace->running < width ? width - pace->running : 0;
}

void pace_begin(struct pace *pace, uint64_t now_ms)
{
	if (!pace->width) {
		pace->width = 1;
		pace->canary_ms = now_ms;
	}
	pace->running++;
	pace->last_ms = now_ms;
}

void pace_end(struct pace *pace, enum pace_end end, uint32_t max, uint64_t now_ms)
{
	assert(pace->running);
	pace->running--;
	pace->last_ms = now_ms;
	switch (end) {
	case PACE_STARTED:
		pace->canary_ms = 0;
		if (pace->width < max)
			pace->width++;
		break;
	case PACE_FAILED:
		/* The next one is the canary now. */
		if (pace->canary_ms) {
			pace->canary_ms = 0;
			pace->width = 0;
		} else {
			halve(pace, now_ms);
		}
		break;
	case PACE_ITS_OWN:
		if (pace->canary_ms) {
			pace->canary_ms = 0;
			pace->width = 0;
		}
		break;
	}
}

void pace_works(struct pace *pace)
{
	if (!pace->canary_ms)
		return;
	pace->canary_ms = 0;
	pace->width = 2;
}

void pace_slow(struct pace *pace, uint64_t now_ms)
{
	halve(pace, now_ms);
}
