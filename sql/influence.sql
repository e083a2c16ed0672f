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

CREATE FUNCTION influence_maximize(
    g influence_graph, seeds int, cascade text DEFAULT 'weighted', probability float8 DEFAULT NULL,
    epsilon float8 DEFAULT 0.1, delta float8 DEFAULT 0.001,
    candidates bigint[] DEFAULT NULL, exclude bigint[] DEFAULT NULL,
    costs float8[] DEFAULT NULL, budget float8 DEFAULT NULL,
    seed bigint DEFAULT NULL, active bigint[] DEFAULT NULL,
    OUT "position" int, OUT node bigint, OUT cost float8, OUT gain float8,
    OUT spread float8, OUT spread_lower float8, OUT optimum_upper float8
) RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 50 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_maximize(influence_graph, int, text, float8, float8, float8, bigint[], bigint[], float8[], float8, bigint, bigint[]) IS
'whom to seed for most nodes to become active, with the expected number, a lower bound on it, and an upper bound on what any choice reaches; the target of an edge activates its source';

CREATE FUNCTION influence_spread(
    g influence_graph, seeds bigint[], cascade text DEFAULT 'weighted', probability float8 DEFAULT NULL,
    simulations int DEFAULT 10000, seed bigint DEFAULT NULL,
    OUT spread float8, OUT standard_error float8, OUT simulations bigint
) RETURNS record
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_spread(influence_graph, bigint[], text, float8, int, bigint) IS
'expected number of nodes that seeds activate, themselves included, by simulation; the target of an edge activates its source';

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

-- 2. Models

CREATE TABLE influence_model (
    name text PRIMARY KEY CHECK (octet_length(name) < 64),
    interactions regclass NOT NULL,
    source name NOT NULL,
    target name NOT NULL,
    weight name,
    at name,
    kind name,
    network name,
    topic name,
    kind_weights jsonb,
    network_weights jsonb,
    half_life interval,
    pair_weight text NOT NULL,
    restart text NOT NULL,
    damping float8 NOT NULL,
    tolerance float8 NOT NULL,
    max_iterations int NOT NULL,
    topic_parents regclass,
    keep_graphs int NOT NULL,
    mixture jsonb,
    keep_history interval,
    score_tolerance float8 NOT NULL,
    id_type regtype NOT NULL,
    scores regclass NOT NULL,
    history regclass NOT NULL,
    networks regclass,
    topics regclass,
    graph regclass NOT NULL,
    forgotten regclass NOT NULL,
    queue regclass,
    is_default boolean NOT NULL DEFAULT false,
    reference float8,
    c float8,
    runs bigint NOT NULL DEFAULT 0,
    chances regclass,
    basis bigint
);
CREATE UNIQUE INDEX influence_model_default ON influence_model (is_default) WHERE is_default;
COMMENT ON TABLE influence_model IS 'models, as the view influence_models shows them';
COMMENT ON INDEX influence_model_default IS 'at most one model is the default';
COMMENT ON COLUMN influence_model.interactions IS 'table or view that interactions are read from';
COMMENT ON COLUMN influence_model.source IS 'its column of who reacted';
COMMENT ON COLUMN influence_model.target IS 'its column of whom they reacted to';
COMMENT ON COLUMN influence_model.keep_history IS 'how long rows of the history stay; NULL: for ever';
COMMENT ON COLUMN influence_model.score_tolerance IS 'by how much scores may be off when an incremental refresh leaves them as they are';
COMMENT ON COLUMN influence_model.id_type IS 'type of user ids: bigint, uuid or text';
COMMENT ON COLUMN influence_model.scores IS 'table that scores are published in';
COMMENT ON COLUMN influence_model.history IS 'table of changes of scores';
COMMENT ON COLUMN influence_model.topic_parents IS 'table of topics and the topics that they are parts of';
COMMENT ON COLUMN influence_model.keep_graphs IS 'number of runs whose graphs are kept';
COMMENT ON COLUMN influence_model.mixture IS 'what influence is made of, by parts: rank, responses, audience; NULL: rank';
COMMENT ON COLUMN influence_model.networks IS 'table of scores by network';
COMMENT ON COLUMN influence_model.topics IS 'table of scores by topic';
COMMENT ON COLUMN influence_model.graph IS 'table of the graphs of the last runs';
COMMENT ON COLUMN influence_model.chances IS 'table of learned probabilities; NULL: none were learned yet';
COMMENT ON COLUMN influence_model.forgotten IS 'table of users whom refreshes leave out';
COMMENT ON COLUMN influence_model.queue IS 'table of changes that no refresh has read; NULL: changes are not captured';
COMMENT ON COLUMN influence_model.is_default IS 'meant where no model is named';
COMMENT ON COLUMN influence_model.reference IS 'greatest influence when the scale was taken: it scores 100';
COMMENT ON COLUMN influence_model.c IS 'a tenth of the mean influence when the scale was taken';
COMMENT ON COLUMN influence_model.runs IS 'number of the last run';
COMMENT ON COLUMN influence_model.basis IS 'a fingerprint of the tables that the last run read; NULL: the queue does not tell all that changed since';

CREATE TABLE influence_run (
    run bigint,
    model text,
    mode text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    interactions bigint NOT NULL,
    skipped bigint NOT NULL,
    skipped_null bigint NOT NULL,
    skipped_self bigint NOT NULL,
    skipped_zero bigint NOT NULL,
    skipped_future bigint NOT NULL,
    skipped_forgotten bigint NOT NULL,
    nodes bigint NOT NULL,
    edges bigint NOT NULL,
    iterations int NOT NULL,
    residual float8 NOT NULL,
    error_bound float8 NOT NULL,
    converged boolean NOT NULL,
    changed bigint NOT NULL,
    peak_memory_bytes bigint NOT NULL,
    workers int NOT NULL,
    read_ms float8 NOT NULL,
    build_ms float8 NOT NULL,
    rank_ms float8 NOT NULL,
    score_ms float8 NOT NULL,
    publish_ms float8 NOT NULL,
    PRIMARY KEY (model, run)
);
COMMENT ON TABLE influence_run IS 'runs of models that succeeded, as the view influence_runs shows them';
COMMENT ON COLUMN influence_run.mode IS 'full or rescale';
COMMENT ON COLUMN influence_run.as_of IS 'the time that ages are counted from; later rows are skipped';
COMMENT ON COLUMN influence_run.interactions IS 'rows read';
COMMENT ON COLUMN influence_run.skipped IS 'rows that did not count, for any of the next five reasons';
COMMENT ON COLUMN influence_run.skipped_null IS 'rows without an id, weight or time';
COMMENT ON COLUMN influence_run.skipped_self IS 'rows whose source is their target';
COMMENT ON COLUMN influence_run.skipped_zero IS 'rows that weigh nothing';
COMMENT ON COLUMN influence_run.skipped_future IS 'rows dated after as_of';
COMMENT ON COLUMN influence_run.skipped_forgotten IS 'rows of users who are forgotten';
COMMENT ON COLUMN influence_run.nodes IS 'users';
COMMENT ON COLUMN influence_run.edges IS 'pairs of source and target';
COMMENT ON COLUMN influence_run.iterations IS 'sweeps over all pairs until ranks had converged';
COMMENT ON COLUMN influence_run.residual IS 'change of the ranks by the last sweep, sum of absolute values';
COMMENT ON COLUMN influence_run.error_bound IS 'how far the ranks are from the exact ones at most, sum of absolute values';
COMMENT ON COLUMN influence_run.changed IS 'scores that changed, appeared or went';
COMMENT ON COLUMN influence_run.peak_memory_bytes IS 'most memory the run''s arrays took at a time, all processes together';
COMMENT ON COLUMN influence_run.workers IS 'parallel workers that took part, beside the session''s own process';

CREATE TABLE influence_scale (
    model text,
    facet text CHECK (facet IN ('network', 'topic')),
    name text,
    reference float8 NOT NULL,
    c float8 NOT NULL,
    PRIMARY KEY (model, facet, name)
);
COMMENT ON TABLE influence_scale IS 'scales of the networks and topics of models';
COMMENT ON COLUMN influence_scale.reference IS 'greatest influence when the scale was taken: it scores 100';
COMMENT ON COLUMN influence_scale.c IS 'a tenth of the mean influence when the scale was taken';

CREATE TABLE influence_failure (
    model text,
    failure bigint,
    mode text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    status text NOT NULL,
    error text NOT NULL,
    PRIMARY KEY (model, failure)
);
COMMENT ON TABLE influence_failure IS 'the latest runs of models that failed, as the view influence_runs shows them';
COMMENT ON COLUMN influence_failure.failure IS 'how many times the model had failed, with this one';
COMMENT ON COLUMN influence_failure.status IS 'failed or cancelled';
COMMENT ON COLUMN influence_failure.error IS 'the error''s code and message';

CREATE VIEW influence_models AS
    SELECT name, interactions, source, target, weight, at, kind, network, topic,
           kind_weights, network_weights, half_life, pair_weight, restart,
           damping, tolerance, max_iterations, topic_parents, keep_graphs,
           mixture, keep_history, score_tolerance, id_type, scores, history, networks, topics, graph, forgotten, queue,
           is_default, reference, c, runs, chances
    FROM @extschema@.influence_model;
COMMENT ON VIEW influence_models IS 'models: what is defined';

-- Runs that failed have no number of their own; theirs is not NULL, so that
-- ORDER BY run DESC begins with the last one that succeeded.  A message may
-- quote what only the owner of the model is to see.
CREATE VIEW influence_runs AS
    SELECT run, model, mode, started_at, finished_at, as_of,
           interactions, skipped, skipped_null, skipped_self, skipped_zero, skipped_future,
           skipped_forgotten, nodes, edges, iterations, residual, error_bound, converged, changed, peak_memory_bytes, workers,
           read_ms, build_ms, rank_ms, score_ms, publish_ms,
           'succeeded' AS status, NULL AS error
    FROM @extschema@.influence_run
    UNION ALL
    SELECT 0, f.model, f.mode, f.started_at, f.finished_at, f.as_of,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL,
           f.status,
           CASE WHEN EXISTS (
               SELECT FROM @extschema@.influence_model m
               JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) m.scores
               WHERE m.name OPERATOR(pg_catalog.=) f.model AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
           ) THEN f.error END
    FROM @extschema@.influence_failure f;
COMMENT ON VIEW influence_runs IS 'runs of models: what was done, and what failed';
COMMENT ON COLUMN influence_runs.run IS 'number of the run; 0 if it failed';
COMMENT ON COLUMN influence_runs.status IS 'succeeded, failed or cancelled';
COMMENT ON COLUMN influence_runs.error IS 'why it failed, for the owner of the model';

CREATE FUNCTION influence_refreshes_running(
    OUT pid int, OUT scores regclass, OUT phase text, OUT done bigint, OUT total bigint)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_refreshes_running() IS 'refreshes that run now, by table of scores';

CREATE VIEW influence_progress AS
    SELECT r.pid, m.name AS model, r.phase, r.done, r.total
    FROM @extschema@.influence_refreshes_running() r
    JOIN @extschema@.influence_model m ON m.scores OPERATOR(pg_catalog.=) r.scores;
COMMENT ON VIEW influence_progress IS 'refreshes that run now: what they do, and how much of it is done';

-- Definitions hold no data of users: everybody may read them, as in pg_class.
-- The owner of the database restores them from a dump; the functions below
-- write them for everybody else.
GRANT SELECT ON influence_model, influence_run, influence_scale, influence_models, influence_runs, influence_progress TO PUBLIC;
GRANT INSERT, UPDATE, DELETE ON influence_model, influence_run, influence_scale TO pg_database_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON influence_failure TO pg_database_owner;
SELECT pg_catalog.pg_extension_config_dump('@extschema@.influence_model', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.influence_run', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.influence_scale', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.influence_failure', '');

CREATE FUNCTION influence_model_changed() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_model_changed() IS 'tells all sessions that a model changed';

CREATE TRIGGER influence_model_changed
    AFTER INSERT OR DELETE OR UPDATE OF name, id_type, scores, queue, is_default OR TRUNCATE ON influence_model
    FOR EACH STATEMENT EXECUTE FUNCTION influence_model_changed();
COMMENT ON TRIGGER influence_model_changed ON influence_model IS 'tells all sessions that a model changed';

CREATE FUNCTION influence_create_model(
    name text, interactions regclass,
    source name = 'source', target name = 'target',
    weight name = NULL, at name = NULL, kind name = NULL, network name = NULL, topic name = NULL,
    kind_weights jsonb = NULL, network_weights jsonb = NULL,
    half_life interval = '90 days', pair_weight text = 'log', restart text = 'credible',
    damping float8 = 0.5, tolerance float8 = 1e-8, max_iterations int = 100,
    topic_parents regclass = NULL, keep_graphs int = 2, mixture jsonb = NULL,
    keep_history interval = NULL, score_tolerance float8 = 0.25)
RETURNS regclass
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_create_model(text, regclass, name, name, name, name, name, name, name, jsonb, jsonb, interval, text, text, float8, float8, int, regclass, int, jsonb, interval, float8)
IS 'define a model, and make its tables in the current schema';

CREATE FUNCTION influence_alter_model(
    name text, interactions regclass = NULL,
    source name = NULL, target name = NULL,
    weight name = NULL, at name = NULL, kind name = NULL, network name = NULL, topic name = NULL,
    kind_weights jsonb = NULL, network_weights jsonb = NULL,
    half_life interval = NULL, pair_weight text = NULL, restart text = NULL,
    damping float8 = NULL, tolerance float8 = NULL, max_iterations int = NULL,
    topic_parents regclass = NULL, keep_graphs int = NULL, mixture jsonb = NULL,
    keep_history interval = NULL, score_tolerance float8 = NULL, reset text[] = NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_alter_model(text, regclass, name, name, name, name, name, name, name, jsonb, jsonb, interval, text, text, float8, float8, int, regclass, int, jsonb, interval, float8, text[])
IS 'change a model: what is NULL stays, what reset lists is taken away';

CREATE FUNCTION influence_drop_model(name text) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_drop_model(text) IS 'forget a model, with its tables and runs';

CREATE FUNCTION influence_set_default(model text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_set_default(text) IS 'make a model the one that is meant where none is named; NULL: none';

CREATE FUNCTION influence_refresh(model text = NULL, mode text = 'auto', as_of timestamptz = NULL)
RETURNS influence_run
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_refresh(text, text, timestamptz) IS 'compute the scores of a model anew and publish them';

CREATE FUNCTION influence_rescale(model text = NULL) RETURNS influence_run
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_rescale(text) IS 'refresh a model, and let the greatest influence score 100 again';

CREATE FUNCTION influence_score(user_id bigint, model text = NULL, network text = NULL, topic text = NULL)
RETURNS real
LANGUAGE C STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'influence_score_bigint';
COMMENT ON FUNCTION influence_score(bigint, text, text, text) IS 'published score of a user, 1 to 100; NULL if there is none';

CREATE FUNCTION influence_score(user_id uuid, model text = NULL, network text = NULL, topic text = NULL)
RETURNS real
LANGUAGE C STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'influence_score_uuid';
COMMENT ON FUNCTION influence_score(uuid, text, text, text) IS 'published score of a user, 1 to 100; NULL if there is none';

CREATE FUNCTION influence_score(user_id text, model text = NULL, network text = NULL, topic text = NULL)
RETURNS real
LANGUAGE C STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'influence_score_text';
COMMENT ON FUNCTION influence_score(text, text, text, text) IS 'published score of a user, 1 to 100; NULL if there is none';

-- 3. Why, and what changed

CREATE FUNCTION influence_explain(user_id bigint, model text = NULL, network text = NULL, topic text = NULL, run bigint = NULL)
RETURNS TABLE (network text, kind text, supporter bigint, influence float8, share float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100 COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_explain(bigint, text, text, text, bigint) IS 'who makes a user''s influence, by which network and kind of interaction';

CREATE FUNCTION influence_changes(user_id bigint, model text = NULL, network text = NULL, topic text = NULL, from_run bigint = NULL, to_run bigint = NULL)
RETURNS TABLE (network text, kind text, supporter bigint, before float8, after float8, change float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100 COST 2000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_changes(bigint, text, text, text, bigint, bigint) IS 'who changed a user''s influence between two runs';

CREATE FUNCTION influence_history(user_id bigint, model text = NULL, causes int = 3)
RETURNS TABLE (run bigint, at timestamptz, score real, change real, causes jsonb)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20 COST 2000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_history(bigint, text, int) IS 'scores of a user over runs, and who changed them most';

CREATE FUNCTION influence_explain(user_id uuid, model text = NULL, network text = NULL, topic text = NULL, run bigint = NULL)
RETURNS TABLE (network text, kind text, supporter uuid, influence float8, share float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100 COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_explain(uuid, text, text, text, bigint) IS 'who makes a user''s influence, by which network and kind of interaction';

CREATE FUNCTION influence_changes(user_id uuid, model text = NULL, network text = NULL, topic text = NULL, from_run bigint = NULL, to_run bigint = NULL)
RETURNS TABLE (network text, kind text, supporter uuid, before float8, after float8, change float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100 COST 2000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_changes(uuid, text, text, text, bigint, bigint) IS 'who changed a user''s influence between two runs';

CREATE FUNCTION influence_history(user_id uuid, model text = NULL, causes int = 3)
RETURNS TABLE (run bigint, at timestamptz, score real, change real, causes jsonb)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20 COST 2000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_history(uuid, text, int) IS 'scores of a user over runs, and who changed them most';

CREATE FUNCTION influence_explain(user_id text, model text = NULL, network text = NULL, topic text = NULL, run bigint = NULL)
RETURNS TABLE (network text, kind text, supporter text, influence float8, share float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100 COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_explain(text, text, text, text, bigint) IS 'who makes a user''s influence, by which network and kind of interaction';

CREATE FUNCTION influence_changes(user_id text, model text = NULL, network text = NULL, topic text = NULL, from_run bigint = NULL, to_run bigint = NULL)
RETURNS TABLE (network text, kind text, supporter text, before float8, after float8, change float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100 COST 2000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_changes(text, text, text, text, bigint, bigint) IS 'who changed a user''s influence between two runs';

CREATE FUNCTION influence_history(user_id text, model text = NULL, causes int = 3)
RETURNS TABLE (run bigint, at timestamptz, score real, change real, causes jsonb)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20 COST 2000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_history(text, text, int) IS 'scores of a user over runs, and who changed them most';

CREATE FUNCTION influence_backtest(model text = NULL, cutoff timestamptz = NULL, horizon interval = NULL)
RETURNS TABLE (predictor text, users bigint, spearman float8, ndcg_100 float8, precision_100 float8)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 6 COST 1000000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_backtest(text, timestamptz, interval)
IS 'how well scores as of a cutoff say who draws reactions after it, beside naive predictors';

CREATE FUNCTION influence_calibrate(
    model text = NULL, cutoffs timestamptz[] = NULL, horizon interval = NULL,
    max_runs int = 2000, apply boolean = false)
RETURNS TABLE (section text, name text, value text, proposed text, spearman float8, ndcg_100 float8, precision_100 float8)
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 25 COST 10000000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_calibrate(text, timestamptz[], interval, int, boolean)
IS 'propose the parameters of a model that predict best who draws reactions; the model changes only if apply says so';

CREATE FUNCTION influence_forget(user_id bigint, model text = NULL)
RETURNS TABLE (relation regclass, rows bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5 COST 10000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_forget(bigint, text) IS 'remove a user from a model, now and from all later refreshes';

CREATE FUNCTION influence_forget(user_id uuid, model text = NULL)
RETURNS TABLE (relation regclass, rows bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5 COST 10000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_forget(uuid, text) IS 'remove a user from a model, now and from all later refreshes';

CREATE FUNCTION influence_forget(user_id text, model text = NULL)
RETURNS TABLE (relation regclass, rows bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5 COST 10000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_forget(text, text) IS 'remove a user from a model, now and from all later refreshes';

-- 4. Who to invite

CREATE FUNCTION influence_audience(model text, users anyarray, network text = NULL, topic text = NULL)
RETURNS TABLE (user_id anyelement, other anyelement, audience bigint, only_here bigint)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100 COST 2000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_audience(text, anyarray, text, text)
IS 'how many people reacted to the users of a list: to any of them, to each, and to each two';

CREATE FUNCTION influence_influencers_of(model text, users anyarray, size int = 20, network text = NULL, topic text = NULL, damping float8 = NULL)
RETURNS TABLE ("position" int, user_id anyelement, attention float8, direct bigint, score real)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20 COST 10000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_influencers_of(text, anyarray, int, text, text, float8)
IS 'who has most of the attention of a segment, directly and through others';

-- Where "key" is a text and "topic" another, a call by position must know which is meant.
CREATE DOMAIN influence_text_id AS text;
COMMENT ON DOMAIN influence_text_id IS 'a user id that is a text';

CREATE FUNCTION influence_campaign(
    model text = NULL, size int = NULL, topic text = NULL, network text = NULL,
    budget float8 = NULL, candidates bigint[] = NULL, costs float8[] = NULL, exclude bigint[] = NULL,
    cascade text = 'weighted', probability float8 = NULL,
    epsilon float8 = 0.1, delta float8 = 0.001, seed bigint = NULL, key bigint = NULL)
RETURNS TABLE ("position" int, user_id bigint, score real, relevance real, cost float8,
    gain float8, spread float8, spread_lower float8, optimum_upper float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20 COST 100000 AS 'MODULE_PATHNAME', 'influence_campaign';
COMMENT ON FUNCTION influence_campaign(text, int, text, text, float8, bigint[], float8[], bigint[], text, float8, float8, float8, bigint, bigint)
IS 'whom to invite, so that most people are reached';

CREATE FUNCTION influence_campaign(
    model text, size int, key uuid, topic text = NULL, network text = NULL,
    budget float8 = NULL, candidates uuid[] = NULL, costs float8[] = NULL, exclude uuid[] = NULL,
    cascade text = 'weighted', probability float8 = NULL,
    epsilon float8 = 0.1, delta float8 = 0.001, seed bigint = NULL)
RETURNS TABLE ("position" int, user_id uuid, score real, relevance real, cost float8,
    gain float8, spread float8, spread_lower float8, optimum_upper float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20 COST 100000 AS 'MODULE_PATHNAME', 'influence_campaign_key';
COMMENT ON FUNCTION influence_campaign(text, int, uuid, text, text, float8, uuid[], float8[], uuid[], text, float8, float8, float8, bigint)
IS 'whom to invite, so that most people are reached';

CREATE FUNCTION influence_campaign(
    model text, size int, key influence_text_id, topic text = NULL, network text = NULL,
    budget float8 = NULL, candidates text[] = NULL, costs float8[] = NULL, exclude text[] = NULL,
    cascade text = 'weighted', probability float8 = NULL,
    epsilon float8 = 0.1, delta float8 = 0.001, seed bigint = NULL)
RETURNS TABLE ("position" int, user_id text, score real, relevance real, cost float8,
    gain float8, spread float8, spread_lower float8, optimum_upper float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20 COST 100000 AS 'MODULE_PATHNAME', 'influence_campaign_key';
COMMENT ON FUNCTION influence_campaign(text, int, influence_text_id, text, text, float8, text[], float8[], text[], text, float8, float8, float8, bigint)
IS 'whom to invite, so that most people are reached';

CREATE FUNCTION influence_learn(
    model text = NULL, delay interval = '1 day', credit text = 'partial', until timestamptz = NULL,
    OUT pairs bigint, OUT trials bigint, OUT successes float8, OUT mean float8, OUT strength float8)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_learn(text, interval, text, timestamptz)
IS 'learn from the interactions of a model how likely each source reacts to a target that is active';

CREATE FUNCTION influence_calibration(
    model text, cutoff timestamptz, horizon interval = NULL,
    delay interval = '1 day', credit text = 'partial', bins int = 10)
RETURNS TABLE (bin int, pairs bigint, trials bigint, predicted float8, observed float8,
    brier float8, base_brier float8, log_loss float8, base_log_loss float8)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 11 COST 100000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_calibration(text, timestamptz, interval, interval, text, int)
IS 'probabilities learned up to a cutoff, against what happened after it; the row without a bin is on all pairs';

-- 5. Keeping current

CREATE FUNCTION influence_schedule(model text, schedule text) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_schedule(text, text) IS 'let pg_cron refresh a model regularly, as the caller; returns the number of the job';

CREATE FUNCTION influence_unschedule(model text = NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_unschedule(text) IS 'remove the caller''s job for a model';

CREATE FUNCTION influence_capture() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_capture() IS 'notes what a statement changed in the queue of a model';

CREATE FUNCTION influence_track(model text = NULL) RETURNS regclass
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_track(text) IS 'capture changes of the interactions of a model from now on, in its queue';

CREATE FUNCTION influence_untrack(model text = NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION influence_untrack(text) IS 'capture changes of the interactions of a model no more';
