/*
 * One question to qemu-img, in a child: `qemu-img info -U` never locks or writes. Its time, memory
 * and output are bounded (a crafted image can make it work for hours), and it dies with its parent.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "hamon/common/json.h"
#include "storage-check/imginfo.h"
#include "storage-check/imgsecret.h"
#include "storage-check/survey_private.h"

#define SAFE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ERROR_BYTES_MAX 2048
#define CPU_SECONDS_MAX 30
#define MEMORY_BYTES_MAX (2ull << 30)
#define EXIT_NOT_FOUND 127

/* libgfapi: closing takes it ten seconds. */
static bool spec_is_gluster(const char *spec)
{
	return strstr(spec, "\"driver\":\"gluster\"") != NULL;
}

/*
 * A raw image has no chain to be told, so that it opens is all there is to know. qemu-io says that
 * at once, by its prompt, and is then ended; qemu-img would say it after it has closed the image.
 */
static bool spec_is_prompted(const char *spec)
{
	return spec_is_gluster(spec) && strstr(spec, "{\"driver\":\"raw\"");
}

bool image_is_slow(const struct survey_image *image)
{
	return spec_is_gluster(image->spec) && !spec_is_prompted(image->spec);
}

/* The program and its words; secret is the value of --object, or "". */
static void words_fill(const char *words[12], const char *spec, const char *secret)
{
	static const char *const info[] = {"qemu-img", "info", "--backing-chain", "-U", "--output=json"};
	static const char *const prompt[] = {"qemu-io", "-r", "-U"};
	bool prompted = spec_is_prompted(spec);
	size_t n = prompted ? sizeof(prompt) / sizeof(prompt[0]) : sizeof(info) / sizeof(info[0]);

	memcpy(words, prompted ? prompt : info, n * sizeof(*words));
	if (secret[0]) {
		words[n++] = "--object";
		words[n++] = secret;
	}
	words[n++] = spec;
	words[n] = NULL;
}

static _Noreturn void qemu_exec(const char *spec, const char *secret, int in, int out, int err)
{
	const struct rlimit cpu = {CPU_SECONDS_MAX, CPU_SECONDS_MAX};
	const struct rlimit memory = {MEMORY_BYTES_MAX, MEMORY_BYTES_MAX};
	const struct rlimit core = {0, 0}; /* it could hold a secret */
	const char *words[12];
	char *const env[] = {"PATH=" SAFE_PATH, "LC_ALL=C", NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_CORE, &core);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	setenv("PATH", SAFE_PATH, 1); /* execvpe searches the caller's */
	words_fill(words, spec, secret);
	execvpe(words[0], (char *const *)words, env);
	_exit(EXIT_NOT_FOUND);
}

/*
 * Reads both pipes to their ends; what is beyond the room is dropped, and *len then is the room.
 * With prompt the first word on stdout is enough.
 */
static void pipes_read(int fds[2], char *bufs[2], const size_t rooms[2], size_t lens[2],
		       bool prompt)
{
	struct pollfd polls[2] = {{.fd = fds[0], .events = POLLIN},
				  {.fd = fds[1], .events = POLLIN}};
	char dropped[4096];

	while ((polls[0].fd >= 0 || polls[1].fd >= 0) && !(prompt && lens[0])) {
		if (poll(polls, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++) {
			size_t room = rooms[i] - lens[i];
			ssize_t n;

			if (polls[i].fd < 0 || !polls[i].revents)
				continue;
			n = room ? read(fds[i], bufs[i] + lens[i], room)
				 : read(fds[i], dropped, sizeof(dropped));
			if (n <= 0 && !(n < 0 && errno == EINTR))
				polls[i].fd = -1;
			else if (n > 0 && room)
				lens[i] += (size_t)n;
		}
	}
}

/*
 * qemu-img's own words, one line, without the long json: name at their front. Libraries may log
 * before them.
 */
static void error_shorten(const char *spec, char *text)
{
	char *start = strstr(text, "qemu-img: "), *at;

	start = start ? start + 10 : text;
	start[strcspn(start, "\n")] = '\0';
	at = strstr(start, spec);
	if (at && at - start < 20 && !strncmp(at + strlen(spec), "': ", 3))
		start = at + strlen(spec) + 3;
	memmove(text, start, strlen(start) + 1);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?';
}

static const char *parse_error(int rc)
{
	switch (rc) {
	case -ENOTUNIQ:
		return "qemu-img did not follow its whole chain";
	case -EUCLEAN:
		return "the image is marked corrupt";
	case -E2BIG:
		return "its chain is too long";
	default:
		return "qemu-img's answer makes no sense";
	}
}

/* What is wrong with the answer, or NULL; names are those of the chain. */
static const char *answer_error(int status, const char *spec, const char *text, size_t len,
				char *error, char ***names, size_t *n)
{
	int rc;

	if (spec_is_prompted(spec) && len && !strncmp(text, "qemu-io> ", 9))
		return NULL;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
		return "qemu-img is not installed on this host";
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		error_shorten(spec, error);
		return error[0] ? error : "qemu-img failed without a word";
	}
	rc = imginfo_parse(text, len, names, n);
	return rc ? parse_error(rc) : NULL;
}

static void answer_write(int out, int status, const char *spec, const char *text, size_t len,
			 char *error)
{
	struct json_object *obj = json_object_new_object(), *chain = json_object_new_array();
	char **names = NULL;
	size_t n = 0;

	json_put_string(obj, "error", answer_error(status, spec, text, len, error, &names, &n));
	for (size_t i = 0; i < n; i++)
		json_object_array_add(chain, json_object_new_string(names[i]));
	json_object_object_add(obj, "chain", chain);
	json_write_line(out, obj);
	imginfo_free(names, n);
	json_object_put(obj);
}

/* False, with the error, when the host has no such secret. The specification is this child's own copy. */
static bool secret_fill(char *spec, char *option, char *error)
{
	char uuid[IMGSECRET_UUID_SIZE];

	option[0] = '\0';
	switch (imgsecret_find(spec, IMGSECRET_FOLDER, uuid)) {
	case IMGSECRET_NONE:
		break;
	case IMGSECRET_STORED:
		imgsecret_option(IMGSECRET_FOLDER, uuid, option);
		break;
	case IMGSECRET_ELSEWHERE:
		imgsecret_drop(spec);
		break;
	case IMGSECRET_MISSING:
		snprintf(error, ERROR_BYTES_MAX, "libvirt has no secret %s here", uuid);
		return false;
	}
	return true;
}

void image_job(void *arg, int out)
{
	struct survey_job *job = arg;
	struct survey_image *image = job->object;
	static char text[IMGINFO_BYTES_MAX + 1], error[ERROR_BYTES_MAX + 1], secret[IMGSECRET_OPTION_SIZE];
	char *bufs[2] = {text, error};
	const size_t rooms[2] = {sizeof(text), ERROR_BYTES_MAX};
	size_t lens[2] = {0, 0};
	int input[2], output[2], errors[2], status = 1;
	bool prompt = spec_is_prompted(image->spec);
	pid_t pid;

	if (!secret_fill(image->spec, secret, error)) {
		answer_write(out, status, image->spec, text, 0, error);
		return;
	}
	if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid)
		qemu_exec(image->spec, secret, input[0], output[1], errors[1]);
	close(input[0]);
	close(output[1]);
	close(errors[1]);
	if (pid < 0)
		return;
	/* Nothing is ever written to its input; its end would end qemu-io. */
	pipes_read((int[2]){output[0], errors[0]}, bufs, rooms, lens, prompt);
	if (prompt && lens[0])
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	answer_write(out, status, image->spec, text, lens[0], error);
}

void image_read(struct survey *survey, struct survey_image *image, const struct probe *probe)
{
	struct json_object *obj = NULL, *chain;
	const char *error;

	image->end = probe->end;
	image->state = SURVEY_LOST;
	if (probe->end != PROBE_DONE ||
	    json_parse(probe->output ? probe->output : "", probe->output_len, &obj)) {
		if (probe->end == PROBE_DONE)
			image->end = PROBE_FAILED;
		return;
	}
	image->state = SURVEY_SEEN;
	error = json_string_or(obj, "error", NULL);
	if (error)
		image->error = survey_copy(survey, error);
	if (!json_get_array(obj, "chain", &chain))
		for (size_t i = 0; i < json_object_array_length(chain); i++) {
			char **slot = survey_grow(survey, (void **)&image->chain, &image->n_chain,
						  sizeof(*slot));

			if (slot)
				*slot = survey_copy(
				    survey,
				    json_object_get_string(json_object_array_get_idx(chain, i)));
		}
	json_object_put(obj);
}
