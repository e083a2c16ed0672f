/*
 * hept.c
 *	  Writes a graph of the size and kind of NetHEPT: who wrote with whom.
 *
 * usage: hept SEED
 *
 * NetHEPT, on which seed selection is mostly compared, has 15,229 authors and
 * 31,376 pairs of coauthors.  Here papers have two to five authors, most of
 * them few; who wrote much writes more (Simon 1955), often with the same
 * people as before.  Prints lines "author,author", both ways for each pair.
 *
 * Random numbers: SplitMix (Steele, Lea and Flood, OOPSLA 2014).
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define AUTHORS		15229
#define PAIRS		31376
#define SLOTS		1000000

static uint64_t state;

static uint32_t
below(uint32_t n)
{
	uint64_t	z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t) (((z ^ (z >> 31)) >> 32) * n >> 32);
}

int
main(int argc, char **argv)
{
	static uint32_t slot[SLOTS];	/* an author for each paper of theirs */
	static uint32_t pair[PAIRS][2];
	static uint32_t last[AUTHORS];	/* somebody they wrote with, plus 1 */
	uint32_t	slots = 0;
	uint32_t	authors = 0;
	uint32_t	pairs = 0;

	if (argc != 2)
	{
		fprintf(stderr, "usage: hept SEED\n");
		return 2;
	}
	state = strtoull(argv[1], NULL, 10);
	while (pairs < PAIRS && slots + 5 < SLOTS)
	{
		uint32_t	author[5];
		uint32_t	n = 2;

		while (n < 5 && below(3) == 0)
			n++;
		for (uint32_t i = 0; i < n; i++)
		{
			/* so that authors and pairs run out together */
			uint32_t	fresh = authors < 10 || (uint64_t) authors * PAIRS < (uint64_t) AUTHORS * pairs;

			if (i > 0 && last[author[0]] > 0 && below(2) == 0)
				author[i] = last[author[0]] - 1;
			else if (fresh && authors < AUTHORS)
				author[i] = authors++;
			else
				author[i] = below(4) == 0 ? slot[below(slots)] : below(authors);
			slot[slots++] = author[i];
		}
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = 0; j < i; j++)
			{
				uint32_t	known = author[i] == author[j];

				for (uint32_t p = 0; p < pairs && !known; p++)
					known = (pair[p][0] == author[i] && pair[p][1] == author[j]) ||
						(pair[p][0] == author[j] && pair[p][1] == author[i]);
				last[author[i]] = author[j] + 1;
				last[author[j]] = author[i] + 1;
				if (known || pairs == PAIRS)
					continue;
				pair[pairs][0] = author[i];
				pair[pairs][1] = author[j];
				pairs++;
			}
	}
	for (uint32_t p = 0; p < pairs; p++)
		printf("%" PRIu32 ",%" PRIu32 "\n%" PRIu32 ",%" PRIu32 "\n", pair[p][0], pair[p][1], pair[p][1], pair[p][0]);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
