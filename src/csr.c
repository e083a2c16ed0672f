/*
 * csr.c
 *	  Compressed sparse rows: cutting a graph into chunks, and its invariants.
 */
#include <math.h>

#include "csr.h"

/*
 * Work of one chunk, in edges; a row counts as four edges on top of its own.
 * Large enough that claiming a chunk costs nothing beside working it off,
 * small enough that an interrupt is noticed at once and two processes finish
 * together.
 */
#define CHUNK_WORK		65536
#define WORK_PER_ROW	4

/*
 * Cut the blocks into chunks of about equal work.
 *
 * Called with chunk NULL it only counts.  The cuts depend on the graph alone,
 * never on the number of processes: sums that are formed chunk by chunk and
 * added in chunk order are therefore the same for any number of them.  A row
 * is never split.
 */
size_t
csr_chunks(const CsrBlock *block, size_t nblocks, CsrChunk *chunk)
{
	size_t		n = 0;

	for (size_t b = 0; b < nblocks; b++)
	{
		uint32_t	low = 0;
		uint64_t	work = 0;

		for (uint32_t row = 0; row < block[b].nrows; row++)
		{
			work += block[b].offset[row + 1] - block[b].offset[row] + WORK_PER_ROW;
			if (work < CHUNK_WORK && row + 1 < block[b].nrows)
				continue;
			if (chunk)
				chunk[n] = (CsrChunk) {(uint32_t) b, low, row + 1};
			n++;
			low = row + 1;
			work = 0;
		}
	}
	return n;
}

/*
 * The invariants of a block of a graph over so many nodes and slots: offsets
 * ascend from 0, columns are slots and ascend strictly within a row (one edge
 * a pair), weights are finite and positive.
 */
bool
csr_valid(const CsrBlock *block, uint32_t nodes, uint32_t slots)
{
	if (block->first > nodes || block->nrows > nodes - block->first ||
		block->lane >= block->lanes)
		return false;
	if (block->nrows == 0)
		return true;
	if (block->offset[0] != 0)
		return false;
	for (uint32_t row = 0; row < block->nrows; row++)
	{
		if (block->offset[row + 1] < block->offset[row])
			return false;
		for (uint64_t e = block->offset[row]; e < block->offset[row + 1]; e++)
		{
			double		weight = csr_weight(block, e);

			if (block->column[e] >= slots ||
				(e > block->offset[row] && block->column[e] <= block->column[e - 1]) ||
				!(weight > 0) || isinf(weight))
				return false;
		}
	}
	return true;
}
