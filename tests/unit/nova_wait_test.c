/* evacuate/nova/wait.c: when a server that Nova brings here is looked at again. The test stands in for the clock, which goes on as it sleeps. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "evacuate/nova/kept.h"
#include "evacuate/nova/wait.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"
#include "tests/unit/test.h"

#define NEVER_MS UINT64_MAX
#define DEADLINE_MS 10000000

static uint64_t now_ms;
static uint64_t begins_ms; /* when libvirt's file of the QEMU comes */
static char folder[] = "nova-wait-XXXXXX";
static char pid_file[64];
static unsigned int begun; /* progress that was told */

uint64_t clock_boot_ms(void)
{
	return now_ms;
}

int poll(struct pollfd *fds, nfds_t n_fds, int timeout_ms)
{
	now_ms += (uint64_t)timeout_ms;
	if (now_ms >= begins_ms) {
		close(open(pid_file, O_CREAT | O_WRONLY, 0600));
		begins_ms = NEVER_MS;
	}
	return 0;
}

void report_progress(const char *op, const char *phase, const char *detail)
{
	CHECK_STR(phase, "begun");
	begun++;
}

/* A server whose QEMU begins after begins and that has arrived after arrives (ms from now): the looks that found it on its way. */
static unsigned int server_comes(uint64_t begins, uint64_t arrives, uint64_t look_ms, uint64_t *ret_late_ms)
{
	uint64_t began_ms = now_ms;
	struct nova_wait wait = { 0 };
	unsigned int looks = 0;

	unlink(pid_file);
	begins_ms = now_ms + begins;
	nova_wait_begin(&wait, "w", folder, folder, "instance-1");
	for (;;) {
		CHECK(nova_wait(&wait, true, look_ms, DEADLINE_MS));
		now_ms += look_ms;
		if (now_ms >= began_ms + arrives)
			break;
		looks++;
	}
	*ret_late_ms = now_ms - began_ms - arrives;
	nova_wait_arrived(&wait);
	return looks;
}

static void begin(void)
{
	now_ms = 1000000;
	begun = 0;
	kept_remove(folder, "nova-arrival");
}

/* --- tests --- */

static void one_in_the_queue_is_looked_at_seldom(void)
{
	struct nova_wait wait = { 0 };
	unsigned int looks = 0;

	begin();
	unlink(pid_file);
	begins_ms = NEVER_MS;
	nova_wait_begin(&wait, "w", folder, folder, "instance-1");
	while (now_ms < 1000000 + 60000) {
		CHECK(nova_wait(&wait, true, 20, DEADLINE_MS));
		looks++;
	}
	CHECK(looks >= 60000 / 4000 && looks <= 60000 / 2000);
	CHECK_INT(begun, 0);
}

static void its_begin_is_noticed_in_the_middle_of_a_rest(void)
{
	uint64_t late_ms;

	begin();
	server_comes(20000, 20800, 10, &late_ms);
	CHECK(late_ms < 1000);
	CHECK_INT(begun, 1);
}

/* Each takes 2 s from the begin of its QEMU: who knows that looks once, and not much later than one who looks all the time. */
static void the_next_one_is_looked_at_when_the_last_had_arrived(void)
{
	uint64_t late_ms, late_all_ms = 0;
	unsigned int looks = 0, first;

	begin();
	first = server_comes(100, 2100, 20, &late_ms);
	for (int i = 0; i < 40; i++) {
		looks += server_comes(100, 2100, 20, &late_ms);
		late_all_ms += late_ms;
	}
	CHECK(first >= 2);
	CHECK(looks <= 40);
	CHECK(late_all_ms / 40 < 500);
}

/* Nova may be quicker than it was. */
static void what_was_learned_is_forgotten(void)
{
	uint64_t late_ms;

	begin();
	for (int i = 0; i < 10; i++)
		server_comes(100, 8100, 20, &late_ms);
	server_comes(100, 900, 20, &late_ms);
	CHECK(late_ms > 2000 && late_ms < 8000);
	for (int i = 0; i < 20; i++)
		server_comes(100, 900, 20, &late_ms);
	CHECK(late_ms < 500);
	for (int i = 0; i < 10; i++)
		server_comes(100, 8100, 20, &late_ms);
	now_ms += 601000;
	server_comes(100, 900, 20, &late_ms);
	CHECK(late_ms < 1000);
}

static void no_look_comes_after_the_deadline(void)
{
	struct nova_wait wait = { 0 };
	uint64_t late_ms;

	begin();
	unlink(pid_file);
	begins_ms = NEVER_MS;
	nova_wait_begin(&wait, "w", folder, NULL, "instance-1");
	CHECK(nova_wait(&wait, true, 20, now_ms + 3000));
	CHECK(now_ms < 1000000 + 3000);
	CHECK(!nova_wait(&wait, true, 20, now_ms + 400));
	nova_wait_arrived(&wait);
	/* It begins right before the end, and takes longer than there is time. */
	for (int i = 0; i < 4; i++)
		server_comes(100, 6100, 20, &late_ms);
	unlink(pid_file);
	begins_ms = now_ms + 1000;
	nova_wait_begin(&wait, "w", folder, folder, "instance-1");
	CHECK(nova_wait(&wait, true, 20, begins_ms + 2000));
	CHECK(wait.begun_ms && now_ms < wait.begun_ms + 2000);
}

int main(void)
{
	CHECK(mkdtemp(folder));
	snprintf(pid_file, sizeof(pid_file), "%s/instance-1.pid", folder);
	RUN(one_in_the_queue_is_looked_at_seldom);
	RUN(its_begin_is_noticed_in_the_middle_of_a_rest);
	RUN(the_next_one_is_looked_at_when_the_last_had_arrived);
	RUN(what_was_learned_is_forgotten);
	RUN(no_look_comes_after_the_deadline);
	kept_remove(folder, "nova-arrival");
	unlink(pid_file);
	CHECK(!rmdir(folder));
	return 0;
}
