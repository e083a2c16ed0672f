/*
 * graph_text.c
 *	  The text form of graph values.
 *
 *		{ item, item, ... }		item: source>target  source>target:weight  node
 *
 * Spaces may surround every part.  A weight of 1 is left out, parallel edges
 * add up, and a lone node says that there is such a node.  Output is by source
 * and target, without spaces, and has lone nodes only where a node has no
 * edges.  Weights are written with the fewest digits that read back as the
 * same float8, whatever extra_float_digits says: text is exact.
 */
#include "graph.h"

#include <ctype.h>
#include <math.h>

#include "common/shortest_dec.h"
#include "graph_build.h"
#include "graph_codec.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Longest item: two ids, a weight, and the signs between. */
#define MAX_ITEM		(20 + 1 + 20 + 1 + DOUBLE_SHORTEST_DECIMAL_LEN + 1)
#define MAX_WEIGHT		64		/* characters of a weight that are read at once */
#define SHOWN			48		/* bytes of an item shown in an error */

typedef struct Parser
{
	const char *at;
	const char *text;
	const char *item;			/* where the current item begins */
	Node	   *escontext;
} Parser;

static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline void
skip_space(Parser *parser)
{
	while (is_space(*parser->at))
		parser->at++;
}

/* The current item, cut off where it is long, to be shown in an error. */
static char *
shown_item(const Parser *parser)
{
	int			length = strcspn(parser->item, ",}");

	if (length > SHOWN)
		length = pg_mbcliplen(parser->item, length, SHOWN);
	return pnstrdup(parser->item, length);
}

/* Each of these reports an error and returns false. */

static bool
bad_item(const Parser *parser, const char *detail)
{
	ereturn(parser->escontext, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"", "influence_graph",
					shown_item(parser)),
			 errdetail("%s", detail),
			 errhint("A graph is written like {1>2,1>3:2.5,7}.")));
}

static bool
out_of_range(const Parser *parser, const char *type)
{
	ereturn(parser->escontext, false,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value \"%s\" is out of range for type %s", shown_item(parser), type)));
}

static bool
bad_value(const Parser *parser, const char *detail)
{
	ereturn(parser->escontext, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s", "influence_graph"),
			 errdetail("%s", detail),
			 errhint("A graph is written like {1>2,1>3:2.5,7}.")));
}

static bool
parse_id(Parser *parser, int64 *id)
{
	bool		negative = *parser->at == '-';
	uint64		limit = negative ? (uint64) PG_INT64_MAX + 1 : (uint64) PG_INT64_MAX;
	uint64		value = 0;

	if (negative || *parser->at == '+')
		parser->at++;
	if (!is_digit(*parser->at))
		return bad_item(parser, "A node must be an integer.");
	for (; is_digit(*parser->at); parser->at++)
	{
		uint64		next = *parser->at - '0';

		if (value > (limit - next) / 10)
			return out_of_range(parser, "bigint");
		value = value * 10 + next;
	}
	*id = (int64) (negative ? 0 - value : value);
	return true;
}

static bool
parse_weight(Parser *parser, double *weight)
{
	const char *from = parser->at;
	int			length = strspn(from, "0123456789+-.eE");
	char		small[MAX_WEIGHT];
	char	   *digits = length < MAX_WEIGHT ? small : palloc(length + 1);
	char	   *end;

	memcpy(digits, from, length);
	digits[length] = '\0';
	errno = 0;
	*weight = strtod(digits, &end);
	if (length == 0 || *end != '\0' || isalpha((unsigned char) from[length]))
		return bad_item(parser, "A weight must be a finite number.");
	/* as in float8in, a denormal is no error though errno may say so */
	if (isinf(*weight) || (*weight == 0 && errno == ERANGE))
		return out_of_range(parser, "double precision");
	if (!(*weight > 0))
		return bad_item(parser, "A weight must be greater than 0.");
	if (digits != small)
		pfree(digits);
	parser->at += length;
	return true;
}

static bool
parse_item(Parser *parser, GraphBuilder *builder)
{
	int64		source = 0;
	int64		target = 0;
	double		weight = 1;

	parser->item = parser->at;
	if (*parser->at == '\0')
		return bad_value(parser, "It ends without \"}\".");
	if (!parse_id(parser, &source))
		return false;
	skip_space(parser);
	if (*parser->at != '>')
	{
		graph_builder_add_node(builder, source);
		return true;
	}
	parser->at++;
	skip_space(parser);
	if (!parse_id(parser, &target))
		return false;
	skip_space(parser);
	if (*parser->at == ':')
	{
		parser->at++;
		skip_space(parser);
		if (!parse_weight(parser, &weight))
			return false;
		skip_space(parser);
	}
	graph_builder_add(builder, source, target, weight);
	return true;
}

static bool
parse_graph(Parser *parser, GraphBuilder *builder)
{
	skip_space(parser);
	if (*parser->at != '{')
		return bad_value(parser, "It must begin with \"{\".");
	parser->at++;
	skip_space(parser);
	if (*parser->at != '}')
	{
		for (uint64 items = 0;; items++)
		{
			if (items % 65536 == 0)
				CHECK_FOR_INTERRUPTS();
			if (!parse_item(parser, builder))
				return false;
			if (*parser->at != ',')
				break;
			parser->at++;
			skip_space(parser);
		}
		if (*parser->at == '\0')
			return bad_value(parser, "It ends without \"}\".");
		if (*parser->at != '}')
			return bad_item(parser, "Items must be separated by commas.");
	}
	parser->at++;
	skip_space(parser);
	if (*parser->at != '\0')
		return bad_value(parser, "There is something after the closing \"}\".");
	return true;
}

/*
 * The graph that a text means.  Syntax errors go to escontext, if it is one
 * that takes them, and NULL is returned then.
 */
InfluenceGraph *
graph_from_text(const char *text, Node *escontext)
{
	Parser		parser = {.at = text, .text = text, .item = text, .escontext = escontext};
	GraphBuilder builder;
	InfluenceGraph *graph = NULL;

	graph_builder_init(&builder, CurrentMemoryContext);
	if (parse_graph(&parser, &builder))
		graph = graph_builder_build(&builder);
	graph_builder_reset(&builder);
	return graph;
}

/* Nodes that edges end in, as a bitmap. */
static uint64 *
find_targets(GraphReader reader)
{
	Size		size = ((Size) reader.nodes / 64 + 1) * sizeof(uint64);
	uint64	   *is_target = MemoryContextAllocHuge(CurrentMemoryContext, size);
	double		weight;

	memset(is_target, 0, size);
	for (uint32 v = 0; v < reader.nodes; v++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 degree = graph_read_row(&reader); degree > 0; degree--)
		{
			uint32		target = graph_read_edge(&reader, &weight);

			is_target[target / 64] |= UINT64CONST(1) << (target % 64);
		}
	}
	return is_target;
}

char *
graph_to_text(const InfluenceGraph *graph)
{
	GraphReader reader;
	StringInfoData text;
	int64	   *id;
	uint64	   *is_target;

	graph_reader_init(&reader, graph);
	id = MemoryContextAllocHuge(CurrentMemoryContext, (Size) reader.nodes * sizeof(int64));
	graph_read_ids(&reader, id);
	is_target = find_targets(reader);

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	for (uint32 v = 0; v < reader.nodes; v++)
	{
		char		source[20 + 1];
		int			source_length = pg_lltoa(id[v], source);
		uint32		degree = graph_read_row(&reader);
		bool		lone = degree == 0 &&
			(is_target[v / 64] >> (v % 64) & 1) == 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 e = 0; e < degree || lone; e++)
		{
			char	   *at;

			enlargeStringInfo(&text, MAX_ITEM);
			at = text.data + text.len;
			if (text.len > 1)
				*at++ = ',';
			memcpy(at, source, source_length);
			at += source_length;
			if (lone)
				lone = false;
			else
			{
				double		weight;
				uint32		target = graph_read_edge(&reader, &weight);

				*at++ = '>';
				at += pg_lltoa(id[target], at);
				if (weight != 1)
				{
					*at++ = ':';
					at += double_to_shortest_decimal_bufn(weight, at);
				}
			}
			text.len = at - text.data;
		}
	}
	graph_read_end(&reader);
	appendStringInfoChar(&text, '}');
	pfree(id);
	pfree(is_target);
	return text.data;
}
