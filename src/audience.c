/*
 * audience.c
 *	  influence_audience: whom a shortlist reaches directly, and how much of
 *	  that is the same people.
 *
 * The audience of a user are the people who reacted to them.  For each person
 * in any of the audiences it is noted whose: sorted by person, that says who
 * is in one only, in how many all together, and in which two.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "kept.h"
#include "people.h"
#include "radix.h"

PG_FUNCTION_INFO_V1(influence_audience);

/* The arguments, by number. */
enum
{
	ARG_MODEL,
	ARG_USERS,
	ARG_NETWORK,
	ARG_TOPIC
};

#define COLUMNS		4

/* Who reacted to whom on the list: person << 32 | place on the list. */
typedef struct Reach
{
	Kept	   *kept;
	const KeptView *view;
	uint32		user;			/* on the list */
	uint64	   *pair;
	Size		n;
	Size		room;
	Size		most;			/* that memory allows */
} Reach;

static void
take_supporter(void *context, KeptNode source, const Part *part, int n)
{
	Reach	   *reach = context;
	bool		counts = false;

	for (int i = 0; i < n && !counts; i++)
		counts = kept_counts(reach->kept, reach->view, part[i].label);
	if (!counts)
		return;
	if (reach->n == reach->room)
	{
		if (reach->room == reach->most)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("audiences need more memory than maintenance_work_mem (%d MB)",
							maintenance_work_mem / 1024),
					 errhint("Raise \"maintenance_work_mem\" for this session, or shorten the list.")));
		reach->room = Min(reach->room * 2, reach->most);
		reach->pair = repalloc_huge(reach->pair, reach->room * sizeof(uint64));
	}
	reach->pair[reach->n++] = (uint64) kept_number(reach->kept, source) << 32 | reach->user;
}

static void
put(ReturnSetInfo *rsinfo, const Model *model, const Id *user, const Id *other,
	uint64 audience, uint64 only)
{
	Datum		value[COLUMNS] = {0};
	bool		isnull[COLUMNS] = {user == NULL, other == NULL, false, false};

	if (user)
		value[0] = id_to_datum(model->id_type, user);
	if (other)
		value[1] = id_to_datum(model->id_type, other);
	value[2] = Int64GetDatum((int64) audience);
	value[3] = Int64GetDatum((int64) only);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
}

/* Take users who are on the list twice off it; returns how many are left. */
static uint32
make_distinct(const Model *model, Id *user, uint32 n)
{
	uint32		kept = 0;
	uint64	   *key = palloc_extended(4 * (Size) Max(n, 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	uint64	   *at = key + n;
	bool	   *twice = palloc0(Max(n, 1));

	for (uint32 i = 0; i < n; i++)
	{
		key[i] = user[i].hash;
		at[i] = i;
	}
	radix_sort(key, at, key + 2 * (Size) n, key + 3 * (Size) n, n, 64);
	for (uint32 i = 0; i < n; i++)
		for (uint32 j = i + 1; j < n && key[j] == key[i]; j++)
			if (id_equal(model->id_type, &user[at[i]], &user[at[j]]))
				twice[at[j]] = true;
	for (uint32 i = 0; i < n; i++)
		if (!twice[i])
			user[kept++] = user[i];
	pfree(key);
	pfree(twice);
	return kept;
}

/*
 * influence_audience(model text, users anyarray, network text, topic text)
 * returns table (user_id, other, audience, only_here)
 *
 * Exact numbers of people who reacted to the users of a list.  The first row,
 * without ids, is of all of them: the union of their audiences, and who is in
 * one only.  Then a row of each user, in the order of the list: the audience,
 * and who is in nobody else's.  Then a row of each two whose audiences meet:
 * who is in both, and who in no third.  Raises an error if there is no such
 * model, no graph is kept, ids are of another type, the caller may not read
 * it, or memory does not suffice.
 */
Datum
influence_audience(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	uint64		memory = (uint64) maintenance_work_mem * 1024;
	Model	   *model;
	Kept	   *kept;
	KeptView	view;
	Reach		reach = {0};
	Id		   *user;
	uint32		n;
	uint64	   *audience,
			   *only,
			   *both,
			   *no_third;
	uint64		all = 0,
				one = 0;
	uint64	   *spare;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ARG_USERS))
		return (Datum) 0;
	model = people_model(fcinfo, ARG_MODEL);
	user = people_from_array(model, PG_GETARG_DATUM(ARG_USERS), "users", &n);
	n = make_distinct(model, user, n);
	if (2 * (uint64) n * n * sizeof(uint64) > memory / 2)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("overlaps of %u users need more memory than maintenance_work_mem (%d MB)",
						n, maintenance_work_mem / 1024),
				 errhint("Raise \"maintenance_work_mem\" for this session, or shorten the list.")));
	kept = kept_open(model, 0);
	view = kept_view(kept, people_text(fcinfo, ARG_NETWORK), people_text(fcinfo, ARG_TOPIC));
	reach.kept = kept;
	reach.view = &view;
	/* while they are sorted there are two of each */
	reach.most = memory / 2 / (2 * sizeof(uint64));
	reach.room = Min(1024, reach.most);
	reach.pair = palloc(reach.room * sizeof(uint64));
	for (uint32 i = 0; i < n; i++)
	{
		KeptNode	node;

		CHECK_FOR_INTERRUPTS();
		reach.user = i;
		if (kept_find(kept, &user[i], &node))
			kept_row(kept, node, take_supporter, &reach);
	}
	spare = palloc_extended((reach.n + 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	radix_sort(reach.pair, NULL, spare, NULL, reach.n, 64);
	pfree(spare);

	audience = palloc0((n + 1) * sizeof(uint64));
	only = palloc0((n + 1) * sizeof(uint64));
	both = palloc_extended(((Size) n * n + 1) * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	no_third = palloc_extended(((Size) n * n + 1) * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (Size i = 0, end; i < reach.n; i = end)
	{
		const uint64 *pair = reach.pair;

		for (end = i + 1; end < reach.n && pair[end] >> 32 == pair[i] >> 32; end++)
			;
		CHECK_FOR_INTERRUPTS();
		all++;
		one += end - i == 1;
		for (Size a = i; a < end; a++)
		{
			uint32		u = (uint32) pair[a];

			audience[u]++;
			only[u] += end - i == 1;
			for (Size b = a + 1; b < end; b++)
			{
				both[(Size) u * n + (uint32) pair[b]]++;
				no_third[(Size) u * n + (uint32) pair[b]] += end - i == 2;
			}
		}
	}
	put(rsinfo, model, NULL, NULL, all, one);
	for (uint32 i = 0; i < n; i++)
		put(rsinfo, model, &user[i], NULL, audience[i], only[i]);
	for (uint32 i = 0; i < n; i++)
		for (uint32 j = i + 1; j < n; j++)
			if (both[(Size) i * n + j] > 0)
				put(rsinfo, model, &user[i], &user[j], both[(Size) i * n + j],
					no_third[(Size) i * n + j]);
	return (Datum) 0;
}
