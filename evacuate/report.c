/* Lines on stdout, and the watch. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <json-c/json.h>

#include "evacuate/report.h"
#include "hamon/common/faultfile.h"
#include "hamon/common/json.h"

/* What the handler writes: complete before the timer is set, as a handler cannot format. */
static char *expired_text;
static size_t expired_len;

static const char *faults_of;

void report_faults(const char *path, const char *what)
{
	fault_arm(path);
	faults_of = what;
}

void report_line(struct json_object *obj)
{
	if (json_write_line(STDOUT_FILENO, obj))
		exit(1);
}

void report_progress(const char *op, const char *phase, const char *detail)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "progress");
	json_put_string(obj, "op", op);
	json_put_string(obj, "phase", phase);
	json_put_string(obj, "detail", detail);
	report_line(obj);
	json_object_put(obj);
	if (faults_of) {
		char where[64];

		snprintf(where, sizeof(where), "helper-%.50s", phase);
		fault_point(where, faults_of);
	}
}

void report_failure(struct json_object *result, const char *error_class, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_put_bool(result, "ok", false);
	json_put_string(result, "error_class", error_class);
	json_put_string(result, "error", text);
}

static void expire(int signo)
{
	size_t done = 0;

	while (done < expired_len) {
		ssize_t n = write(STDOUT_FILENO, expired_text + done, expired_len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	_exit(0);
}

int report_watch(uint64_t timeout_ms, struct json_object *expired)
{
	struct itimerval timer = { 0 };
	struct sigaction action = { .sa_handler = expire };
	const char *text;
	char *copy;

	/* The old timer must not fire while its text is replaced. */
	if (setitimer(ITIMER_REAL, &timer, NULL))
		return -errno;
	if (!timeout_ms)
		return 0;
	text = json_object_to_json_string_ext(expired, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE);
	expired_len = strlen(text) + 1;
	copy = realloc(expired_text, expired_len + 1);
	if (!copy)
		return -ENOMEM;
	expired_text = copy;
	snprintf(expired_text, expired_len + 1, "%s\n", text);
	sigfillset(&action.sa_mask);
	timer.it_value.tv_sec = (time_t)(timeout_ms / 1000);
	timer.it_value.tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000);
	if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &timer, NULL))
		return -errno;
	return 0;
}

void report_limit(const char *op, uint64_t timeout_ms, const char *doing)
{
	struct json_object *expired = json_object_new_object();

	json_put_string(expired, "type", "result");
	json_put_string(expired, "op", op);
	report_failure(expired, "timeout", "%s did not end within %llu ms", doing,
		       (unsigned long long)timeout_ms);
	report_watch(timeout_ms ? timeout_ms : 1, expired);
	json_object_put(expired);
}
