\echo Use "CREATE EXTENSION influence" to load this file. \quit

-- 1. Graph values

CREATE TYPE influence_graph;

CREATE FUNCTION influence_graph_in(cstring) RETURNS influence_graph
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_in(cstring) IS 'text input of influence_graph';

CREATE FUNCTION influence_graph_out(influence_graph) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_out(influence_graph) IS 'text output of influence_graph';

CREATE FUNCTION influence_graph_recv(internal) RETURNS influence_graph
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_recv(internal) IS 'binary input of influence_graph';

CREATE FUNCTION influence_graph_send(influence_graph) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_send(influence_graph) IS 'binary output of influence_graph';

CREATE TYPE influence_graph (
    INPUT = influence_graph_in,
    OUTPUT = influence_graph_out,
    RECEIVE = influence_graph_recv,
    SEND = influence_graph_send,
    ALIGNMENT = int4,
    STORAGE = external  -- compressed already
);
COMMENT ON TYPE influence_graph IS 'weighted directed graph over bigint nodes, for example {1>2,1>3:2.5,7}';

CREATE FUNCTION influence_graph_eq(influence_graph, influence_graph) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_eq(influence_graph, influence_graph) IS 'implementation of = operator';

CREATE FUNCTION influence_graph_ne(influence_graph, influence_graph) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_ne(influence_graph, influence_graph) IS 'implementation of <> operator';

CREATE FUNCTION influence_graph_add(influence_graph, influence_graph) RETURNS influence_graph
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_add(influence_graph, influence_graph) IS 'implementation of + operator; nodes and edges of both graphs, weights added up';

CREATE FUNCTION influence_graph_scale(influence_graph, float8) RETURNS influence_graph
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_scale(influence_graph, float8) IS 'implementation of * operator; graph with all weights multiplied';

CREATE FUNCTION influence_graph_scale(float8, influence_graph) RETURNS influence_graph
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'influence_graph_scale_left';
COMMENT ON FUNCTION influence_graph_scale(float8, influence_graph) IS 'implementation of * operator; graph with all weights multiplied';

CREATE OPERATOR = (
    LEFTARG = influence_graph, RIGHTARG = influence_graph, FUNCTION = influence_graph_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (influence_graph, influence_graph) IS 'same nodes, edges and weights';

CREATE OPERATOR <> (
    LEFTARG = influence_graph, RIGHTARG = influence_graph, FUNCTION = influence_graph_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (influence_graph, influence_graph) IS 'different nodes, edges or weights';

CREATE OPERATOR + (
    LEFTARG = influence_graph, RIGHTARG = influence_graph, FUNCTION = influence_graph_add,
    COMMUTATOR = +
);
COMMENT ON OPERATOR + (influence_graph, influence_graph) IS 'nodes and edges of both graphs, weights added up';

CREATE OPERATOR * (
    LEFTARG = influence_graph, RIGHTARG = float8, FUNCTION = influence_graph_scale,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (influence_graph, float8) IS 'graph with all weights multiplied';

CREATE OPERATOR * (
    LEFTARG = float8, RIGHTARG = influence_graph, FUNCTION = influence_graph_scale,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (float8, influence_graph) IS 'graph with all weights multiplied';

CREATE FUNCTION influence_node_count(influence_graph) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_node_count(influence_graph) IS 'number of nodes';

CREATE FUNCTION influence_edge_count(influence_graph) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_edge_count(influence_graph) IS 'number of edges';

CREATE FUNCTION influence_total_weight(influence_graph) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_total_weight(influence_graph) IS 'sum of the weights of all edges';

CREATE FUNCTION influence_nodes(
    influence_graph,
    OUT node bigint, OUT in_degree bigint, OUT out_degree bigint,
    OUT in_weight float8, OUT out_weight float8
) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_nodes(influence_graph) IS 'nodes, with the number and the weight of the edges that end and begin there';

CREATE FUNCTION influence_edges(
    influence_graph,
    OUT source bigint, OUT target bigint, OUT weight float8
) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 100000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_edges(influence_graph) IS 'edges, by source and target';

CREATE FUNCTION influence_pagerank(
    g influence_graph, damping float8 DEFAULT 0.85, tolerance float8 DEFAULT 1e-10,
    max_iterations int DEFAULT 100, restart bigint[] DEFAULT NULL, restart_weight float8[] DEFAULT NULL,
    OUT node bigint, OUT rank float8
) RETURNS SETOF record
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 10000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_pagerank(influence_graph, float8, float8, int, bigint[], float8[]) IS
'PageRank of every node, summing to 1; it restarts at the given nodes with the given weights, or at all alike';

CREATE FUNCTION influence_graph_agg_trans(internal, bigint, bigint) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_trans(internal, bigint, bigint) IS 'transition function of influence_graph_agg';

CREATE FUNCTION influence_graph_agg_trans(internal, bigint, bigint, float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_trans(internal, bigint, bigint, float8) IS 'transition function of influence_graph_agg';

-- depends on now()
CREATE FUNCTION influence_graph_agg_trans(internal, bigint, bigint, float8, timestamptz, interval) RETURNS internal
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_trans(internal, bigint, bigint, float8, timestamptz, interval) IS 'transition function of influence_graph_agg';

CREATE FUNCTION influence_graph_agg_trans(internal, bigint, bigint, float8, timestamptz, interval, timestamptz) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_trans(internal, bigint, bigint, float8, timestamptz, interval, timestamptz) IS 'transition function of influence_graph_agg';

CREATE FUNCTION influence_graph_agg_final(internal) RETURNS influence_graph
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_final(internal) IS 'final function of influence_graph_agg';

CREATE FUNCTION influence_graph_agg_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_combine(internal, internal) IS 'combine function of influence_graph_agg';

CREATE FUNCTION influence_graph_agg_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_serialize(internal) IS 'serialization function of influence_graph_agg';

CREATE FUNCTION influence_graph_agg_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_graph_agg_deserialize(bytea, internal) IS 'deserialization function of influence_graph_agg';

CREATE AGGREGATE influence_graph_agg(source bigint, target bigint) (
    SFUNC = influence_graph_agg_trans, STYPE = internal, SSPACE = 4096,
    FINALFUNC = influence_graph_agg_final, COMBINEFUNC = influence_graph_agg_combine,
    SERIALFUNC = influence_graph_agg_serialize, DESERIALFUNC = influence_graph_agg_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE influence_graph_agg(bigint, bigint) IS 'graph of the pairs (source, target), each weighing as often as it occurs';

CREATE AGGREGATE influence_graph_agg(source bigint, target bigint, weight float8) (
    SFUNC = influence_graph_agg_trans, STYPE = internal, SSPACE = 4096,
    FINALFUNC = influence_graph_agg_final, COMBINEFUNC = influence_graph_agg_combine,
    SERIALFUNC = influence_graph_agg_serialize, DESERIALFUNC = influence_graph_agg_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE influence_graph_agg(bigint, bigint, float8) IS 'graph of the pairs (source, target), weights added up';

CREATE AGGREGATE influence_graph_agg(source bigint, target bigint, weight float8, at timestamptz, half_life interval) (
    SFUNC = influence_graph_agg_trans, STYPE = internal, SSPACE = 4096,
    FINALFUNC = influence_graph_agg_final, COMBINEFUNC = influence_graph_agg_combine,
    SERIALFUNC = influence_graph_agg_serialize, DESERIALFUNC = influence_graph_agg_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE influence_graph_agg(bigint, bigint, float8, timestamptz, interval) IS 'graph of the pairs (source, target), weights halved every half_life until now() and added up; a month is 30 days';

CREATE AGGREGATE influence_graph_agg(source bigint, target bigint, weight float8, at timestamptz, half_life interval, as_of timestamptz) (
    SFUNC = influence_graph_agg_trans, STYPE = internal, SSPACE = 4096,
    FINALFUNC = influence_graph_agg_final, COMBINEFUNC = influence_graph_agg_combine,
    SERIALFUNC = influence_graph_agg_serialize, DESERIALFUNC = influence_graph_agg_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE influence_graph_agg(bigint, bigint, float8, timestamptz, interval, timestamptz) IS 'graph of the pairs (source, target), weights halved every half_life until as_of and added up; a month is 30 days';

CREATE AGGREGATE influence_graph_union(influence_graph) (
    SFUNC = influence_graph_add, STYPE = influence_graph, COMBINEFUNC = influence_graph_add,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE influence_graph_union(influence_graph) IS 'nodes and edges of all graphs, weights added up';
