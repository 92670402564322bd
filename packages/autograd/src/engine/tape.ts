import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { runBackward } from "./backward.js";
import type { Bfloat16Products, PackedMatrix, TracedProducts } from "../bfloat16/products.js";
import { recordCheckpoint, type Replayable } from "./checkpoint.js";
import { ConstantCache } from "./constant-cache.js";
import { badArgument, notOfOneTape, parameterTwice, tapeSpent } from "../errors.js";
import { FLAGS_KERNELS } from "../kernels/flags.js";
import { tensorFunctions } from "../kernels/functions.js";
import type { Kernels, MatmulStrategy } from "../kernels/kernels.js";
import { plain2dKernels } from "../kernels/plain2d.js";
import { tensorflowKernels } from "../kernels/tensorflow.js";
import { LayoutCache } from "./layout-cache.js";
import { wideGradient } from "./narrow.js";
import type { NodeKind } from "./node.js";
import { NarrowNode, PackedNode, QuantizedNode, ValueNode } from "./node.js";
import { OpRecord, type RecordingMode } from "./record.js";
import type { QuantizedMatrix } from "../quantized/matrix.js";
import type { Value } from "./value.js";

/** How a tape works. */
export interface TapeOptions {
  /** Default: `plain2d` where the current backend is WASM, else `flags`. */
  readonly matmul?: MatmulStrategy;
  /** Transposed copies that outlive the tape; without it the tape has its own. */
  readonly layouts?: LayoutCache;
  /** Uploaded constants that outlive the tape; without it the tape has its own. */
  readonly constants?: ConstantCache;
  /**
   * True: what runs on the tape is to become a function, so that ops are of single operations and such that a compiler
   * makes few passes of them.
   */
  readonly isTraced?: boolean;
  /** Multiplies in bfloat16; only where {@link isTraced}. */
  readonly bfloat16?: TracedProducts;
  /** Functions multiply in bfloat16, also by what trains. */
  readonly products?: Bfloat16Products | undefined;
}

/** A forward function of an op: gets the record to save into, or null if nothing is recorded. Runs in a `tf.tidy`. */
export type Forward = (record: OpRecord | null) => Tensor;

/**
 * One forward and one backward pass. Ops on its values record what backward needs and nothing else; every tensor made
 * on the way belongs to the tape. After `dispose` exactly the tensors are left that were there before (caches that were
 * passed in aside).
 */
export class Tape implements Replayable {
  /** @internal For ops: what the strategy does its own way. */
  readonly kernels: Kernels;
  /** @internal What functions multiply with. */
  readonly products: Bfloat16Products | undefined;
  /** @internal */
  records: OpRecord[] = [];
  /** @internal */
  mode: RecordingMode = "on";
  /** @internal Sees every value an op reads while a checkpointed run is watched for what it captures. */
  onRead: ((node: ValueNode) => void) | null = null;
  /** @internal */
  readonly constants: ConstantCache;
  readonly #once = new ConstantCache();
  /** What dispose frees besides values: the caches that were not passed in. */
  readonly #ownCaches: { dispose(): void }[] = [this.#once];
  readonly #parameters = new Map<Tensor, ValueNode>();
  #scopes: Set<ValueNode>[] = [new Set()];
  #nextId = 0;
  #spent = false;
  #disposed = false;

  constructor(options: TapeOptions = {}) {
    const layouts = options.layouts ?? new LayoutCache();
    this.products = options.products;
    this.constants = options.constants ?? new ConstantCache();
    if (options.layouts === undefined) this.#ownCaches.push(layouts);
    if (options.constants === undefined) this.#ownCaches.push(this.constants);
    const isPlain2d = (options.matmul ?? (tf.getBackend() === "wasm" ? "plain2d" : "flags")) === "plain2d";
    const kernels = isPlain2d
      ? plain2dKernels(this.constants, layouts)
      : tf.getBackend() === "tensorflow"
        ? tensorflowKernels(this.constants, options.bfloat16)
        : FLAGS_KERNELS;
    this.kernels = {
      ...kernels,
      ...(options.isTraced === true ? { isTraced: true } : { functions: tensorFunctions() }),
    };
  }

  /**
   * A parameter: borrowed, `needsGradient` if it trains. The same tensor gives the same value again. `@throws
   * THAW_AUTOGRAD_PARAMETER_TWICE`
   */
  parameter(tensor: Tensor, needsGradient: boolean): Value {
    const known = this.#parameters.get(tensor);
    if (known !== undefined) {
      if (known.needsGradient !== needsGradient) throw parameterTwice(tensor.shape);
      return known;
    }
    const node = this.node("parameter", "parameter", tensor, needsGradient);
    this.#parameters.set(tensor, node);
    return node;
  }

  /**
   * A frozen matrix kept in bfloat16, borrowed; `products` are what multiplies with it. The same matrix gives the same
   * value again.
   */
  packedParameter(matrix: PackedMatrix, products: Bfloat16Products): Value {
    return this.#frozen(matrix.words, (id) => new PackedNode(this, id, matrix, products));
  }

  /** A frozen matrix kept in 4 or 8 bits, borrowed. The same matrix gives the same value again. */
  quantizedParameter(matrix: QuantizedMatrix): Value {
    return this.#frozen(matrix.words, (id) => new QuantizedNode(this, id, matrix, this.kernels.isTraced === true));
  }

  /** A tensor without gradient, borrowed: it must live until this tape's backward is done. */
  constant(tensor: Tensor): Value {
    return this.node("constant", "constant", tensor, false);
  }

  /** A tensor without gradient that the tape frees, with the tidy it is made in. */
  own(tensor: Tensor): Value {
    return this.#adopt("own", tensor, false);
  }

  /** Runs `run` and frees what was made inside and is neither returned nor saved for backward. */
  tidy<T extends Value | readonly Value[]>(run: () => T): T {
    const scope = new Set<ValueNode>();
    const depth = this.#scopes.push(scope);
    const left: { result?: T } = {};
    try {
      left.result = run();
      return left.result;
    } finally {
      this.#scopes.length = depth - 1;
      const outer = this.#scopes[depth - 2] as Set<ValueNode>;
      const returned = new Set(
        left.result === undefined
          ? []
          : Array.isArray(left.result)
            ? (left.result as readonly Value[])
            : [left.result as Value],
      );
      for (const node of scope) {
        if (returned.has(node)) outer.add(node);
        else node.drop();
      }
    }
  }

  /** Runs `run` without recording: its values need no gradient. */
  noGrad<T>(run: () => T): T {
    return this.withMode("off", run);
  }

  /**
   * Runs `run(...inputs)` and keeps nothing but its output; backward runs it again, recorded. Values that `run`
   * captures by closure get their gradients too, and are kept alive until then; a captured raw tensor must stay alive
   * by itself. `run` must be repeatable.
   */
  checkpoint(inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value {
    return recordCheckpoint(this, inputs as readonly ValueNode[], run);
  }

  /**
   * Gradients of `loss` (one element) with respect to `wanted`, null where no path leads. The caller owns the tensors.
   * Consumes the graph: saved tensors are freed as they are used, and recorded values of more than one element cannot
   * be read afterwards, but those wanted. `take` gets those of parameters and constants as soon as they are whole, and
   * owns them; they are null in the result. A value is wanted once then.
   * @throws THAW_AUTOGRAD_TAPE_SPENT at a second call
   */
  backward(loss: Value, wanted: readonly Value[], take?: (value: Value, gradient: Tensor) => void): (Tensor | null)[] {
    if (this.#spent || this.#disposed) throw tapeSpent("Backward is called a second time.");
    if ((loss as ValueNode).tensor.size !== 1) {
      throw badArgument(
        "backward",
        `The loss has shape [${loss.shape.join(", ")}].`,
        "Reduce it to one element, for example with sum.",
        { shape: loss.shape },
      );
    }
    this.#spent = true;
    const records = this.records;
    this.records = [];
    const seed = loss.shape.length === 0 ? this.scalar(1) : tf.keep(tf.reshape(this.scalar(1), [...loss.shape]));
    try {
      return runBackward(records, loss as ValueNode, seed, wanted as readonly ValueNode[], take).map(wideGradient);
    } finally {
      if (seed !== this.scalar(1)) seed.dispose();
    }
  }

  /** Says that the caller reads this value no more: it is freed as soon as backward needs it no more either. */
  release(value: Value): void {
    const node = value as ValueNode;
    for (const scope of this.#scopes) if (scope.delete(node)) node.drop();
  }

  /** Frees everything that is left. The tape cannot be used afterwards; a second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const record of this.records) record.release();
    this.records = [];
    for (const scope of this.#scopes) for (const node of scope) node.free();
    this.#scopes = [];
    for (const node of this.#parameters.values()) if (node instanceof NarrowNode) node.free();
    this.#parameters.clear();
    this.constants.trim();
    this.kernels.functions?.endPass();
    for (const cache of this.#ownCaches) cache.dispose();
  }

  /** @internal A number as a float32 scalar tensor, uploaded once. Borrowed. */
  scalar(value: number): Scalar {
    return this.constants.scalar(value);
  }

  /**
   * A tensor that its key tells all about (a mask, a table of positions): made once, kept while passes use it.
   * Borrowed.
   */
  shared(key: string, make: () => Tensor): Tensor {
    return this.constants.recent(key, make);
  }

  /** @internal A tensor that is made at the first call with its name and lives as long as the tape. Borrowed. */
  once(name: string, make: () => Tensor): Tensor {
    return this.#once.tensor(name, () => tf.tidy(make));
  }

  /** @internal Runs an op: `forward` in a `tf.tidy`, recorded if an input needs a gradient. */
  run(name: string, inputs: readonly ValueNode[], forward: Forward): Value {
    if (this.#disposed) throw tapeSpent(`The op ${name} is run after dispose.`);
    for (const input of inputs) {
      if (input.tape !== this) throw notOfOneTape(name);
      this.onRead?.(input);
    }
    const needsGradient = this.mode !== "off" && inputs.some((input) => input.needsGradient);
    const record = needsGradient && this.mode === "on" ? new OpRecord(name, inputs) : null;
    let tensor: Tensor;
    try {
      tensor = tf.tidy(() => forward(record));
    } catch (cause) {
      record?.release();
      throw cause;
    }
    const output = this.#adopt(name, tensor, needsGradient);
    if (record !== null) {
      record.attach(output);
      this.records.push(record);
    }
    return output;
  }

  /** @internal */
  node(kind: NodeKind, madeBy: string, tensor: Tensor, needsGradient: boolean): ValueNode {
    this.#nextId += 1;
    return new ValueNode(this, this.#nextId, kind, madeBy, tensor, needsGradient);
  }

  /** @internal */
  withMode<T>(mode: RecordingMode, run: () => T): T {
    const before = this.mode;
    this.mode = before === "off" ? "off" : mode;
    try {
      return run();
    } finally {
      this.mode = before;
    }
  }

  #frozen(words: Tensor, make: (id: number) => ValueNode): Value {
    const known = this.#parameters.get(words);
    if (known !== undefined) return known;
    this.#nextId += 1;
    const node = make(this.#nextId);
    this.#parameters.set(words, node);
    return node;
  }

  #adopt(madeBy: string, tensor: Tensor, needsGradient: boolean): ValueNode {
    const node = this.node("owned", madeBy, tf.keep(tensor), needsGradient);
    node.hold();
    (this.#scopes.at(-1) as Set<ValueNode>).add(node);
    return node;
  }
}

/** @internal The tape of an op's inputs. `@throws THAW_AUTOGRAD_TAPES` */
export function tapeOf(name: string, ...values: readonly Value[]): Tape {
  const first = values[0];
  if (!(first instanceof ValueNode)) throw notOfOneTape(name);
  return first.tape as Tape;
}
