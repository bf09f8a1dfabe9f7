/* What an agent's exit code and words mean. Everything here may be hostile, or binary. */
#ifndef HAMON_FENCING_OUTPUT_H
#define HAMON_FENCING_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "fencing/failure.h"

#define OUTPUT_EXCERPT_SIZE 256

enum power {
	POWER_UNKNOWN,
	POWER_ON,
	POWER_OFF,
};

const char *power_name(enum power power);

/* What an agent that ended by itself leaves; the texts need no zero byte at their end. */
struct agent_output {
	int exit_code;
	const char *out;
	size_t out_len;
	const char *err;
	size_t err_len;
};

/*
 * The power that a `status` reports. FenceAgentAPI.md: exit code 0 is on, 2 is off, everything else
 * is a failure. Since "off" is a proof of death, and 2 is also what a shell, Python or getopt exit
 * with when they dislike a script or an argument, the exit code alone does not do: either the agent
 * says "Status: OFF" as well, as all agents of the fence-agents library do, or it says nothing at
 * all. Words that contradict the exit code make it unknown.
 */
enum power output_power(const struct agent_output *output);

/* True when an `off` that ended with 0 says that it had nothing to do ("Success: Already OFF"). */
bool output_already_off(const struct agent_output *output);

/* Why an agent failed, going by its words: FAILURE_UNREACHABLE or FAILURE_AGENT_FAILED. */
enum failure_class output_failure(const struct agent_output *output);

/*
 * The line that tells most about a failure, without the time stamp and level that the library puts
 * before it, as printable UTF-8 that fits excerpt; "" when the agent said nothing. Secrets are
 * scrubbed before.
 */
void output_excerpt(const struct agent_output *output, char excerpt[OUTPUT_EXCERPT_SIZE]);

/*
 * Copies len bytes of text as printable UTF-8 into buf (control characters and broken sequences
 * become '?', white space a blank) and cuts between characters. buf holds size bytes and ends in a
 * zero byte.
 */
void text_make_printable(const char *text, size_t len, char *buf, size_t size);

#endif
