#!/bin/bash
#SBATCH --job-name=thaw
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=4
#SBATCH --time=08:00:00
# Two minutes before the time is over the run saves a checkpoint and ends.
#SBATCH --signal=TERM@120

# Where the processes meet, and what proves that they are of this job: the same for all.
export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export THAW_TOKEN=$(head -c 32 /dev/urandom | base64 -w 0)

# The project, the data and the output lie on a file system that all nodes see.
cd "$SLURM_SUBMIT_DIR"
srun npx thaw train thaw.config.yaml --wait 300
