/*
 * late_events.so, preloaded: each of libvirt's lifecycle events comes LATE_MS later than it would, in its order, as from a libvirtd
 * that has no processor for its main thread. What else libvirt is asked is answered at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <libvirt/libvirt.h>

#define LATE_MS 1000

struct late {
	virConnectPtr conn;
	virDomainPtr dom;
	int event, detail;
};

static virConnectDomainEventCallback told;
static void *told_user;

static void on_late(int timer, void *data)
{
	struct late *late = data;

	virEventRemoveTimeout(timer);
	told(late->conn, late->dom, late->event, late->detail, told_user);
	virDomainFree(late->dom);
	free(late);
}

static int on_event(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *user)
{
	struct late *late = calloc(1, sizeof(*late));

	if (!late || virDomainRef(dom))
		abort();
	*late = (struct late){ .conn = conn, .dom = dom, .event = event, .detail = detail };
	if (virEventAddTimeout(LATE_MS, on_late, late, NULL) < 0)
		abort();
	return 0;
}

int virConnectDomainEventRegisterAny(virConnectPtr conn, virDomainPtr dom, int id, virConnectDomainEventGenericCallback callback,
				     void *user, virFreeCallback free_user)
{
	int (*real)(virConnectPtr, virDomainPtr, int, virConnectDomainEventGenericCallback, void *, virFreeCallback) =
		dlsym(RTLD_NEXT, "virConnectDomainEventRegisterAny");

	if (id == VIR_DOMAIN_EVENT_ID_LIFECYCLE) {
		told = (virConnectDomainEventCallback)(void (*)(void))callback;
		told_user = user;
		callback = VIR_DOMAIN_EVENT_CALLBACK(on_event);
	}
	return real(conn, dom, id, callback, user, free_user);
}
