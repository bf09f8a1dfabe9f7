/* hamon/daemon/pace.c: the canary, growth, halving, and that nobody waits for ever. */
#include "hamon/daemon/pace.h"
#include "tests/unit/test.h"

#define MAX 4

static struct pace pace;
static uint64_t now_ms;

static void begin_again(void)
{
	pace = (struct pace){ 0 };
	now_ms = 1000000;
}

static uint32_t room(void)
{
	return pace_room(&pace, MAX, now_ms);
}

/* All that may begin; how many that were. */
static uint32_t fill(void)
{
	uint32_t n = room();

	for (uint32_t i = 0; i < n; i++)
		pace_begin(&pace, now_ms);
	return n;
}

static void end(enum pace_end how)
{
	pace_end(&pace, how, MAX, now_ms);
}

static void canary_first(void)
{
	begin_again();
	CHECK_INT(fill(), 1);
	CHECK_INT(room(), 0);
	now_ms += PACE_CANARY_MS - 1;
	CHECK_INT(room(), 0);
	end(PACE_STARTED);
	CHECK_INT(fill(), 2);
}

static void grows_with_each_that_starts(void)
{
	begin_again();
	fill();
	end(PACE_STARTED);
	CHECK_INT(fill(), 2);
	end(PACE_STARTED);
	CHECK_INT(fill(), 2);
	CHECK_INT(pace.running, 3);
	end(PACE_STARTED);
	CHECK_INT(fill(), 2);
	for (int i = 0; i < 10; i++) {
		end(PACE_STARTED);
		CHECK_INT(fill(), 1);
		CHECK_INT(pace.running, MAX);
	}
}

static void a_canary_has_its_time(void)
{
	begin_again();
	fill();
	now_ms += PACE_CANARY_MS;
	CHECK_INT(fill(), 1);
	CHECK_INT(pace.running, 2);
	end(PACE_STARTED); /* whichever of the two */
	CHECK_INT(fill(), 2);
}

static void a_canary_that_fails(void)
{
	for (int how = PACE_FAILED; how <= PACE_ITS_OWN; how++) {
		begin_again();
		for (int i = 0; i < 5; i++) {
			CHECK_INT(fill(), 1);
			CHECK_INT(room(), 0);
			end((enum pace_end)how);
		}
		CHECK_INT(fill(), 1);
		end(PACE_STARTED);
		CHECK_INT(fill(), 2);
	}
}

static void widen(void)
{
	begin_again();
	for (int i = 0; i < MAX; i++) {
		fill();
		end(PACE_STARTED);
	}
	fill();
	CHECK_INT(pace.running, MAX);
}

static void halves_when_nova_is_slow(void)
{
	widen();
	pace_slow(&pace, now_ms);
	CHECK_INT(pace.width, MAX / 2);
	CHECK_INT(room(), 0);
	/* All that run tell of the same minute of it. */
	pace_slow(&pace, now_ms + 1);
	pace_slow(&pace, now_ms + PACE_HALVED_MS - 1);
	CHECK_INT(pace.width, MAX / 2);
	now_ms += PACE_HALVED_MS;
	pace_slow(&pace, now_ms);
	CHECK_INT(pace.width, 1);
	now_ms += PACE_HALVED_MS;
	pace_slow(&pace, now_ms);
	CHECK_INT(pace.width, 1);
	/* Nobody begins until there are fewer than that. */
	for (int i = 0; i < MAX - 1; i++) {
		end(PACE_ITS_OWN);
		CHECK_INT(room(), 0);
	}
	end(PACE_ITS_OWN);
	CHECK_INT(room(), 1);
}

static void halves_when_one_fails(void)
{
	widen();
	end(PACE_FAILED);
	CHECK_INT(pace.width, MAX / 2);
	end(PACE_FAILED);
	CHECK_INT(pace.width, MAX / 2);
	CHECK_INT(room(), 0);
	end(PACE_STARTED);
	CHECK_INT(pace.width, MAX / 2 + 1);
	CHECK_INT(room(), 2);
}

static void what_is_the_servers_own_changes_nothing(void)
{
	widen();
	end(PACE_ITS_OWN);
	CHECK_INT(pace.width, MAX);
	CHECK_INT(room(), 1);
}

static void the_next_incident_has_its_own_canary(void)
{
	widen();
	for (int i = 0; i < MAX; i++)
		end(PACE_STARTED);
	now_ms += PACE_REST_MS - 1;
	CHECK_INT(room(), MAX);
	now_ms++;
	CHECK_INT(fill(), 1);
	CHECK_INT(room(), 0);
	now_ms += PACE_CANARY_MS;
	CHECK_INT(room(), 1);
}

static void one_that_runs_long_is_no_rest(void)
{
	widen();
	now_ms += 10 * PACE_REST_MS;
	end(PACE_STARTED);
	CHECK_INT(room(), 1);
}

static void never_beyond_the_setting(void)
{
	begin_again();
	CHECK_INT(pace_room(&pace, 1, now_ms), 1);
	pace_begin(&pace, now_ms);
	for (int i = 0; i < 100; i++) {
		pace_end(&pace, PACE_STARTED, 1, now_ms);
		CHECK_INT(pace_room(&pace, 1, now_ms), 1);
		pace_begin(&pace, now_ms);
		now_ms += PACE_CANARY_MS;
		CHECK_INT(pace_room(&pace, 1, now_ms), 0);
	}
}

int main(void)
{
	RUN(canary_first);
	RUN(grows_with_each_that_starts);
	RUN(a_canary_has_its_time);
	RUN(a_canary_that_fails);
	RUN(halves_when_nova_is_slow);
	RUN(halves_when_one_fails);
	RUN(what_is_the_servers_own_changes_nothing);
	RUN(the_next_incident_has_its_own_canary);
	RUN(one_that_runs_long_is_no_rest);
	RUN(never_beyond_the_setting);
	return 0;
}
