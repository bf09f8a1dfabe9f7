/* See fake_cpg.h. */
#include <unistd.h>
#include <sys/eventfd.h>

#include "hamon/cluster/frame.h"
#include "tests/unit/fake_cpg.h"
#include "tests/unit/test.h"

struct fake_cpg fake = {.fd = -1};

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.fd = -1;
}

void fake_event_add(struct fake_event event, const void *data, size_t len)
{
	uint64_t one = 1;

	CHECK(fake.n < FAKE_EVENTS_MAX);
	if (data) {
		event.data = malloc(len);
		memcpy(event.data, data, len);
		event.len = len;
	}
	fake.events[(fake.first + fake.n++) % FAKE_EVENTS_MAX] = event;
	CHECK_INT(write(fake.fd, &one, sizeof(one)), sizeof(one));
}

cs_error_t cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model, cpg_model_data_t *data,
				void *context)
{
	if (fake.open_error)
		return fake.open_error;
	CHECK_INT(fake.fd, -1);
	memcpy(&fake.model, data, sizeof(fake.model));
	fake.context = context;
	fake.fd = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
	fake.opened++;
	*handle = 7;
	return CS_OK;
}

cs_error_t cpg_finalize(cpg_handle_t handle)
{
	CHECK(!fake.in_dispatch);
	CHECK(fake.fd >= 0);
	close(fake.fd);
	fake.fd = -1;
	fake.joined = false;
	fake.finalized++;
	for (; fake.n; fake.n--)
		free(fake.events[fake.first++ % FAKE_EVENTS_MAX].data);
	fake.first = 0;
	return CS_OK;
}

cs_error_t cpg_fd_get(cpg_handle_t handle, int *fd)
{
	*fd = fake.fd;
	return CS_OK;
}

cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int *nodeid)
{
	*nodeid = 5;
	return CS_OK;
}

cs_error_t cpg_context_get(cpg_handle_t handle, void **context)
{
	*context = fake.context;
	return CS_OK;
}

cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name *name)
{
	CHECK(!fake.in_dispatch);
	if (fake.join_errors) {
		fake.join_errors--;
		return fake.join_error;
	}
	fake.joined = true;
	/* A view from before the join first, as corosync may send one. */
	fake_event_add((struct fake_event){.kind = FAKE_VIEW}, NULL, 0);
	fake_event_add((struct fake_event){.kind = FAKE_VIEW, .with_us = true}, NULL, 0);
	return CS_OK;
}

cs_error_t cpg_leave(cpg_handle_t handle, const struct cpg_name *name)
{
	fake.left++;
	return CS_OK;
}

cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, const struct iovec *iov,
			    unsigned int n)
{
	static uint8_t data[FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX];
	size_t len = 0;

	CHECK(guarantee == CPG_TYPE_AGREED && fake.joined);
	if (fake.mcast_errors) {
		fake.mcast_errors--;
		return fake.mcast_error;
	}
	for (unsigned int i = 0; i < n; i++) {
		CHECK(len + iov[i].iov_len <= sizeof(data));
		memcpy(data + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	fake.sent++;
	if (fake.sent != fake.drop && !fake.hold)
		fake_event_add((struct fake_event){.kind = FAKE_MESSAGE, .nodeid = 5, .pid = (uint32_t)getpid()},
			  data, len);
	return CS_OK;
}

static void view_deliver(const struct fake_event *event)
{
	struct cpg_address members[2] = {{.nodeid = 1, .pid = 100},
					 {.nodeid = 5, .pid = (uint32_t)getpid()}};
	struct cpg_address left = {
	    .nodeid = event->nodeid, .pid = event->pid, .reason = CPG_REASON_NODEDOWN};

	fake.model.cpg_confchg_fn(7, NULL, members, event->with_us ? 2 : 1, &left,
				  event->nodeid ? 1 : 0, NULL, 0);
}

cs_error_t cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t flags)
{
	struct fake_event event;
	uint64_t one;

	CHECK(!fake.in_dispatch && fake.fd >= 0);
	CHECK_INT(flags, CS_DISPATCH_ONE_NONBLOCKING);
	if (fake.dispatch_error)
		return fake.dispatch_error;
	if (!fake.n)
		return CS_ERR_TRY_AGAIN;
	CHECK_INT(read(fake.fd, &one, sizeof(one)), sizeof(one));
	event = fake.events[fake.first];
	fake.first = (fake.first + 1) % FAKE_EVENTS_MAX;
	fake.n--;
	fake.in_dispatch = true;
	if (event.kind == FAKE_VIEW)
		view_deliver(&event);
	else
		fake.model.cpg_deliver_fn(7, NULL, event.nodeid, event.pid, event.data, event.len);
	fake.in_dispatch = false;
	free(event.data);
	return CS_OK;
}
