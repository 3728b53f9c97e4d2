#!/bin/sh
# A fleet, or a sweep, in parts on Slurm; each task runs its part, and one that is killed and requeued goes on where it stopped:
#   sbatch --array=1-16 skblab-parts.sh OUT fleet LOGS               (--prove too)
#   sbatch --array=1-16 skblab-parts.sh OUT experiment SWEEP.yaml
# Then: skblab merge OUT. OUT is a directory that all tasks see.
#SBATCH --job-name=skblab
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --requeue
set -eu
out=${1:?the directory for the results, the same for all tasks}
command=${2:?fleet or experiment}
shift 2
exec "${SKBLAB:-skblab}" "$command" "$@" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
  --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT" --out "$out"
