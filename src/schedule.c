/*
 * schedule.c
 *	  Refreshing models regularly, by jobs of pg_cron.
 *
 * A job is a row of cron.job, which pg_cron's functions write; they are
 * called here with the caller's rights, so a job is the caller's and runs as
 * the caller.  It is found again by its name, which follows from the model's.
 * Every role can have a job of its own for a model.
 *
 * pg_cron keeps the jobs of all databases in one.  Elsewhere its functions do
 * not exist, and an error says what to execute there.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "compat.h"
#include "model.h"
#include "publish.h"
#include "schedule.h"
#include "source.h"

/* Length of what makes a name that is cut unlike others: ~ and a hash. */
#define UNLIKE_LENGTH	9

/* A job, as find_job finds it. */
typedef struct Job
{
	int64		id;
	bool		active;
	bool		here;			/* of this database */
} Job;

PG_FUNCTION_INFO_V1(influence_schedule);
PG_FUNCTION_INFO_V1(influence_unschedule);

/* --- where pg_cron is --------------------------------------------------- */

/*
 * The database that pg_cron keeps its jobs in; NULL if the server has not
 * loaded it.  A setting of that name alone does not mean that it has.
 */
static const char *
cron_database(void)
{
	const char *name = GetConfigOption("cron.database_name", true, false);

	if (name == NULL || (GetConfigOptionFlags("cron.database_name", true) & GUC_CUSTOM_PLACEHOLDER))
		return NULL;
	return name;
}

static const char *
this_database(void)
{
	return get_database_name(MyDatabaseId);
}

/* Is pg_cron loaded, with its jobs and its functions in this database? */
static bool
cron_is_here(void)
{
	const char *database = cron_database();

	return database && strcmp(database, this_database()) == 0 &&
		OidIsValid(get_extension_oid("pg_cron", true));
}

static bool
may_use_cron(void)
{
	Oid			schema = get_namespace_oid("cron", true);

	return OidIsValid(schema) &&
		compat_schema_aclcheck(schema, GetUserId(), ACL_USAGE) == ACLCHECK_OK;
}

/*
 * Raise an error unless the caller can call pg_cron's functions.  statement
 * is what does the job in the database where they are.
 */
static void
check_cron(const char *statement)
{
	const char *database = cron_database();

	if (database == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cron is not loaded on this server"),
				 errdetail("Models are refreshed regularly by jobs of pg_cron."),
				 errhint("Install pg_cron, add it to shared_preload_libraries, set cron.database_name to %s, restart the server, and execute CREATE EXTENSION pg_cron.",
						 quote_literal_cstr(this_database()))));
	if (strcmp(database, this_database()) != 0)
	{
		/* the setting is for the eyes of a few */
		bool		known = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_SETTINGS);

		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cron keeps its jobs in another database"),
				 errhint("Execute in %s%s: %s",
						 known ? "database " : "the database that cron.database_name names",
						 known ? quote_identifier(database) : "", statement)));
	}
	if (!OidIsValid(get_extension_oid("pg_cron", true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"pg_cron\" does not exist"),
				 errhint("A superuser can create it in this database by CREATE EXTENSION pg_cron.")));
	if (!may_use_cron())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema cron"),
				 errhint("A superuser can permit jobs of pg_cron by GRANT USAGE ON SCHEMA cron TO %s.",
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* --- jobs --------------------------------------------------------------- */

/*
 * The name of the job of a model, of this database or, for a job that is kept
 * in another database, of the one named.  A name of pg_cron's has at most 63
 * bytes; what is longer is cut, and made unlike others that begin like it.
 */
static char *
job_name(const char *model, const char *database)
{
	char	   *name = psprintf("influence: %s%s%s", model, database ? " in " : "",
								database ? database : "");
	int			length = strlen(name);

	if (length < NAMEDATALEN)
		return name;
	return psprintf("%.*s~%08x", pg_mbcliplen(name, length, NAMEDATALEN - 1 - UNLIKE_LENGTH), name,
					hash_bytes((const unsigned char *) name, length));
}

/*
 * What the job of a model executes.  All arguments are there with their
 * types: no other function of that name fits better, whoever made it.
 */
static char *
job_command(const char *schema, const char *model)
{
	return psprintf("SELECT %s(%s::pg_catalog.text, 'auto'::pg_catalog.text, NULL::pg_catalog.timestamptz)",
					quote_qualified_identifier(schema, "influence_refresh"),
					quote_literal_cstr(model));
}

/* Execute a query of one argument as the caller; its one value. */
static Datum
call_cron(const char *command, int nargs, Oid *type, Datum *value)
{
	bool		isnull;

	if (SPI_execute_with_args(command, nargs, type, value, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not execute \"%s\"", command);
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
}

/*
 * The jobs of a name: the caller's, or all roles'.  Returns how many there
 * are; *jobs gets them.  SPI is connected.
 */
static int
find_jobs(const char *name, bool all, Job **jobs)
{
	Oid			type[] = {TEXTOID, BOOLOID};
	Datum		value[] = {CStringGetTextDatum(name), BoolGetDatum(all)};
	int			n;
	int			nest = NewGUCNestLevel();

	/* a policy limits everybody to their own jobs; with this off it is an error */
	(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_execute_with_args("SELECT jobid, active, database OPERATOR(pg_catalog.=) pg_catalog.current_database()"
							  " FROM cron.job WHERE jobname::pg_catalog.text OPERATOR(pg_catalog.=) $1"
							  " AND ($2 OR username OPERATOR(pg_catalog.=) CURRENT_USER)",
							  2, type, value, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read cron.job");
	AtEOXact_GUC(true, nest);
	n = (int) SPI_processed;
	*jobs = palloc0((n + 1) * sizeof(Job));
	for (int i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		(*jobs)[i].id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		(*jobs)[i].active = DatumGetBool(SPI_getbinval(row, desc, 2, &isnull));
		(*jobs)[i].here = DatumGetBool(SPI_getbinval(row, desc, 3, &isnull));
	}
	return n;
}

/* Remove those of some jobs that are of this database; returns how many. */
static int
remove_jobs(const Job *jobs, int n)
{
	Oid			type[] = {INT8OID};
	int			removed = 0;

	for (int i = 0; i < n; i++)
	{
		Datum		value[] = {Int64GetDatum(jobs[i].id)};

		if (!jobs[i].here)
			continue;
		(void) call_cron("SELECT cron.unschedule($1)", 1, type, value);
		removed++;
	}
	return removed;
}

/*
 * The job of a model that is dropped goes with it, if it is the caller's; a
 * superuser's drop takes everybody's along.  What is left, such as a job that
 * is kept in another database, fails from then on, which pg_cron records.  If
 * pg_cron refuses, that is a warning: it keeps nobody from dropping a model.
 */
void
schedule_forget(const char *model)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	if (!cron_is_here() || !may_use_cron())
		return;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		Job		   *jobs;
		int			n;

		spi_begin();
		n = find_jobs(job_name(model, NULL), superuser(), &jobs);
		(void) remove_jobs(jobs, n);
		spi_end();
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		ereport(WARNING,
				(errmsg("could not remove jobs for model \"%s\": %s", model, error->message),
				 errhint("Jobs for it that are left will fail.")));
	}
	PG_END_TRY();
}

/* --- functions ---------------------------------------------------------- */

/* Raise an error if pg_cron could not log in as the caller. */
static void
check_login(void)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	bool		login = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (!login)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("role \"%s\" is not permitted to log in", GetUserNameFromId(GetUserId(), false)),
				 errdetail("pg_cron runs a job in a session of the role that scheduled it."),
				 errhint("Schedule the model as a role that can log in and may refresh it.")));
}

/*
 * Let pg_cron make or replace a job; its number.  pg_cron up to 1.4 says only
 * that a schedule is wrong: then add what one looks like.
 */
static int64
make_job(const char *name, const char *schedule, const char *command)
{
	Oid			type[] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		value[] = {CStringGetTextDatum(name), CStringGetTextDatum(schedule), CStringGetTextDatum(command)};
	MemoryContext context = CurrentMemoryContext;
	volatile int64 id = 0;

	PG_TRY();
	{
		id = DatumGetInt64(call_cron("SELECT cron.schedule($1, $2, $3)", 3, type, value));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_INVALID_PARAMETER_VALUE || error->hint)
			PG_RE_THROW();
		FlushErrorState();
		error->hint = pstrdup("A schedule names minute, hour, day of month, month and day of week, such as '*/15 * * * *'.");
		ReThrowError(error);
	}
	PG_END_TRY();
	return id;
}

/*
 * influence_schedule(model text, schedule text) returns bigint
 *
 * Let pg_cron refresh a model, the default one if it is NULL, on a schedule
 * and as the caller; replaces the caller's job for the model, if there is
 * one.  Returns pg_cron's number of the job.  Raises an error if there is no
 * such model, the caller may not refresh it, pg_cron is not there for the
 * caller, or the schedule is not one.
 */
Datum
influence_schedule(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *schema = get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid));
	Catalog		catalog = catalog_open(fcinfo);
	char	   *schedule,
			   *command;
	Model	   *model;
	Job		   *jobs;
	int			n;
	int64		id;

	PreventCommandIfReadOnly("influence_schedule()");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("schedule must not be NULL"),
				 errhint("Call influence_unschedule to end the schedule of a model.")));
	schedule = text_to_cstring(PG_GETARG_TEXT_PP(1));
	model = model_find(&catalog, name, false);
	publish_check(model);
	source_check(model);
	check_login();
	name = job_name(model->name, NULL);
	command = job_command(schema, model->name);
	check_cron(psprintf("SELECT cron.schedule_in_database(%s, %s, %s, %s)",
						quote_literal_cstr(job_name(model->name, this_database())),
						quote_literal_cstr(schedule), quote_literal_cstr(command),
						quote_literal_cstr(this_database())));
	spi_begin();
	n = find_jobs(name, false, &jobs);
	if (n > 0 && !jobs[0].here)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("job \"%s\" is one of another database", name),
				 errhint("Remove it by SELECT cron.unschedule(" INT64_FORMAT "), and schedule it under another name.",
						 jobs[0].id)));
	id = make_job(name, schedule, command);
	if (n > 0 && !jobs[0].active)
		ereport(WARNING,
				(errmsg("job \"%s\" is not active", name),
				 errhint("Activate it by SELECT cron.alter_job(" INT64_FORMAT ", active => true).", id)));
	spi_end();
	PG_RETURN_INT64(id);
}

/*
 * influence_unschedule(model text)
 *
 * Remove the caller's job for a model, the default one if it is NULL.  Works
 * for a model that has been dropped, too.  Raises an error if there is no such
 * job.
 */
Datum
influence_unschedule(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	char	   *name;
	Job		   *jobs;
	int			n;

	PreventCommandIfReadOnly("influence_unschedule()");
	name = PG_ARGISNULL(0) ? model_find(&catalog, NULL, false)->name :
		text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_cron(psprintf("SELECT cron.unschedule(%s)",
						quote_literal_cstr(job_name(name, this_database()))));
	spi_begin();
	n = find_jobs(job_name(name, NULL), false, &jobs);
	if (remove_jobs(jobs, n) == 0)
	{
		(void) model_find(&catalog, name, false);
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" has no job for model \"%s\"",
						GetUserNameFromId(GetUserId(), false), name),
				 errhint("The table cron.job shows the jobs there are; everybody removes their own.")));
	}
	spi_end();
	PG_RETURN_VOID();
}
