#!/bin/bash
# MPI starts the processes and sums their gradients (Debian: apt install openmpi-bin, or mpich). Nothing else to set.
mpirun -n 4 npx thaw train thaw.config.yaml
