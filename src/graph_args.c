/*
 * graph_args.c
 *	  Arguments that functions on graph values have in common.
 */
#include "graph_args.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

/*
 * The elements of an array of bigint or float8, one-dimensional and without
 * NULLs; raises errors that call it name.
 */
Datum *
graph_array_elements(ArrayType *array, const char *name, Oid type, int *count)
{
	Datum	   *element;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", name)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain nulls", name)));
	deconstruct_array(array, type, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &element, NULL, count);
	return element;
}

/* Where a node is among ids that ascend; false if it is not there. */
bool
graph_find_node(const int64 *id, uint32 nodes, int64 node, uint32 *index)
{
	uint32		low = 0;
	uint32		high = nodes;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (id[middle] < node)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return low < nodes && id[low] == node;
}

/*
 * The arguments cascade and probability, by their numbers.  Raises errors if
 * there is no such cascade (learned ones are for models), or the probability is none, or is missing, or is
 * there and would not be used.
 */
GraphCascade
graph_get_cascade(FunctionCallInfo fcinfo, int cascade, int probability, bool of_model)
{
	static const struct
	{
		const char *name;
		CascadeKind kind;
	}			known[] =
	{
		{"weighted", CASCADE_WEIGHTED},
		{"uniform", CASCADE_UNIFORM},
		{"weights", CASCADE_WEIGHTS},
		{"threshold", CASCADE_THRESHOLD},
		{"learned", CASCADE_WEIGHTS}
	};
	GraphCascade result = {0};
	char	   *name;
	int			i = 0;

	if (PG_ARGISNULL(cascade))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cascade must not be null")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(cascade));
	while (i < lengthof(known) && strcmp(name, known[i].name) != 0)
		i++;
	if (i == lengthof(known))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no cascade \"%s\"", name),
				 of_model ?
				 errhint("Cascades of a model are \"weighted\", \"uniform\", \"threshold\" and \"learned\".") :
				 errhint("Cascades are \"weighted\", \"uniform\", \"weights\" and \"threshold\".")));
	result.kind = known[i].kind;
	result.learned = strcmp(name, "learned") == 0;
	if (result.learned && !of_model)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no cascade \"learned\" on graph values"),
				 errhint("It is for influence_campaign, as probabilities are learned from the interactions of a model. On a graph whose weights are probabilities, use \"weights\".")));
	if (result.kind == CASCADE_WEIGHTS && of_model && !result.learned)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights of a model are not probabilities"),
				 errhint("Cascades of a model are \"weighted\", \"uniform\", \"threshold\" and \"learned\".")));

	if (result.kind != CASCADE_UNIFORM)
	{
		if (!PG_ARGISNULL(probability))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("probability cannot be given for cascade \"%s\"", name),
					 errhint("It is for cascade \"uniform\".")));
		return result;
	}
	if (PG_ARGISNULL(probability))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cascade \"uniform\" needs a probability"),
				 errhint("Add for example probability => 0.01.")));
	result.probability = PG_GETARG_FLOAT8(probability);
	if (!(result.probability >= 0 && result.probability <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("probability must be between 0 and 1, not %g", result.probability)));
	return result;
}

/* Is there a weight for each edge that matters? */
bool
graph_cascade_weighs(const GraphCascade *cascade, const InfluenceGraph *graph)
{
	return cascade->kind != CASCADE_UNIFORM && graph->weights != GRAPH_EQUAL;
}

/*
 * Check that weights can be probabilities, if they are to be; where all weigh
 * the same that is the probability.
 */
void
graph_check_cascade(GraphCascade *cascade, GraphDirection direction, const GraphArrays *arrays)
{
	if (cascade->kind != CASCADE_WEIGHTS)
		return;
	if (arrays->weight == NULL)
		cascade->probability = arrays->equal;
	for (uint32 v = 0; v < arrays->nodes; v++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint64 e = arrays->offset[v]; e < arrays->offset[v + 1]; e++)
		{
			double		weight = arrays->weight ? arrays->weight[e] : arrays->equal;
			int64		row = arrays->id[v];
			int64		other = arrays->id[arrays->column[e]];

			if (weight > 1)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("edge %lld>%lld has weight %g, which is not a probability",
								(long long) (direction == GRAPH_OUT ? row : other),
								(long long) (direction == GRAPH_OUT ? other : row), weight),
						 errhint("For cascade \"weights\" weights must be at most 1; cascade \"weighted\" divides them by the sum of each source's.")));
		}
	}
}
