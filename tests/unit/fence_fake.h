/*
 * A fake fence agent, for unit tests only: a shell script that each test program writes into a
 * folder of its own. Its option `behave` says what it does; its host is off when there is a file
 * `off` in its folder.
 */
#ifndef HAMON_TESTS_UNIT_FENCE_FAKE_H
#define HAMON_TESTS_UNIT_FENCE_FAKE_H

#include <stdbool.h>

extern char fake_folder[64];
extern char fake_agent[128];

/* Makes the folder and the script; they go when the test ends, however it ends. */
void fake_make(void);

/* Forgets what happened: the host is on, nothing was called. */
void fake_reset(void);

/*
 * A file in the folder: its path (one static buffer), its text ("" when it is absent), making it.
 */
const char *fake_path(const char *name);
const char *fake_text(const char *name);
void fake_touch(const char *name);

/* Whether the process whose pid is in a file lives; one that nobody has reaped yet does not. */
bool fake_is_alive(const char *pid_file);

/* Waits until the file exists, or until the process is gone. Ends the test after a minute. */
void fake_wait_for(const char *name);
void fake_wait_gone(const char *pid_file);

/* How often an action was called. */
unsigned int fake_calls(const char *action);

#endif
