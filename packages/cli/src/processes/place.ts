import type { Place } from "@thaw/plugin-processes";
import { placeWrong } from "../errors.js";

/** Variables of a process's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How one kind of launcher tells a process its place: the names of its variables. */
interface Launcher {
  readonly rank: string;
  readonly size: string;
  readonly localRank: string;
  /** Set only where the launcher started this process: others of its variables may be there without it. */
  readonly mark?: string;
  readonly launcher?: "openmpi" | "mpich";
}

/** In this order: `torchrun` and who speaks its language, Open MPI, MPICH and Intel MPI, `srun`. */
const LAUNCHERS: readonly Launcher[] = [
  { rank: "RANK", size: "WORLD_SIZE", localRank: "LOCAL_RANK" },
  {
    rank: "OMPI_COMM_WORLD_RANK",
    size: "OMPI_COMM_WORLD_SIZE",
    localRank: "OMPI_COMM_WORLD_LOCAL_RANK",
    launcher: "openmpi",
  },
  { rank: "PMI_RANK", size: "PMI_SIZE", localRank: "MPI_LOCALRANKID", launcher: "mpich" },
  { rank: "SLURM_PROCID", size: "SLURM_NTASKS", localRank: "SLURM_LOCALID", mark: "SLURM_STEP_ID" },
];

/**
 * The place of this process among those that a launcher started; undefined where it was started alone. @throws
 * THAW_CLI_PLACE_WRONG
 */
export function placeOf(environment: Environment): Place | undefined {
  const launcher = LAUNCHERS.find(({ rank, size, mark = rank }) =>
    [rank, size, mark].every((name) => (environment[name] ?? "") !== ""),
  );
  if (launcher === undefined) return undefined;
  const [rank, size] = [launcher.rank, launcher.size].map((name) => wholeNumber(environment, name)) as [number, number];
  if (size === 1) return undefined;
  if (size < 1 || rank >= size)
    throw placeWrong(launcher.rank, String(rank), `a whole number below ${launcher.size}, which is ${size}`);
  const { [launcher.localRank]: local, MASTER_ADDR, MASTER_PORT, THAW_TOKEN } = environment;
  return {
    rank,
    size,
    ...(local === undefined ? {} : { localRank: wholeNumber(environment, launcher.localRank) }),
    ...(launcher.launcher === undefined ? {} : { launcher: launcher.launcher }),
    ...(MASTER_ADDR === undefined ? {} : { address: MASTER_ADDR }),
    ...(MASTER_PORT === undefined ? {} : { port: wholeNumber(environment, "MASTER_PORT") }),
    ...(THAW_TOKEN === undefined ? {} : { token: THAW_TOKEN }),
  };
}

/**
 * What `CUDA_VISIBLE_DEVICES` has to be so that each process of a host computes on a card of its own; undefined: as it
 * is, since there is one for this process alone, or none is told apart.
 */
export function ownCard({ CUDA_VISIBLE_DEVICES: listed }: Environment, { localRank }: Place): string | undefined {
  if (localRank === undefined) return undefined;
  const cards = listed?.split(",").map((card) => card.trim());
  if (cards === undefined) return String(localRank);
  return cards.length > 1 ? cards[localRank] : undefined;
}

function wholeNumber(environment: Environment, name: string): number {
  const text = environment[name]!;
  if (!/^\d{1,9}$/.test(text)) throw placeWrong(name, text, "a whole number");
  return Number(text);
}
