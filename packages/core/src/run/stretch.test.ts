import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { add, Tape, type Value } from "@thaw/autograd";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { ParameterStore } from "../weights/parameter-store.js";
import { RunScope } from "../model/scope.js";

let tape: Tape;
let scope: RunScope;
let before: number;
const weights = new Map<string, tf.Tensor>();

beforeAll(() => tf.setBackend("cpu"));
beforeEach(() => {
  before = tf.memory().numTensors;
  for (const [name, value] of [
    ["layer.weight", tf.tensor2d([[2]])],
    ["layer.bias", tf.tensor1d([3])],
    ["other.weight", tf.tensor2d([[5]])],
  ] as const)
    weights.set(name, value);
  tape = new Tape();
  const store = {
    canonical: (name: string) => name,
    on: (on: Tape, name: string, isTrained: boolean) => on.parameter(weights.get(name)!, isTrained),
    has: (name: string) => weights.has(name),
  } as unknown as ParameterStore;
  scope = new RunScope(tape, store, {
    trained: new Set(["layer.weight"]),
    flows: new Map(),
    checkpointed: new Set(),
    stopAfter: new Set(),
    outputs: {},
  });
});
afterEach(() => {
  tape.dispose();
  tf.dispose([...weights.values()]);
  expect(tf.memory().numTensors).toBe(before);
});

const NAMES = ["layer.weight", "layer.bias"];

it("gives a stretch the parameters that it names, and asks for gradients of those that train", () => {
  const x = scope.own(tf.tensor2d([[7]]));
  const y = scope.stretch("twice", [x], NAMES, (inner, rows) =>
    add(inner.linear(rows!, "layer"), inner.linear(rows!, "layer")),
  );
  expect([...y.tensor.dataSync()]).toEqual([34]);
  expect([...scope.trainedValues.keys()]).toEqual(["layer.weight"]);
  const [gradient] = tape.backward(y, [scope.parameter("layer.weight")]);
  expect([...gradient!.dataSync()]).toEqual([14]);
  gradient!.dispose();
});

it.each<readonly [string, (inner: Parameters<Parameters<RunScope["stretch"]>[3]>[0], x: Value) => Value]>([
  ["a parameter that it does not name", (inner, x) => inner.linear(x, "other")],
  ["a segment", (inner, x) => inner.segment("layer", [x], (y) => y!)],
  ["a tensor as a constant", (inner) => inner.constant(tf.scalar(1))],
  ["a tensor of its own", (inner) => inner.own(tf.scalar(1))],
])("refuses a stretch %s", (_, run) => {
  const x = scope.own(tf.tensor2d([[7]]));
  expect(() => tf.tidy(() => scope.stretch("wrong", [x], NAMES, (inner, rows) => run(inner, rows!)) as never)).toThrow(
    expect.objectContaining({ code: "THAW_CORE_OUTSIDE_STRETCH" }) as Error,
  );
});
