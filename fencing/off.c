/* How a host is switched off and read back. */
#include <assert.h>
#include <string.h>

#include "fencing/off.h"

static void state_set(struct off_machine *machine, enum off_state state)
{
	static const unsigned int allowed[] = {
		[OFF_SENDING] = 1 << OFF_SENDING | 1 << OFF_PAUSING | 1 << OFF_WATCHING |
				1 << OFF_CONFIRMED | 1 << OFF_GIVEN_UP,
		[OFF_PAUSING] = 1 << OFF_SENDING | 1 << OFF_CONFIRMED | 1 << OFF_GIVEN_UP,
		[OFF_WATCHING] = 1 << OFF_SENDING | 1 << OFF_CONFIRMED | 1 << OFF_GIVEN_UP,
		[OFF_CONFIRMED] = 0,
		[OFF_GIVEN_UP] = 0,
	};

	assert(allowed[machine->state] & 1u << state);
	machine->state = state;
}

/* --- steps --- */

static unsigned int off_send(struct off_machine *machine, uint64_t now_ms)
{
	unsigned int actions = OFF_SEND;

	if (machine->off_running)
		actions |= OFF_STOP_OFF;
	state_set(machine, OFF_SENDING);
	machine->attempts++;
	machine->off_running = true;
	machine->off_sent_ms = now_ms;
	machine->attempt_end_ms = now_ms + machine->attempt_ms;
	if (machine->attempts == machine->attempts_max &&
	    machine->attempt_end_ms < machine->deadline_ms)
		machine->deadline_ms = machine->attempt_end_ms;
	machine->settled = false;
	if (machine->attempts == 1) {
		/* Nothing can be read before the agent has started; it gets the processor. */
		machine->read_due_ms = now_ms + OFF_READ_PAUSE_MS;
		return actions;
	}
	if (machine->reading)
		actions |= OFF_STOP_READ;
	machine->reading = false;
	machine->read_due_ms = now_ms + OFF_ALONE_MS;
	return actions;
}

static unsigned int reading_start(struct off_machine *machine, uint64_t now_ms)
{
	machine->reading = true;
	machine->read_after_off = !machine->off_running;
	machine->read_limit_ms = now_ms + machine->read_timeout_ms;
	/* The retry must not be lost to a dead device. */
	if (machine->state == OFF_PAUSING && machine->read_timeout_ms > OFF_ALONE_MS)
		machine->read_limit_ms = now_ms + OFF_ALONE_MS;
	return OFF_READ;
}

static unsigned int reading_start_if_due(struct off_machine *machine, uint64_t now_ms)
{
	if (machine->reading || now_ms < machine->read_due_ms)
		return 0;
	return reading_start(machine, now_ms);
}

static unsigned int machine_end(struct off_machine *machine, enum off_state state)
{
	unsigned int actions = machine->reading ? OFF_STOP_READ : 0;

	state_set(machine, state);
	machine->reading = false;
	/* After a confirmed off the driver lets the agent end by itself, for a short while. */
	if (state == OFF_GIVEN_UP && machine->off_running) {
		actions |= OFF_STOP_OFF;
		machine->off_running = false;
	}
	return actions;
}

/* --- one function for each state --- */

static unsigned int sending_tick(struct off_machine *machine, uint64_t now_ms)
{
	if (now_ms >= machine->attempt_end_ms && machine->attempts < machine->attempts_max)
		return off_send(machine, now_ms); /* it hangs */
	return reading_start_if_due(machine, now_ms);
}

static unsigned int pausing_tick(struct off_machine *machine, uint64_t now_ms)
{
	/* An unknown outcome is resolved by reading: repeat it only after a reading begun since. */
	if (machine->settled && !machine->reading && now_ms >= machine->retry_ms)
		return off_send(machine, now_ms);
	return machine->settled ? 0 : reading_start_if_due(machine, now_ms);
}

static unsigned int watching_tick(struct off_machine *machine, uint64_t now_ms)
{
	/* Accepted and still on: send it again when this attempt's part of the time is over. */
	if (now_ms >= machine->attempt_end_ms && machine->attempts < machine->attempts_max &&
	    machine->settled)
		return off_send(machine, now_ms);
	if (!machine->accepted && machine->settled && !machine->reading &&
	    (!machine->seen_on || now_ms >= machine->off_ended_ms + OFF_SETTLE_MS))
		return machine_end(machine, OFF_GIVEN_UP);
	return reading_start_if_due(machine, now_ms);
}

unsigned int off_tick(struct off_machine *machine, uint64_t now_ms)
{
	if (off_is_over(machine))
		return 0;
	if (now_ms >= machine->deadline_ms)
		return machine_end(machine, OFF_GIVEN_UP);
	switch (machine->state) {
	case OFF_SENDING:
		return sending_tick(machine, now_ms);
	case OFF_PAUSING:
		return pausing_tick(machine, now_ms);
	case OFF_WATCHING:
		return watching_tick(machine, now_ms);
	case OFF_CONFIRMED:
	case OFF_GIVEN_UP:
		return 0;
	}
	return 0;
}

/* --- events --- */

unsigned int off_begin(struct off_machine *machine, uint64_t attempt_ms, uint64_t read_timeout_ms,
		       unsigned int retries, uint64_t now_ms)
{
	memset(machine, 0, sizeof(*machine));
	machine->state = OFF_SENDING;
	machine->started_ms = now_ms;
	machine->attempt_ms = attempt_ms;
	machine->attempts_max = retries + 1;
	machine->deadline_ms = now_ms + attempt_ms * machine->attempts_max;
	machine->read_timeout_ms = read_timeout_ms;
	return off_send(machine, now_ms);
}

unsigned int off_ended(struct off_machine *machine, enum off_outcome outcome, uint64_t now_ms)
{
	assert(machine->off_running);
	machine->off_running = false;
	machine->off_ended_ms = now_ms;
	if (off_is_over(machine))
		return 0;
	if (machine->reading && machine->read_limit_ms > now_ms + OFF_READ_STALE_MS)
		machine->read_limit_ms = now_ms + OFF_READ_STALE_MS;
	machine->read_due_ms = now_ms;
	if (outcome != OFF_FAILED) {
		machine->accepted = true;
		machine->already_off |= outcome == OFF_ALREADY && !machine->seen_on &&
					machine->attempts == 1;
		state_set(machine, OFF_WATCHING);
	} else if (machine->attempts < machine->attempts_max) {
		machine->retry_ms = now_ms + OFF_RETRY_PAUSE_MS;
		state_set(machine, OFF_PAUSING);
	} else {
		state_set(machine, OFF_WATCHING);
	}
	return off_tick(machine, now_ms);
}

static uint64_t read_pause_ms(const struct off_machine *machine, uint64_t now_ms)
{
	uint64_t event_ms = machine->off_running ? machine->off_sent_ms : machine->off_ended_ms;

	return now_ms < event_ms + OFF_READ_LATER_AFTER_MS ? OFF_READ_PAUSE_MS :
							     OFF_READ_PAUSE_LATER_MS;
}

unsigned int off_read(struct off_machine *machine, enum power power, uint64_t now_ms)
{
	assert(machine->reading && !off_is_over(machine));
	machine->reading = false;
	machine->latest = power;
	machine->settled |= machine->read_after_off && !machine->off_running;
	machine->read_due_ms = now_ms + read_pause_ms(machine, now_ms);
	/* It answered for a time before the end of the `off`: another one at once. */
	if (!machine->off_running && !machine->settled)
		machine->read_due_ms = now_ms;
	switch (power) {
	case POWER_OFF:
		machine->confirmed_ms = now_ms;
		return machine_end(machine, OFF_CONFIRMED);
	case POWER_ON:
		machine->seen_on = true;
		break;
	case POWER_UNKNOWN:
		break;
	}
	return off_tick(machine, now_ms);
}

/* --- questions --- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Only what off_tick() would act on then: a wake-up without effect would be a busy loop. */
uint64_t off_wake_ms(const struct off_machine *machine)
{
	uint64_t wake_ms = machine->deadline_ms;
	bool repeatable = machine->attempts < machine->attempts_max;

	switch (machine->state) {
	case OFF_SENDING:
		if (repeatable)
			wake_ms = earlier(wake_ms, machine->attempt_end_ms);
		break;
	case OFF_PAUSING:
		if (machine->settled)
			return machine->reading ? wake_ms : earlier(wake_ms, machine->retry_ms);
		break;
	case OFF_WATCHING:
		if (repeatable && machine->settled)
			wake_ms = earlier(wake_ms, machine->attempt_end_ms);
		if (!machine->accepted && machine->settled && !machine->reading)
			wake_ms = earlier(wake_ms, machine->off_ended_ms + OFF_SETTLE_MS);
		break;
	case OFF_CONFIRMED:
	case OFF_GIVEN_UP:
		return UINT64_MAX;
	}
	return machine->reading ? wake_ms : earlier(wake_ms, machine->read_due_ms);
}

bool off_is_over(const struct off_machine *machine)
{
	return machine->state == OFF_CONFIRMED || machine->state == OFF_GIVEN_UP;
}

bool off_may_still_arrive(const struct off_machine *machine)
{
	return machine->state != OFF_CONFIRMED && machine->attempts > 0;
}
