/*
 * rrset.h
 *	  Reverse-reachable sets: who could have activated a node.
 */
#ifndef INFLUENCE_RRSET_H
#define INFLUENCE_RRSET_H

#include "cascade.h"

/* What a node is, bits of a byte. */
#define NODE_CANDIDATE	0x01	/* may become a seed */
#define NODE_ACTIVE		0x02	/* is active already */
#define NODE_SENTINEL	0x04	/* is a seed for certain */
#define NODE_SURE		0x08	/* only active if a seed: nobody activates it */

typedef enum RRResult
{
	RR_OPEN,					/* members are all who could have */
	RR_HIT,						/* a sentinel is one of them */
	RR_VOID						/* somebody active is: it would be so anyway */
} RRResult;

/* One process's means of drawing sets. */
typedef struct RRSampler
{
	const Cascade *cascade;
	const uint8_t *flags;		/* [nodes] */
	bool		any_active;		/* is there NODE_ACTIVE in flags? */
	uint32_t   *seen;			/* [nodes] mark of the last set it was in */
	uint32_t	mark;
	uint32_t   *member;			/* [nodes] the set, its root first */
	uint32_t	count;
} RRSampler;

/* Samples in a batch, the unit in which they are drawn and kept. */
#define RR_BATCH	64

/*
 * A batch as it is kept: where each sample begins, counted from the first
 * member, and the candidates among the members of open sets.  Sets of the
 * other kinds are empty, and only counted.
 */
typedef struct RRBatch
{
	uint32_t	begin[RR_BATCH + 1];
	uint32_t	member[];
} RRBatch;

/* Batches, drawn independently of everything else. */
typedef struct RRPool
{
	const RRBatch **batch;
	uint32_t	nbatches;
	uint64_t	hits;			/* sets with a sentinel */
} RRPool;

extern RRResult rr_sample(RRSampler *sampler, RandomStream *stream, uint32_t root);
extern uint32_t rr_candidates(const RRSampler *sampler, uint32_t *to);

static inline uint64_t
rr_samples(const RRPool *pool)
{
	return (uint64_t) pool->nbatches * RR_BATCH;
}

#endif
