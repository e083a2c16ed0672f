/*
 * scales.c
 *	  The scales of a model's networks and topics.
 *
 * Each has one, taken when somebody has influence in it for the first time,
 * and kept in influence_scale: as of the whole model, so that a score means
 * the same tomorrow.  They are read before a refresh, and those that were
 * taken in it are stored when it is done.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "scales.h"

const char *const facet_type_name[FACET_TYPES] = {
	[FACET_NETWORK] = "network",
	[FACET_TOPIC] = "topic"
};

typedef struct Scale
{
	LabelName	name;
	double		reference;
	double		c;
	bool		fresh;			/* taken since they were read */
	char		status;
} Scale;

#define SH_PREFIX			scale
#define SH_ELEMENT_TYPE		Scale
#define SH_KEY_TYPE			LabelName
#define SH_KEY				name
#define SH_HASH_KEY(tb, key)	hash_bytes((const unsigned char *) (key).bytes, (key).length)
#define SH_EQUAL(tb, a, b)	(label_name_compare(&(a), &(b)) == 0)
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct Scales
{
	MemoryContext context;
	scale_hash *scale[FACET_TYPES];
};

static void
put(Scales *scales, FacetType type, LabelName name, double reference, double c, bool fresh)
{
	Scale	   *scale = scale_lookup(scales->scale[type], name);

	if (scale == NULL)
	{
		char	   *bytes = MemoryContextAlloc(scales->context, name.length + 1);
		bool		found;

		memcpy(bytes, name.bytes, name.length);
		scale = scale_insert(scales->scale[type], (LabelName) {bytes, name.length}, &found);
	}
	scale->reference = reference;
	scale->c = c;
	scale->fresh = fresh;
}

/* The scales of a model, in the current memory context. */
Scales *
scales_read(const Catalog *catalog, const char *model)
{
	Scales	   *scales = palloc0(sizeof(Scales));
	Oid			type[] = {TEXTOID};
	Datum		value[] = {CStringGetTextDatum(model)};

	scales->context = CurrentMemoryContext;
	for (int t = 0; t < FACET_TYPES; t++)
		scales->scale[t] = scale_create(CurrentMemoryContext, 64, NULL);
	spi_begin();
	catalog_execute(catalog, true,
					psprintf("SELECT facet, name, reference, c FROM %s"
							 " WHERE model OPERATOR(pg_catalog.=) $1", catalog->scale_name),
					1, type, value, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		char	   *facet = TextDatumGetCString(SPI_getbinval(row, desc, 1, &isnull));
		text	   *name = DatumGetTextPP(SPI_getbinval(row, desc, 2, &isnull));

		put(scales, strcmp(facet, "network") == 0 ? FACET_NETWORK : FACET_TOPIC,
			(LabelName) {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)},
			DatumGetFloat8(SPI_getbinval(row, desc, 3, &isnull)),
			DatumGetFloat8(SPI_getbinval(row, desc, 4, &isnull)), false);
	}
	spi_end();
	return scales;
}

/* The scale of a network or topic; both are set to 0 if there is none. */
void
scales_find(const Scales *scales, FacetType type, LabelName name, double *reference, double *c)
{
	Scale	   *scale = scales ? scale_lookup(scales->scale[type], name) : NULL;

	*reference = scale ? scale->reference : 0;
	*c = scale ? scale->c : 0;
}

/* A scale was taken. */
void
scales_note(Scales *scales, FacetType type, LabelName name, double reference, double c)
{
	if (scales)
		put(scales, type, name, reference, c, true);
}

/* Store the scales that were taken since scales_read. */
void
scales_store(const Catalog *catalog, const char *model, const Scales *scales)
{
	for (int t = 0; scales && t < FACET_TYPES; t++)
	{
		Oid			type[] = {TEXTOID, TEXTOID, TEXTARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID};
		Datum		value[5] = {CStringGetTextDatum(model), CStringGetTextDatum(facet_type_name[t])};
		uint32		most = scales->scale[t]->members;
		Datum	   *column[3];
		scale_iterator i;
		Scale	   *scale;
		int			n = 0;

		for (int a = 0; a < 3; a++)
			column[a] = palloc_extended((Size) most * sizeof(Datum) + 1, MCXT_ALLOC_HUGE);
		scale_start_iterate(scales->scale[t], &i);
		while ((scale = scale_iterate(scales->scale[t], &i)) != NULL)
			if (scale->fresh)
			{
				column[0][n] = PointerGetDatum(cstring_to_text_with_len(scale->name.bytes,
																		scale->name.length));
				column[1][n] = Float8GetDatum(scale->reference);
				column[2][n] = Float8GetDatum(scale->c);
				n++;
			}
		if (n == 0)
			continue;
		value[2] = PointerGetDatum(construct_array(column[0], n, TEXTOID, -1, false, TYPALIGN_INT));
		for (int a = 1; a < 3; a++)
			value[2 + a] = PointerGetDatum(construct_array(column[a], n, FLOAT8OID, sizeof(float8),
														   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		spi_begin();
		catalog_execute(catalog, false,
						psprintf("INSERT INTO %s AS s (model, facet, name, reference, c)"
								 " SELECT $1, $2, n, r, c"
								 " FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4),"
								 "  pg_catalog.unnest($5)) AS u (n, r, c)"
								 " ON CONFLICT (model, facet, name)"
								 " DO UPDATE SET reference = EXCLUDED.reference, c = EXCLUDED.c",
								 catalog->scale_name),
						5, type, value, NULL);
		spi_end();
	}
}
