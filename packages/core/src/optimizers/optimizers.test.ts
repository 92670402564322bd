import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Optimizer, OptimizerFactory } from "../api/optimizer.js";
import { trainingSchema } from "../api/options.js";
import { clipFactors } from "../optimize/clip.js";
import { slotName } from "../optimize/numbers.js";
import { dequantise, quantise, SIGNED_CODE, UNSIGNED_CODE } from "./blockwise.js";
import { OPTIMIZERS } from "./list.js";

/** Made by fixtures/make_optimizers.py. */
interface Fixture {
  /** bitsandbytes' maps. */
  readonly signed: readonly number[];
  readonly unsigned: readonly number[];
  readonly cases: readonly {
    readonly options: Readonly<Record<string, unknown>>;
    readonly learningRate: number;
    readonly weightDecay: number;
    /** Values after the first update; of a parameter of more than 100 values every 97th. */
    readonly first: Readonly<Record<string, readonly number[] | number>>;
    /** After the twentieth. */
    readonly last: Readonly<Record<string, readonly number[] | number>>;
  }[];
}

const fixture = JSON.parse(readFileSync(new URL("../../fixtures/optimizers.json", import.meta.url), "utf8")) as Fixture;
const STEPS = 20;
const SHAPES: Readonly<Record<string, readonly number[]>> = { matrix: [6, 4], tall: [9, 3], vector: [5], scalar: [] };
const CASES = fixture.cases.map((one) => ({ ...one, title: JSON.stringify(one.options) }));

/** The script's `tensor`. */
function values(shape: readonly number[], step: number, scale: number): tf.Tensor {
  const numbers = Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, index) => {
    const number = ((index * 7919 + step * 104729 + index * step * 31) % 1009) / 504.5 - 1;
    return number * scale * 10 ** -(index % 4);
  });
  return tf.tensor(numbers, [...shape]);
}

function make(given: Readonly<Record<string, unknown>>): {
  readonly factory: OptimizerFactory;
  readonly options: never;
  readonly optimizer: Optimizer;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
} {
  const options = trainingSchema.parse({ optimizer: given }).optimizer as never;
  const factory = OPTIMIZERS.find(({ type }) => type === given["type"])!;
  const shapes: typeof SHAPES = given["type"] === "adamw_8bit" ? { large: [61, 71] } : SHAPES;
  const parameter = (name: string) => ({ name, shape: shapes[name]!, isTable: false });
  return { factory, options, shapes, optimizer: factory.make(options, { parameter }) };
}

/** Updates from a step on; the parameters of before are freed. */
function updates(
  optimizer: Optimizer,
  parameters: Map<string, tf.Tensor>,
  [from, to]: readonly [number, number],
  rates: { readonly learningRate: number; readonly weightDecay: number },
): Map<string, tf.Tensor> {
  let current = parameters;
  for (let step = from; step < to; step++) {
    const next = tf.tidy(() => {
      const gradients = new Map([...current].map(([name, { shape }]) => [name, values(shape, step + 1, 3)]));
      const names = [...gradients.keys()];
      const { factor } = clipFactors(gradients, [{ names, clipNorm: 1 }], 1);
      const context = { step, updatesOf: () => step, rates: () => rates };
      return Object.fromEntries(optimizer.update(current, gradients, { ...context, factorOf: factor }));
    });
    tf.dispose([...current.values()]);
    current = new Map(Object.entries(next));
  }
  return current;
}

function start(shapes: Readonly<Record<string, readonly number[]>>): Map<string, tf.Tensor> {
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, values(shape, 0, 1)]));
}

function expectClose(
  parameters: ReadonlyMap<string, tf.Tensor>,
  expected: Readonly<Record<string, readonly number[] | number>>,
  tolerance = 2e-6,
): void {
  for (const [name, tensor] of parameters) {
    const found = [...tensor.dataSync()].filter((_, index) => tensor.size < 100 || index % 97 === 0);
    const wanted = [expected[name]!].flat();
    expect(found).toHaveLength(wanted.length);
    for (const [index, value] of found.entries())
      expect(Math.abs(value - wanted[index]!), `${name}[${index}]`).toBeLessThan(
        tolerance + 2e-5 * Math.abs(wanted[index]!),
      );
  }
}

const distribution = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"));

it("refuses a look ahead without momentum, and options of another optimizer", () => {
  for (const optimizer of [
    { type: "sgd", nesterov: true },
    { type: "sgd", nesterov: true, momentum: 0.9, dampening: 0.1 },
    { type: "lion", epsilon: 1e-8 },
    { type: "rmsprop" },
  ])
    expect(trainingSchema.safeParse({ optimizer }).success).toBe(false);
});

afterAll(async () => {
  await tf.setBackend("cpu");
});

describe.each(["cpu", "wasm"])("optimizers on %s", (backend) => {
  beforeAll(async () => {
    setWasmPaths(`${distribution}/dist/`);
    setThreadsCount(1);
    await tf.setBackend(backend);
  });

  it.each(CASES)("$title follows PyTorch for 20 updates", ({ options, first, last, ...rates }) => {
    const before = tf.memory().numTensors;
    const { optimizer, shapes } = make(options);
    let parameters = updates(optimizer, start(shapes), [0, 1], rates);
    expectClose(parameters, first);
    parameters = updates(optimizer, parameters, [1, STEPS], rates);
    // A value halfway between two bytes may go to either
    expectClose(parameters, last, options["type"] === "adamw_8bit" ? 5e-4 : undefined);
    tf.dispose([...parameters.values()]);
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(CASES)("$title keeps the slots it says, and goes on from them to the last bit", ({ options, ...rates }) => {
    const before = tf.memory().numTensors;
    const whole = make(options);
    const { factory, optimizer, shapes } = make(options);
    const half = updates(optimizer, start(shapes), [0, 4], rates);
    const said = Object.entries(shapes).flatMap(([name, shape]) =>
      Object.entries(factory.slots(whole.options, { name, shape, isTable: false })).map(
        ([slot, own]) => [slotName(name, slot), [...own]] as const,
      ),
    );
    const kept = [...optimizer.slots()].map(([slot, { shape }]) => [slot, shape] as const);
    expect(new Map(kept)).toEqual(new Map(said));
    expect(new Map(Object.entries(shapes).flatMap(([name, shape]) => [...optimizer.slotShapes!(name, shape)]))).toEqual(
      new Map(said),
    );
    const resumed = make(options).optimizer;
    resumed.restore(new Map([...optimizer.slots()].map(([name, tensor]) => [name, tf.clone(tensor)])));
    optimizer.dispose();
    const numbers = (parameters: Map<string, tf.Tensor>) => {
      const read = [...parameters].map(([name, tensor]) => [name, [...tensor.dataSync()]]);
      tf.dispose([...parameters.values()]);
      return read;
    };
    expect(numbers(updates(resumed, half, [4, 8], rates))).toEqual(
      numbers(updates(whole.optimizer, start(shapes), [0, 8], rates)),
    );
    resumed.drop(Object.keys(shapes));
    expect(resumed.slots().size).toBe(0);
    whole.optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("takes numbers to the nearest of bitsandbytes' bytes and back, in blocks of their own scale", () => {
    for (const [code, map] of [
      [SIGNED_CODE, fixture.signed],
      [UNSIGNED_CODE, fixture.unsigned],
    ] as const) {
      const own = [...code.values].toSorted((left, right) => left - right);
      for (const [index, value] of own.entries()) expect(value).toBeCloseTo(map[index]!, 6);
      const x = Float32Array.from({ length: 600 }, (_, index) => {
        const share = Math.sin(index * 1.7) ** 9 * (index < 256 ? 1e-8 : 40);
        return code.isSigned ? share : Math.abs(share);
      });
      const [codes, scale, found] = tf.tidy(() => {
        const quantised = quantise(tf.tensor2d(x, [20, 30]), code);
        const back = dequantise(quantised, [20, 30], code);
        return [quantised.codes.shape, quantised.scale.dataSync(), back.dataSync()] as const;
      });
      expect(codes).toEqual([256]);
      for (const [index, value] of found.entries()) {
        const largest = scale[index >> 8]!;
        const nearest = map.reduce((best, one) =>
          Math.abs(one - x[index]! / largest) < Math.abs(best - x[index]! / largest) ? one : best,
        );
        const [miss, least] = [value, nearest * largest].map((one) => Math.abs(one - x[index]!)) as [number, number];
        expect(miss).toBeLessThanOrEqual(least + 1e-6 * largest);
      }
      const zero = tf.tidy(() => dequantise(quantise(tf.zeros([3]), code), [3], code).dataSync());
      expect([...zero]).toEqual([0, 0, 0]);
    }
  });
});
