/*
 * progress.c
 *	  What a refresh is doing, for other sessions to see.
 *
 * A backend's entry in shared memory has fields for the progress of one
 * command, which VACUUM and others use.  A refresh uses them with a command
 * number of its own, which the server's views do not list; the function here
 * does.  So nothing has to be preloaded, an error clears the fields, and
 * nobody waits for anybody.
 */
#include "postgres.h"

#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"

#include "compat.h"
#include "progress.h"

/* "infl": no command of the server has a number like that. */
#define PROGRESS_COMMAND_REFRESH	((ProgressCommandType) 0x696e666c)

enum
{
	PARAM_PHASE,
	PARAM_DONE,
	PARAM_TOTAL
};

static const char *const phase_name[] = {
	[PHASE_READING] = "reading interactions",
	[PHASE_ORDERING] = "ordering users",
	[PHASE_BUILDING] = "building graph",
	[PHASE_WEIGHING] = "weighing users",
	[PHASE_TRUST] = "handing trust on",
	[PHASE_RANKING] = "ranking users",
	[PHASE_FACETS] = "ranking by network and topic",
	[PHASE_SCORING] = "computing scores",
	[PHASE_PUBLISHING] = "publishing scores"
};

PG_FUNCTION_INFO_V1(influence_refreshes_running);

/* A refresh of the model with this table of scores starts. */
void
progress_start(Oid scores)
{
	pgstat_progress_start_command(PROGRESS_COMMAND_REFRESH, scores);
}

/* It enters a phase of so many steps; 0 if that is not known. */
void
progress_phase(ProgressPhase phase, int64 total)
{
	const int	param[] = {PARAM_PHASE, PARAM_DONE, PARAM_TOTAL};
	const int64 value[] = {phase, 0, total};

	pgstat_progress_update_multi_param(lengthof(param), param, value);
}

/* It has done so many steps of the phase. */
void
progress_done(int64 done)
{
	pgstat_progress_update_param(PARAM_DONE, done);
}

/* It has ended; an error does the same. */
void
progress_end(void)
{
	pgstat_progress_end_command();
}

/*
 * influence_refreshes_running()
 *		returns table (pid int, scores regclass, phase text, done bigint, total bigint)
 *
 * The refreshes that run now in this database, of those that the caller may
 * see the activity of.
 */
Datum
influence_refreshes_running(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			backends;

	InitMaterializedSRF(fcinfo, 0);
	backends = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= backends; i++)
	{
		PgBackendStatus *entry = compat_backend_status(i);
		Datum		value[5];
		bool		isnull[5] = {false};
		int64		phase;

		if (entry == NULL || entry->st_progress_command != PROGRESS_COMMAND_REFRESH ||
			entry->st_databaseid != MyDatabaseId ||
			!has_privs_of_role(GetUserId(), entry->st_userid))
			continue;
		phase = entry->st_progress_param[PARAM_PHASE];
		if (phase < 0 || phase >= (int64) lengthof(phase_name))
			continue;
		value[0] = Int32GetDatum(entry->st_procpid);
		value[1] = ObjectIdGetDatum(entry->st_progress_command_target);
		value[2] = CStringGetTextDatum(phase_name[phase]);
		value[3] = Int64GetDatum(entry->st_progress_param[PARAM_DONE]);
		value[4] = Int64GetDatum(entry->st_progress_param[PARAM_TOTAL]);
		isnull[4] = entry->st_progress_param[PARAM_TOTAL] == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	return (Datum) 0;
}
