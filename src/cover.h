/*
 * cover.h
 *	  Seeds that hit most sets: greedy choice, and bounds on the best choice.
 */
#ifndef INFLUENCE_COVER_H
#define INFLUENCE_COVER_H

#include "rrset.h"

#define COVER_NONE	UINT32_MAX

/*
 * What a candidate takes up of the limits: by_cost * its cost + by_count.  Each
 * such measure is a way to choose, by gain for what is taken up, and a bound.
 */
typedef struct CoverWay
{
	double		by_cost;
	double		by_count;
	uint32_t   *order;			/* [listed] places by worth for what is taken up,
								 * greatest first; NULL: by worth */
} CoverWay;

#define COVER_WAYS	5

/*
 * At most so many seeds among the candidates are sought, that cost at most
 * budget.  All values are in sets hit; a seed that nobody activates adds sure
 * to that.
 *
 * The caller provides all memory, see seeds.c.
 */
typedef struct Cover
{
	uint32_t	nodes;
	const uint8_t *flags;		/* [nodes] NODE_* */
	const double *cost;			/* [nodes]; or NULL: none, and no budget */
	uint32_t	seeds;			/* not more than there are candidates */
	double		budget;
	double		sure;
	const RRPool *pool;
	CoverWay	way[COVER_WAYS];
	int			ways;

	uint32_t   *total;			/* [nodes] sets a node is in */
	uint32_t   *left;			/* [nodes] those that are not hit yet */
	uint32_t   *place;			/* [nodes] in the list; or COVER_NONE */
	uint8_t    *chosen;			/* [nodes] is it a seed? */
	uint8_t    *hit;			/* [samples] is the set hit? */
	uint64_t	members;		/* of all sets */

	/*
	 * The list of candidates that are looked at, by worth, greatest first.
	 * Others are worth at most rest; 0 if there are no others.
	 */
	uint32_t	listed;
	double		rest;
	uint32_t   *node;			/* [listed] */
	double	   *worth;			/* [listed] value before there are seeds */
	uint64_t   *begin;			/* [listed + 1] of its sets, in set */
	uint32_t   *set;
	uint64_t   *scratch[4];		/* [listed + 2] each */
} Cover;

/* Seeds in the order of their choice. */
typedef struct CoverChoice
{
	uint32_t	count;
	uint32_t   *seed;			/* [seeds] */
	double	   *value;			/* [seeds + 1] of the first i */
	double	   *spent;			/* [seeds + 1] likewise */
	uint64_t   *open;			/* [seeds + 1] members of sets not hit by them */
	double	   *optimum;		/* [seeds + 1] see cover_greedy */
} CoverChoice;

extern void cover_ways(Cover *cover, bool count_matters);
extern void cover_count(Cover *cover, uint32_t from_batch);
extern uint32_t cover_plan(Cover *cover, uint32_t wanted);
extern uint64_t cover_list(Cover *cover);
extern void cover_index(Cover *cover);
extern bool cover_greedy(Cover *cover, int way, uint32_t given, uint32_t sentinels,
						 bool bounds, CoverChoice *choice);
extern void cover_first_hits(const RRPool *pool, const uint32_t *position,
							 uint32_t sentinels, uint64_t *count);
extern double cover_lower(double hits, double a);
extern double cover_upper(double hits, double a);

#endif
