/*
 * known.c
 *	  What a session knows of models.
 *
 * Which tables have a model's scores is kept for the session, until
 * influence_model or one of the tables changes (relcache invalidation).
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "known.h"

/* Tables that scores are in; changes of others do not matter. */
static const ModelTable scored[] = {TABLE_SCORES, TABLE_NETWORKS, TABLE_TOPICS};

static HTAB *known_models = NULL;
static Oid	model_catalog = InvalidOid;

uint64		known_generation = 1;

static void
forget_models(void)
{
	known_generation++;
	if (known_models)
		hash_destroy(known_models);
	known_models = NULL;
}

/* The definition of some relation changed: is it one we know of? */
static void
relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	KnownModel *known;
	bool		ours = relid == InvalidOid || relid == model_catalog;

	if (known_models)
	{
		hash_seq_init(&status, known_models);
		while ((known = hash_seq_search(&status)) != NULL)
			for (int t = 0; t < lengthof(scored); t++)
				ours = ours || known->table[scored[t]] == relid;
	}
	if (ours)
		forget_models();
}

/* What a subtransaction wrote may have been read under this snapshot. */
static void
subtransaction_ended(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_models();
}

/* Called once in each process. */
void
known_register_callbacks(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	RegisterSubXactCallback(subtransaction_ended, NULL);
}

/*
 * A model by name, or the one meant by NULL; raises model_find's errors.
 *
 * Definitions are read as of now, as those of relations are, whatever the
 * calling query's snapshot: what is kept must not be older than the last
 * invalidation.  In parallel mode there is no such snapshot, and nothing is
 * kept.
 */
KnownModel
known_find(FunctionCallInfo fcinfo, const char *name)
{
	char		key[NAMEDATALEN + 1] = {0};
	bool		parallel = IsInParallelMode();
	KnownModel *known;
	KnownModel	result = {{0}};
	uint64		before;

	/* influence_model has no names that do not fit */
	if (name)
		snprintf(key, sizeof(key), "=%s", name);
	if (known_models && (known = hash_search(known_models, key, HASH_FIND, NULL)) != NULL)
		return *known;

	do
	{
		Catalog		catalog = catalog_open(fcinfo);
		Model	   *model;

		before = known_generation;
		model_catalog = catalog.model;
		if (!parallel)
			PushActiveSnapshot(GetLatestSnapshot());
		model = model_find(&catalog, name, false);
		if (!parallel)
			PopActiveSnapshot();
		for (int t = 0; t < lengthof(scored); t++)
			result.table[scored[t]] = *tables_oid(model, scored[t]);
		result.id_type = model->id_type;
	} while (known_generation != before);
	memcpy(result.name, key, sizeof(key));
	if (parallel)
		return result;
	if (known_models == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(key);
		control.entrysize = sizeof(KnownModel);
		known_models = hash_create("influence models", 16, &control, HASH_ELEM | HASH_STRINGS);
	}
	*(KnownModel *) hash_search(known_models, key, HASH_ENTER, NULL) = result;
	return result;
}
