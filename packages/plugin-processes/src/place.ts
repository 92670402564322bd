/** Where a process stands among those that train together, and how it finds them. */
export interface Place {
  /** From 0. */
  readonly rank: number;
  /** Processes in all. */
  readonly size: number;
  /** Among those of its host, from 0: the number of its card. */
  readonly localRank?: number;
  /** Whose `mpirun` started it: that MPI library is looked for first. */
  readonly launcher?: "openmpi" | "mpich";
  /** Host on which rank 0 listens. Absent: only MPI can connect them, which knows its processes itself. */
  readonly address?: string;
  /** Port on which rank 0 listens. */
  readonly port?: number;
  /** What every process of the run knows and nobody else: proves that a connection is one of theirs. */
  readonly token?: string;
}
