#!/bin/sh
# A fleet on Slurm: sbatch --array=1-16 skblab-fleet.sh LOGS OUT, then: skblab merge OUT
# Each task reads its part; one that is killed and requeued goes on where it stopped.
#SBATCH --job-name=skblab-fleet
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --requeue
set -eu
logs=${1:?the directory with a file or folder a host}
out=${2:?the directory for the records, the same for all tasks}
exec "${SKBLAB:-skblab}" fleet "$logs" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
  --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT" --out "$out"
