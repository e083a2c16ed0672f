/*
 * schedule.h
 *	  Refreshing models regularly, by jobs of pg_cron.
 */
#ifndef INFLUENCE_SCHEDULE_H
#define INFLUENCE_SCHEDULE_H

extern void schedule_forget(const char *model);

#endif
