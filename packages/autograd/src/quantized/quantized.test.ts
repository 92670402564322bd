import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SETUPS, useBackend } from "../../test/backends.js";
import { type FrozenLayers, runFrozen } from "../../test/frozen-layers.js";
import { installFunctions } from "../../test/replayed-functions.js";
import { type OpAttribute, type OpResult, Operations, type TensorFlowBackend } from "../bfloat16/operations.js";
import { add, crossEntropy, embedding, fuse, linear, silu, sum } from "../index.js";
import { dequantize, firstBadScale } from "./dequantize.js";
import {
  FROZEN_FORMS,
  type FrozenForm,
  layoutOf,
  type QuantizedLayout,
  type QuantizedValues,
  quantizedBytes,
} from "./layout.js";
import { byOperations, dequantized } from "./matrix.js";
import { joinQuantized, quantize } from "./quantize.js";
import { pairTable, signedTable } from "./tables.js";

interface Stored {
  readonly codes?: string;
  readonly table?: string;
  readonly scales: string;
  readonly values?: string;
  readonly nested?: { readonly table: string; readonly scales: string; readonly offset: number };
}
interface Case {
  readonly shape: [number, number];
  readonly nf4: Stored;
  readonly int8: Stored;
  readonly fp4?: Stored;
  readonly nf4Plain?: Stored;
}
// Made by bitsandbytes: see make_quantized.py.
const CASES = JSON.parse(
  readFileSync(new URL("../../test/fixtures/quantized.json", import.meta.url), "utf8"),
) as readonly Case[];
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const floatsOf = (text: string): Float32Array => new Float32Array(bytesOf(text).buffer as ArrayBuffer);

function input([rows, columns]: readonly [number, number]): Float32Array {
  const made = Float32Array.from({ length: rows * columns }, (_, index) => (((index * 7919) % 2003) - 1001) / 20020);
  made.fill(0, 64, 128);
  made[200] = 1.5;
  return made;
}

/** A matrix as a file holds it, put together. */
function joined(shape: [number, number], stored: Stored): QuantizedValues {
  const { codes, table, scales, nested } = stored;
  if (table === undefined)
    return joinQuantized(
      { shape, bits: 8, block: shape[1] },
      { codes: bytesOf(codes!), table: signedTable(), scales: floatsOf(scales).map((scale) => scale / 127) },
    );
  const layout: QuantizedLayout = { shape, bits: 4, block: 64, ...(nested === undefined ? {} : { nestedBlock: 256 }) };
  return joinQuantized(layout, {
    codes: bytesOf(codes!),
    table: pairTable(floatsOf(table)),
    scales: nested === undefined ? floatsOf(scales) : bytesOf(scales),
    ...(nested === undefined
      ? {}
      : { nested: { ...nested, table: floatsOf(nested.table), scales: floatsOf(nested.scales) } }),
  });
}

/** The same bits: quicker than a comparison number by number that can say where they differ. */
const isSame = (got: Float32Array, wanted: Float32Array): boolean =>
  Buffer.compare(Buffer.from(got.buffer), Buffer.from(wanted.buffer)) === 0;

/** As far as rounding of a few sums and products of floats goes. */
function expectClose(got: Float32Array, wanted: Float32Array): void {
  expect(got.length).toBe(wanted.length);
  const worst = Math.max(...got.map((value, index) => Math.abs(value - wanted[index]!) / (Math.abs(value) + 1e-30)));
  expect(worst).toBeLessThan(1e-6);
}

describe.each(CASES.map((one) => [one.shape.join("x"), one] as const))("beside bitsandbytes, %s", (_, one) => {
  const stored = (["nf4", "int8", "fp4", "nf4Plain"] as const).filter((kind) => one[kind]?.values !== undefined);

  it.each(stored)("reads the numbers that it reads of its own %s", (kind) => {
    expectClose(dequantize(joined(one.shape, one[kind]!)), floatsOf(one[kind]!.values!));
  });

  it.each(FROZEN_FORMS)("quantises to %s as it does", (form) => {
    const got = quantize(form, input(one.shape), one.shape);
    expect(4 * got.words.length).toBe(quantizedBytes(layoutOf(form, one.shape)));
    if (one[form].codes === undefined) return;
    expectClose(dequantize(got), dequantize(joined(one.shape, one[form])));
  });
});

it("a matrix of NF4 takes 4.2 bits a number, and one of int8 8.1", () => {
  const bits = (form: FrozenForm): number => (8 * quantizedBytes(layoutOf(form, [4096, 4096]))) / 4096 ** 2;
  expect(bits("nf4")).toBeCloseTo(4.13, 1);
  expect(bits("int8")).toBeCloseTo(8.01, 1);
});

it("finds the first block whose scale is not finite", () => {
  const good = quantize("int8", input([6, 50]), [6, 50]);
  expect(firstBadScale(good)).toBe(-1);
  good.words[good.words.length - 2] = Infinity;
  expect(firstBadScale(good)).toBe(4);
});

/** What of TensorFlow's operations the tests need, on `cpu`. */
function operationsOnCpu(): Operations {
  const tensors = new Map<number, tf.Tensor>();
  const own = (tensor: tf.Tensor): OpResult => {
    tensors.set(tensor.id, tensor);
    return { id: tensor.id, shape: tensor.shape, dtype: 3 };
  };
  const integers = (a: tf.Tensor, b: tf.Tensor, of: (a: number, b: number) => number): tf.Tensor => {
    const [left, right] = [a.dataSync(), b.dataSync()];
    const columns = Math.max(a.shape.at(-1)!, b.shape.at(-1) ?? 1);
    const made = Int32Array.from({ length: (a.size / a.shape.at(-1)!) * columns }, (_, index) =>
      of(left[a.shape.at(-1) === 1 ? Math.floor(index / columns) : index]!, right[b.size === 1 ? 0 : index % columns]!),
    );
    return tf.tensor(made, [a.size / a.shape.at(-1)!, columns], "int32");
  };
  const run = (name: string, [first, second]: readonly tf.Tensor[]): tf.Tensor => {
    if (name === "Bitcast") return tf.tensor(new Int32Array(first!.dataSync().slice().buffer), first!.shape, "int32");
    if (name === "RightShift") return integers(first!, second!, (a, b) => a >> b);
    if (name === "LeftShift") return integers(first!, second!, (a, b) => a << b);
    expect(name).toBe("BitwiseAnd");
    return integers(first!, second!, (a, b) => a & b);
  };
  return new Operations({
    binding: {
      TF_ATTR_TYPE: 1,
      executeOp: (name: string, _: readonly OpAttribute[], ids: readonly number[]) => [
        own(
          run(
            name,
            ids.map((id) => tensors.get(id)!),
          ),
        ),
      ],
    },
    getInputTensorIds: (given: readonly tf.Tensor[]) => given.map((tensor) => own(tensor).id),
    createOutputTensor: ({ id }: OpResult) => tensors.get(id)!,
  } as unknown as TensorFlowBackend);
}

/** Loss and gradient of the input, of layers with frozen weights, quantised or of the numbers that these stand for. */
const run = (form: FrozenForm, isQuantized: boolean, layers: FrozenLayers) =>
  runFrozen([6, 8], layers, (tape, values, shape, keep) => {
    const quantized = quantize(form, values, shape);
    return isQuantized
      ? tape.quantizedParameter({ words: keep(tf.tensor1d(quantized.words)), layout: quantized.layout })
      : tape.parameter(keep(tf.tensor(dequantize(quantized), shape)), false);
  });

const IDS = Int32Array.of(4, 0, 4, 1, 2, 3);
const LAYERS: Record<string, FrozenLayers> = {
  "linear layers that share their input": (x, weight) =>
    sum(silu(add(linear(x, weight([10, 8], 2)), linear(x, weight([10, 8], 3))))),
  "rows of a table": (x, weight) => sum(silu(add(x, embedding(weight([6, 8], 2), IDS, [6])))),
  "the vocabulary product": (x, weight) => crossEntropy(x, weight([20, 8], 5), IDS),
  "an op that knows nothing of it": (x, weight) => sum(silu(add(x, weight([6, 8], 2)))),
  "a stretch that is one function": (x, weight) =>
    sum(
      fuse("stretch", [x, weight([9, 8], 2), weight([8, 9], 3)], (rows, up, down) =>
        linear(silu(linear(rows!, up!)), down!),
      ),
    ),
};

describe.each(SETUPS)("frozen weights in 4 and 8 bits on %o", ({ backend, simd }) => {
  let tensors = 0;
  beforeEach(async () => {
    await useBackend(backend, simd);
    tensors = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it.each(FROZEN_FORMS)("%s: the device reads what the host reads", (form) => {
    for (const shape of CASES.map((one) => one.shape)) {
      const values = quantize(form, input(shape), shape);
      tf.tidy(() => {
        const matrix = { words: tf.tensor1d(values.words), layout: values.layout };
        expect(dequantized(matrix, false).shape).toEqual(shape);
        const wanted = dequantize(values);
        expect(isSame(dequantized(matrix, false).dataSync<"float32">().slice(), wanted)).toBe(true);
        if (backend === "cpu") {
          const found = byOperations(operationsOnCpu(), matrix.words, matrix.layout);
          expect(isSame(found.dataSync<"float32">().slice(), wanted)).toBe(true);
        }
      });
    }
  });

  it.each(FROZEN_FORMS.flatMap((form) => Object.keys(LAYERS).map((name) => [form, name] as const)))(
    "%s, %s: loss and gradient are those of the numbers that it stands for, to the bit",
    (form, name) => {
      expect(run(form, true, LAYERS[name]!)).toEqual(run(form, false, LAYERS[name]!));
      const functions = backend === "cpu" ? installFunctions() : undefined;
      try {
        if (functions !== undefined) expect(run(form, true, LAYERS[name]!)).toEqual(run(form, false, LAYERS[name]!));
      } finally {
        functions?.remove();
      }
    },
  );
});
