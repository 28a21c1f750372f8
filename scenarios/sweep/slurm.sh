#!/bin/bash
# A sweep on a Slurm cluster: one rank a core over two nodes. Each rank writes a shard beside the database, so its
# folder must be one that all nodes see. Submit again after a time limit, a lost node or `scancel`: it goes on with
# the rows of all shards.
#   sbatch scenarios/sweep/slurm.sh scenarios/sweep/network.yaml network.db
#SBATCH --job-name=ringcast-sweep
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --requeue
set -euo pipefail
scenario=$1
database=$2
# --kill-on-bad-exit: a rank that dies ends the job at once instead of leaving the others to wait.
srun --mpi=pmix --kill-on-bad-exit=1 build/ringcast sweep "$scenario" --out "$database" --quiet
