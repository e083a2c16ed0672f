"""The same scores by export: COPY out, PageRank by a library, COPY in.

usage: export.py scipy|igraph

Both ways the rows travel in COPY's binary format, which numpy reads and writes
at once: the quickest way there is.  Prints the milliseconds of each stage.
"""
import subprocess
import sys
import time

import numpy as np

DAMPING, TOLERANCE = 0.5, 1e-8
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def copy(sql, data=None):
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def scipy_rank(n, source, target, weight, activity, restart):
    from scipy.sparse import csr_matrix
    transposed = csr_matrix((weight / activity[source], (target, source)), shape=(n, n))
    dangling = activity == 0
    rank = restart.copy()
    for _ in range(100):
        step = DAMPING * (transposed @ rank + rank[dangling].sum() * restart) + (1 - DAMPING) * restart
        change = np.abs(step - rank).sum()
        rank = step
        if change <= TOLERANCE:
            break
    return transposed @ rank


def igraph_rank(n, source, target, weight, activity, restart):
    import igraph
    graph = igraph.Graph(n=n, edges=np.column_stack((source, target)), directed=True)
    rank = np.array(graph.personalized_pagerank(weights=weight.tolist(), reset=restart.tolist(), damping=DAMPING))
    return np.bincount(target, weight / activity[source] * rank[source], n)


def main():
    library = sys.argv[1]
    times, clock = [], time.perf_counter()

    def lap(stage):
        nonlocal clock
        now = time.perf_counter()
        times.append(f"{stage} {1000 * (now - clock):.0f}")
        clock = now

    raw = copy("COPY (SELECT src, dst FROM edges) TO STDOUT (FORMAT binary)")
    row = np.dtype([("n", ">i2"), ("l1", ">i4"), ("src", ">i8"), ("l2", ">i4"), ("dst", ">i8")])
    rows = np.frombuffer(raw, row, (len(raw) - 21) // row.itemsize, 19)
    source, target = rows["src"].astype(np.int64), rows["dst"].astype(np.int64)
    lap("export")

    kept = source != target
    ids, dense = np.unique(np.concatenate((source[kept], target[kept])), return_inverse=True)
    n, half = len(ids), len(dense) // 2
    pair, count = np.unique(dense[:half] * n + dense[half:], return_counts=True)
    source, target, weight = pair // n, pair % n, np.log1p(count)
    activity = np.bincount(source, weight, n)
    received = np.bincount(target, np.minimum(weight, np.log(2)), n)
    restart = activity * (0.02 + 0.98 * received / (received + np.log(2)))
    restart /= restart.sum()
    lap("graph")

    influence = n * globals()[library + "_rank"](n, source, target, weight, activity, restart)
    lap("rank")

    c = influence.mean() / 10
    score = 1 + 99 * np.log1p(influence / c) / np.log1p(influence.max() / c)
    percentile = 100 * np.searchsorted(np.sort(influence), influence) / n
    columns = [ids, score, percentile, influence, np.bincount(target, minlength=n), np.bincount(target, weight, n), activity]
    kinds = [">i8", ">f4", ">f4", ">f8", ">i8", ">f8", ">f8"]
    out = np.empty(n, np.dtype([("n", ">i2")] + [f for i, k in enumerate(kinds) for f in ((f"l{i}", ">i4"), (f"v{i}", k))]))
    out["n"] = len(kinds)
    for i, (kind, values) in enumerate(zip(kinds, columns)):
        out[f"l{i}"], out[f"v{i}"] = int(kind[2:]), values
    name = library + "_scores"
    copy(f"SET client_min_messages = warning; DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (user_id bigint, score real, percentile real,"
         " influence float8, audience bigint, responses float8, activity float8)")
    copy(f"COPY {name} FROM STDIN (FORMAT binary)", HEADER + out.tobytes() + b"\xff\xff")
    copy(f"ALTER TABLE {name} ADD PRIMARY KEY (user_id); CREATE INDEX ON {name} (score DESC)")
    lap("import")
    print(" ms, ".join(times) + " ms")


main()
