/* The probe of the start gate. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <libvirt/virterror.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/probe.h"
#include "hamon/common/domxml.h"

#define NONCE_BYTES 16
#define XML_SIZE 1024

static int nonce_make(char ret_nonce[2 * NONCE_BYTES + 1])
{
	uint8_t bytes[NONCE_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -1;
	for (int i = 0; i < NONCE_BYTES; i++)
		snprintf(ret_nonce + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* The smallest domain that libvirt starts; libvirt fills in machine and emulator, and makes up the UUID. */
static virDomainPtr probe_create(virConnectPtr conn, const char *type, const char *nonce)
{
	char xml[XML_SIZE];

	snprintf(xml, sizeof(xml),
		 "<domain type='%s'><name>" PROBE_NAME_PREFIX "%s</name>"
		 "<metadata><hamon:probe xmlns:hamon='" DOMXML_NAMESPACE "' nonce='%s'/></metadata>"
		 "<memory unit='MiB'>4</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
		 "<devices><controller type='usb' model='none'/><memballoon model='none'/></devices>"
		 "</domain>",
		 type, nonce, nonce);
	/* Paused: nothing of it ever runs. Autodestroy: libvirt ends it with this connection. */
	return virDomainCreateXML(conn, xml,
				  VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY);
}

void probe_run(virConnectPtr conn, struct probe_result *ret)
{
	static const char *const types[] = { "qemu", "kvm" };
	char nonce[2 * NONCE_BYTES + 1];
	struct connection_error error = { 0 };
	virDomainPtr dom = NULL;

	ret->gate = "unknown";
	snprintf(ret->detail, sizeof(ret->detail), "no random number for the probe");
	if (nonce_make(nonce))
		return;
	/* Emulation is nearly always there; a host that has only KVM gets the second try. */
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && !dom; i++) {
		dom = probe_create(conn, types[i], nonce);
		if (!dom)
			connection_error(&error);
		if (!dom && error.code == VIR_ERR_HOOK_SCRIPT_FAILED)
			break;
	}
	if (dom) {
		ret->gate = "not-loaded";
		snprintf(ret->detail, sizeof(ret->detail),
			 "libvirtd started hamon's probe, so it has not loaded hamon's qemu hook: install "
			 "the hook, and restart libvirtd or reload it");
		virDomainDestroy(dom);
		virDomainFree(dom);
	} else if (error.code == VIR_ERR_HOOK_SCRIPT_FAILED && strstr(error.text, nonce) &&
		   strstr(error.text, "hamon-probe-refused")) {
		ret->gate = "ok";
		snprintf(ret->detail, sizeof(ret->detail), "the hook refused hamon's probe");
	} else if (error.code == VIR_ERR_HOOK_SCRIPT_FAILED) {
		ret->gate = "not-loaded";
		snprintf(ret->detail, sizeof(ret->detail),
			 "another hook refused hamon's probe: %s", error.text);
	} else {
		snprintf(ret->detail, sizeof(ret->detail), "the probe could not be started: %s",
			 error.text);
	}
}
