/*
 * The off machine against devices of all kinds, in virtual time. A device is a table of what it
 * does; after each step the machine must ask for one `off` and one reading at most and must never
 * ask to be woken in the past.
 */
#include "fencing/off.h"
#include "tests/unit/test.h"

#define NEVER UINT64_MAX
#define START_MS 1000000u
#define TIMEOUT_MS 60000u
#define READ_TIMEOUT_MS 20000u

struct device {
	/* What an `off` does: it ends after off_takes_ms (NEVER: hangs). */
	uint64_t off_takes_ms;
	unsigned int off_fails; /* the first so many of them fail; a failed one has no effect */
	bool lies;              /* it accepts and does nothing */
	bool says_already;
	/* Its effect comes so long after it was sent. */
	uint64_t effect_ms;
	bool was_off;
	/* A reading takes so long (NEVER: hangs), and says nothing until readable_ms. */
	uint64_t read_takes_ms;
	uint64_t readable_ms;
	bool one_login; /* an `off` fails while a reading runs */
};

struct run {
	struct off_machine machine;
	const struct device *device;
	uint64_t now_ms, off_end_ms, read_end_ms, power_off_ms;
	bool off_on, read_on, overlap;
	unsigned int offs, reads, steps;
};

static uint64_t later(uint64_t now_ms, uint64_t by_ms)
{
	return by_ms == NEVER ? NEVER : now_ms + by_ms;
}

static void run_do(struct run *run, unsigned int actions)
{
	const struct device *device = run->device;

	if (actions & OFF_STOP_OFF) {
		CHECK(run->off_on);
		run->off_on = false;
	}
	if (actions & OFF_STOP_READ) {
		CHECK(run->read_on);
		run->read_on = false;
	}
	if (actions & OFF_SEND) {
		CHECK(!run->off_on);
		run->off_on = true;
		run->overlap = run->read_on;
		run->offs++;
		run->off_end_ms = later(run->now_ms, device->off_takes_ms);
		if (!device->lies && run->offs > device->off_fails && device->effect_ms != NEVER &&
		    run->power_off_ms == NEVER)
			run->power_off_ms = run->now_ms + device->effect_ms;
	}
	if (actions & OFF_READ) {
		CHECK(!run->read_on);
		run->read_on = true;
		run->overlap |= run->off_on;
		run->reads++;
		run->read_end_ms = later(run->now_ms, device->read_takes_ms);
	}
}

static enum power power_now(const struct run *run)
{
	if (run->now_ms < START_MS + run->device->readable_ms)
		return POWER_UNKNOWN;
	return run->now_ms >= run->power_off_ms ? POWER_OFF : POWER_ON;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void run_step(struct run *run)
{
	struct off_machine *machine = &run->machine;
	uint64_t next_ms = off_wake_ms(machine);

	CHECK(next_ms > run->now_ms);
	if (run->off_on)
		next_ms = earlier(next_ms, run->off_end_ms);
	if (run->read_on)
		next_ms = earlier(next_ms, earlier(run->read_end_ms, machine->read_limit_ms));
	CHECK(next_ms >= run->now_ms && next_ms != NEVER);
	run->now_ms = next_ms;
	if (run->off_on && run->now_ms >= run->off_end_ms) {
		enum off_outcome outcome = run->device->says_already ? OFF_ALREADY : OFF_ACCEPTED;
		bool fails = run->offs <= run->device->off_fails ||
			     (run->device->one_login && run->overlap);

		run->off_on = false;
		run_do(run, off_ended(machine, fails ? OFF_FAILED : outcome, run->now_ms));
	}
	if (run->read_on && !off_is_over(machine) &&
	    run->now_ms >= earlier(run->read_end_ms, machine->read_limit_ms)) {
		enum power power = run->now_ms >= run->read_end_ms ? power_now(run) : POWER_UNKNOWN;

		run->read_on = false;
		run_do(run, off_read(machine, power, run->now_ms));
	}
	run_do(run, off_tick(machine, run->now_ms));
	CHECK(run->off_on == machine->off_running && run->read_on == machine->reading);
	CHECK(++run->steps < 5000);
}

static struct run run_device(const struct device *device, unsigned int retries)
{
	struct run run = { .device = device, .now_ms = START_MS,
			   .power_off_ms = device->was_off ? 0 : NEVER };

	run_do(&run, off_begin(&run.machine, TIMEOUT_MS, READ_TIMEOUT_MS, retries, run.now_ms));
	while (!off_is_over(&run.machine))
		run_step(&run);
	CHECK(run.now_ms <= START_MS + (retries + 1) * TIMEOUT_MS);
	CHECK(!run.read_on);
	CHECK_INT(run.machine.attempts, run.offs);
	CHECK(run.offs <= retries + 1);
	if (run.machine.state == OFF_CONFIRMED)
		CHECK(power_now(&run) == POWER_OFF);
	else
		CHECK(!run.off_on);
	return run;
}

static void readback_comes_before_the_end_of_off(void)
{
	const struct device device = { .off_takes_ms = 2200,
				       .effect_ms = 500,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_CONFIRMED);
	CHECK(run.machine.confirmed_ms < START_MS + 500 + OFF_READ_PAUSE_MS + 100 + 1);
	CHECK(run.off_on); /* it is left to the driver to end it */
	CHECK(!off_may_still_arrive(&run.machine));
	CHECK(!run.machine.already_off);
	CHECK_INT(run.machine.attempts, 1);
	CHECK_INT(run.machine.latest, POWER_OFF);
}

static void off_in_the_first_reading(void)
{
	/* It may have been off before, and the `off` may have been quick: nobody knows. */
	const struct device device = { .was_off = true,
				       .off_takes_ms = 2200,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_CONFIRMED && !run.machine.already_off && run.reads == 1);
}

static void already_off_by_the_agents_word(void)
{
	const struct device device = { .was_off = true, .off_takes_ms = 100, .says_already = true,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_CONFIRMED && run.machine.already_off);
	CHECK(!off_may_still_arrive(&run.machine));
}

static void the_agents_word_alone_is_no_proof(void)
{
	const struct device device = { .lies = true, .off_takes_ms = 100, .says_already = true,
				       .effect_ms = NEVER, .read_takes_ms = 100 };
	struct run run = run_device(&device, 0);

	CHECK(run.machine.state == OFF_GIVEN_UP);
}

static void the_agents_word_about_its_own_second_try_counts_for_nothing(void)
{
	/* The first one failed and worked; the second one finds it done. */
	const struct device device = { .off_takes_ms = 100,
				       .off_fails = 1,
				       .effect_ms = 300,
				       .says_already = true,
				       .read_takes_ms = 2000,
				       .readable_ms = 5000 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_CONFIRMED && run.machine.attempts == 2 &&
	      !run.machine.already_off);
}

static void says_off_and_is_on(void)
{
	const struct device device = { .lies = true, .off_takes_ms = 300, .effect_ms = NEVER,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_GIVEN_UP && run.machine.accepted);
	CHECK_INT(run.machine.latest, POWER_ON);
	CHECK_INT(run.machine.attempts, 2); /* sent again when the first attempt's time was over */
	CHECK(run.now_ms >= START_MS + 2 * TIMEOUT_MS);
	CHECK(off_may_still_arrive(&run.machine));
	CHECK(run.reads < 260); /* slower later on */
}

static void reads_on_for_20_s_then_off(void)
{
	const struct device device = { .off_takes_ms = 300,
				       .effect_ms = 20000,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_CONFIRMED);
	CHECK(run.machine.confirmed_ms <= START_MS + 20000 + OFF_READ_PAUSE_LATER_MS + 200);
	CHECK_INT(run.machine.attempts, 1);
}

static void off_hangs_and_works(void)
{
	const struct device device = { .off_takes_ms = NEVER,
				       .effect_ms = 5000,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_CONFIRMED && run.machine.attempts == 1);
}

static void off_hangs_in_vain(void)
{
	const struct device device = { .off_takes_ms = NEVER,
				       .effect_ms = NEVER,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 2);

	CHECK(run.machine.state == OFF_GIVEN_UP && run.machine.attempts == 3);
	CHECK(!run.machine.accepted && off_may_still_arrive(&run.machine));
}

static void all_hangs(void)
{
	const struct device device = { .off_takes_ms = NEVER,
				       .effect_ms = NEVER,
				       .read_takes_ms = NEVER };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_GIVEN_UP);
	CHECK_INT(run.machine.latest, POWER_UNKNOWN);
}

static void readings_hang_and_off_is_not_waited_for(void)
{
	/*
	 * The reading that hangs beside `off` is begun anew soon after its end, not after its own
	 * bound.
	 */
	const struct device device = { .off_takes_ms = 1000,
				       .effect_ms = 500,
				       .read_takes_ms = NEVER };
	struct run run = { .device = &device, .now_ms = START_MS, .power_off_ms = NEVER };

	run_do(&run, off_begin(&run.machine, TIMEOUT_MS, READ_TIMEOUT_MS, 1, run.now_ms));
	while (run.reads < 2)
		run_step(&run);
	CHECK_INT(run.now_ms, START_MS + 1000 + OFF_READ_STALE_MS);
}

static void fails_once(void)
{
	const struct device device = { .off_takes_ms = 500, .off_fails = 1, .effect_ms = 300,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_CONFIRMED && run.machine.attempts == 2);
}

static void fails_once_and_may_not_be_repeated(void)
{
	const struct device device = { .off_takes_ms = 500, .off_fails = 1, .effect_ms = 300,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 0);

	CHECK(run.machine.state == OFF_GIVEN_UP && run.machine.attempts == 1);
	CHECK(run.now_ms < START_MS + TIMEOUT_MS / 2); /* the next level is waiting */
}

static void failed_off_is_read_before_it_is_repeated(void)
{
	/* It failed in the agent's eyes only, and works late: the reading that is due shows it. */
	const struct device device = {
		.off_takes_ms = 500, .effect_ms = 2000, .read_takes_ms = 1500, .one_login = true
	};
	struct run run = run_device(&device, 3);

	CHECK(run.machine.state == OFF_CONFIRMED && run.machine.attempts == 1 && run.reads == 2);
}

static void a_dead_device_does_not_cost_the_retry(void)
{
	const struct device device = { .off_takes_ms = 500, .off_fails = 1, .effect_ms = 300,
				       .read_takes_ms = NEVER };
	struct run run = { .device = &device, .now_ms = START_MS, .power_off_ms = NEVER };

	run_do(&run, off_begin(&run.machine, TIMEOUT_MS, READ_TIMEOUT_MS, 1, run.now_ms));
	while (run.offs < 2)
		run_step(&run);
	CHECK_INT(run.now_ms, START_MS + 500 + OFF_READ_STALE_MS + OFF_ALONE_MS);
}

static void the_last_attempt_has_its_own_time_only(void)
{
	const struct device device = { .off_takes_ms = 500,
				       .off_fails = 1,
				       .lies = true,
				       .effect_ms = NEVER,
				       .read_takes_ms = 100 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_GIVEN_UP && run.machine.attempts == 2);
	CHECK_INT(run.now_ms, run.machine.off_sent_ms + TIMEOUT_MS);
}

static void failed_off_with_a_late_effect(void)
{
	struct device device = { .off_takes_ms = 500,
				 .off_fails = 0,
				 .effect_ms = 3000,
				 .read_takes_ms = 100,
				 .one_login = true };
	struct run run = run_device(&device, 0);

	CHECK(run.machine.state == OFF_CONFIRMED && !run.machine.accepted);
}

static void unreachable_ends_soon(void)
{
	const struct device device = { .off_takes_ms = 3000, .off_fails = 9, .effect_ms = NEVER,
				       .read_takes_ms = 3000, .readable_ms = NEVER / 2 };
	struct run run = run_device(&device, 1);

	CHECK(run.machine.state == OFF_GIVEN_UP && run.machine.attempts == 2);
	CHECK(run.now_ms < START_MS + 14000);
}

static void accepted_and_unreadable_for_long(void)
{
	/* The device itself starts anew: its first readings fail. */
	const struct device device = { .off_takes_ms = 500, .effect_ms = 500, .read_takes_ms = 100,
				       .readable_ms = 25000 };
	struct run run = run_device(&device, 0);

	CHECK(run.machine.state == OFF_CONFIRMED);
}

static void one_login_at_a_time(void)
{
	/* The reading took the only login; the second `off` has the device for itself. */
	const struct device device = { .off_takes_ms = 1000, .effect_ms = 900, .read_takes_ms = 900,
				       .one_login = true, .lies = false };
	struct run run;

	run = run_device(&(struct device){ .off_takes_ms = 1000, .off_fails = 1, .effect_ms = 900,
					   .read_takes_ms = 900, .one_login = true }, 1);
	CHECK(run.machine.state == OFF_CONFIRMED && run.machine.attempts == 2);
	CHECK(!run.overlap);
	run = run_device(&device, 1);
	CHECK(run.machine.state == OFF_CONFIRMED);
}

/* Devices at random, the same ones each time: the checks of run_device() and run_step() hold. */
static void any_device(void)
{
	uint64_t seed = 88172645463325252u;

	for (unsigned int i = 0; i < 50000; i++) {
		static const uint64_t times[] = { 1,	90,   200,   500,   2000,
						  5000, 9000, 20000, 33000, NEVER };
		struct device device;
		uint64_t r;

		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		r = seed;
		device = (struct device){
			.off_takes_ms = times[r % 10],
			.off_fails = r / 10 % 4,
			.lies = r / 40 % 2,
			.says_already = r / 80 % 2,
			.effect_ms = times[r / 160 % 10],
			.was_off = r / 1600 % 8 == 0,
			.read_takes_ms = times[r / 12800 % 10],
			.readable_ms = r / 128000 % 3 ? 0 : times[r / 384000 % 9],
			.one_login = r / 3840000 % 2,
		};
		run_device(&device, (unsigned int)(r / 7680000 % 4));
	}
}

int main(void)
{
	RUN(readback_comes_before_the_end_of_off);
	RUN(off_in_the_first_reading);
	RUN(already_off_by_the_agents_word);
	RUN(the_agents_word_alone_is_no_proof);
	RUN(the_agents_word_about_its_own_second_try_counts_for_nothing);
	RUN(says_off_and_is_on);
	RUN(reads_on_for_20_s_then_off);
	RUN(off_hangs_and_works);
	RUN(off_hangs_in_vain);
	RUN(all_hangs);
	RUN(readings_hang_and_off_is_not_waited_for);
	RUN(fails_once);
	RUN(fails_once_and_may_not_be_repeated);
	RUN(failed_off_is_read_before_it_is_repeated);
	RUN(a_dead_device_does_not_cost_the_retry);
	RUN(the_last_attempt_has_its_own_time_only);
	RUN(failed_off_with_a_late_effect);
	RUN(unreachable_ends_soon);
	RUN(accepted_and_unreadable_for_long);
	RUN(one_login_at_a_time);
	RUN(any_device);
	return 0;
}
