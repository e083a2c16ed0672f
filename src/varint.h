/*
 * varint.h
 *	  Numbers in as few bytes as they need, seven bits in each (LEB128).
 */
#ifndef INFLUENCE_VARINT_H
#define INFLUENCE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

/* The most bytes that a number takes. */
#define VARINT_MOST		10

/* Write a number; returns where the next byte goes. */
static inline uint8_t *
varint_put(uint8_t *to, uint64_t value)
{
	while (value >= 0x80)
	{
		*to++ = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	*to++ = (uint8_t) value;
	return to;
}

/*
 * Read a number that ends before end; returns where it ends, or NULL if it
 * does not or is longer than numbers are.
 */
static inline const uint8_t *
varint_get(const uint8_t *from, const uint8_t *end, uint64_t *value)
{
	uint64_t	sum = 0;

	for (int shift = 0; from < end && shift < 7 * VARINT_MOST; shift += 7)
	{
		uint8_t		byte = *from++;

		sum |= (uint64_t) (byte & 0x7f) << shift;
		if (byte < 0x80)
		{
			*value = sum;
			return from;
		}
	}
	return 0;
}

#endif
