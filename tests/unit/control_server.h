/* A process that serves the control socket with canned answers, for the unit tests of its two sides. */
#ifndef HAMON_TESTS_UNIT_CONTROL_SERVER_H
#define HAMON_TESTS_UNIT_CONTROL_SERVER_H

#include <sys/types.h>
#include <json-c/json_object.h>
#include <qb/qbipcc.h>

/*
 * Starts it as a child, and returns when it listens; $HAMON_SERVICE is its name from then on. group as for
 * control_start(). Its verbs:
 *	status		{"uid","is_root","is_admin","clients","requests","refused_peers","refused_requests","dropped"}
 *	explain		with "bytes":n: {"text": n times x}
 *	events		kept, and answered by the next "release": {"late":true}
 *	release		{"alive":n,"dead":n}: how many of the kept ones had a client still
 *	forget		never answered; the server stops itself (SIGSTOP)
 *	maintenance	kept as well; the service ends, then all that are kept are answered (to nobody), exits 0
 *	gate		{}
 */
pid_t server_start(const char *group);

/* Ends it by SIGKILL. */
void server_kill(pid_t pid);

/* Waits for its own end, and returns its wait status. */
int server_wait(pid_t pid);

/* One call that must succeed; returns the reply. */
struct json_object *call_ok(struct json_object *req);

/* One number of a status reply. */
uint64_t status_number(const char *field);

/* A client that can misbehave, connected to the server; NULL with errno when it is refused. */
qb_ipcc_connection_t *raw_connect(void);

/* Sends text with a header that says size bytes in all (0: the true size); nul: with its NUL. */
void raw_send(qb_ipcc_connection_t *connection, const char *text, int size, int nul);

/* Waits for an answer and returns its error code, "" when it is none; freed by the next call. */
const char *raw_error(qb_ipcc_connection_t *connection);

/* fork(), and the child ends with this process: a test that was killed leaves nobody behind. */
pid_t child_fork(void);

/* A plain connection to the service that never says hello, or -1. */
int silent_connect(void);

#endif
