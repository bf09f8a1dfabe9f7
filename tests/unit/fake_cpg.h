/*
 * A corosync that misbehaves on request: the functions of libcpg, played event by event, for what a real corosync does once in a
 * thousand runs. The real one is in tests/lab/test_cluster_io.py.
 */
#ifndef HAMON_TESTS_UNIT_FAKE_CPG_H
#define HAMON_TESTS_UNIT_FAKE_CPG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <corosync/cpg.h>

#define FAKE_EVENTS_MAX 512

struct fake_event {
	enum { FAKE_VIEW, FAKE_MESSAGE } kind;
	uint32_t nodeid, pid; /* of the message's sender; of who left in a view, 0 = nobody */
	bool with_us;	      /* in a view */
	uint8_t *data;
	size_t len;
};

struct fake_cpg {
	cpg_model_v1_data_t model;
	void *context;
	int fd; /* readable while there are events; -1 = not connected */
	struct fake_event events[FAKE_EVENTS_MAX];
	size_t first, n;
	bool in_dispatch, joined;
	unsigned int opened, finalized, left;
	cs_error_t open_error, join_error, mcast_error;
	unsigned int join_errors, mcast_errors; /* how many calls fail so */
	/* The number, from 1, of the fragment that is accepted and lost; 0 = none. */
	unsigned int drop;
	unsigned int sent;
	bool hold; /* what is sent does not come back */
	cs_error_t dispatch_error;
};

extern struct fake_cpg fake;

/* As if nobody had ever connected. */
void fake_reset(void);
/* What the next dispatch finds, after what is there already. data: of a message; copied. */
void fake_event_add(struct fake_event event, const void *data, size_t len);

#endif
