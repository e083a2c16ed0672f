/*
 * stages.h
 *	  The stages of a refresh that all its processes do together.
 */
#ifndef INFLUENCE_STAGES_H
#define INFLUENCE_STAGES_H

#include "blocks.h"
#include "facets.h"
#include "keep.h"
#include "labels.h"
#include "patch.h"
#include "rank.h"
#include "restart.h"
#include "source.h"
#include "team.h"

/* Bytes a node takes while ranking beside its row of a block: see Vectors. */
#define BYTES_PER_NODE	(sizeof(double) * 5)

/*
 * And, when the blocks are gone, for scores and percentiles and to publish
 * users who are all new: index entries put off, and the order of ids.
 */
#define BYTES_TO_PUBLISH	(sizeof(float) * 2 + sizeof(uint64) * 8)

/*
 * Arrays over the nodes, by number; shares are by slot (csr.h).  Memory is
 * short while the blocks are there too, so arrays serve twice: to find the
 * restart distribution before the ranks are found (restart.c), and for what
 * is published of a user after (task_receive).
 */
typedef struct Vectors
{
	ArenaRef	out_weight;
	ArenaRef	restart;
	ArenaRef	rank;
	ArenaRef	share[2];
	ArenaRef	got;			/* or none: see rank.h */
	ArenaRef	chunk;			/* by chunk */
	ArenaRef	partial;
	ArenaRef	restart_partial;
	uint64		nchunks;
	bool		lists_restart;	/* restart has q, even if it is uniform */
} Vectors;

/* In shared memory when there are workers. */
typedef struct RefreshShared
{
	TeamShared	team;
	ArenaControl arena;
	SourceShared source;
	IdsShared	ids;
	LabelsShared labels;
	EdgesShared edges;
	BlocksShared blocks;
	FacetsShared facets;
	KeepShared	keep;
	PatchShared patch;			/* if the graph was kept */
	Vectors		vectors;		/* written by the leader between tasks, */
	Restart		restart;		/* and so are these */
	RestartStep restart_step;
	RestartControl restart_control;
	double		damping;
	RankStep	step;
	RankControl control;
} RefreshShared;

/*
 * One process's part in a refresh.  A worker may join at any task, so each
 * task sees to what it needs (need_blocks, need_vectors).
 */
typedef struct Refresh
{
	RefreshShared *shared;
	Team		team;
	Arena		arena;
	Ids		   *ids;
	Edges	   *edges;
	Labels	   *labels;			/* or NULL: rows have none */
	Blocks	   *blocks;			/* once nodes are numbered */
	Facets	   *facets;			/* once labels are numbered; or NULL */
	Keeper	   *keeper;			/* or NULL: nothing is kept */
	Kept	   *kept;			/* leader: the graph that was kept; or NULL */
	Patch	   *patch;			/* once it is made into blocks */
	bool		has_vectors;	/* blocks and problems are resolved */
	RestartProblem weighing;
	RankProblem problem;
	double	   *out_weight;
	double	   *restart;
	uint32		users;			/* leader: nodes that take part */
	uint64		beyond;			/* leader: of them, beyond the end of the scale */
	ParallelTableScanDesc scan; /* NULL: the leader reads alone */
	Snapshot	snapshot;		/* leader, when it reads alone */

	/* of the batch being read */
	NodeRef    *source_node;
	NodeRef    *target_node;
	NodeRef    *label_node;
	int			nodes_size;
} Refresh;

/* The tasks of the team, by number. */
enum
{
	TASK_READ,
	TASK_COUNT,
	TASK_ORDER,
	TASK_BUILD,
	TASK_PATCH,
	TASK_SCATTER,
	TASK_RESTART,
	TASK_RANK,
	TASK_RECEIVE,
	TASK_FACETS,
	TASKS
};

extern const TeamTask stage_tasks[TASKS];

extern void stages_begin(Refresh *refresh, int member, dsm_segment *worker_seg);
extern void stages_take(void *refresh, const SourceBatch *batch);
extern void stages_read_alone(Refresh *refresh);
extern void stages_settle_labels(Refresh *refresh, Hierarchy *hierarchy);
extern void stages_resolve(Refresh *refresh);
extern void stages_weigh(RestartProblem *problem, RestartStep step, void *refresh);
extern void stages_step(RankProblem *problem, RankStep step, void *refresh);
extern double *stages_received(Refresh *refresh);
extern const double *stages_shares(const Refresh *refresh);
extern double *stages_responses(Refresh *refresh);
extern uint64 *stages_audience(Refresh *refresh);

#endif
