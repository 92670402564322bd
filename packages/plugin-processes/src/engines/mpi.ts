import { networkInterfaces } from "node:os";
import { randomBytes } from "node:crypto";
import type { LibraryHandle } from "koffi";
import { libraryFailed, mpiPlaceDiffers } from "../errors.js";
import type { Place } from "../place.js";
import { freePort } from "../wire/free-port.js";
import type { Engine } from "./engine.js";
import { openLibrary, polled } from "./native-library.js";

const ADVICE =
  "Install MPI (Debian: apt install openmpi-bin, or mpich) and start the processes by its mpirun, or use --engine tcp.";
/** Open MPI 4 and 5, MPICH and what has its ABI. */
const NAMES = { openmpi: ["libmpi.so.40", "libmpi.so.80"], mpich: ["libmpich.so.12", "libmpi.so.12", "libmpich.so"] };
const THREAD_MULTIPLE = 3;
/** Numbers of one call: counts are 32-bit. */
const COUNT = 2 ** 28;
const NOTE_BYTES = 256;

/** What handles are: numbers, or addresses of the library's own things. */
interface Dialect {
  readonly handle: "int" | "void *";
  readonly world: unknown;
  readonly float: unknown;
  readonly byte: unknown;
  readonly sum: unknown;
  /** As a send buffer: what the receive buffer holds. */
  readonly inPlace: number;
  readonly ignoreStatus: number;
}

/** Of MPICH's ABI: mpi.h of MPICH 4.0. */
const MPICH: Dialect = {
  handle: "int",
  world: 0x44000000,
  float: 0x4c00040a,
  byte: 0x4c00010d,
  sum: 0x58000003,
  inPlace: -1,
  ignoreStatus: 1,
};

/** MPI as this process was started by `mpirun` or `srun`. One for a process: it cannot be started twice. */
export class Mpi {
  readonly #call: Readonly<Record<string, (...given: unknown[]) => number>>;
  readonly #dialect: Dialect;

  private constructor(library: LibraryHandle, dialect: Dialect) {
    const { handle } = dialect;
    this.#dialect = dialect;
    const declare = (declaration: string): ((...given: unknown[]) => number) => library.func(declaration);
    this.#call = {
      start: declare("int MPI_Init_thread(void *argc, void *argv, int required, _Out_ int *provided)"),
      rank: declare(`int MPI_Comm_rank(${handle} comm, _Out_ int *rank)`),
      size: declare(`int MPI_Comm_size(${handle} comm, _Out_ int *size)`),
      tell: declare(`int MPI_Bcast(void *values, int count, ${handle} type, int root, ${handle} comm)`),
      sum: declare(
        `int MPI_Iallreduce(intptr_t from, void *to, int count, ${handle} type, ${handle} op, ${handle} comm,` +
          ` _Out_ ${handle} *request)`,
      ),
      test: declare(`int MPI_Test(_Inout_ ${handle} *request, _Out_ int *flag, intptr_t status)`),
      end: declare("int MPI_Finalize()"),
    };
  }

  /**
   * Opens the library of the launcher that started this process, and starts it. @throws
   * THAW_PROCESSES_LIBRARY_MISSING, THAW_PROCESSES_LIBRARY_FAILED, THAW_PROCESSES_MPI_PLACE
   */
  static async start({ rank, size, launcher }: Place): Promise<Mpi> {
    const order = launcher === "mpich" ? [...NAMES.mpich, ...NAMES.openmpi] : [...NAMES.openmpi, ...NAMES.mpich];
    const library = await openLibrary("mpi", order, ADVICE, true);
    const mpi = new Mpi(library, await dialectOf(library));
    const [provided, ownRank, ownSize] = [[0], [0], [0]];
    mpi.#check("MPI_Init_thread", mpi.#call["start"]!(null, null, THREAD_MULTIPLE, provided));
    mpi.#check("MPI_Comm_rank", mpi.#call["rank"]!(mpi.#dialect.world, ownRank));
    mpi.#check("MPI_Comm_size", mpi.#call["size"]!(mpi.#dialect.world, ownSize));
    if (ownRank[0] === rank && ownSize[0] === size) return mpi;
    mpi.end();
    throw mpiPlaceDiffers({ rank, size }, { rank: ownRank[0]!, size: ownSize[0]! });
  }

  /** Where processes meet that were told no place: rank 0 says it to all. */
  async findPlace(place: Place): Promise<Place> {
    const note = Buffer.alloc(NOTE_BYTES);
    if (place.rank === 0) {
      const token = randomBytes(32).toString("hex");
      note.write(JSON.stringify({ address: ownAddress(), port: await freePort(), token }));
    }
    const { world, byte } = this.#dialect;
    this.#check("MPI_Bcast", this.#call["tell"]!(note, NOTE_BYTES, byte, 0, world));
    const told = JSON.parse(note.toString("utf8").replace(/\0+$/, "")) as Pick<Place, "address" | "port" | "token">;
    return { ...told, ...place };
  }

  async sum(values: Float32Array, signal: AbortSignal): Promise<void> {
    const { world, float, sum, inPlace, ignoreStatus } = this.#dialect;
    for (let start = 0; start < values.length; start += COUNT) {
      const part = values.subarray(start, start + COUNT);
      const request = [0] as unknown[];
      this.#check("MPI_Iallreduce", this.#call["sum"]!(inPlace, part, part.length, float, sum, world, request));
      const flag = [0];
      await polled(() => {
        this.#check("MPI_Test", this.#call["test"]!(request, flag, ignoreStatus));
        return flag[0] !== 0;
      }, signal);
    }
  }

  end(): void {
    this.#check("MPI_Finalize", this.#call["end"]!());
  }

  #check(call: string, code: number): void {
    if (code !== 0) throw libraryFailed("mpi", call, code);
  }
}

async function dialectOf(library: LibraryHandle): Promise<Dialect> {
  const { default: koffi } = await import("koffi");
  const address = (name: string): unknown => koffi.address(library.symbol(name));
  try {
    const [world, float, byte, sum] = ["comm_world", "float", "byte", "op_sum"].map((name) =>
      address(`ompi_mpi_${name}`),
    );
    return { handle: "void *", world, float, byte, sum, inPlace: 1, ignoreStatus: 0 };
  } catch {
    return MPICH;
  }
}

function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "127.0.0.1";
}

/** Sums by MPI. */
export class MpiEngine implements Engine {
  readonly name = "mpi";
  readonly #mpi: Mpi;
  readonly #abort = new AbortController();
  #isBroken = false;

  constructor(mpi: Mpi) {
    this.#mpi = mpi;
  }

  async sum(values: Float32Array): Promise<void> {
    this.#isBroken = true;
    await this.#mpi.sum(values, this.#abort.signal);
    this.#isBroken = false;
  }

  /** A sum that never ended cannot be taken back: MPI is then left to the end of the process. */
  async close(): Promise<void> {
    this.#abort.abort();
    if (!this.#isBroken) this.#mpi.end();
  }
}
