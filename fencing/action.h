/* One action of a request's agent, from its start to what can be said about its end. */
#ifndef HAMON_FENCING_ACTION_H
#define HAMON_FENCING_ACTION_H

#include <stdint.h>

#include "fencing/agent.h"
#include "fencing/failure.h"
#include "fencing/request.h"

/*
 * Everything before the first agent: checks the agent's file and reads the secrets file into the
 * options. 0, or -errno with failure filled in.
 */
int action_prepare(struct fence_request *request, struct failure *failure);

/*
 * Starts the agent of a request with an action. When that fails, run is left as one that could not
 * be executed, so that the caller has one place for all failures.
 */
void action_start(struct agent_run *run, const struct fence_request *request, const char *action,
		  uint64_t deadline_ms);

/*
 * action_start(), and waiting for its end; ends the process when nobody reads its stdout any more.
 */
void action_run(struct agent_run *run, const struct fence_request *request, const char *action,
		uint64_t deadline_ms);

/*
 * Waits as agents_wait() does; ends the process, and with it all agents, when nobody is there for
 * the result.
 */
void actions_wait(struct agent_run **runs, size_t count, uint64_t until_ms);

/*
 * Says why an action that has ended did not do what it should have: fills in failure, and writes
 * the agent's own words to stderr, scrubbed. The run's output is scrubbed by it.
 */
void action_explain(struct agent_run *run, const struct fence_request *request, const char *action,
		    struct failure *failure);

/*
 * The power that a `status` that has ended reports; when it is unknown failure says why, and the
 * agent's words are written to stderr unless failure said the same before. The run is cleared.
 */
enum power action_power(struct agent_run *run, const struct fence_request *request,
			struct failure *failure);

#endif
