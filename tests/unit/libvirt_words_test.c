/* libvirt's errors and status files, as libvirt 9.0 with QEMU 7.2 really words them. */
#include <libvirt/virterror.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/status.h"
#include "tests/unit/test.h"

static void error_classes(void)
{
	CHECK_STR(connection_error_class(
			  VIR_ERR_INTERNAL_ERROR,
			  "internal error: process exited while connecting to monitor: qemu-system-x86_64: "
			  "-device virtio-blk-pci,...: Failed to get \"write\" lock\n"
			  "Is another process using the image [/srv/shared/locked.img]?"),
		  "lock");
	CHECK_STR(connection_error_class(VIR_ERR_RESOURCE_BUSY, "resource busy: Lockspace resource"), "lock");
	CHECK_STR(connection_error_class(VIR_ERR_HOOK_SCRIPT_FAILED,
					 "Hook script execution failed: internal error: Child process"),
		  "gate");
	CHECK_STR(connection_error_class(
			  VIR_ERR_INTERNAL_ERROR,
			  "internal error: qemu unexpectedly closed the monitor: cannot set up guest memory "
			  "'pc.ram': Cannot allocate memory"),
		  "memory");
	CHECK_STR(connection_error_class(
			  VIR_ERR_SYSTEM_ERROR,
			  "Cannot access storage file '/srv/a.img': No such file or directory"),
		  "storage");
	/* "lock" is in the words of libvirt's own job lock too. */
	CHECK_STR(connection_error_class(VIR_ERR_OPERATION_TIMEOUT,
					 "Timed out during operation: cannot acquire state change lock"),
		  "timeout");
	CHECK_STR(connection_error_class(VIR_ERR_XML_ERROR, "XML error: no domain name"), "definition");
	CHECK_STR(connection_error_class(
			  VIR_ERR_INTERNAL_ERROR,
			  "internal error: process exited while connecting to monitor: "
			  "qemu-system-x86_64: unsupported machine type 'pc-x'"),
		  "definition");
	CHECK_STR(connection_error_class(VIR_ERR_OPERATION_FAILED, "operation failed"), "libvirt");
}

static void states(void)
{
	CHECK_STR(domain_state_name(VIR_DOMAIN_SHUTDOWN), "running");
	CHECK_STR(domain_state_name(99), "shutoff");
	CHECK_STR(domain_reason_name(VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DAEMON), "daemon");
	CHECK_STR(domain_reason_name(VIR_DOMAIN_SHUTOFF, 4711), "unknown");
	CHECK_STR(domain_reason_name(VIR_DOMAIN_PAUSED, -1), "unknown");
}

static void check_status(const char *text, bool known, bool block_job, const char *job)
{
	struct domain_status status;

	status_parse(text, strlen(text), &status);
	CHECK_INT(status.known, known);
	CHECK_INT(status.block_job, block_job);
	CHECK_STR(status.job, job);
}

#define HEAD "<domstatus state='running' reason='booted' pid='82'>\n  <qemuCaps>\n  </qemuCaps>\n"
#define TAIL "  <domain type='qemu' id='1'>\n  </domain>\n</domstatus>\n"

static void status_files(void)
{
	check_status(HEAD "  <blockjobs active='no'/>\n" TAIL, true, false, "none");
	check_status(HEAD "  <blockjobs active='yes'>\n    <blockjob name='commit-vda-libvirt-2-format' "
			  "type='active-commit' state='ready'>\n" TAIL,
		     true, true, "none");
	check_status(HEAD "  <job type='none' async='migration out' phase='perform3' flags='0x0'/>\n" TAIL,
		     true, false, "migration-out");
	check_status(HEAD "  <job type='none' async='migration in' phase='prepare'/>\n" TAIL, true, false,
		     "migration-in");
	check_status(HEAD "  <job type='modify' async='none'/>\n" TAIL, true, false, "none");
	check_status(HEAD "  <job type='none' async='start'/>\n" TAIL, true, false, "start");
	check_status(HEAD "  <job type='none' async='newthing'/>\n" TAIL, true, false, "unknown");
}

static void status_files_that_say_nothing(void)
{
	/* What the guest's owner writes into the definition is not libvirt's word. */
	check_status(HEAD "<domain type='qemu'><blockjob name='x'/><job async='migration out'/></domain>",
		     true, false, "none");
	/* Cut off in the middle of a write. */
	check_status(HEAD "  <blockjobs active='yes'>\n    <blockjob name=", false, false, "none");
	check_status("", false, false, "none");
	check_status(HEAD "<job type='none' async='migration o<domain ", true, false, "none");
	check_status(HEAD "<job async=' > <domain ", true, false, "none");
}

int main(void)
{
	RUN(error_classes);
	RUN(states);
	RUN(status_files);
	RUN(status_files_that_say_nothing);
	return 0;
}
