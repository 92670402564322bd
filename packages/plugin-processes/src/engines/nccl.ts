import type * as Koffi from "koffi";
import { libraryFailed, noCard } from "../errors.js";
import type { Messages } from "../wire/messages.js";
import { DeviceQueue, type Card } from "./device-queue.js";
import type { DeviceSum, Engine } from "./engine.js";
import { openLibrary, polled } from "./native-library.js";

const ADVICE = "Install NVIDIA's driver, CUDA's runtime and NCCL (PyPI: nvidia-nccl-cu12), or use --engine tcp or mpi.";
const CUDART = ["libcudart.so.13", "libcudart.so.12", "libcudart.so"];
const NCCL = ["libnccl.so.2", "libnccl.so"];
/** Numbers of NCCL's and CUDA's headers. */
const [FLOAT32, SUM, TO_DEVICE, TO_HOST, NOT_READY, ID_BYTES] = [7, 0, 1, 2, 600, 128];
/** `cudaStreamNonBlocking` and `cudaEventDisableTiming`. */
const [APART, UNTIMED] = [1, 2];

type TypeSpec = Parameters<typeof Koffi.out>[0];
type Call = (...given: unknown[]) => number;

/**
 * Sums between NVIDIA cards by NCCL, a process a card: where the backend's tensors lie, on a stream beside those that
 * compute; numbers of other backends go to the card and back.
 */
export class NcclEngine implements Engine, Card {
  readonly name = "nccl";
  readonly device = new DeviceQueue(this);
  readonly #call: Readonly<Record<string, Call>>;
  readonly #abort = new AbortController();
  #communicator: unknown;
  #stream: unknown;
  #memory: unknown;
  #memoryBytes = 0;
  /** Events that nothing waits for. */
  readonly #events: unknown[] = [];
  readonly #word = new Uint32Array(new ArrayBuffer(4));

  private constructor(call: Readonly<Record<string, Call>>) {
    this.#call = call;
  }

  /**
   * Takes a card and joins the other ranks, which have all called this too. `localRank` picks the card where this
   * process sees several. @throws THAW_PROCESSES_LIBRARY_MISSING, THAW_PROCESSES_NO_CARD,
   * THAW_PROCESSES_LIBRARY_FAILED
   */
  static async join(messages: Messages, localRank = 0): Promise<NcclEngine> {
    const engine = new NcclEngine(await declare());
    const count = [0];
    const code = engine.#call["count"]!(count);
    if (code !== 0 || count[0] === 0) throw noCard(code);
    engine.#check("cudaSetDevice", engine.#call["use"]!(count[0]! > 1 ? localRank % count[0]! : 0));
    const id: { internal: number[] } = { internal: Array<number>(ID_BYTES).fill(0) };
    if (messages.rank === 0) engine.#check("ncclGetUniqueId", engine.#call["newId"]!(id));
    const [internal] = await messages.gather([...id.internal]);
    const [communicator, stream] = [[null], [null]];
    const { rank, size } = messages;
    engine.#check("ncclCommInitRank", engine.#call["join"]!(communicator, size, { internal }, rank));
    engine.#check("cudaStreamCreateWithFlags", engine.#call["newStream"]!(stream, APART));
    engine.#communicator = communicator[0];
    engine.#stream = stream[0];
    return engine;
  }

  async sum(values: Float32Array): Promise<void> {
    const bytes = values.byteLength;
    if (bytes === 0) return;
    const memory = this.#reserve(bytes);
    this.#check("cudaMemcpy", this.#call["copyIn"]!(memory, values, bytes, TO_DEVICE));
    this.#check(
      "ncclAllReduce",
      this.#call["sum"]!(memory, memory, values.length, FLOAT32, SUM, this.#communicator, this.#stream),
    );
    await polled(this.#mark(), this.#abort.signal);
    this.#check("cudaMemcpy", this.#call["copyOut"]!(values, memory, bytes, TO_HOST));
  }

  advance(): void {
    this.device.advance();
  }

  read(address: bigint): number {
    this.#check("cudaMemcpy", this.#call["look"]!(this.#word, address, this.#word.byteLength, TO_HOST));
    return this.#word[0]!;
  }

  begin(parts: DeviceSum["parts"], owner?: number): () => boolean {
    const [call, target] = owner === undefined ? (["sumAt", []] as const) : (["sumAtFor", [owner]] as const);
    const name = owner === undefined ? "ncclAllReduce" : "ncclReduce";
    this.#check("ncclGroupStart", this.#call["open"]!());
    for (const { from, to, count } of parts)
      this.#check(name, this.#call[call]!(from, to, count, FLOAT32, SUM, ...target, this.#communicator, this.#stream));
    this.#check("ncclGroupEnd", this.#call["end"]!());
    return this.#mark();
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.device.fail(this.#abort.signal.reason as Error);
    // Also where a sum is under way that never ends, as a rank is lost
    this.#call["abort"]!(this.#communicator);
    if (this.#memory !== undefined) this.#call["free"]!(this.#memory);
    for (const event of this.#events) this.#call["dropEvent"]!(event);
  }

  /** Tells whether what the stream was given up to now is done. */
  #mark(): () => boolean {
    const event = this.#events.pop() ?? this.#newEvent();
    this.#check("cudaEventRecord", this.#call["mark"]!(event, this.#stream));
    return () => {
      const code = this.#call["query"]!(event);
      if (code === NOT_READY) return false;
      this.#check("cudaEventQuery", code);
      this.#events.push(event);
      return true;
    };
  }

  #newEvent(): unknown {
    const made = [null];
    this.#check("cudaEventCreateWithFlags", this.#call["newEvent"]!(made, UNTIMED));
    return made[0];
  }

  #reserve(bytes: number): unknown {
    if (bytes <= this.#memoryBytes) return this.#memory;
    if (this.#memory !== undefined) this.#check("cudaFree", this.#call["free"]!(this.#memory));
    const made = [null];
    this.#check("cudaMalloc", this.#call["reserve"]!(made, bytes));
    this.#memoryBytes = bytes;
    return (this.#memory = made[0]);
  }

  #check(call: string, code: number): void {
    if (code !== 0) throw libraryFailed("nccl", call, code);
  }
}

/** The calls of nccl.h (NCCL 2) and cuda_runtime_api.h that the engine makes. */
async function declare(): Promise<Readonly<Record<string, Call>>> {
  const { default: koffi } = await import("koffi");
  const cuda = await openLibrary("nccl", CUDART, ADVICE);
  const nccl = await openLibrary("nccl", NCCL, ADVICE);
  const id = koffi.struct({ internal: koffi.array("uint8_t", ID_BYTES) });
  const handle = koffi.pointer("void");
  const out = (type: TypeSpec): TypeSpec => koffi.out(koffi.pointer(type));
  const of = (library: Koffi.LibraryHandle, name: string, given: TypeSpec[]): Call => library.func(name, "int", given);
  return {
    count: of(cuda, "cudaGetDeviceCount", [out("int")]),
    use: of(cuda, "cudaSetDevice", ["int"]),
    reserve: of(cuda, "cudaMalloc", [out(handle), "size_t"]),
    free: of(cuda, "cudaFree", [handle]),
    copyIn: of(cuda, "cudaMemcpy", [handle, handle, "size_t", "int"]),
    copyOut: of(cuda, "cudaMemcpy", [handle, handle, "size_t", "int"]),
    look: of(cuda, "cudaMemcpy", [handle, "uint64_t", "size_t", "int"]),
    newStream: of(cuda, "cudaStreamCreateWithFlags", [out(handle), "uint"]),
    newEvent: of(cuda, "cudaEventCreateWithFlags", [out(handle), "uint"]),
    dropEvent: of(cuda, "cudaEventDestroy", [handle]),
    mark: of(cuda, "cudaEventRecord", [handle, handle]),
    query: of(cuda, "cudaEventQuery", [handle]),
    newId: of(nccl, "ncclGetUniqueId", [out(id)]),
    join: of(nccl, "ncclCommInitRank", [out(handle), "int", id, "int"]),
    open: of(nccl, "ncclGroupStart", []),
    end: of(nccl, "ncclGroupEnd", []),
    sum: of(nccl, "ncclAllReduce", [handle, handle, "size_t", "int", "int", handle, handle]),
    sumAt: of(nccl, "ncclAllReduce", ["uint64_t", "uint64_t", "size_t", "int", "int", handle, handle]),
    sumAtFor: of(nccl, "ncclReduce", ["uint64_t", "uint64_t", "size_t", "int", "int", "int", handle, handle]),
    abort: of(nccl, "ncclCommAbort", [handle]),
  };
}
