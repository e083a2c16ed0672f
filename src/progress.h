/*
 * progress.h
 *	  What a refresh is doing, for other sessions to see.
 */
#ifndef INFLUENCE_PROGRESS_H
#define INFLUENCE_PROGRESS_H

typedef enum ProgressPhase
{
	PHASE_READING,
	PHASE_ORDERING,
	PHASE_BUILDING,
	PHASE_WEIGHING,
	PHASE_TRUST,
	PHASE_RANKING,
	PHASE_FACETS,
	PHASE_SCORING,
	PHASE_PUBLISHING
} ProgressPhase;

extern void progress_start(Oid scores);
extern void progress_phase(ProgressPhase phase, int64 total);
extern void progress_done(int64 done);
extern void progress_end(void);

#endif
