#!/usr/bin/env bash
# Submits a sweep to Slurm: an array of shards, and the merge that waits for all of them.
#
#   deploy/slurm/submit.sh SHARDS OUT [SBATCH OPTIONS --] FILE [OPTIONS OF fogbit sweep]
#   deploy/slurm/submit.sh 8 /shared/my-sweep topologies/paper.toml --set nodes.count=3,10,30 --seeds 100
#   deploy/slurm/submit.sh 8 /shared/my-sweep --partition=short --time=30 -- topologies/paper.toml ...
#
# OUT lies on a file system that all hosts share. The environment variable FOGBIT names the program.
# Prints the numbers of the two jobs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 3 ]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
shards=$1 out=$2
shift 2
if ! [[ $shards =~ ^[1-9][0-9]*$ ]]; then
  echo "SHARDS is a number from 1 on, not $shards" >&2
  exit 2
fi
options=()
for argument in "$@"; do
  if [ "$argument" = -- ]; then
    while [ "$1" != -- ]; do
      options+=("$1")
      shift
    done
    shift
    break
  fi
done
if [ -e "$out/sweep" ]; then
  echo "$out/sweep exists already: choose another OUT" >&2
  exit 2
fi
mkdir -p "$out/logs"
out=$(cd "$out" && pwd)
export FOGBIT_SWEEP_OUT=$out FOGBIT_SHARDS=$shards

array=$(sbatch --parsable --export=ALL --array="1-$shards" --output="$out/logs/%A-%a.log" \
  ${options[@]+"${options[@]}"} "$here/sweep.sbatch" "$@")
# --kill-on-invalid-dep: where a shard fails, the merge does not wait for ever.
merge=$(sbatch --parsable --export=ALL --dependency="afterok:${array%%;*}" --kill-on-invalid-dep=yes \
  --output="$out/logs/merge-%j.log" ${options[@]+"${options[@]}"} "$here/merge.sbatch")
echo "shards: job ${array%%;*}, merge: job ${merge%%;*}; results will be in $out/sweep"
