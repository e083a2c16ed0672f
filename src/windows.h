/*
 * windows.h
 *	  Times to look back from, and what comes after them.
 */
#ifndef INFLUENCE_WINDOWS_H
#define INFLUENCE_WINDOWS_H

#include "model.h"

extern void windows_require_times(const Model *model, const char *function);
extern void windows_quantiles(const Model *model, int n, const double *part, TimestampTz *time);
extern TimestampTz windows_end(TimestampTz cutoff, Interval *horizon);
extern char *windows_show(TimestampTz time);

#endif
