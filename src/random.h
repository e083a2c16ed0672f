/*
 * random.h
 *	  Streams of random numbers that depend on a seed and a number only.
 *
 * Whoever draws sample i takes stream i, so that a result does not depend on
 * who draws which samples, nor on how many there are beside it.
 *
 * SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014).  PostgreSQL has a generator to use in place of it
 * from version 15 on only, and one that takes longer to seed than most samples
 * take to draw.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#ifndef INFLUENCE_RANDOM_H
#define INFLUENCE_RANDOM_H

#include <math.h>
#include <stdint.h>

typedef struct RandomStream
{
	uint64_t	state;
} RandomStream;

/* No exponential variate is greater: -ln(2^-53), rounded up. */
#define RANDOM_EXPONENTIAL_MOST	36.8

static inline uint64_t
random_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t
random_word(RandomStream *stream)
{
	return random_mix(stream->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* Stream number i of a kind, for a seed. */
static inline RandomStream
random_stream(uint64_t seed, uint32_t kind, uint64_t i)
{
	RandomStream stream = {random_mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (kind + 1))};

	stream.state = random_mix(random_word(&stream) ^ random_mix(i));
	return stream;
}

/* Uniform: greater than 0, at most 1. */
static inline double
random_unit(RandomStream *stream)
{
	return ((double) (random_word(stream) >> 11) + 1) * 0x1p-53;
}

/* Exponential with mean 1: at least 0, at most RANDOM_EXPONENTIAL_MOST. */
static inline double
random_exponential(RandomStream *stream)
{
	return -log(random_unit(stream));
}

/* Uniform over 0 .. n - 1. */
static inline uint32_t
random_below(RandomStream *stream, uint32_t n)
{
	return (uint32_t) ((double) (random_word(stream) >> 11) * 0x1p-53 * n);
}

#endif
