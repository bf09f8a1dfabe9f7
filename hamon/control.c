/*
 * The server's side of the control socket: the service, from its start to its end. Follows libqb 2.0's qbipcs.h, and its sources
 * (lib/ipc_setup.c, ipcs.c, ipc_shm.c) where that is silent. What those do, and what is done about it, is said where it is done, in
 * control_fds.c, control_client.c and control_request.c. Here: libqb handles several requests of a client at a wake-up, and then waits
 * without limit for one byte for each. At the rate "slow" it handles one, whose byte is what woke it.
 */
#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>

#include "hamon/control_internal.h"

struct control *the_control;

static bool group_find(const char *name, gid_t *ret)
{
	struct group *entry = name ? getgrnam(name) : NULL;

	if (entry)
		*ret = entry->gr_gid;
	return entry;
}

static int32_t job_add(enum qb_loop_priority priority, void *data, qb_loop_job_dispatch_fn fn)
{
	return qb_loop_job_add(the_control->loop, priority, data, fn);
}

static int service_run(struct control *control, const char *service)
{
	static struct qb_ipcs_service_handlers handlers = {
		.connection_accept = client_accept,
		.connection_closed = client_closed,
		.connection_destroyed = client_destroyed,
		.msg_process = client_message,
	};
	static struct qb_ipcs_poll_handlers poll_handlers = {
		.job_add = job_add,
		.dispatch_add = control_fd_add,
		.dispatch_mod = control_fd_mod,
		.dispatch_del = control_fd_del,
	};

	control->service = qb_ipcs_create(service, 0, QB_IPC_SHM, &handlers);
	if (!control->service)
		return -ENOMEM;
	qb_ipcs_poll_handlers_set(control->service, &poll_handlers);
	qb_ipcs_enforce_buffer_size(control->service, CTL_MESSAGE_MAX_BYTES);
	qb_ipcs_request_rate_limit(control->service, QB_IPCS_RATE_SLOW);
	return qb_ipcs_run(control->service); /* after a failure the service is gone */
}

int control_start(qb_loop_t *loop, const char *service, const char *group, control_request_fn on_request,
		  void *user, bool *ret_group_found, struct control **ret)
{
	struct control *control;
	int rc;

	if (the_control)
		return -EALREADY;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->loop = loop;
	control->on_request = on_request;
	control->user = user;
	control->have_group = group_find(group, &control->group);
	the_control = control;
	rc = service_run(control, service);
	if (rc) {
		the_control = NULL;
		free(control);
		return rc;
	}
	if (ret_group_found)
		*ret_group_found = control->have_group;
	*ret = control;
	return 0;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	assert(control == the_control && control->dispatching == FD_NONE);
	qb_ipcs_destroy(control->service);
	control_fds_end(control);
	for (struct control_request *req = control->requests; req; req = req->next)
		req->control = NULL;
	the_control = NULL;
	free(control);
}

void control_stats_get(const struct control *control, struct control_stats *ret)
{
	*ret = control->stats;
}
