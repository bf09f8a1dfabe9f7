/*
 * The quorum module: two notifications become one view. The library's functions are played here, to
 * have every order; the real ones are in tests/lab/test_cluster_io.py.
 */
#include <errno.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <corosync/quorum.h>

#include "hamon/cluster/quorum.h"
#include "tests/unit/test.h"

/* The played corosync: one script of notifications. 'v' verdict, 'n' node list, 'x' it is lost, '.'
 * the end. */
struct step {
	char kind;
	uint64_t seq;
	uint32_t quorate;
	uint32_t nodes[4], left[4];
};

static quorum_model_v1_data_t model;
static const void *fake_context;
static int fake_fd = -1;
static const struct step *script;
static qb_loop_t *loop;
static char told[2048];
static unsigned int opened;

cs_error_t quorum_model_initialize(quorum_handle_t *handle, quorum_model_t version,
				   quorum_model_data_t *data, uint32_t *type, void *context)
{
	uint64_t many = 1000;

	memcpy(&model, data, sizeof(model));
	fake_context = context;
	fake_fd = eventfd(0, EFD_NONBLOCK);
	CHECK_INT(write(fake_fd, &many, sizeof(many)), sizeof(many)); /* always readable */
	*type = QUORUM_SET;
	*handle = 3;
	opened++;
	return CS_OK;
}

cs_error_t quorum_finalize(quorum_handle_t handle)
{
	close(fake_fd);
	return CS_OK;
}

cs_error_t quorum_fd_get(quorum_handle_t handle, int *fd)
{
	*fd = fake_fd;
	return CS_OK;
}

cs_error_t quorum_trackstart(quorum_handle_t handle, unsigned int flags)
{
	CHECK_INT(flags, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
	return CS_OK;
}

cs_error_t quorum_context_get(quorum_handle_t handle, const void **context)
{
	*context = fake_context;
	return CS_OK;
}

static uint32_t count(const uint32_t *list)
{
	uint32_t n = 0;

	while (n < 4 && list[n])
		n++;
	return n;
}

cs_error_t quorum_dispatch(quorum_handle_t handle, cs_dispatch_flags_t flags)
{
	const struct step *step = script;
	struct quorum_ring_id ring = {.nodeid = 1, .seq = step->seq};

	CHECK_INT(flags, CS_DISPATCH_ONE_NONBLOCKING);
	if (step->kind == '.') {
		qb_loop_stop(loop);
		return CS_ERR_TRY_AGAIN;
	}
	script++;
	if (step->kind == 'x')
		return CS_ERR_LIBRARY;
	if (step->kind == 'v')
		model.quorum_notify_fn(handle, step->quorate, ring, count(step->nodes),
				       step->nodes);
	else
		model.nodelist_notify_fn(handle, ring, count(step->nodes), step->nodes, 0, NULL,
					 count(step->left), step->left);
	return CS_OK;
}

/* The user: "q5:1,2-3 " is quorate in ring 5 with 1 and 2, 3 left; 'n' not quorate, "down " lost.
 */
static void list_add(const char *before, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%u", i ? "," : before,
			 list[i]);
}

static void on_quorum(void *user, const struct quorum_view *view)
{
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%c%u",
		 view->quorate ? 'q' : 'n', (unsigned int)view->ring.seq);
	list_add(":", view->nodes, view->n_nodes);
	list_add("-", view->left, view->n_left);
	strcat(told, " ");
}

static void on_down(void *user)
{
	strcat(told, "down ");
}

static void play(const struct step *steps)
{
	static const struct quorum_callbacks callbacks = {.on_quorum = on_quorum,
							  .on_down = on_down};
	struct quorum *quorum;

	told[0] = '\0';
	script = steps;
	CHECK_INT(quorum_start(loop, &callbacks, NULL, &quorum), 0);
	qb_loop_run(loop);
	quorum_stop(quorum);
}

#define PLAY(...) play((const struct step[]){__VA_ARGS__, {.kind = '.'}})
/* clang-format off */
#define V(s, q, ...) {'v', s, q, {__VA_ARGS__}, {0}}
#define N(s, ...) {'n', s, 0, {__VA_ARGS__}, {0}}
#define LEFT(s, gone, ...) {'n', s, 0, {__VA_ARGS__}, {gone}}
/* clang-format on */

static void either_order(void)
{
	PLAY(N(4, 3, 1, 2), V(4, 1, 1, 2, 3), V(8, 1, 1, 2), LEFT(8, 3, 1, 2));
	CHECK_STR(told, "q4:1,2,3 q8:1,2-3 ");
	PLAY(V(4, 1, 1, 2, 3), N(4, 1, 2, 3), LEFT(8, 3, 1, 2), V(8, 0, 1, 2));
	CHECK_STR(told, "q4:1,2,3 n8:1,2-3 ");
}

/* Half of a change says nothing. */
static void halves(void)
{
	PLAY(N(4, 1, 2));
	CHECK_STR(told, "");
	PLAY(V(4, 1, 1, 2));
	CHECK_STR(told, "");
	PLAY(N(4, 1, 2), V(4, 1, 1, 2), V(8, 0, 1));
	CHECK_STR(told, "q4:1,2 ");
	/* Before corosync has formed its first ring. */
	PLAY({.kind = 'n'}, {.kind = 'v'}, N(4, 1), V(4, 0, 1));
	CHECK_STR(told, "n4:1 ");
}

/* A ring that never got its verdict: who left in it has left. */
static void overtaken(void)
{
	PLAY(N(4, 1, 2, 3), V(4, 1, 1, 2, 3), LEFT(8, 3, 1, 2), LEFT(12, 2, 1, 3), V(12, 1, 1, 3));
	CHECK_STR(told, "q4:1,2,3 q12:1,3-2,3 ");
}

/* A host that is back before anybody looked was away all the same. */
static void fast_restart(void)
{
	PLAY(N(4, 1, 2, 3), V(4, 1, 1, 2, 3), V(8, 1, 1, 2, 3), LEFT(8, 3, 1, 2, 3),
	     V(12, 1, 1, 2, 3), N(12, 1, 2, 3));
	CHECK_STR(told, "q4:1,2,3 q8:1,2,3-3 q12:1,2,3 ");
}

/* A qdevice's vote, or expected_votes, changes the verdict within a ring; a repetition changes
 * nothing. */
static void verdict_alone(void)
{
	PLAY(N(4, 1, 2), V(4, 1, 1, 2), V(4, 1, 1, 2), N(4, 1, 2), V(4, 0, 1, 2), V(4, 1, 1, 2));
	CHECK_STR(told, "q4:1,2 n4:1,2 q4:1,2 ");
}

static void lost_and_found(void)
{
	unsigned int before = opened;

	PLAY({.kind = 'x'}, N(4, 1, 2), V(4, 1, 1, 2), V(8, 1, 1), LEFT(16, 9, 1), {.kind = 'x'},
	     V(8, 1, 1, 2), N(8, 1, 2));
	CHECK_STR(told, "q4:1,2 down q8:1,2 ");
	CHECK_INT(opened - before, 3);
	/* What the lost corosync said about the same ring is not believed. */
	PLAY(N(8, 1, 2), V(8, 0, 1, 2), {.kind = 'x'}, N(8, 1, 2), V(8, 1, 1, 2), {.kind = 'x'},
	     V(8, 1, 1, 2), N(8, 1, 2));
	CHECK_STR(told, "n8:1,2 down q8:1,2 down q8:1,2 ");
}

int main(void)
{
	loop = qb_loop_create();
	RUN(either_order);
	RUN(halves);
	RUN(overtaken);
	RUN(fast_restart);
	RUN(verdict_alone);
	RUN(lost_and_found);
	qb_loop_destroy(loop);
	return 0;
}
