/* hamond: command line, set-up, and the events of corosync. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <config.h>

#include "hamon/common/clock.h"
#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/faultpoint.h"
#include "hamon/daemon/trace.h"
#include "hamon/wire.h"

#define GROUP_NAME "hamon"
#define ADMIN_GROUP "hamon"
#define LEAVE_MS 500 /* for the last message to get out */
#define NODEID_MAX 0x7fff /* what a term's number has room for */

/* --- corosync --- */

static void on_group_up(void *user, uint32_t local_nodeid)
{
	struct daemon *d = user;

	daemon_log(d, "Joined the group as node %u", local_nodeid);
}

static void on_group_down(void *user)
{
	struct core_event event = { .type = EV_GROUP_DOWN };

	daemon_event(user, &event);
}

static void on_members(void *user, const struct group_view *view)
{
	struct daemon *d = user;
	struct core_member members[GROUP_MEMBERS_MAX];
	struct core_event event = { .type = EV_MEMBERS };

	for (size_t i = 0; i < view->n_members && i < GROUP_MEMBERS_MAX; i++) {
		members[i].nodeid = view->members[i].nodeid;
		members[i].pid = view->members[i].pid;
		event.members.n = i + 1;
	}
	event.members.members = members;
	d->verdicts_resend |= view->n_joined > 0;
	daemon_event(d, &event);
}

static void on_message(void *user, uint32_t nodeid, uint32_t pid, const void *data, size_t len)
{
	struct daemon *d = user;
	struct core_event event = { .type = EV_MESSAGE };
	struct wire *wire;
	char error[256] = "";

	if (len && *(const char *)data == 'D') {
		def_message(d, nodeid, (const char *)data + 1, len - 1);
		return;
	}
	if (wire_message_decode(data, len, nodeid, &wire, &event.message, error, sizeof(error))) {
		daemon_log(d, "A message of %s (pid %u, %zu bytes) is refused: %s", daemon_host_name(d, nodeid),
			   pid, len, error);
		return;
	}
	trace_add("received", "%s %u", message_type_name(event.message->type), nodeid);
	daemon_event(d, &event);
	wire_free(wire);
}

static void on_note(void *user, const char *text)
{
	daemon_log(user, "%s", text);
}

static void on_quorum(void *user, const struct quorum_view *view)
{
	struct core_event event = { .type = EV_QUORUM };
	struct daemon *d = user;

	event.quorum.quorate = view->quorate && !d->mode_refused;
	event.quorum.n = view->n_nodes;
	event.quorum.nodeids = view->nodes;
	trace_add("quorum", "quorate=%d nodes=%zu", event.quorum.quorate, view->n_nodes);
	daemon_event(d, &event);
}

static void on_quorum_down(void *user)
{
	struct core_event event = { .type = EV_QUORUM };

	daemon_event(user, &event);
}

/* A mode of votequorum in which "quorate" does not mean what the core takes it to mean. NULL when it is fine. */
static const char *mode_problem(const struct cluster_config *config)
{
	if (!config->votequorum)
		return "quorum.provider is not corosync_votequorum: hamond does nothing without quorum";
	if (config->qdevice)
		return "a quorum device (qdevice) is configured: hamon does not support it yet and does nothing";
	if (config->auto_tie_breaker)
		return "auto_tie_breaker is on: hamon does not support it yet and does nothing";
	if (config->last_man_standing)
		return "last_man_standing is on: hamon does not support it yet and does nothing";
	if (config->two_node && !config->wait_for_all)
		return "two_node without wait_for_all: both halves could act, so hamond does nothing";
	/* The node id is the low part of a term's number. */
	for (size_t i = 0; i < config->n_nodes; i++)
		if (config->nodes[i].nodeid > NODEID_MAX)
			return "a nodeid of corosync.conf is above 32767: hamon needs smaller ones and does nothing";
	return NULL;
}

static void on_config(void *user, const struct cluster_config *config)
{
	struct daemon *d = user;
	const char *problem = mode_problem(config);
	bool first = !d->cluster_known, told = problem && !strcmp(d->mode_error, problem);

	d->cluster = *config;
	d->cluster_known = true;
	d->settings.self = config->local_nodeid;
	if (first) {
		struct core_event event = { .type = EV_SETTINGS, .settings = &d->settings };

		daemon_event(d, &event);
	}
	d->mode_refused = problem != NULL;
	snprintf(d->mode_error, sizeof(d->mode_error), "%s", problem ? problem : "");
	daemon_hosts_configure(d);
	if (problem && !told)
		daemon_note(d, "config", NOTE_ALERT, "%s", problem);
	if (!first)
		return;
	alert_configure(d);
	daemon_spares(d);
	quorum_start(d->loop, &(struct quorum_callbacks){
		.on_quorum = on_quorum, .on_down = on_quorum_down, .on_note = on_note }, d, &d->quorum);
	group_start(d->loop, GROUP_NAME, &(struct group_callbacks){
		.on_up = on_group_up, .on_down = on_group_down, .on_members = on_members,
		.on_message = on_message, .on_note = on_note }, d, &d->group);
	if (!config->crypto)
		daemon_note(d, "crypto-off", NOTE_ALERT,
			    "corosync runs WITHOUT crypto: whoever reaches its network can stop and start guests; set crypto_cipher and crypto_hash");
}

/* --- reload and end --- */

static int32_t on_reload(int32_t sig, void *user)
{
	struct daemon *d = user;
	struct hamon_config *config;
	struct config_errors errors = { 0 };
	struct core_event event = { .type = EV_SETTINGS, .settings = &d->settings };

	service_reloading(d->service);
	if (config_load(d->config_path, &config, &errors)) {
		config_errors_print(&errors, stderr);
		daemon_note(d, "config", NOTE_WARNING, "%s has errors: nothing of it was taken, the old one goes on (%s)",
			    d->config_path, errors.count ? errors.list[0].text : "not readable");
	} else if (d->fences) {
		daemon_note(d, "config", NOTE_WARNING, "A fencing is under way: reload again when it is over");
		config_free(config);
	} else {
		config_free(d->config);
		d->config = config;
		memset(d->devices, 0, sizeof(d->devices));
		daemon_settings_take(d);
		config_digest(config, d->host.config_digest);
		daemon_event(d, &event);
		daemon_hosts_configure(d);
		alert_configure(d);
		daemon_spares(d);
		watch_host_report(d);
		daemon_note(d, "config", NOTE_INFO, "%s was read again", d->config_path);
	}
	config_errors_free(&errors);
	service_ready(d->service, NULL);
	return 0;
}

static void end_now(void *user)
{
	struct daemon *d = user;

	qb_loop_stop(d->loop);
}

/* A clean leave: said to the others, so that it is no host's death. */
void daemon_end(struct daemon *d)
{
	struct core_event event = { .type = EV_LEAVE };

	if (d->ending)
		return;
	d->ending = true;
	service_stopping(d->service, "leaving the cluster");
	daemon_event(d, &event);
	qb_loop_timer_add(d->loop, QB_LOOP_HIGH, LEAVE_MS * QB_TIME_NS_IN_MSEC, d, end_now, &d->end_timer);
}

static int32_t on_end(int32_t sig, void *user)
{
	daemon_end(user);
	return 0;
}

/* --- once a second --- */

static void status_tell(struct daemon *d)
{
	struct core_view view;

	core_view(d->core, &view);
	if (!d->ready && d->control && (view.store_ok || d->store_error[0])) {
		d->ready = true;
		service_ready(d->service, "ready");
	}
	if (view.coordinator)
		service_status(d->service, "%s, %s, coordinator %s, term %llu", view.quorate ? "quorate" : "not quorate",
			       view.synced ? "synced" : "not synced", daemon_host_name(d, view.coordinator),
			       (unsigned long long)view.term);
	else
		service_status(d->service, "%s, no coordinator", view.quorate ? "quorate" : "not quorate");
}

static void second(void *user)
{
	struct daemon *d = user;

	if (d->ending)
		return;
	qb_loop_timer_add(d->loop, QB_LOOP_MED, QB_TIME_NS_IN_SEC, d, second, &d->second_timer);
	core_check(d->core);
	service_watchdog(d->service);
	trace_flush();
	if (!d->alert)
		alert_start(d);
	store_tick(d);
	watch_tick(d);
	if (d->cluster_known) {
		storage_tick(d);
		fences_tick(d);
		defs_tick(d);
		nova_tick(d);
		starts_tick(d);
		domains_tick(d);
	}
	status_tell(d);
}

/* --- start --- */

static void usage(FILE *out)
{
	fputs("Usage: hamond [OPTION]...\n"
	      "Watches over the hosts of a cluster and brings the instances of a failed one up again elsewhere.\n\n"
	      "  -c, --config FILE      configuration (" CONFIG_PATH_DEFAULT ")\n"
	      "  -f, --foreground       stay in the foreground and log to stderr\n"
	      "      --check-config [FILE]\n"
	      "                         check a configuration, say what is wrong with it, and exit:\n"
	      "                         0 it can be used, 1 it cannot\n"
	      "  -h, --help             this text\n"
	      "  -V, --version          the version\n\n"
	      "SIGTERM leaves the cluster in order, SIGHUP reads the configuration again. See hamond(8).\n", out);
}

static int arguments_read(struct daemon *d, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "foreground", no_argument, NULL, 'f' },
		{ "check-config", optional_argument, NULL, 'C' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "fault-points", required_argument, NULL, 'F' }, /* for tests; see faultpoint.h */
		{ NULL, 0, NULL, 0 },
	};
	bool check = false;
	int c;

	d->config_path = CONFIG_PATH_DEFAULT;
	while ((c = getopt_long(argc, argv, "c:fhV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			d->config_path = optarg;
			break;
		case 'f':
			d->foreground = true;
			break;
		case 'C':
			check = true;
			if (optarg)
				d->config_path = optarg;
			break;
		case 'F':
			fault_arm(optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("hamond %s\n", HAMON_VERSION);
			return 0;
		default:
			fputs("Try 'hamond --help'.\n", stderr);
			return 64;
		}
	}
	if (check && optind == argc - 1)
		d->config_path = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "hamond: unexpected argument '%s'; try 'hamond --help'\n", argv[optind]);
		return 64;
	}
	return check ? config_check_command(d->config_path, stdout) : -1;
}

static int config_read(struct daemon *d)
{
	struct config_errors errors = { 0 };
	int rc = config_load(d->config_path, &d->config, &errors);

	config_errors_print(&errors, stderr);
	config_errors_free(&errors);
	if (rc)
		fprintf(stderr, "hamond: %s cannot be used: nothing was started\n", d->config_path);
	return rc;
}

/* A log that nobody reads (a journal that hangs) loses lines; it does not stop the daemon. */
static void log_unblock(void)
{
	struct stat st;
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	if (flags >= 0 && !fstat(STDERR_FILENO, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		(void)fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
}

static int set_up(struct daemon *d)
{
	bool group_found;
	int rc;

	log_unblock();
	trace_open();
	d->libexec = secure_getenv("HAMON_LIBEXEC");
	if (!d->libexec)
		d->libexec = LIBEXECDIR;
	rc = service_boot_id(d->settings.boot_id);
	if (rc) {
		fprintf(stderr, "hamond: the boot id cannot be read: %s\n", strerror(-rc));
		return rc;
	}
	memcpy(d->host.boot_id, d->settings.boot_id, sizeof(d->host.boot_id));
	config_digest(d->config, d->host.config_digest);
	daemon_settings_take(d);
	d->verdicts = calloc(CORE_INSTANCES_MAX, sizeof(*d->verdicts));
	d->core = core_new(&d->settings);
	d->loop = qb_loop_create();
	if (!d->verdicts || !d->core || !d->loop || helper_pool_new(d->loop, &d->pool) ||
	    service_new(&d->service) == -ENOMEM) {
		fputs("hamond: no memory\n", stderr);
		return -ENOMEM;
	}
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGTERM, d, on_end, NULL);
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGINT, d, on_end, NULL);
	qb_loop_signal_add(d->loop, QB_LOOP_MED, SIGHUP, d, on_reload, NULL);
	rc = control_start(d->loop, CTL_SERVICE, ADMIN_GROUP, verb_request, d, &group_found, &d->control);
	if (rc) {
		fprintf(stderr, "hamond: the control socket cannot be opened: %s%s\n", strerror(-rc),
			rc == -EADDRINUSE ? " (another hamond runs)" : "");
		return rc;
	}
	store_start(d);
	alert_start(d);
	watch_start(d);
	rc = cmap_start(d->loop, &(struct cmap_callbacks){ .on_config = on_config, .on_note = on_note }, d,
			&d->cmap);
	if (rc)
		return rc;
	return qb_loop_timer_add(d->loop, QB_LOOP_MED, QB_TIME_NS_IN_SEC, d, second, &d->second_timer);
}

static void tear_down(struct daemon *d)
{
	helper_pool_kill_all(d->pool, TAG_EFFECT | TAG_PROBE | TAG_WATCH);
	control_stop(d->control);
	group_stop(d->group);
	quorum_stop(d->quorum);
	cmap_stop(d->cmap);
	helper_pool_free(d->pool);
	service_free(d->service);
	domains_free(d);
	core_free(d->core);
	config_free(d->config);
}

int main(int argc, char **argv)
{
	static struct daemon d;
	int rc = arguments_read(&d, argc, argv);

	if (rc >= 0)
		return rc;
	if (config_read(&d))
		return EX_CONFIG; /* the unit does not try that again */
	prctl(PR_SET_DUMPABLE, 0); /* the definitions of guests may hold passwords */
	if (!d.foreground && daemon(0, 0)) {
		perror("hamond: daemon");
		return 1;
	}
	if (set_up(&d))
		return 1;
	daemon_log(&d, "hamond %s started, boot %.8s", HAMON_VERSION, d.settings.boot_id);
	qb_loop_run(d.loop);
	daemon_log(&d, "hamond ends");
	tear_down(&d);
	return 0;
}
