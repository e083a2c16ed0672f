/*
 * rmat.c
 *	  Writes an R-MAT graph (see rmat.h) in the binary format of COPY.
 *
 * usage: rmat SCALE EDGE_FACTOR SEED COLUMNS
 *
 * EDGE_FACTOR * 2^SCALE rows.  COLUMNS is one of
 *
 *		pair	src bigint, dst bigint
 *		event	the same, and weight real, at timestamptz, kind text
 *		text	src text, dst text, of 16 characters
 *		uuid	src uuid, dst uuid
 *
 * The rows are the same whatever the columns.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rmat.h"

static char *
put(char *p, const void *bytes, uint32_t size)
{
	memcpy(p, bytes, size);
	return p + size;
}

static char *
put_field(char *p, const void *bytes, uint32_t size)
{
	uint32_t	length = htobe32(size);

	return put(put(p, &length, 4), bytes, size);
}

static char *
put_word(char *p, uint64_t value)
{
	value = htobe64(value);
	return put_field(p, &value, 8);
}

static char *
put_id(char *p, uint64_t id, char columns)
{
	char		text[17];
	uint64_t	uuid[2];

	switch (columns)
	{
		case 't':
			snprintf(text, sizeof(text), "%016" PRIx64, id);
			return put_field(p, text, 16);
		case 'u':
			uuid[0] = htobe64(id);
			uuid[1] = htobe64(id * UINT64_C(0x9e3779b97f4a7c15));
			return put_field(p, uuid, 16);
		default:
			return put_word(p, id);
	}
}

int
main(int argc, char **argv)
{
	static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
	static const char *const kinds[] = {"like", "reply", "share", "mention"};
	const uint16_t end = 0xffff;
	uint16_t	fields;
	uint64_t	state,
				rows;
	int			scale;
	char		columns;

	if (argc != 5 || (scale = atoi(argv[1])) < 1 || scale > 40 || atoi(argv[2]) < 1)
	{
		fprintf(stderr, "usage: rmat SCALE EDGE_FACTOR SEED pair|event|text|uuid\n");
		return 2;
	}
	rows = (uint64_t) atoi(argv[2]) << scale;
	state = strtoull(argv[3], NULL, 10);
	columns = argv[4][0];
	fields = htobe16(columns == 'e' ? 5 : 2);

	fwrite(header, 1, 19, stdout);
	for (uint64_t i = 0; i < rows; i++)
	{
		RmatRow		row = rmat_row(&state, scale);
		char		buffer[128];
		char	   *p = put(buffer, &fields, 2);

		p = put_id(p, rmat_id(row.src), columns);
		p = put_id(p, rmat_id(row.dst), columns);
		if (columns == 'e')
		{
			uint32_t	weight;

			memcpy(&weight, &row.weight, 4);
			weight = htobe32(weight);
			p = put_field(p, &weight, 4);
			p = put_word(p, (uint64_t) row.at);
			p = put_field(p, kinds[row.kind], (uint32_t) strlen(kinds[row.kind]));
		}
		fwrite(buffer, 1, (size_t) (p - buffer), stdout);
	}
	fwrite(&end, 1, 2, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
