/*
 * stopwatch.h
 *	  Milliseconds from one stage to the next.
 */
#ifndef INFLUENCE_STOPWATCH_H
#define INFLUENCE_STOPWATCH_H

#include "portability/instr_time.h"

/* Milliseconds since *since, which becomes now. */
static inline double
stopwatch_lap(instr_time *since)
{
	instr_time	now,
				spent;

	INSTR_TIME_SET_CURRENT(now);
	spent = now;
	INSTR_TIME_SUBTRACT(spent, *since);
	*since = now;
	return INSTR_TIME_GET_MILLISEC(spent);
}

#endif
