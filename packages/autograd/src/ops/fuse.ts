import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { TracedProducts } from "../bfloat16/products.js";
import { runBackward } from "../engine/backward.js";
import {
  type CompileFunction,
  type FunctionInput,
  type Narrowed,
  type TensorFunction,
  watched,
} from "../kernels/functions.js";
import { NarrowNode, PackedNode, QuantizedNode, type ValueNode } from "../engine/node.js";
import { operate } from "../engine/operation.js";
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
}

/**
 * `run(...inputs)` as one op where the backend makes functions of many operations, and has found that it is worth
 * making one of this; elsewhere just that. It keeps for backward what its ops would keep.
 * @param key what `run` depends on beside the inputs, for instance factors: equal keys mean equal formulas. Sizes that
 * change from batch to batch follow a `#`. `run` must read nothing else.
 */
export function fuse(key: string, inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value {
  const tape = tapeOf(key, ...inputs);
  const { functions } = tape.kernels;
  if (functions === undefined) return run(...inputs);
  const needs = inputs.map(({ needsGradient }) => needsGradient && tape.mode === "on");
  const given = inputs.map(inputOf);
  const precision = tape.products === undefined ? "" : "bfloat16 ";
  const forms = inputs.map(formOf).join("");
  const pair = functions.get(`${precision}${forms}${needs.map(Number).join("")} ${key}`, given, (compile) =>
    compilePair(compile, key, inputs, needs, run),
  );
  if (pair === undefined) return watched(functions, () => run(...inputs));
  const { forward, backward } = pair;
  return operate(key, inputs, (record) => {
    const [output, ...between] = forward.call(given) as [Tensor, ...Tensor[]];
    if (record !== null && backward !== null) {
      const reads = backward.reads.slice(1);
      const savedInputs = inputs.map((input, index) =>
        reads[index] ? (input instanceof NarrowNode ? () => inputOf(input) : record.save(input)) : null,
      );
      const savedOutput = reads[inputs.length] ? record.saveOutput() : null;
      const kept = between.map((tensor, index) => (reads[inputs.length + 1 + index] ? record.keep(tensor) : null));
      record.backward = (gradient) => {
        const found = backward.call([
          gradient,
          ...[...savedInputs, savedOutput, ...kept].map((read) => read?.() ?? null),
        ]);
        let next = 0;
        return needs.map((need) => (need ? (found[next++] as Tensor) : null));
      };
    }
    return output;
  });
}

function inputOf(value: Value): FunctionInput {
  if (value instanceof QuantizedNode) return value.matrix.words;
  return value instanceof PackedNode ? value.products.handle(value.matrix) : value.tensor;
}

/** What a function depends on beside the words of a quantised matrix; empty for others. */
function formOf(value: Value): string {
  return value instanceof QuantizedNode ? `${JSON.stringify(value.matrix.layout)} ` : "";
}

/**
 * Makes the pair, with attention that never writes its scores where the device may have it; a card, or a library of it,
 * that refuses these shapes says so when they are compiled, and the pair is made without it.
 */
function compilePair(...given: PairInputs): FusedPair {
  const [, key, outer] = given;
  const products = outer.find((value) => value instanceof PackedNode)?.products ?? tapeOf(key, ...outer).products;
  const bfloat16 = products?.traced();
  if (bfloat16?.attention === undefined) return pairOf(bfloat16, ...given);
  try {
    return pairOf(bfloat16, ...given);
  } catch {
    return pairOf(products!.traced({ hasAttention: false }), ...given);
  }
}

type PairInputs = [
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
function pairOf(bfloat16: TracedProducts | undefined, ...[compile, key, outer, needs, run]: PairInputs): FusedPair {
  const tape = new Tape({ isTraced: true, ...(bfloat16 === undefined ? {} : { bfloat16 }) });
  const given = outer.map(inputOf);
  try {
    const inputs = outer.map((value, index) => inside(tape, key, value, needs[index] === true, bfloat16));
    const isRecorded = needs.includes(true);
    const made: { output?: ValueNode; between?: (Tensor | Narrowed)[] } = {};
    const forward = compile(given, () => {
      const output = tape.withMode(isRecorded ? "on" : "off", () => tape.tidy(() => run(...inputs))) as ValueNode;
      const known = new Set([
        ...outer.filter((value) => !(value instanceof NarrowNode)).map(({ tensor }) => tensor),
        output.tensor,
      ]);
      Object.assign(made, { output, between: savedBetween(tape, known, bfloat16 !== undefined) });
      return [output.tensor, ...made.between!];
    });
    const { output, between } = made as Required<typeof made>;
    let backward: TensorFunction | null = null;
    tf.tidy(() => {
      const [result, ...kept] = forward.call(given) as [Tensor, ...Tensor[]];
      if (!isRecorded) return;
      const gradient = tf.onesLike(result);
      // What products keep of their last operand is of the other function.
      bfloat16?.endPass();
      backward = compile([gradient, ...given, output.tensor, ...between], () =>
        gradientsOf(
          tape,
          output,
          gradient,
          inputs.filter((_, index) => needs[index]),
        ),
      );
      backward.call([gradient, ...given, result, ...kept]);
      // Passing it on may have kept it.
      gradient.dispose();
    });
    return { forward, backward };
  } finally {
    tape.dispose();
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

/** Rows of an even number of columns. */
function isNarrowable({ shape, dtype }: Tensor): boolean {
  return dtype === "float32" && shape.length >= 2 && shape.at(-1)! % 2 === 0;
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
