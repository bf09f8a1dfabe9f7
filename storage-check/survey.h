/*
 * What this host can see of the storage that a request speaks of. Callers add what they need,
 * survey_run looks in bounded children, in rounds until no chain leads to anything new, and callers
 * read the results. Each folder, device, image and network disk is looked at once, however many
 * instances use it.
 */
#ifndef HAMON_STORAGE_SURVEY_H
#define HAMON_STORAGE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hamon/common/domxml.h"
#include "storage-check/beacon.h"
#include "storage-check/probe.h"
#include "hamon/common/qcow.h"

#define SURVEY_CHAIN_MAX 64
#define SURVEY_OBJECTS_MAX 16384
#define SURVEY_HOSTS_MAX 256
/* Files of one folder whose headers are read to find who uses our images as backing files. */
#define SURVEY_SCAN_MAX 4096

enum survey_state { SURVEY_WANTED, SURVEY_SEEN, SURVEY_LOST };

struct survey_folder {
	char *path; /* as written: the part of a file's path before its last slash */
	enum survey_state state;
	enum probe_end end; /* why it is SURVEY_LOST */
	int error;	    /* 0, or -errno of opening it */
	char *real;	    /* NULL before it was seen */
	char *fs;
	bool readonly;
	char place_id[DISKID_UUID_SIZE]; /* "" when there is none */
	struct beacon *beacons;		 /* of the hosts that were asked for and have one */
	size_t n_beacons;
	bool scan; /* look for images that use ours */
	bool scanned, scan_partial;
};

struct survey_file {
	char *path;
	struct survey_folder *folder;
	enum survey_state state;
	bool top; /* a writable image of an instance: nobody else may be based on it */
	bool
	    raw; /* an instance uses it as raw: what looks like a header in it was written by a guest */
	int read_error,
	    write_error;  /* 0 or -errno of opening it so; both are 0 for a symbolic link */
	char *link;	  /* where it leads when it is a symbolic link (as written), else NULL */
	bool block;	  /* it is a block device: see survey_device of the same path */
	int header_error; /* of qcow_parse: -ENODATA for no qcow image */
	struct qcow header;
};

/* An image in a scanned folder whose backing file has the name of one of ours. */
struct survey_overlay {
	char *path, *backing;
};

struct survey_device {
	char *path;
	enum survey_state state;
	enum probe_end end;
	int error; /* 0, or -errno of opening it */
	bool readonly;
	char *id; /* diskid_block; NULL with an error */
	int header_error;
	struct qcow header;
};

/* What `qemu-img info` says, about an image that only QEMU can follow or a network disk. */
struct survey_image {
	char *spec; /* a path or a json: specification */
	char *what; /* for people */
	enum survey_state state;
	enum probe_end end;
	char *error;  /* NULL when it was opened; else what qemu-img said */
	char **chain; /* file names as qemu-img says them, the image itself first */
	size_t n_chain;
};

struct survey;

struct survey_limits {
	const char *lock_dir; /* see struct probe_limits */
	uint64_t probe_timeout_ms;
	uint64_t total_ms; /* of survey_run */
	unsigned int parallel;
};

/* NULL when memory is out; so is every other object: survey_failed. */
struct survey *survey_new(const struct survey_limits *limits);
void survey_free(struct survey *survey);
/* -ENOMEM or -E2BIG when something could not be added. */
int survey_failed(const struct survey *survey);

/* Hosts whose beacons are read in every folder. host must be valid (beacon_host_valid). */
void survey_add_host(struct survey *survey, const char *host);
/*
 * The image at path, and everything behind it. format as the XML says it: NULL and "raw" have
 * nothing behind them. top: see struct survey_file.
 */
void survey_add_file(struct survey *survey, const char *path, const char *format, bool top);
void survey_add_folder(struct survey *survey, const char *path);
void survey_add_device(struct survey *survey, const char *path, const char *format);
/* spec is a json: specification for qemu-img, what its name for people. */
void survey_add_image(struct survey *survey, const char *spec, const char *what);
/* qemu-img opens every image that has a backing file, though hamon can read the header itself. */
void survey_set_deep(struct survey *survey);

/* Reads the beacons of all hosts that have one, not only of those that were added. */
void survey_set_all_hosts(struct survey *survey);

/* Looks, until nothing new turns up or the time is over. */
void survey_run(struct survey *survey);

struct survey_folder *survey_folder(const struct survey *survey, const char *path);
struct survey_file *survey_file(const struct survey *survey, const char *path);
struct survey_device *survey_device(const struct survey *survey, const char *path);
struct survey_image *survey_image(const struct survey *survey, const char *spec);
/* The folders that were looked at, in order of arrival; NULL at the end. */
struct survey_folder *survey_folder_at(const struct survey *survey, size_t i);
/*
 * An image of a scanned folder that has the file at path as its backing file; NULL when none was
 * found.
 */
const struct survey_overlay *survey_overlay_of(const struct survey *survey, const char *path);

/* One image of a chain, as QEMU would open it. */
struct survey_step {
	const char *name;
	const struct survey_file
	    *file; /* NULL: qemu-img opened it (over the network), or nobody could */
	const struct survey_image *image; /* what qemu-img said of it; its state and error count */
	const char *spec; /* set when qemu-img must be asked about it: see survey_add_image */
	const char *
	    format; /* of this image, as the XML or the image before it says; "" when it does not */
	const char *problem; /* why the chain cannot be followed from here, or NULL */
};

/*
 * Walks the chain of an image: step is called for each of its files, links included, and returns
 * false to end the walk. The walk ends early at a file that was not seen. _device starts behind a
 * device's header, _image behind the first name that qemu-img said.
 */
typedef bool (*survey_walk_fn)(void *user, const struct survey_step *step);
void survey_walk(const struct survey *survey, const char *path, const char *format,
		 survey_walk_fn fn, void *user);
void survey_walk_device(const struct survey *survey, const struct survey_device *device,
			const char *format, survey_walk_fn fn, void *user);
void survey_walk_image(const struct survey *survey, const struct survey_image *image,
		       survey_walk_fn fn, void *user);

#endif
