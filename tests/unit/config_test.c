/*
 * hamon/config.c: what it says about whole files (tests/fuzz/corpus/config/NAME.conf with the
 * expected texts in tests/unit/config/NAME.txt; the same files are seeds of the fuzzer), what it
 * reads, and single values.
 */
#include <errno.h>

#include "hamon/config.h"
#include "hamon/config_internal.h"
#include "hamon/config_keys.h"
#include "hamon/config_value.h"
#include "tests/unit/test.h"

static char *file_read(const char *folder, const char *name, const char *suffix, size_t *ret_len)
{
	const char *srcdir = getenv("HAMON_SRCDIR");
	char path[4096], *text;
	FILE *f;
	long len;

	snprintf(path, sizeof(path), "%s/%s/%s%s", srcdir ? srcdir : ".", folder, name, suffix);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(1);
	}
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	text = calloc(1, (size_t)len + 1);
	CHECK_INT(fread(text, 1, (size_t)len, f), len);
	fclose(f);
	*ret_len = (size_t)len;
	return text;
}

/* What a person would read about the text, and at its end whether it can be used. */
static char *text_report(const char *name, const char *text, size_t len)
{
	struct config_errors errors = { 0 };
	struct hamon_config *config = NULL;
	char *report = NULL;
	size_t size;
	FILE *out = open_memstream(&report, &size);
	int rc = config_parse(text, len, name, &config, &errors);

	config_errors_print(&errors, out);
	if (!rc) {
		fprintf(out, "usable, %zu warnings\n", errors.warnings);
	} else {
		fprintf(out, "not usable: %zu errors, %zu warnings\n", errors.errors,
			errors.warnings);
	}
	fclose(out);
	CHECK(!rc == !errors.errors);
	CHECK(!rc == !!config);
	config_free(config);
	config_errors_free(&errors);
	return report;
}

static unsigned int golden_check(const char *name)
{
	char shown[256], *text, *expected, *report;
	size_t text_len, expected_len;

	text = file_read("tests/fuzz/corpus/config", name, ".conf", &text_len);
	expected = file_read("tests/unit/config", name, ".txt", &expected_len);
	snprintf(shown, sizeof(shown), "%s.conf", name);
	report = text_report(shown, text, text_len);
	if (strcmp(report, expected)) {
		fprintf(stderr, "--- expected about %s\n%s--- found\n%s---\n", shown, expected,
			report);
		exit(1);
	}
	free(report);
	free(expected);
	free(text);
	return 1;
}

static void files_get_their_texts(void)
{
	static const char *const names[] = {
		"empty", "full", "keys", "levels", "limits", "secrets", "sections", "values",
		"wrong-host",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		golden_check(names[i]);
}

static struct hamon_config *config_of(const char *text)
{
	struct config_errors errors = { 0 };
	struct hamon_config *config = NULL;
	int rc = config_parse(text, strlen(text), "test", &config, &errors);

	if (rc)
		config_errors_print(&errors, stderr);
	CHECK_INT(rc, 0);
	config_errors_free(&errors);
	return config;
}

static void defaults_are_the_documented_ones(void)
{
	struct hamon_config *config = config_of("");

	CHECK_INT(config->cluster.protect, CONFIG_PROTECT_ALL);
	CHECK_STR(config->cluster.libvirt_uri, "qemu:///system");
	CHECK_INT(config->cluster.start_grace_ms, 30000);
	CHECK_INT(config->cluster.failure_window_ms, 300000);
	CHECK_INT(config->cluster.max_failed_share, 34);
	CHECK_INT(config->cluster.beat_ms, 1000);
	CHECK_INT(config->evacuation.parallel_starts, 4);
	CHECK_INT(config->evacuation.lock_patience_ms, 120000);
	CHECK_INT(config->storage.max_beacon_age_ms, 60000);
	CHECK_INT(config->fencing.retry_backoff_max_ms, 600000);
	CHECK_STR(config->alerts.directory, SYSCONFDIR "/hamon/alerts.d");
	CHECK_STR(config->store.path, LOCALSTATEDIR "/lib/hamon");
	CHECK_INT(config->cluster.control_plane, CONFIG_PLANE_LIBVIRT);
	CHECK(!config->nova.cloud && !config->nova.clouds_file && !config->nova.region);
	CHECK_STR(config_interface_name(config->nova.interface), "");
	CHECK_INT(config->nova.timeout_ms, 30000);
	CHECK_STR(config->nova.microversion, "2.93");
	CHECK(config->nova.lock && config->nova.automatic_return);
	CHECK_STR(config_select_name(config->nova.select), "all");
	CHECK_STR(config_select_key(config), "");
	CHECK_STR(config_select_value(config), "");
	CHECK_STR(config_nova_host(config, "h1"), "h1");
	CHECK_INT(config->hosts_count + config->devices_count + config->alerts.agents_count, 0);
	config_free(config);
}

static void everything_is_read(void)
{
	size_t len;
	char *text = file_read("tests/fuzz/corpus/config", "full", ".conf", &len);
	struct config_option options[2 * CONFIG_OPTIONS_MAX];
	struct hamon_config *config = config_of(text);
	const struct config_host *h1 = config_host_find(config, "h1");
	const struct config_device *ipmi1 = config_device_find(config, "ipmi1");
	const struct config_level *level = &h1->levels[1];

	CHECK_INT(config->cluster.protect, CONFIG_PROTECT_OPTED_IN);
	CHECK_INT(config->cluster.tilt_ms, 1500);
	CHECK_INT(config->cluster.max_failed_share, 50);
	CHECK_INT(config->evacuation.verify_ms, 0);
	CHECK_INT(config->fencing.retry_backoff_max_ms, 3600000);
	CHECK_INT(config->alerts.agents_count, 3);
	CHECK_STR(config->alerts.agents[0].recipient, "/var/log/hamon-alerts");
	CHECK(!config->alerts.agents[1].recipient);
	CHECK_STR(config->alerts.agents[2].recipient, "on call, at night");
	CHECK_INT(ipmi1->timeout_ms, 40000);
	CHECK_INT(ipmi1->retries, 2);
	CHECK_STR(ipmi1->secrets_path, "/etc/hamon/secrets/ipmi1");
	CHECK_STR(ipmi1->options.list[1].value, "1");
	CHECK_STR(config_device_find(config, "pdu")->agent, "/opt/fence_pdu");
	CHECK(h1->power_on_after && h1->fenceable);
	CHECK_INT(h1->fence_delay_ms, 5000);
	CHECK_INT(h1->priority, 10);
	CHECK_INT(config->cluster.control_plane, CONFIG_PLANE_NOVA);
	CHECK_STR(config->nova.cloud, "site-a");
	CHECK_STR(config->nova.clouds_file, "/etc/hamon/clouds.yaml");
	CHECK_STR(config->nova.region, "RegionTwo");
	CHECK_STR(config_interface_name(config->nova.interface), "internal");
	CHECK_INT(config->nova.timeout_ms, 20000);
	CHECK_STR(config->nova.microversion, "2.79");
	CHECK(!config->nova.lock && !config->nova.automatic_return);
	CHECK_STR(config_select_name(config->nova.select), "flavor");
	CHECK_STR(config_select_key(config), "recover");
	CHECK_STR(config_select_value(config), "gold");
	CHECK_STR(config_nova_host(config, "h1"), "h1.example.org");
	CHECK_STR(config_nova_host(config, "h2"), "h2");
	CHECK_INT(level->count, 3);
	CHECK(level->devices[2].device == config_device_find(config, "pdu2"));
	CHECK_STR(level->devices[2].options.list[0].value, "left, 3");
	CHECK_INT(config_options_merge(&level->devices[2], options), 3);
	CHECK_STR(options[0].value, "192.0.2.21");
	CHECK_STR(options[1].value, "left, 3"); /* the host's plug wins over the device's */
	CHECK_STR(options[2].key, "power_wait");
	CHECK_STR(options[2].value, "2");
	CHECK(!config_host_find(config, "h3") && !config_device_find(config, "h1"));
	CHECK(config_host_find(config, "h2")->levels[1].count == 1);
	CHECK(!config_host_find(config, "h2")->power_on_after);
	config_free(config);
	free(text);
}

static void text_expect(const char *text, size_t len, const char *expected)
{
	char *report = text_report("x", text, len);

	CHECK_STR(report, expected);
	free(report);
}

/* What Masakari and Red Hat's instance HA look for needs no more than its kind. */
static void a_selection_has_its_usual_key(void)
{
	static const struct {
		const char *text, *key, *value;
	} usual[] = {
		{ "[nova]\nselect=metadata\n", "HA_Enabled", "true" },
		{ "[nova]\nselect=tag\n", "evacuable", "" },
		{ "[nova]\nselect=flavor\n", "evacuable", "true" },
		{ "[nova]\nselect=image\nselect_value=gold\n", "evacuable", "gold" },
		{ "[nova]\nselect=aggregate\nselect_key=ha\n", "ha", "true" },
	};

	for (size_t i = 0; i < 5; i++) {
		struct hamon_config *config = config_of(usual[i].text);

		CHECK_STR(config_select_key(config), usual[i].key);
		CHECK_STR(config_select_value(config), usual[i].value);
		config_free(config);
	}
	text_expect("[nova]\nselect_key=ha\n", 21,
		    "x:2: warning: [nova] select_key: with select = all every server is recovered, and this selects nothing\n"
		    "x: warning: there is no [host NAME]: HAMON CAN FENCE NOTHING, so nothing is ever evacuated without a person\n"
		    "usable, 2 warnings\n");
}

static void no_text_is_refused_at_once(void)
{
	char *large = malloc(CONFIG_BYTES_MAX + 1);

	text_expect("\xef\xbb\xbf[cluster]\n", 13,
		    "x:1: error: expected plain UTF-8, found a byte order mark\n"
		    "not usable: 1 errors, 0 warnings\n");
	text_expect(
	    "[cluster]\nbeat\0= 1s\n", 20,
	    "x:2: error: expected UTF-8 text, found a byte that is none\n"
	    "not usable: 1 errors, 0 warnings\n");
	text_expect(
	    "\n\n\033[31m", 7,
	    "x:3: error: expected UTF-8 text, found a byte that is none\n"
	    "not usable: 1 errors, 0 warnings\n");
	text_expect(
	    "# \xc3\x28", 4,
	    "x:1: error: expected UTF-8 text, found a byte that is none\n"
	    "not usable: 1 errors, 0 warnings\n");
	memset(large, '#', CONFIG_BYTES_MAX + 1);
	text_expect(large, CONFIG_BYTES_MAX + 1, "x: error: expected at most 1048576 bytes\n"
		    "not usable: 1 errors, 0 warnings\n");
	free(large);
}

static void long_lines_are_refused(void)
{
	char text[2 * CONFIG_LINE_MAX];

	/* The longest line that fits: the key and its value come through whole. */
	snprintf(text, sizeof(text), "[alerts]\r\nagent = /%0*d\r\n", CONFIG_LINE_MAX - 9, 0);
	config_free(config_of(text));
	snprintf(text, sizeof(text), "[alerts]\nagent = /%0*d\nagent=/x", CONFIG_LINE_MAX - 8, 0);
	text_expect(text, strlen(text),
		    "x:2: error: expected a line of at most 1024 bytes, found 1025\n"
		    "x: warning: there is no [host NAME]: HAMON CAN FENCE NOTHING, so nothing is "
		    "ever evacuated without a person\nnot usable: 1 errors, 1 warnings\n");
}

static void errors_are_bounded(void)
{
	char *text = calloc(3, 1000);
	struct config_errors errors = { 0 };
	struct hamon_config *config = (void *)1;

	for (int i = 0; i < 1000; i++)
		strcat(text, "x\n");
	CHECK_INT(config_parse(text, strlen(text), "x", &config, &errors), -EINVAL);
	CHECK(config == (void *)1); /* untouched */
	CHECK_INT(errors.errors, 1000);
	CHECK_INT(errors.count, CONFIG_ERRORS_MAX);
	config_errors_free(&errors);
	free(text);
}

static void counts_are_bounded(void)
{
	char *text = NULL, *report;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (int i = 0; i <= CONFIG_HOSTS_MAX; i++)
		fprintf(out, "[host h%d]\n", i);
	for (int i = 0; i <= CONFIG_DEVICES_MAX; i++)
		fprintf(out, "[fence-device d%d]\nagent=x\n", i);
	fprintf(out, "[alerts]\n");
	for (int i = 0; i <= CONFIG_AGENTS_MAX; i++)
		fprintf(out, "agent=/a%d\n", i);
	fprintf(out, "[fence-device o]\nagent=x\n");
	fclose(out);
	report = text_report("x", text, size);
	CHECK(
	    strstr(report, "x:65: error: [host h64]: expected at most 64 sections of this kind\n"));
	CHECK(strstr(report, "not usable: 4 errors, "));
	free(report);
	free(text);
}

static void digest_is_of_meanings(void)
{
	static const char *const same[] = {
	    "[cluster]\nbeat=1s\ntilt=60s\n[fence-device d]\nagent=a\noption.x=1\noption.y=2\n"
	    "[host h]\nfence_level_1=d\n[host i]\nfence_level_1=d plug=2\n",
	    "[host i]\nfence_level_1= d  plug=2 ; more\n[fence-device d]\noption.y=2\noption.x=1\n"
	    "agent=a\nsecrets=/elsewhere\n[host h]\nfence_level_1=d\npriority=0\n"
	    "[cluster]\ntilt=1m\n[store]\npath=/elsewhere\n",
	};
	static const char *const other[] = {
	    "[cluster]\nbeat=2s\n",
	    "[cluster]\nmax_failed_share=35%\n",
	    "[cluster]\nprotect=opted-in\n",
	    "[fence-device d]\nagent=a\n",
	    "[fence-device e]\nagent=a\n",
	    "[fence-device d]\nagent=b\n",
	    "[fence-device d]\nagent=a\noption.x=1\n",
	    "[fence-device d]\nagent=a\noption.x=2\n",
	    "[host h]\n",
	    "[host h]\npower_on_after=yes\n",
	    "[host h]\nnova_host=n\n",
	    "[host h]\nreserved=yes\n",
	    "[evacuation]\nrecovery_method=rh_priority\n",
	    "[cluster]\ncontrol_plane=nova\n",
	    "[nova]\nmicroversion=2.60\n",
	    "[nova]\nauth_url=http://a,http://b\n",
	    "[nova]\nendpoint=http://a\n",
	    "[storage]\nprobe_timeout=2s\n",
	    "[fence-device d]\nagent=a\n[fence-device e]\nagent=a\n[host h]\nfence_level_1=d,e\n",
	    "[fence-device d]\nagent=a\n[fence-device e]\nagent=a\n[host "
	    "h]\nfence_level_1=d\nfence_level_2=e\n",
	    "[fence-device d]\nagent=a\n[fence-device e]\nagent=a\n[host "
	    "h]\nfence_level_1=e\nfence_level_2=d\n",
	    "",
	};
	char digests[22][CONFIG_DIGEST_SIZE];
	struct hamon_config *config;

	for (size_t i = 0; i < 2; i++) {
		config = config_of(same[i]);
		config_digest(config, digests[i]);
		config_free(config);
	}
	CHECK_STR(digests[0], digests[1]);
	for (size_t i = 0; i < 22; i++) {
		config = config_of(other[i]);
		config_digest(config, digests[i]);
		config_free(config);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(digests[i], digests[j]));
	}
}

static void brake_limit_is_at_least_one(void)
{
	struct hamon_config *config = config_of("");

	CHECK_INT(config_failed_hosts_limit(config, 1), 1);
	CHECK_INT(config_failed_hosts_limit(config, 5), 1);
	CHECK_INT(config_failed_hosts_limit(config, 6), 2);
	config->cluster.max_failed_hosts = 4;
	CHECK_INT(config_failed_hosts_limit(config, 6), 4);
	config_free(config);
}

static void priority_delays_in_a_pair_only(void)
{
	struct hamon_config *config = config_of("[host a]\npriority=5\n[host b]\nfence_delay=3s\n");
	const struct config_host *a = config_host_find(config, "a"),
				 *b = config_host_find(config, "b");

	CHECK_INT(config_fence_delay_ms(config, a, true), CONFIG_PRIORITY_DELAY_MS);
	CHECK_INT(config_fence_delay_ms(config, a, false), 0);
	CHECK_INT(config_fence_delay_ms(config, b, true), 3000);
	config_free(config);
	config = config_of("[host a]\npriority=5\nfence_delay=20s\n[host b]\npriority=5\n");
	CHECK_INT(config_fence_delay_ms(config, config_host_find(config, "a"), true), 20000);
	CHECK_INT(config_fence_delay_ms(config, config_host_find(config, "b"), true), 0);
	config_free(config);
}

static void durations(void)
{
	uint64_t ms = 7;
	char text[32];

	CHECK_INT(config_duration_parse("500ms", &ms), 0);
	CHECK_INT(ms, 500);
	CHECK_INT(config_duration_parse("1h", &ms), 0);
	CHECK_INT(ms, 3600000);
	CHECK_INT(config_duration_parse("18446744073709551s", &ms), 0);
	CHECK_INT(config_duration_parse("18446744073709552s", &ms), -ERANGE);
	CHECK_INT(config_duration_parse("18446744073709551616ms", &ms), -ERANGE);
	CHECK_INT(config_duration_parse("1", &ms), -EINVAL);
	CHECK_INT(config_duration_parse("s", &ms), -EINVAL);
	CHECK_INT(config_duration_parse("+1s", &ms), -EINVAL);
	CHECK_INT(config_duration_parse("1s ", &ms), -EINVAL);
	CHECK_INT(config_duration_parse("1sm", &ms), -EINVAL);
	config_duration_format(0, text, sizeof(text));
	CHECK_STR(text, "0s");
	config_duration_format(90000, text, sizeof(text));
	CHECK_STR(text, "90s");
	config_duration_format(1500, text, sizeof(text));
	CHECK_STR(text, "1500ms");
}

int main(int argc, char **argv)
{
	size_t len;
	char *text, *report;

	/* config_test NAME prints what tests/unit/config/NAME.txt would have to say. */
	if (argc == 2) {
		char shown[256];

		text = file_read("tests/fuzz/corpus/config", argv[1], ".conf", &len);
		snprintf(shown, sizeof(shown), "%s.conf", argv[1]);
		report = text_report(shown, text, len);
		fputs(report, stdout);
		free(report);
		free(text);
		return 0;
	}
	RUN(files_get_their_texts);
	RUN(defaults_are_the_documented_ones);
	RUN(everything_is_read);
	RUN(a_selection_has_its_usual_key);
	RUN(no_text_is_refused_at_once);
	RUN(long_lines_are_refused);
	RUN(errors_are_bounded);
	RUN(counts_are_bounded);
	RUN(digest_is_of_meanings);
	RUN(brake_limit_is_at_least_one);
	RUN(priority_delays_in_a_pair_only);
	RUN(durations);
	return 0;
}
