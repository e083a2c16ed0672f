/*
 * mixture.c
 *	  What influence is made of: a model's definition of it.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "mixture.h"
#include "weights.h"

static void
take(void *context, const char *name, uint32 length, double weight)
{
	Mixture    *mixture = context;

	if (length == 4 && memcmp(name, "rank", 4) == 0)
		mixture->rank = weight;
	else if (length == 9 && memcmp(name, "responses", 9) == 0)
		mixture->responses = weight;
	else if (length == 8 && memcmp(name, "audience", 8) == 0)
		mixture->audience = weight;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mixture has no part \"%.*s\"", (int) length, name),
				 errhint("Its parts are \"rank\", \"responses\" and \"audience\".")));
}

/*
 * The mixture that an object says, {"rank": 3, "audience": 1}, its parts made
 * to sum to 1; NULL is rank alone.  Raises an error for other parts, weights
 * that are negative or infinite, or all zero.
 */
Mixture
mixture_from_json(Jsonb *json)
{
	Mixture		mixture = {0};
	double		sum;

	if (json == NULL)
		return (Mixture) {.rank = 1};
	weights_each("mixture", json, take, &mixture);
	sum = mixture.rank + mixture.responses + mixture.audience;
	if (!(sum > 0) || isinf(sum))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parts of a mixture must have a finite sum greater than 0")));
	mixture.rank /= sum;
	mixture.responses /= sum;
	mixture.audience /= sum;
	return mixture;
}
