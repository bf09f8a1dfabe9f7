/* Every bound of the core in one place: nothing in it grows past these, and nothing is allocated after start. */
#ifndef HAMON_CORE_LIMITS_H
#define HAMON_CORE_LIMITS_H

#define CORE_HOSTS_MAX 32         /* a set of hosts is one 32-bit mask */
#define CORE_INSTANCES_MAX 1024   /* protected instances of the whole cluster */
#define CORE_INCIDENTS_MAX 128    /* open and recent ones; the oldest closed one makes room */
#define CORE_DISKS_MAX 16         /* disks of one instance that can be written */
#define CORE_PLACES_MAX 8         /* folders that the disks of one instance lie in */
#define CORE_LEVELS_MAX 9         /* fence levels of a host, as in hamon.conf */
#define CORE_GATE_WAITS_MAX 64    /* starts that wait for the commit of their claim */
#define CORE_REQUESTS_MAX 64      /* requests of people that wait for their commit */
#define CORE_PERSISTS_MAX 4096    /* writes under way; a disk slower than that makes the member unsynced */
#define CORE_ACTIONS_MAX 8192     /* of one step */
#define CORE_NOTES_MAX 4096       /* of one step */
#define CORE_REFS_MAX 8192        /* facts named by the messages of one step */

#define CORE_NAME_SIZE 64
#define CORE_TITLE_SIZE 256       /* what people call an instance: a longer one is cut */
#define CORE_LABEL_SIZE 160       /* "TITLE (NAME)", or the name alone */
#define CORE_UUID_SIZE 37
#define CORE_HASH_SIZE 65
#define CORE_NONCE_SIZE 33
#define CORE_INCIDENT_SIZE 96     /* NAME-eEPOCH */
#define CORE_TEXT_SIZE 320        /* one sentence for people */
#define CORE_DISK_ID_SIZE 192
#define CORE_PATH_SIZE 256
#define CORE_LIST_SIZE 256        /* host names, separated by spaces */
#define CORE_ACCEPT_SIZE 2048     /* UUIDs of instances, separated by spaces */

#endif
