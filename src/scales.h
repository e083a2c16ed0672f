/*
 * scales.h
 *	  The scales of a model's networks and topics.
 */
#ifndef INFLUENCE_SCALES_H
#define INFLUENCE_SCALES_H

#include "catalog.h"
#include "labels.h"

typedef struct Scales Scales;

extern const char *const facet_type_name[FACET_TYPES];

extern Scales *scales_read(const Catalog *catalog, const char *model);
extern void scales_find(const Scales *scales, FacetType type, LabelName name,
						double *reference, double *c);
extern void scales_note(Scales *scales, FacetType type, LabelName name, double reference, double c);
extern void scales_store(const Catalog *catalog, const char *model, const Scales *scales);

#endif
