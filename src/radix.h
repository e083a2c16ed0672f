/*
 * radix.h
 *	  Sorting 64-bit keys, with a 64-bit payload each, in linear time.
 */
#ifndef INFLUENCE_RADIX_H
#define INFLUENCE_RADIX_H

#include <stddef.h>
#include <stdint.h>

extern void radix_sort(uint64_t *key, uint64_t *payload,
					   uint64_t *spare_key, uint64_t *spare_payload,
					   size_t n, int bits);

/* A word that orders like a double that is not negative and not NaN. */
static inline uint64_t
radix_from_double(double value)
{
	union
	{
		double		value;
		uint64_t	word;
	}			u = {value};

	return u.word;
}

/* A word that orders like a signed number. */
static inline uint64_t
radix_from_int64(int64_t value)
{
	return (uint64_t) value ^ UINT64_C(0x8000000000000000);
}

#endif
