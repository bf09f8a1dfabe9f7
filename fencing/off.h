/*
 * How a host is switched off and read back: a state machine without I/O, clock or agent in it. Its
 * driver (fencing/power.c) and its unit test tell it what has happened and when, and do what it
 * asks for.
 *
 * The effect is what counts: an agent's `off` is sent, and while it runs the power is read by the
 * agent's own `status`, one reading at a time. The first reading of "off" ends it all. What `off`
 * itself returns only decides how to go on while the power is not read as off.
 */
#ifndef HAMON_FENCING_OFF_H
#define HAMON_FENCING_OFF_H

#include <stdbool.h>
#include <stdint.h>

#include "fencing/output.h"

/*
 * Between two readings, and between two when the last `off` was sent and ended long ago: each is a
 * process, often of Python, and a login at the device.
 */
#define OFF_READ_PAUSE_MS 200u
#define OFF_READ_PAUSE_LATER_MS 500u
#define OFF_READ_LATER_AFTER_MS 10000u
/* Before a failed `off` is repeated. */
#define OFF_RETRY_PAUSE_MS 1000u
/*
 * A repeated `off` has the device for itself for so long: there are devices that admit one login at
 * a time, and a reading beside it may be why the first one failed.
 */
#define OFF_ALONE_MS 5000u
/* A reading that ran beside an `off` and has not answered so long after its end is begun anew. */
#define OFF_READ_STALE_MS 2000u
/* After the last `off` has failed its effect is still looked for so long. */
#define OFF_SETTLE_MS 5000u

enum off_state {
	OFF_SENDING,   /* an `off` runs */
	OFF_PAUSING,   /* it failed; read the power, then repeat it */
	OFF_WATCHING,  /* it was accepted, or cannot be repeated: read until the end */
	OFF_CONFIRMED, /* the power reads off */
	OFF_GIVEN_UP,
};

enum off_outcome {
	OFF_ACCEPTED, /* the agent's `off` ended with 0 */
	OFF_ALREADY,  /* the same, and it says that there was nothing to do */
	OFF_FAILED,   /* it ended otherwise, or could not be started */
};

/* What the driver is to do, in this order; any number of them. */
enum off_action {
	OFF_STOP_OFF = 1,  /* kill the running `off` */
	OFF_STOP_READ = 2, /* kill the running `status`; it will not be reported */
	OFF_SEND = 4,      /* start an `off` */
	OFF_READ = 8,      /* start a `status` */
};

struct off_machine {
	enum off_state state;
	uint64_t attempt_ms;  /* how long one attempt may take */
	uint64_t deadline_ms; /* the end of the last one */
	uint64_t read_timeout_ms;
	unsigned int attempts, attempts_max;

	bool off_running;
	bool accepted;              /* some `off` ended with 0 */
	uint64_t attempt_end_ms;    /* of the running, or last, attempt */
	uint64_t off_ended_ms;
	uint64_t retry_ms;

	bool reading, read_after_off; /* a `status` runs; it was begun when no `off` ran */
	uint64_t read_due_ms, read_limit_ms;
	bool settled;                 /* a reading that was begun after the last `off` has ended */
	enum power latest;            /* what the last reading said, unknown included */
	bool seen_on;
	/*
	 * The agent's word that there was nothing to do, and no reading against it. A first reading
	 * of "off" is no sign of it: `off` may have worked by then.
	 */
	bool already_off;
	uint64_t started_ms, off_sent_ms, confirmed_ms;
};

/*
 * Every time is of the boot clock. Each returns the enum off_action bits to carry out. All is over
 * after attempt_ms * (retries + 1) at the latest.
 */
unsigned int off_begin(struct off_machine *machine, uint64_t attempt_ms, uint64_t read_timeout_ms,
		       unsigned int retries, uint64_t now_ms);
unsigned int off_tick(struct off_machine *machine, uint64_t now_ms);
unsigned int off_ended(struct off_machine *machine, enum off_outcome outcome, uint64_t now_ms);
unsigned int off_read(struct off_machine *machine, enum power power, uint64_t now_ms);

/* When off_tick() is due at the latest. */
uint64_t off_wake_ms(const struct off_machine *machine);
bool off_is_over(const struct off_machine *machine);

/*
 * Whether an `off` that was sent may take effect after all this is over: it was not seen to work,
 * and the device may have it in its queue. After a confirmed one nothing is left once the agents
 * have ended.
 */
bool off_may_still_arrive(const struct off_machine *machine);

#endif
