/*
 * Reading libvirt's domain XML: what an instance is, what storage it needs and what ties it to one
 * host. The text is hostile input (guest owners write parts of it): bounded, no network, no
 * document type, no entities. Follows https://libvirt.org/formatdomain.html (libvirt 9.0).
 */
#ifndef HAMON_COMMON_DOMXML_H
#define HAMON_COMMON_DOMXML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOMXML_BYTES_MAX (1u << 20)
#define DOMXML_DISKS_MAX 256
#define DOMXML_BACKING_MAX 64
#define DOMXML_DEVICES_MAX 256
#define DOMXML_SERVERS_MAX 16
#define DOMXML_HOSTS_MAX 64
#define DOMXML_PRIORITY_MAX 1000
#define DOMXML_NAMESPACE "urn:hamon:instance:1"
#define DOMXML_ERROR_SIZE 256

enum domxml_kind {
	DOMXML_FILE,	/* source is an absolute path of a file */
	DOMXML_BLOCK,	/* source is an absolute path of a block device */
	DOMXML_NETWORK, /* protocol, source (export, image, iqn/lun, volume/path, ...) and servers */
	DOMXML_EMPTY,	/* a drive without a medium */
	DOMXML_OTHER /* pool volume, folder, nvme, vhost-user, ...: see what; hamon cannot follow it */
};

struct domxml_server {
	char *transport; /* "tcp", "unix", "rdma" or NULL (tcp) */
	char *name;	 /* host name or address, or NULL */
	char *port;	 /* decimal, or NULL for the protocol's own */
	char *socket;	 /* path for "unix", or NULL */
};

/*
 * Everything that is opened as storage: disks, cdroms, floppies, and also nvram, kernel, initrd,
 * nvdimm files.
 */
struct domxml_disk {
	char *
	    target; /* "vda", or as what ("nvram", "kernel", "nvdimm0"); never NULL */
	char *what; /* "disk", "cdrom", "floppy", "lun", "nvram", "loader", ...; never NULL */
	enum domxml_kind kind;
	char *
	    type; /* libvirt's own word for the source: "file", "block", "network", "volume", ... */
	char *source;	/* path or network name; NULL only for DOMXML_EMPTY and some DOMXML_OTHER */
	char *format;	/* driver's type ("raw", "qcow2") or NULL when the XML does not say */
	char *protocol; /* "nbd", "iscsi", "rbd", "gluster", "nfs", "https", ... or NULL */
	char *auth_user; /* of <auth>, or NULL */
	char *auth_secret; /* the UUID of libvirt's secret that <auth> names, or NULL: none, or by its usage */
	char *query;	 /* what follows "?" of an http(s) source, or NULL */
	char *serial;	 /* as the guest sees it, or NULL; Nova gives Cinder's volumes their ids */
	/*
	 * The backing image that the XML itself names (it overrides what the image says), or NULL.
	 */
	struct domxml_disk *backing;
	struct domxml_server *servers;
	size_t n_servers;
	bool readonly;	   /* the guest cannot write it */
	bool shareable;	   /* the XML allows several writers */
	bool optional;	   /* startupPolicy='optional': libvirt starts without it */
	bool needs_secret; /* <auth> or <encryption>: only libvirt's secrets can open it */
	bool tls;
	bool mirror; /* a block job was copying it */
	bool sliced; /* <slices>: only a part of the file is used */
};

/* What binds the instance to one host, or may: named so that a person can decide. */
struct domxml_device {
	char *
	    kind; /* "tpm", "hostdev", "interface", "filesystem", "char", "input", "commandline", ... */
	char *what; /* one phrase for an operator: "PCI device 0000:03:00.0 is passed through" */
	bool
	    local; /* true: state or hardware of that host; false: perhaps elsewhere too, not checked */
};

struct domxml_meta {
	bool present;
	int protect;	      /* 1 yes, 0 no, -1 not said */
	int priority;	      /* 0..DOMXML_PRIORITY_MAX, -1 not said */
	char *group;	      /* or NULL */
	char **allow, **deny; /* host names */
	size_t n_allow, n_deny;
	char *error; /* NULL, or which attribute is wrong: its value and what was expected */
	char *
	    probe; /* nonce of <hamon:probe nonce='..'/>, hamon's own test of the start gate, or NULL */
};

struct domxml {
	char *type;	     /* "kvm", "qemu" */
	char *name;	     /* never NULL */
	char *title;	     /* the name that Nova gave it in <metadata>, else <title>; NULL for none */
	char uuid[37];	     /* lower case; "" when the XML has none */
	uint64_t memory_mib; /* rounded up; 0 when the XML does not say */
	unsigned int vcpus;
	struct domxml_disk *disks;
	size_t n_disks;
	struct domxml_device *devices;
	size_t n_devices;
	struct domxml_meta meta; /* an invalid one has error set and nothing else */
	bool nova;		 /* Nova has written it: it carries Nova's own metadata */
	bool has_secrets;	 /* the text holds passwords, or things that may be some */
	bool mirror;		 /* one of the disks has a block job */
};

/*
 * Parses len bytes of XML. 0 and a new object in *ret (free it with domxml_free), or -E2BIG,
 * -ENOMEM, -EINVAL; error (may be NULL) then says what is wrong, in at most error_size bytes.
 */
int domxml_parse(const char *xml, size_t len, struct domxml **ret, char *error, size_t error_size);
void domxml_free(struct domxml *dom);

/*
 * The same XML for people's eyes: passwords, secrets, cookies, firmware configuration blobs and
 * QEMU environment values are replaced by "(hidden)". A new string in *ret (free it), or as
 * domxml_parse.
 */
int domxml_redact(const char *xml, size_t len, char **ret);

#endif
