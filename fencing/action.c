/* One action of a request's agent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fencing/action.h"
#include "fencing/secrets.h"
#include "hamon/common/clock.h"

#define WORDS_LINES_MAX 20
#define WORDS_LINE_SIZE 512

int action_prepare(struct fence_request *request, struct failure *failure)
{
	int rc = agent_check(request->agent, failure);

	if (!rc && request->secrets_file[0])
		rc = secrets_load(&request->options, request->secrets_file, failure);
	return rc;
}

void action_start(struct agent_run *run, const struct fence_request *request, const char *action,
		  uint64_t deadline_ms)
{
	int rc;

	agent_clear(run);
	rc = agent_start(run, request->agent, action, &request->options, deadline_ms);
	if (rc) {
		*run = (struct agent_run){ .end = AGENT_NO_EXEC,
					   .code = -rc,
					   .keeper_fd = -1,
					   .report_fd = -1,
					   .out.fd = -1,
					   .err.fd = -1,
					   .started_ms = clock_boot_ms(),
					   .deadline_ms = deadline_ms };
	}
}

void actions_wait(struct agent_run **runs, size_t count, uint64_t until_ms)
{
	int rc = agents_wait(runs, count, until_ms, STDOUT_FILENO);

	if (!rc)
		return;
	/*
	 * Whoever asked is gone, and another one may be fencing by now: an `off` of a coordinator
	 * that is no more must not arrive later. The keepers see to the agents.
	 */
	fprintf(stderr, "hamon-fence: %s\n",
		rc == -EPIPE ? "nobody waits for the result any more" : strerror(-rc));
	_exit(EXIT_FAILURE);
}

void action_run(struct agent_run *run, const struct fence_request *request, const char *action,
		uint64_t deadline_ms)
{
	action_start(run, request, action, deadline_ms);
	while (run->end == AGENT_RUNNING)
		actions_wait(&run, 1, deadline_ms);
}

/*
 * Passes the agent's words on, line by line, bounded, with nothing in them that a terminal would
 * obey.
 */
static void words_forward(const struct agent_output *output, const struct fence_request *request,
			  const char *action)
{
	const char *start = output->err, *end = output->err + output->err_len;
	char line[WORDS_LINE_SIZE];

	for (int n = 0; start < end && n < WORDS_LINES_MAX;) {
		const char *feed = memchr(start, '\n', (size_t)(end - start));
		size_t len = (size_t)((feed ? feed : end) - start);

		text_make_printable(start, len, line, sizeof(line));
		if (line[strspn(line, " ")]) {
			fprintf(stderr, "%s %s: %s\n", request->agent_name, action, line);
			n++;
		}
		start += feed ? len + 1 : len;
	}
}

static void exit_explain(const struct agent_run *run, const struct fence_request *request,
			 const char *action, struct failure *failure)
{
	struct agent_output output = agent_output(run);
	char excerpt[OUTPUT_EXCERPT_SIZE];

	output_excerpt(&output, excerpt);
	failure_set(failure, output_failure(&output), "%s %s ended with %d%s%s",
		    request->agent_name, action, run->code, excerpt[0] ? ": " : " and said nothing",
		    excerpt);
}

void action_explain(struct agent_run *run, const struct fence_request *request, const char *action,
		    struct failure *failure)
{
	struct failure before = *failure;
	struct agent_output output;

	agent_scrub(run, &request->options);
	output = agent_output(run);
	switch (run->end) {
	case AGENT_IDLE:
	case AGENT_RUNNING:
	case AGENT_DEADLINE:
		failure_set(failure, FAILURE_TIMEOUT, "%s %s did not end within %llu ms",
			    request->agent_name, action,
			    (unsigned long long)(clock_boot_ms() - run->started_ms));
		break;
	case AGENT_EXITED:
		exit_explain(run, request, action, failure);
		break;
	case AGENT_SIGNALED:
		failure_set(failure, FAILURE_AGENT_FAILED, "%s %s was ended by signal %d (%s)",
			    request->agent_name, action, run->code, strsignal(run->code));
		break;
	case AGENT_NO_EXEC:
		failure_set(failure, FAILURE_AGENT_MISSING, "%s could not be executed: %s",
			    request->agent, strerror(run->code));
		break;
	}
	if (before.what != failure->what || strcmp(before.text, failure->text))
		words_forward(&output, request, action);
}

enum power action_power(struct agent_run *run, const struct fence_request *request,
			struct failure *failure)
{
	struct agent_output output = agent_output(run);
	enum power power = run->end == AGENT_EXITED ? output_power(&output) : POWER_UNKNOWN;

	if (power == POWER_UNKNOWN)
		action_explain(run, request, "status", failure);
	agent_clear(run);
	return power;
}
