#!/bin/bash
# The rank kernel alone, in one process, on the last core if it can be pinned.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
gcc -O2 -std=gnu99 -Wall -o "$TMPDIR/kernel" test/bench/kernel.c src/csr.c src/rank.c -lm
pin=()
if taskset -c "$(($(nproc) - 1))" true 2>/dev/null; then pin=(taskset -c "$(($(nproc) - 1))"); fi
"${pin[@]}" "$TMPDIR/kernel" "$SCALE" 16 "$SEED" $((RUNS * 5)) >"$times"
row 'kernel: unweighted, by out-degree / plain loop by appearance' rank plain '<=0.9' '<=0.6' ns
row 'kernel: weights by code / plain loop with doubles' rank_code plain_weighted '<=0.9' '<=0.6' ns
row 'kernel: weights as doubles / plain loop with doubles' rank_double plain_weighted '<=0.9' '<=0.6' ns
row 'kernel: weights by code / plain loop without weights' rank_code plain '' '' ns
note 'processor time per pair and sweep'
