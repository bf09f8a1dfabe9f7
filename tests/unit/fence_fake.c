/* A fake fence agent, for unit tests only. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/fence_fake.h"
#include "tests/unit/test.h"

#define WAIT_STEPS 6000 /* of 10 ms */

char fake_folder[64];
char fake_agent[128];

static const char script[] =
	"#!/bin/sh\n"
	"cd \"${0%/*}\" || exit 1\n"
	"while IFS= read -r line; do\n"
	"	case $line in\n"
	"	action=*) action=${line#*=};;\n"
	"	behave=*) behave=${line#*=};;\n"
	"	passwd=*) passwd=${line#*=};;\n"
	"	esac\n"
	"done\n"
	"echo $action >>calls\n"
	"echo $$ >pid.tmp; mv pid.tmp $action.pid\n"
	"tr '\\0' ' ' </proc/$$/cmdline >cmdline\n"
	"tr '\\0' '\\n' </proc/$$/environ >environ\n"
	"ls -l /proc/$$/fd >fds\n"
	"power() { [ -e off ] && { echo 'Status: OFF'; exit 2; }; echo 'Status: ON'; exit 0; }\n"
	"hang() { sleep 300 & echo $! >hang.tmp; mv hang.tmp $action.hang; wait; }\n"
	"count=$(grep -cx $action calls)\n"
	"case $behave.$action in\n"
	"*.metadata) cat metadata; exit 0;;\n"
	"late.status) [ -e sent ] && [ $count -ge 4 ] && >off; power;;\n"
	"hang.*|hang-off.off|hang-status.status) hang;;\n"
	"hang-after.off) >off; hang;;\n"
	"endless.status) exec yes flood;;\n"
	"flood.status) head -c 1000000 /dev/zero; power;;\n"
	"flood-err.status) head -c 1000000 /dev/zero >&2; power;;\n"
	"long.status) head -c 60000 /dev/zero; power;;\n"
	"shell.status) exec sh /nonexistent/agent;;\n"
	"crash.*) kill -SEGV $$;;\n"
	"tell.*) echo \"out $passwd\"; echo \"ERROR: login with $passwd refused\" >&2; exit 1;;\n"
	"fail-once.off) [ $count = 1 ] && { echo 'ERROR: Connection lost' >&2; exit 1; };;\n"
	"deaf.status|deaf.monitor) echo 'ERROR: Connection timed out' >&2; exit 1;;\n"
	"already.off) echo 'Success: Already OFF'; exit 0;;\n"
	"background.off) >off; setsid sleep 1 & ;;\n"
	"esac\n"
	"case $action in\n"
	"off) >sent; [ \"$behave\" = liar ] || [ \"$behave\" = late ] || >off; exit 0;;\n"
	"status) power;;\n"
	"monitor) exit 0;;\n"
	"esac\n"
	"exit 1\n";

static const char metadata[] =
	"<?xml version=\"1.0\"?><resource-agent name=\"fence_fake\" shortdesc=\"fake\"><parameters>"
	"<parameter name=\"action\" required=\"1\">"
	"<content type=\"string\" default=\"off\"/></parameter>"
	"<parameter name=\"behave\" required=\"1\"><content type=\"string\"/></parameter>"
	"<parameter name=\"password\" obsoletes=\"passwd\"><content type=\"string\"/></parameter>"
	"<parameter name=\"passwd\" deprecated=\"1\"><content type=\"string\"/></parameter>"
	"</parameters><actions><action name=\"on\"/><action name=\"off\"/><action name=\"status\"/>"
	"<action name=\"monitor\"/><action name=\"metadata\"/></actions></resource-agent>";

const char *fake_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", fake_folder, name);
	return path;
}

static void file_write(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(fake_path(name), "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
	CHECK(!chmod(fake_path(name), mode));
}

static void fake_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", fake_folder);
	if (system(command))
		fprintf(stderr, "%s is left\n", fake_folder);
}

void fake_make(void)
{
	strcpy(fake_folder, "/tmp/hamon-fence-XXXXXX");
	CHECK(mkdtemp(fake_folder));
	atexit(fake_remove);
	strcpy(fake_agent, fake_path("fence_fake"));
	file_write("fence_fake", script, 0755);
	file_write("metadata", metadata, 0644);
	fake_reset();
}

void fake_reset(void)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "cd %s && rm -f calls off sent *.pid *.hang cmdline environ fds", fake_folder);
	CHECK(!system(command));
}

const char *fake_text(const char *name)
{
	static char text[65536];
	FILE *f = fopen(fake_path(name), "r");
	size_t len = 0;

	if (f) {
		len = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[len] = '\0';
	return text;
}

void fake_touch(const char *name)
{
	file_write(name, "", 0644);
}

void fake_wait_for(const char *name)
{
	for (int i = 0; access(fake_path(name), F_OK); i++) {
		CHECK(i < WAIT_STEPS);
		usleep(10000);
	}
}

bool fake_is_alive(const char *pid_file)
{
	char path[64], line[512] = "";
	pid_t pid = atoi(fake_text(pid_file));
	FILE *f;

	CHECK(pid > 1);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0'; /* it went while it was looked at */
	fclose(f);
	return *line && !strstr(line, ") Z ") && !strstr(line, ") X ");
}

void fake_wait_gone(const char *pid_file)
{
	for (int i = 0; fake_is_alive(pid_file); i++) {
		CHECK(i < WAIT_STEPS);
		usleep(10000);
	}
}

unsigned int fake_calls(const char *action)
{
	unsigned int calls = 0;
	size_t len = strlen(action);

	for (const char *line = fake_text("calls"); line && *line;
	     line = strchr(line, '\n'), line += !!line)
		calls += !strncmp(line, action, len) && line[len] == '\n';
	return calls;
}
