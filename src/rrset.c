/*
 * rrset.c
 *	  Reverse-reachable sets: who could have activated a node.
 *
 * The set of a root is everybody who is reached from it along live edges
 * (cascade.h): along an edge (u, v) v activates u, so whoever the root reaches
 * would activate it, were they a seed.  The probability that seeds hit the set
 * of a random root is the part of all nodes that they activate (Borgs, Brautbar,
 * Chayes and Lucier 2014).  Edges of a node are drawn when it is reached.
 *
 * Where sets are large, sets that meet a sentinel, a node that is going to be
 * a seed, need not be followed to their end: they are hit (Guo, Wang, Wei and
 * Chen, "Influence maximization revisited", SIGMOD 2020).
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <string.h>

#include "rrset.h"

/* A node joins the set, unless it is in it.  Is that the end of the set? */
static inline bool
reach(RRSampler *sampler, uint32_t v, RRResult *result)
{
	uint8_t		flags;

	if (sampler->seen[v] == sampler->mark)
		return false;
	sampler->seen[v] = sampler->mark;
	sampler->member[sampler->count++] = v;
	__builtin_prefetch(&sampler->cascade->offset[v]);
	flags = sampler->flags[v];
	if (flags & NODE_ACTIVE)
	{
		*result = RR_VOID;
		return true;
	}
	if (flags & NODE_SENTINEL)
	{
		*result = RR_HIT;
		return !sampler->any_active;
	}
	return false;
}

/*
 * Draw the set of a root.  Its nodes are in sampler->member, as far as they
 * were followed.
 */
RRResult
rr_sample(RRSampler *sampler, RandomStream *stream, uint32_t root)
{
	const Cascade *cascade = sampler->cascade;
	RRResult	result = RR_OPEN;

	if (++sampler->mark == 0)
	{
		memset(sampler->seen, 0, cascade->nodes * sizeof(uint32_t));
		sampler->mark = 1;
	}
	sampler->count = 0;
	if (reach(sampler, root, &result))
		return result;
	for (uint32_t i = 0; i < sampler->count; i++)
	{
		uint32_t	v = sampler->member[i];

		if (cascade->kind == CASCADE_THRESHOLD)
		{
			if (cascade->offset[v] < cascade->offset[v + 1] &&
				reach(sampler, cascade->column[cascade_draw_one(cascade, v, stream)], &result))
				return result;
		}
		else
			CASCADE_FOR_EACH_LIVE(cascade, v, stream, e,
			{
				if (reach(sampler, cascade->column[e], &result))
					return result;
			});
	}
	return result;
}

/*
 * Copy the candidates of the set drawn last; returns how many there are.  to
 * has room for sampler->count.
 */
uint32_t
rr_candidates(const RRSampler *sampler, uint32_t *to)
{
	uint32_t	n = 0;

	for (uint32_t i = 0; i < sampler->count; i++)
	{
		uint32_t	v = sampler->member[i];

		to[n] = v;
		n += sampler->flags[v] & NODE_CANDIDATE;
	}
	return n;
}
