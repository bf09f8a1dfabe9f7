/* The Nova control plane's table, and what its operations share. */
#include "evacuate/libvirt/libvirt.h"
#include "evacuate/nova/nova.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"

const struct control_plane nova_plane = {
	.name = "nova",
	.watch = libvirt_watch,
	.start = nova_start,
	.inspect = libvirt_inspect,
	.stop = libvirt_stop,
	.tidy = libvirt_tidy,
	.enable = nova_enable,
	.servers = nova_servers,
};

bool nova_open(struct compute *compute, const struct request *req, uint64_t deadline_ms)
{
	const struct request_nova *nova = &req->nova;
	const struct cloud_source source = {
		.cloud = nova->cloud, .file = nova->clouds_file, .region = nova->region,
		.interface = nova->interface, .auth_url = nova->auth_url, .endpoint = nova->endpoint,
		.environment = nova->environment,
	};
	uint32_t minor;

	compute->deadline_ms = clock_boot_ms() + deadline_ms;
	compute->call_ms = nova->timeout_ms;
	if (nova_microversion_parse(nova->microversion, &minor) || minor < NOVA_MINOR_MIN)
		return nova_fail(&compute->failure, "config", "microversion: expected 2.%d or more, found \"%.20s\"",
				 NOVA_MINOR_MIN, nova->microversion);
	return compute_open(compute, &source, minor);
}

bool nova_result_fail(const struct compute *compute, struct json_object *result)
{
	report_failure(result, compute->failure.error_class, "%s", compute->failure.text);
	return false;
}
