/*
 * rmat.c
 *	  Writes an R-MAT graph as rows (src bigint, dst bigint, weight real, at
 *	  timestamptz) in the binary format of COPY.
 *
 * usage: rmat SCALE EDGE_FACTOR SEED
 *
 * 2^SCALE possible users and EDGE_FACTOR * 2^SCALE rows, drawn independently:
 * each picks one quadrant of the adjacency matrix with probabilities .57, .19,
 * .19 and .05, SCALE times over (Chakrabarti, Zhan and Faloutsos, "R-MAT: a
 * recursive model for graph mining", SDM 2004; parameters of Graph500).  As
 * real logs do, it repeats pairs and has self-interactions.
 *
 * The node numbers are made sparse 63-bit ids without collisions: xor with a
 * right shift, and multiplication by an odd constant modulo 2^63, are both
 * bijections (constants of Steele, Lea and Flood's SplitMix, OOPSLA 2014, which
 * is the random generator here, too).  Weights are uniform in [0.5, 1.5), times
 * uniform over the year 2024.
 */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint64_t
next_random(void)
{
	uint64_t	z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int64_t
sparse_id(uint64_t node)
{
	const uint64_t mask = UINT64_MAX >> 1;

	node = (node * UINT64_C(0xbf58476d1ce4e5b9)) & mask;
	node ^= node >> 30;
	node = (node * UINT64_C(0x94d049bb133111eb)) & mask;
	node ^= node >> 31;
	return (int64_t) node;
}

static char *
put(char *p, const void *bytes, size_t size)
{
	memcpy(p, bytes, size);
	return p + size;
}

static char *
put_field(char *p, uint64_t value, int size)
{
	uint32_t	length = htobe32((uint32_t) size);

	value = htobe64(size == 4 ? value << 32 : value);
	return put(put(p, &length, 4), &value, (size_t) size);
}

int
main(int argc, char **argv)
{
	static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
	const uint16_t fields = htobe16(4);
	const uint16_t end = 0xffff;
	/* thresholds of 32 random bits for the first three quadrants */
	const uint32_t a = (uint32_t) (0.57 * 4294967296.0);
	const uint32_t ab = (uint32_t) (0.76 * 4294967296.0);
	const uint32_t abc = (uint32_t) (0.95 * 4294967296.0);
	const uint64_t start = UINT64_C(8766) * 86400 * 1000000;	/* 2024-01-01, in microseconds since 2000 */
	const uint64_t year = UINT64_C(366) * 86400 * 1000000;
	int			scale;
	uint64_t	rows;

	if (argc != 4 || (scale = atoi(argv[1])) < 1 || scale > 40 || atoi(argv[2]) < 1)
	{
		fprintf(stderr, "usage: rmat SCALE EDGE_FACTOR SEED\n");
		return 2;
	}
	rows = (uint64_t) atoi(argv[2]) << scale;
	state = strtoull(argv[3], NULL, 10);

	fwrite(header, 1, 19, stdout);
	for (uint64_t i = 0; i < rows; i++)
	{
		uint64_t	src = 0,
					dst = 0,
					bits = 0;
		float		weight;
		uint32_t	weight_bits;
		char		row[64];
		char	   *p = row;

		for (int level = 0; level < scale; level++)
		{
			uint32_t	r;

			bits = level % 2 ? bits >> 32 : next_random();
			r = (uint32_t) bits;
			src = src << 1 | (r >= ab);
			dst = dst << 1 | ((r >= a && r < ab) || r >= abc);
		}
		bits = next_random();
		weight = 0.5f + (float) (bits >> 40) / 16777216.0f;
		memcpy(&weight_bits, &weight, 4);

		p = put(p, &fields, 2);
		p = put_field(p, (uint64_t) sparse_id(src), 8);
		p = put_field(p, (uint64_t) sparse_id(dst), 8);
		p = put_field(p, weight_bits, 4);
		p = put_field(p, start + next_random() % year, 8);
		fwrite(row, 1, (size_t) (p - row), stdout);
	}
	fwrite(&end, 1, 2, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
