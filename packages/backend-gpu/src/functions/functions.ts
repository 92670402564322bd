import type { Tensor } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import { wordsOfBfloat16 } from "@thaw/core";
import type { CompileFunction, FunctionInput, Narrowed, TensorFunction, TensorFunctions } from "@thaw/core";
import type { CompiledCache } from "./compiled-cache.js";
import { encodeGraph, neededNodes, outputName } from "./graph.js";
import { type OperationResult, type Origin, traceGraph, type TracedBackend, type TracedInput } from "./trace.js";
import { type Watched, Worth } from "./worth.js";

/**
 * Adds a serialised graph to TensorFlow as a function of that name; `inputs` and `outputs` are `node:output`. Throws
 * what TensorFlow says.
 */
export type AddFunction = (
  name: string,
  graph: Uint8Array,
  inputs: readonly string[],
  outputs: readonly string[],
  isCompiled: boolean,
) => void;

/** What functions need of tfjs-node's backend. */
export interface FunctionBackend extends TracedBackend {
  readonly tensorMap: { set(dataId: object, entry: object): void };
  getInputTensorIds(tensors: readonly Tensor[]): number[];
  createOutputTensor(result: OperationResult): Tensor;
}

export interface FunctionOptions {
  /** Whether XLA compiles them, in which case operations are fused. Default: true. */
  readonly isCompiled?: boolean;
  /** Told what went wrong when a function could not be made; its operations run one by one then. */
  readonly onProblem?: (message: string) => void;
  /** Functions that an earlier run compiled and that are read from the disk. */
  readonly kept?: Pick<CompiledCache, "has" | "add">;
  /** A clock in milliseconds, for tests. */
  readonly now?: () => number;
}

/** A key with one set of shapes. */
interface Signature extends Watched {
  /** Passes in which it came. */
  passCount: number;
  lastPass: number;
  /** How often it was asked for. */
  asked: number;
}

/** By what is in it, so that a function is found again in another process, where XLA keeps what it compiled. */
function nameOf(graph: Uint8Array, ...rest: readonly (string | readonly string[])[]): string {
  const hash = createHash("sha256").update(graph).update(JSON.stringify(rest));
  return `thaw_${hash.digest("hex").slice(0, 32)}`;
}

/**
 * Makes functions of TensorFlow of what comes again and again. XLA compiles for shapes and takes tenths of a second to
 * seconds, so that a function is made in the second pass in which its shapes come, or later by as many passes as
 * functions of that key are out of use: batches of ever new sizes are not compiled for in vain. Where it
 * {@link isSelective}, it must also be worth its time ({@link Worth}).
 */
export class CompiledFunctions implements TensorFunctions {
  readonly #backend: FunctionBackend;
  readonly #add: AddFunction;
  readonly #isCompiled: boolean;
  readonly #onProblem: ((message: string) => void) | undefined;
  /** By what stands in a key before the sizes, then by sizes and shapes. */
  readonly #signatures = new Map<string, Map<string, Signature>>();
  readonly #names = new Set<string>();
  readonly #kept: FunctionOptions["kept"];
  readonly #now: () => number;
  readonly #worth: Worth;
  #pass = 0;
  /** Those that train together. */
  #processes = 1;
  /** How many pairs were made. */
  madeCount = 0;
  /** The first attempt failed: none will succeed. */
  #isUnusable = false;
  /** Stands in every key: functions are compiled for one precision. */
  precision = "";
  /** In which pass of its shapes a function is made at the earliest. */
  patience = 2;
  /** Whether a function must be worth its time; else it is made whatever it takes. */
  isSelective = false;

  constructor(backend: FunctionBackend, add: AddFunction, options: FunctionOptions = {}) {
    this.#backend = backend;
    this.#add = add;
    this.#isCompiled = options.isCompiled !== false;
    this.#onProblem = options.onProblem;
    this.#kept = options.kept;
    this.#now = options.now ?? (() => performance.now());
    this.#worth = new Worth(this.#now);
  }

  get<T extends object>(
    key: string,
    inputs: readonly FunctionInput[],
    make: (compile: CompileFunction) => T,
    isAlike = false,
  ): T | undefined {
    const [formula, sizes = ""] = key.split("#", 2) as [string, string?];
    const family = entryOf(this.#signatures, this.precision + formula, () => new Map<string, Signature>());
    const shapes = `${sizes}#${shapesOf(inputs)}`;
    const signature = entryOf(
      family,
      shapes,
      () => ({ passCount: 0, lastPass: -1, asked: 0, runs: 0, ms: 0 }) as Signature,
    );
    if (signature.lastPass !== this.#pass) {
      signature.lastPass = this.#pass;
      signature.passCount += 1;
    }
    signature.asked += 1;
    const name = `${this.precision}${formula}#${shapes}`;
    // Clocks and passes differ between processes, calls do not
    const isDue =
      isAlike && this.#processes > 1 ? signature.asked >= this.patience : this.#isDue(signature, family, name);
    if (signature.made === undefined && !this.#isUnusable && isDue) this.#make(signature, name, make);
    if (signature.made === undefined || signature.made === null) {
      this.#worth.begin(signature);
      return undefined;
    }
    this.#worth.replaced(signature);
    return signature.made as T;
  }

  ran(): void {
    this.#worth.end();
  }

  expect(passes: number, processes: number): void {
    this.#worth.passesLeft = passes;
    this.#processes = processes;
  }

  endPass(): void {
    this.#pass += 1;
    this.#worth.endPass();
  }

  #isDue(signature: Signature, family: ReadonlyMap<string, Signature>, name: string): boolean {
    if (this.isSelective && !this.#worth.isWorth(signature, this.#kept?.has(name) === true)) return false;
    const unused = [...family.values()].filter(
      ({ made, lastPass }) => made !== undefined && lastPass < this.#pass - 1,
    ).length;
    return signature.passCount >= this.patience + unused;
  }

  #make(signature: Signature, name: string, make: (compile: CompileFunction) => object): void {
    const origins = new Map<number, Origin>();
    const [started, isRead] = [this.#now(), this.#kept?.has(name) === true];
    signature.made = null;
    try {
      signature.made = make((inputs, run) => this.#compile(inputs, run, origins));
      this.madeCount += 1;
      this.#kept?.add(name);
    } catch (error) {
      this.#isUnusable = this.madeCount === 0;
      this.#onProblem?.(error instanceof Error ? error.message : String(error));
    }
    this.#worth.made(this.#now() - started, isRead);
  }

  #compile(
    inputs: readonly (FunctionInput | Narrowed)[],
    run: () => readonly (Tensor | Narrowed)[],
    origins: Map<number, Origin>,
  ): TensorFunction {
    const { binding } = this.#backend;
    const traced = (tensors: readonly (FunctionInput | Narrowed)[]): TracedInput[] =>
      tensors.map((given) => {
        const isNarrow = "narrow" in given;
        const { shape, dtype } = isNarrow ? given.narrow : given;
        return { id: this.#idsOf([isNarrow ? given.narrow : given])[0]!, type: typeOf(dtype), shape, isNarrow };
      });
    const given = traced(inputs);
    const graph = traceGraph(this.#backend, given, () => traced(run()), origins);
    const needed = neededNodes(graph);
    const reads = inputs.map((_, index) => needed.has(index));
    const bytes = encodeGraph(graph, needed, binding);
    const read = [...given.keys()]
      .filter((index) => reads[index])
      .map((index) => outputName({ node: index, index: 0 }));
    const outputs = graph.outputs.map(outputName);
    const name = nameOf(bytes, read, outputs, this.precision);
    if (!this.#names.has(name)) this.#add(name, bytes, read, outputs, this.#isCompiled);
    this.#names.add(name);
    return this.#function(name, reads, graph.outputs.length);
  }

  /** Made where nothing of the trace is in reach, so that it can go. */
  #function(name: string, reads: readonly boolean[], outputCount: number): TensorFunction {
    return {
      reads,
      call: (tensors) =>
        this.#backend.binding
          .executeOp(name, [], this.#idsOf(tensors.filter((_, index) => reads[index]) as FunctionInput[]), outputCount)
          .map((result) =>
            result.dtype === BFLOAT16
              ? wordsOfBfloat16(this.#backend, result)
              : this.#backend.createOutputTensor(result),
          ),
    };
  }

  #idsOf(inputs: readonly FunctionInput[]): number[] {
    return inputs.map((input) =>
      "id" in input && input.dtype === "bfloat16" ? input.id : this.#backend.getInputTensorIds([input as Tensor])[0]!,
    );
  }
}

/** Number of TensorFlow's type (tensorflow/core/framework/types.proto). */
const BFLOAT16 = 14;

/** Numbers of the same. */
function typeOf(dtype: string): number {
  const type = { float32: 1, int32: 3, bool: 10, bfloat16: BFLOAT16 }[dtype];
  if (type === undefined) throw new Error(`Functions do not take tensors of the type ${dtype}.`);
  return type;
}

/** The inputs' shapes, and which of them are the same tensor. */
function shapesOf(inputs: readonly FunctionInput[]): string {
  const firsts = new Map<unknown, number>();
  let text = "";
  inputs.forEach((input, index) => {
    const identity = "dataId" in input ? input.dataId : input.id;
    const first = firsts.get(identity);
    if (first === undefined) firsts.set(identity, index);
    text +=
      first === undefined ? `${input.shape.join()}${input.dtype === "float32" ? "" : input.dtype};` : `=${first};`;
  });
  return text;
}

function entryOf<T>(map: Map<string, T>, key: string, make: () => T): T {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = make()));
  return found;
}
