/* The requests about a host's power. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fencing/action.h"
#include "fencing/off.h"
#include "fencing/power.h"
#include "fencing/report.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define OFF_LEAVE_MS 2000u /* for an `off` to end by itself after the readback */

struct fencing {
	const struct fence_request *request;
	struct off_machine machine;
	struct agent_run off, status;
	struct failure off_failure, read_failure; /* the last of each kind */
	enum power reported;
	bool any_reported;
};

/* --- carrying out what the machine asks for --- */

static void actions_do(struct fencing *fencing, unsigned int actions)
{
	const struct fence_request *request = fencing->request;
	char detail[64];

	if (actions & OFF_STOP_OFF) {
		agent_kill(&fencing->off);
		action_explain(&fencing->off, request, "off", &fencing->off_failure);
		agent_clear(&fencing->off);
	}
	if (actions & OFF_STOP_READ)
		agent_clear(&fencing->status);
	if (actions & OFF_SEND) {
		/* Its end is the machine's to decide. */
		action_start(&fencing->off, request, "off", UINT64_MAX);
		snprintf(detail, sizeof(detail), "attempt %u of %u", fencing->machine.attempts,
			 fencing->machine.attempts_max);
		report_progress(request, "off-sent", detail);
	}
	if (actions & OFF_READ)
		action_start(&fencing->status, request, "status", fencing->machine.read_limit_ms);
}

static void off_handle(struct fencing *fencing)
{
	struct agent_output output = agent_output(&fencing->off);
	enum off_outcome outcome = OFF_FAILED;

	if (fencing->off.end == AGENT_EXITED && fencing->off.code == 0)
		outcome = output_already_off(&output) ? OFF_ALREADY : OFF_ACCEPTED;
	else
		action_explain(&fencing->off, fencing->request, "off", &fencing->off_failure);
	agent_clear(&fencing->off);
	actions_do(fencing, off_ended(&fencing->machine, outcome, clock_boot_ms()));
}

/* Progress is for people: each change of the reading, not each reading. */
static void reading_report(struct fencing *fencing, enum power power)
{
	if (fencing->any_reported && fencing->reported == power)
		return;
	fencing->any_reported = true;
	fencing->reported = power;
	report_progress(fencing->request, "readback",
			power == POWER_UNKNOWN ? fencing->read_failure.text : power_name(power));
}

static void status_handle(struct fencing *fencing)
{
	enum power power = action_power(&fencing->status, fencing->request, &fencing->read_failure);
	unsigned int actions = off_read(&fencing->machine, power, clock_boot_ms());

	if (power != POWER_OFF) /* that one the result tells, and sooner */
		reading_report(fencing, power);
	actions_do(fencing, actions);
}

static bool run_has_ended(const struct agent_run *run)
{
	return run->end != AGENT_IDLE && run->end != AGENT_RUNNING;
}

static void fencing_run(struct fencing *fencing)
{
	const struct fence_request *request = fencing->request;
	struct off_machine *machine = &fencing->machine;
	struct agent_run *runs[] = { &fencing->off, &fencing->status };

	actions_do(fencing, off_begin(machine, request->timeout_ms, request->status_timeout_ms,
				      request->retries, clock_boot_ms()));
	while (!off_is_over(machine)) {
		if (!run_has_ended(&fencing->off) && !run_has_ended(&fencing->status)) {
			fencing->status.deadline_ms = machine->read_limit_ms;
			actions_wait(runs, 2, off_wake_ms(machine));
		}
		/* `off` first: a reading that came with its end is not earlier than it. */
		if (run_has_ended(&fencing->off))
			off_handle(fencing);
		if (!off_is_over(machine) && run_has_ended(&fencing->status))
			status_handle(fencing);
		actions_do(fencing, off_tick(machine, clock_boot_ms()));
	}
}

/* --- the result --- */

static void failure_judge(const struct fencing *fencing, struct failure *failure)
{
	const struct off_machine *machine = &fencing->machine;
	const struct fence_request *request = fencing->request;
	unsigned long long ms = clock_boot_ms() - machine->started_ms;

	if (machine->accepted && machine->latest == POWER_ON)
		failure_set(failure, FAILURE_STILL_ON,
			    "%s accepted off, but the power of %s still reads on after %llu ms",
			    request->agent_name, request->host[0] ? request->host : "the host", ms);
	else if (machine->accepted && fencing->read_failure.what != FAILURE_NONE)
		failure_set(failure, fencing->read_failure.what,
			    "off was accepted, but cannot be read back: %s",
			    fencing->read_failure.text);
	else if (fencing->off_failure.what != FAILURE_NONE)
		failure_set(failure, fencing->off_failure.what, "%s%s", fencing->off_failure.text,
			    machine->latest == POWER_ON ? "; the power still reads on" : "");
	else
		failure_set(failure, FAILURE_TIMEOUT, "no answer within %llu ms", ms);
}

static void fencing_report(const struct fencing *fencing)
{
	const struct off_machine *machine = &fencing->machine;
	struct failure failure = { 0 };
	struct json_object *result;

	if (machine->state != OFF_CONFIRMED)
		failure_judge(fencing, &failure);
	result = report_new(fencing->request, &failure);
	json_put_string(result, "proof", machine->state == OFF_CONFIRMED ? "readback" : NULL);
	json_put_string(result, "readback", power_name(machine->latest));
	json_put_bool(result, "already_off", machine->already_off);
	json_put_u64(result, "attempts", machine->attempts);
	json_put_u64(result, "started_ms", machine->started_ms);
	json_put_u64(result, "off_sent_ms", machine->off_sent_ms);
	if (machine->confirmed_ms)
		json_put_u64(result, "confirmed_ms", machine->confirmed_ms);
	else
		json_put_string(result, "confirmed_ms", NULL);
	json_put_bool(result, "may_still_arrive", off_may_still_arrive(machine));
	report_result(result);
}

/* A result about a request that no agent was started for. */
static void refusal_report(const struct fence_request *request, const struct failure *failure)
{
	struct fencing fencing = { .request = request };
	struct json_object *result = report_new(request, failure);

	json_put_string(result, "proof", NULL);
	json_put_string(result, "readback", power_name(fencing.machine.latest));
	json_put_bool(result, "already_off", false);
	json_put_u64(result, "attempts", 0);
	json_put_bool(result, "may_still_arrive", false);
	report_result(result);
}

static void off_let_end(struct agent_run *off)
{
	close(STDOUT_FILENO); /* nobody waits for anything more */
	if (off->end == AGENT_RUNNING)
		agents_wait(&off, 1, clock_boot_ms() + OFF_LEAVE_MS, -1);
	agent_clear(off);
}

void power_off(struct fence_request *request)
{
	struct fencing fencing = { .request = request };
	struct failure failure = { 0 };

	if (action_prepare(request, &failure)) {
		refusal_report(request, &failure);
		return;
	}
	fencing_run(&fencing);
	fencing_report(&fencing);
	off_let_end(&fencing.off);
	agent_clear(&fencing.status);
}

/* --- status --- */

enum power power_read(struct fence_request *request, uint64_t deadline_ms, struct failure *failure)
{
	struct agent_run run = { 0 };
	enum power power = POWER_UNKNOWN;

	for (unsigned int n = 0; n <= request->retries && power == POWER_UNKNOWN; n++) {
		if (n && clock_boot_ms() >= deadline_ms)
			break;
		action_run(&run, request, "status", deadline_ms);
		power = action_power(&run, request, failure);
	}
	if (power != POWER_UNKNOWN)
		failure->what = FAILURE_NONE;
	return power;
}

void power_status(struct fence_request *request)
{
	struct failure failure = { 0 };
	enum power power = POWER_UNKNOWN;
	struct json_object *result;

	if (!action_prepare(request, &failure))
		power = power_read(request, clock_boot_ms() + request->status_timeout_ms, &failure);
	result = report_new(request, &failure);
	json_put_string(result, "power", power_name(power));
	report_result(result);
}
