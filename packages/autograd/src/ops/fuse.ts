import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Bfloat16Products, TracedProducts } from "../bfloat16/products.js";
import { runBackward } from "../engine/backward.js";
import {
  type CompileFunction,
  type FunctionInput,
  type Narrowed,
  type TensorFunction,
  watched,
} from "../kernels/functions.js";
import { asNarrow, isNarrow, isNarrowable, widened } from "../engine/narrow.js";
import { NarrowNode, PackedNode, QuantizedNode, type ValueNode } from "../engine/node.js";
import { operate } from "../engine/operation.js";
import type { OpRecord } from "../engine/record.js";
import { Tape, tapeOf } from "../engine/tape.js";
import type { Value } from "../engine/value.js";

/** A stretch of ops, forward and backward. */
interface FusedPair {
  /** From the inputs to the output and what backward needs of what is in between. */
  readonly forward: TensorFunction;
  /**
   * From the output's gradient, the inputs, the output and what is in between to gradients of the inputs that need one;
   * null where nothing is recorded.
   */
  readonly backward: TensorFunction | null;
  /** Shape of the output where it is handed on in bfloat16, as its gradient is then. */
  readonly narrowOutput: readonly number[] | null;
}

/** Options of {@link fuse}. */
export interface FuseOptions {
  /**
   * Where products are in bfloat16 the output is handed on in it, and gradients of inputs that came so too: for what is
   * read by other stretches. Sums within and statistics stay in float32.
   */
  readonly handsOn?: boolean;
}

/**
 * `run(...inputs)` as one op where the backend makes functions of many operations, and has found that it is worth
 * making one of this; elsewhere just that. It keeps for backward what its ops would keep.
 * @param key what `run` depends on beside the inputs, for instance factors: equal keys mean equal formulas. Sizes that
 * change from batch to batch follow a `#`. `run` must read nothing else.
 */
export function fuse(
  key: string,
  inputs: readonly Value[],
  run: (...inputs: Value[]) => Value,
  { handsOn = false }: FuseOptions = {},
): Value {
  const tape = tapeOf(key, ...inputs);
  const { functions } = tape.kernels;
  if (functions === undefined) return run(...inputs);
  const needs = inputs.map(({ needsGradient }) => needsGradient && tape.mode === "on");
  const given = inputs.map(inputOf);
  const products = inputs.find((value) => value instanceof PackedNode)?.products ?? tape.products;
  const precision = tape.products === undefined ? "" : "bfloat16 ";
  const forms = inputs.map(formOf).join("");
  const pair = functions.get(`${precision}${forms}${needs.map(Number).join("")} ${key}`, given, (compile) =>
    compilePair(products, handsOn, compile, key, inputs, needs, run),
  );
  if (pair === undefined) {
    const output = watched(functions, () => run(...inputs));
    // Where nothing but the output is kept of the stretch, in fewer bytes.
    return handsOn && products !== undefined && tape.mode === "dry" ? narrowed(output, products) : output;
  }
  const { forward, backward, narrowOutput } = pair;
  const isNarrowInput = inputs.map(comesNarrow);
  return operate(key, inputs, (record) => {
    const [output, ...between] = forward.call(given) as [Tensor, ...Tensor[]];
    if (narrowOutput !== null) asNarrow(output, narrowOutput, products!);
    if (record !== null && backward !== null) {
      record.takesNarrow = true;
      const reads = backward.reads.slice(1);
      const savedInputs = inputs.map((input, index) => (reads[index] ? savedInput(record, input) : null));
      const isOutputRead = reads[inputs.length] === true;
      if (isOutputRead) record.saveOutput();
      const savedOutput = isOutputRead ? (): Tensor => record.output!.held : null;
      const kept = between.map((tensor, index) => (reads[inputs.length + 1 + index] ? record.keep(tensor) : null));
      record.backward = (gradient) => {
        const found = backward.call([
          upstreamOf(gradient, narrowOutput, products),
          ...[...savedInputs, savedOutput, ...kept].map((read) => read?.() ?? null),
        ]);
        let next = 0;
        return needs.map((need, index) => {
          if (!need) return null;
          const part = found[next++] as Tensor;
          return isNarrowInput[index] ? asNarrow(part, inputs[index]!.shape, products!) : part;
        });
      };
    }
    return output;
  });
}

/** A value rounded to bfloat16 and kept so; the value itself where it cannot be. */
function narrowed(value: Value, products: Bfloat16Products): Value {
  if (!isNarrowable(value.tensor) || comesNarrow(value)) return value;
  const output = operate("narrowed", [value], (record) => {
    if (record !== null) record.backward = (gradient) => [gradient];
    return asNarrow(products.narrowRows(value.tensor), value.shape, products);
  });
  tapeOf("narrowed", value).release(value);
  return output;
}

/** The output's gradient as backward takes it. */
function upstreamOf(
  gradient: Tensor,
  narrowOutput: readonly number[] | null,
  products: Bfloat16Products | undefined,
): Tensor {
  if (narrowOutput === null) return widened(gradient);
  return isNarrow(gradient) ? gradient : products!.narrowRows(gradient);
}

function inputOf(value: Value): FunctionInput {
  if (value instanceof QuantizedNode) return value.matrix.words;
  return value instanceof PackedNode ? value.products.handle(value.matrix) : (value as ValueNode).held;
}

/** An input as a function is made with it. */
function tracedInputOf(value: Value): FunctionInput | Narrowed {
  return comesNarrow(value) ? { narrow: value.tensor } : inputOf(value);
}

function comesNarrow(value: Value): boolean {
  return !(value instanceof NarrowNode) && isNarrow((value as ValueNode).held);
}

function savedInput(record: OpRecord, input: Value): () => FunctionInput {
  if (input instanceof NarrowNode) return () => inputOf(input);
  record.save(input);
  return () => (input as ValueNode).held;
}

/** What a function depends on beside an input's shape: how its numbers are kept. */
function formOf(value: Value, index: number): string {
  if (value instanceof QuantizedNode) return `${JSON.stringify(value.matrix.layout)} `;
  return comesNarrow(value) ? `narrow ${index} ` : "";
}

/**
 * Makes the pair, with attention that never writes its scores where the device may have it; a card, or a library of it,
 * that refuses these shapes says so when they are compiled, and the pair is made without it.
 */
function compilePair(products: Bfloat16Products | undefined, ...given: PairInputs): FusedPair {
  const bfloat16 = products?.traced();
  if (bfloat16?.attention === undefined) return pairOf(bfloat16, ...given);
  try {
    return pairOf(bfloat16, ...given);
  } catch {
    return pairOf(products!.traced({ hasAttention: false }), ...given);
  }
}

type PairInputs = [
  handsOn: boolean,
  compile: CompileFunction,
  key: string,
  outer: readonly Value[],
  needs: readonly boolean[],
  run: (...inputs: Value[]) => Value,
];

/**
 * Runs the stretch on a tape of its own, forward and backward, and makes a function of each; both are tried, as
 * compiling may fail.
 */
function pairOf(
  bfloat16: TracedProducts | undefined,
  ...[handsOn, compile, key, outer, needs, run]: PairInputs
): FusedPair {
  const tape = new Tape({ isTraced: true, ...(bfloat16 === undefined ? {} : { bfloat16 }) });
  const given = outer.map(inputOf);
  const read = outer.filter((value) => comesNarrow(value) && !(value as ValueNode).hasWide) as ValueNode[];
  try {
    const traced = outer.map(tracedInputOf);
    const inputs = outer.map((value, index) => inside(tape, key, value, needs[index] === true, bfloat16));
    const isRecorded = needs.includes(true);
    const made: { output?: ValueNode; handed?: Tensor | Narrowed; between?: (Tensor | Narrowed)[] } = {};
    const forward = compile(traced, () => {
      const output = tape.withMode(isRecorded ? "on" : "off", () => tape.tidy(() => run(...inputs))) as ValueNode;
      const known = new Set([
        ...outer.filter((value) => !(value instanceof NarrowNode)).map(({ tensor }) => tensor),
        output.tensor,
      ]);
      const isHandedOn = handsOn && bfloat16 !== undefined && isNarrowable(output.tensor);
      const handed = isHandedOn ? { narrow: output.tensor } : output.tensor;
      Object.assign(made, { output, handed, between: savedBetween(tape, known, bfloat16 !== undefined) });
      return [handed, ...made.between!];
    });
    const { output, handed, between } = made as Required<typeof made>;
    const narrowOutput = "narrow" in handed ? output.shape : null;
    let backward: TensorFunction | null = null;
    tf.tidy(() => {
      const [result, ...kept] = forward.call(given) as [Tensor, ...Tensor[]];
      if (!isRecorded) return;
      const gradient = tf.onesLike(output.tensor);
      // What products keep of their last operand is of the other function.
      bfloat16?.endPass();
      const upstream = narrowOutput === null ? gradient : { narrow: gradient };
      backward = compile([upstream, ...traced, handed, ...between], () => {
        const wanted = inputs.filter((_, index) => needs[index]);
        const isNarrowWanted = outer.filter((_, index) => needs[index]).map(comesNarrow);
        return gradientsOf(tape, output, gradient, wanted).map((found, index) =>
          isNarrowWanted[index] ? { narrow: found } : found,
        );
      });
      backward.call([upstreamOf(gradient, narrowOutput, bfloat16), ...given, result, ...kept]);
      // Passing it on may have kept it.
      gradient.dispose();
    });
    return { forward, backward, narrowOutput };
  } finally {
    tape.dispose();
    for (const value of read) value.forgetWide();
  }
}

/** A value as the tape of a function has it. */
function inside(
  tape: Tape,
  key: string,
  value: Value,
  needsGradient: boolean,
  bfloat16: TracedProducts | undefined,
): ValueNode {
  if (value instanceof QuantizedNode) return tape.quantizedParameter(value.matrix) as ValueNode;
  if (value instanceof PackedNode) return tape.packedParameter(value.matrix, bfloat16!) as ValueNode;
  return tape.node("constant", key, value.tensor, needsGradient);
}

/**
 * What the tape's records keep for backward and `known` has not: where products are in bfloat16, what ops hand to one
 * another is kept so too, and statistics stay as they are.
 */
function savedBetween(tape: Tape, known: ReadonlySet<Tensor>, isNarrow: boolean): readonly (Tensor | Narrowed)[] {
  const saved = tape.records.map((record) => record.savedTensors());
  const own = new Set(saved.flatMap((tensors) => tensors.own));
  const all = new Set([...saved.flatMap(({ ofValues }) => ofValues), ...own]);
  return [...all]
    .filter((tensor) => !known.has(tensor))
    .map((tensor) => (isNarrow && !own.has(tensor) && isNarrowable(tensor) ? { narrow: tensor } : tensor));
}

/**
 * Runs what the tape recorded back to the wanted inputs. A gradient that no path leads to is zero: the caller asked for
 * it.
 */
function gradientsOf(tape: Tape, output: ValueNode, gradient: Tensor, wanted: readonly ValueNode[]): Tensor[] {
  const { records } = tape;
  tape.records = [];
  const found = runBackward(records, output, gradient, wanted).map(
    (tensor, index) => tensor ?? tf.zerosLike(wanted[index]!.tensor),
  );
  // The tape frees them.
  for (const tensor of found) tape.own(tensor);
  return found;
}
