/* A ring identifier of totem: names one membership. The sequence alone can repeat across
 * partitions. */
#ifndef HAMON_CLUSTER_RING_H
#define HAMON_CLUSTER_RING_H

#include <stdbool.h>
#include <stdint.h>

struct cluster_ring {
	uint32_t nodeid; /* of the ring's representative */
	uint64_t seq;
};

static inline bool cluster_ring_equal(struct cluster_ring a, struct cluster_ring b)
{
	return a.nodeid == b.nodeid && a.seq == b.seq;
}

#endif
