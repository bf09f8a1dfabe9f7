/* Credentials: clouds.yaml, secure.yaml, the OS_* variables, and what is asked of Keystone with them. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <json-c/json.h>

#include "evacuate/nova/clouds.h"
#include "hamon/common/json.h"
#include "tests/unit/test.h"

static char folder[] = "nova_clouds_test.XXXXXX";

static const char clouds[] =
	"# a comment\n"
	"clouds:\n"
	"  a:\n"
	"    auth: &auth\n"
	"      auth_url: https://cloud.example.org:5000\n"
	"      username: hamon\n"
	"      password: 'p: \"w\"'\n"
	"      project_name: ops\n"
	"      user_domain_name: Default\n"
	"      project_domain_id: default\n"
	"    region_name: R1\n"
	"    endpoint_type: internalURL\n"
	"    cacert: /etc/ssl/ca.pem\n"
	"    compute_api_version: 2.1\n"
	"  b:\n"
	"    auth_type: v3applicationcredential\n"
	"    auth:\n"
	"      auth_url: https://cloud.example.org:5000/v3\n"
	"      application_credential_id: abc\n"
	"      application_credential_secret: s3cret\n"
	"  c: { auth: *auth, verify: false }\n"
	"  d: { auth: *auth, interface: private }\n"
	"  e: { auth: { auth_url: http://x } }\n"
	"  f: 7\n"
	"  g: { auth: { auth_url: [ 1 ] } }\n"
	"  h: { auth: { auth_url: http://x, username: u, project_name: p, user_domain_name: ~ } }\n";

static const char *file_write(const char *name, const char *text, mode_t mode)
{
	static char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f) && !chmod(path, mode));
	return path;
}

static int load(const char *name, const char *path, struct cloud *ret, char *error)
{
	struct cloud_source source = { .cloud = name, .file = path, .region = "", .interface = "", .auth_url = "", .endpoint = "" };

	return cloud_load(&source, ret, error);
}

static void check_body(const struct cloud *cloud, const char *expected)
{
	struct json_object *body = cloud_auth_body(cloud);

	CHECK_STR(json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		  expected);
	json_object_put(body);
}

static void entries(void)
{
	const char *path = file_write("clouds.yaml", clouds, 0600);
	char error[CLOUD_ERROR_SIZE];
	struct cloud cloud;

	CHECK_INT(load("a", path, &cloud, error), 0);
	CHECK_STR(cloud.value[CLOUD_AUTH_URL], "https://cloud.example.org:5000");
	CHECK_STR(cloud.value[CLOUD_REGION], "R1");
	CHECK_STR(cloud.value[CLOUD_INTERFACE], "internal");
	CHECK_STR(cloud.value[CLOUD_CACERT], "/etc/ssl/ca.pem");
	CHECK_STR(cloud.value[CLOUD_KEY], "");
	check_body(&cloud,
		   "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"name\":\"hamon\",\"domain\":"
		   "{\"name\":\"Default\"},\"password\":\"p: \\\"w\\\"\"}}},"
		   "\"scope\":{\"project\":{\"name\":\"ops\",\"domain\":{\"id\":\"default\"}}}}}");
	cloud_free(&cloud);
	CHECK_INT(load("b", path, &cloud, error), 0);
	CHECK_STR(cloud.value[CLOUD_INTERFACE], "public");
	check_body(&cloud, "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],\"application_credential\":"
			   "{\"id\":\"abc\",\"secret\":\"s3cret\"}}}}");
	cloud_free(&cloud);
}

static void check_refused(const char *name, int expected, const char *words)
{
	const char *path = file_write("clouds.yaml", clouds, 0600);
	char error[CLOUD_ERROR_SIZE];
	struct cloud cloud;

	CHECK_INT(load(name, path, &cloud, error), expected);
	if (!strstr(error, words)) {
		fprintf(stderr, "cloud %s: \"%s\" does not say \"%s\"\n", name, error, words);
		exit(1);
	}
}

static void wrong_entries(void)
{
	check_refused("c", -EINVAL, "verify is off");
	check_refused("d", -EINVAL, "interface: expected public, internal or admin, found \"private\"");
	check_refused("e", -EINVAL, "expected username");
	check_refused("f", -EINVAL, "cloud f: expected \"auth:\"");
	check_refused("g", -EINVAL, "auth_url: expected a text");
	check_refused("h", -EINVAL, "expected password");
	check_refused("z", -EINVAL, "there is no cloud z in it");
}

static void wrong_files(void)
{
	char error[CLOUD_ERROR_SIZE];
	struct cloud cloud;

	CHECK_INT(load("a", file_write("open.yaml", clouds, 0644), &cloud, error), -EACCES);
	CHECK(strstr(error, "mode is 0644") && !strstr(error, "w\""));
	CHECK_INT(load("a", file_write("group.yaml", clouds, 0660), &cloud, error), -EACCES);
	CHECK_INT(load("a", file_write("yaml.yaml", "a: [\nb: }", 0600), &cloud, error), -EINVAL);
	CHECK(strstr(error, "is no YAML"));
	CHECK_INT(load("a", file_write("list.yaml", "- 1\n", 0600), &cloud, error), -EINVAL);
	CHECK(strstr(error, "expected \"clouds:\""));
	CHECK_INT(load("a", file_write("empty.yaml", "", 0600), &cloud, error), -EINVAL);
	CHECK_INT(load("a", folder, &cloud, error), -EINVAL);
	CHECK_INT(load("a", "/nonexistent/clouds.yaml", &cloud, error), -ENOENT);
}

static void secrets_may_stand_apart(void)
{
	char error[CLOUD_ERROR_SIZE], path[256];
	struct cloud cloud;

	snprintf(path, sizeof(path), "%s",
		 file_write("clouds.yaml",
			    "clouds: { a: { auth: { auth_url: http://x, username: u, project_name: p } } }\n", 0600));
	CHECK_INT(load("a", path, &cloud, error), -EINVAL);
	file_write("secure.yaml", "clouds: { other: {} }\n", 0600);
	CHECK_INT(load("a", path, &cloud, error), -EINVAL);
	CHECK(strstr(error, "expected password"));
	file_write("secure.yaml", "clouds: { a: { auth: { password: x } } }\n", 0600);
	CHECK_INT(load("a", path, &cloud, error), 0);
	CHECK_STR(cloud.value[CLOUD_PASSWORD], "x");
	cloud_free(&cloud);
	file_write("secure.yaml", "clouds: { a: { auth: { password: x } } }\n", 0604);
	CHECK_INT(load("a", path, &cloud, error), -EACCES);
	CHECK(!unlink(file_write("secure.yaml", "", 0600)));
}

static void variables(void)
{
	struct json_object *env = json_object_new_object();
	struct cloud_source source = { .cloud = "", .file = "", .region = "R2", .interface = "admin", .auth_url = "", .endpoint = "",
					.environment = env };
	char error[CLOUD_ERROR_SIZE];
	struct cloud cloud;

	/* What is given counts alone, not what this process happens to have. */
	setenv("OS_PASSWORD", "of-this-process", 1);
	json_put_string(env, "OS_AUTH_URL", "http://keystone/v3/");
	json_put_string(env, "OS_USERNAME", "u");
	json_put_string(env, "OS_PROJECT_ID", "1234");
	CHECK_INT(cloud_load(&source, &cloud, error), -EINVAL);
	CHECK_STR(error, "the OS_* variables: expected password");
	json_put_string(env, "OS_PASSWORD", "p");
	json_put_string(env, "OS_REGION_NAME", "R1");
	CHECK_INT(cloud_load(&source, &cloud, error), 0);
	CHECK_STR(cloud.value[CLOUD_PASSWORD], "p");
	CHECK_STR(cloud.value[CLOUD_REGION], "R2");
	CHECK_STR(cloud.value[CLOUD_INTERFACE], "admin");
	check_body(&cloud,
		   "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"name\":\"u\",\"domain\":"
		   "{\"id\":\"default\"},\"password\":\"p\"}}},\"scope\":{\"project\":{\"id\":\"1234\"}}}}");
	cloud_free(&cloud);
	json_object_put(env);
}

static void usual_places(void)
{
	struct json_object *env = json_object_new_object();
	struct cloud_source source = { .cloud = "a", .file = "", .region = "", .interface = "", .auth_url = "", .endpoint = "", .environment = env };
	char error[CLOUD_ERROR_SIZE];
	struct cloud cloud;

	json_put_string(env, "OS_CLIENT_CONFIG_FILE", file_write("clouds.yaml", clouds, 0600));
	CHECK_INT(cloud_load(&source, &cloud, error), 0);
	CHECK(strstr(cloud.origin, "cloud a of nova_clouds_test."));
	cloud_free(&cloud);
	json_object_put(env);
}

int main(void)
{
	char command[128];

	CHECK(mkdtemp(folder));
	RUN(entries);
	RUN(wrong_entries);
	RUN(wrong_files);
	RUN(secrets_may_stand_apart);
	RUN(variables);
	RUN(usual_places);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	CHECK(!system(command));
	return 0;
}
