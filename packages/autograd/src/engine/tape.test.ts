import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import { randomInput } from "../../test/numeric.js";
import type { Value } from "../index.js";
import {
  LayoutCache,
  Tape,
  add,
  attention,
  crossEntropy,
  layerNorm,
  linear,
  mul,
  operate,
  release,
  reshape,
  rmsNorm,
  scale,
  square,
  stopGradient,
  sum,
  swiglu,
  tanh,
} from "../index.js";

const tensor = (shape: number[], seed = 1): tf.Tensor => tf.tensor(randomInput(shape, seed).values, shape);

let before = 0;
let inputs: tf.Tensor[] = [];
const input = (shape: number[], seed = 1): tf.Tensor => {
  const made = tensor(shape, seed);
  inputs.push(made);
  return made;
};

beforeAll(() => useBackend("cpu"));
beforeEach(() => {
  before = tf.memory().numTensors;
  inputs = [];
});
afterEach(() => {
  tf.dispose(inputs);
  expect(tf.memory().numTensors).toBe(before);
});

/** Tensors that exist because of `run`, inputs aside. */
function tensorsMade(run: () => void): number {
  const start = tf.memory().numTensors;
  run();
  return tf.memory().numTensors - start;
}

async function kernelsOf(run: () => void): Promise<string[]> {
  const profile = await tf.profile(() => {
    run();
    return tf.scalar(0);
  });
  tf.dispose(profile.result as tf.Tensor);
  return profile.kernels.map((kernel) => kernel.name);
}

describe("what is saved", () => {
  it("saves nothing for a linear layer with a frozen weight", () => {
    const [x, w, b] = [input([4, 3]), input([5, 3]), input([5])];
    const tape = new Tape({ matmul: "flags" });
    const frozenWeight = tape.parameter(w, false);
    const bias = tape.parameter(b, true);
    const hidden = tape.tidy(() => linear(scale(tape.parameter(x, true), 2), frozenWeight, bias));
    // The output, and the scalar that scale uploaded; the scaled input is gone.
    expect(tf.memory().numTensors - before - inputs.length).toBe(2);
    const gradients = tape.backward(sum(hidden), [tape.parameter(x, true), bias]);
    expect(gradients.map((gradient) => gradient?.shape)).toEqual([[4, 3], [5]]);
    tape.dispose();
    tf.dispose(gradients as tf.Tensor[]);
  });

  it("saves the input of a linear layer whose weight trains", () => {
    const [x, w] = [input([4, 3]), input([5, 3])];
    const tape = new Tape({ matmul: "flags" });
    const weight = tape.parameter(w, true);
    const hidden = tape.tidy(() => linear(scale(tape.constant(x), 2), weight));
    expect(tf.memory().numTensors - before - inputs.length).toBe(3);
    const [gradient] = tape.backward(sum(hidden), [weight]);
    expect(gradient?.shape).toEqual([5, 3]);
    tape.dispose();
    gradient?.dispose();
  });

  it("records nothing where no input needs a gradient", () => {
    const [x, w] = [input([4, 3]), input([5, 3])];
    const tape = new Tape();
    const output = tape.tidy(() => tanh(square(linear(tape.constant(x), tape.parameter(w, false)))));
    expect(output.needsGradient).toBe(false);
    expect(tape.records).toHaveLength(0);
    expect(tf.memory().numTensors - before - inputs.length).toBe(1);
    tape.dispose();
  });

  it("keeps a value that several ops saved until the last of them is done", () => {
    const x = tensorsMade(() => input([3, 4]));
    expect(x).toBe(1);
    const tape = new Tape({ matmul: "flags" });
    const parameter = tape.parameter(inputs[0]!, true);
    const loss = tape.tidy(() => {
      const shared = tape.tidy(() => scale(parameter, 0.5));
      return sum(add(square(shared), mul(shared, tanh(shared))));
    });
    const [gradient] = tape.backward(loss, [parameter]);
    const expected = inputs[0]!.dataSync().map((value) => {
      const half = value / 2;
      return 0.5 * (2 * half + Math.tanh(half) + half * (1 - Math.tanh(half) ** 2));
    });
    gradient!.dataSync().forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
    gradient!.dispose();
    tape.dispose();
  });

  it("keeps computed weights and gains until backward", () => {
    const [x, w, g, b] = [input([4, 3]), input([3, 3], 2), input([3], 3), input([3], 4)];
    const tape = new Tape();
    const [leaf, weight, gain, bias] = [
      tape.parameter(x, true),
      tape.parameter(w, false),
      tape.parameter(g, false),
      tape.parameter(b, false),
    ];
    const output = tape.tidy(() => {
      const own = tape.tidy(() => scale(gain, 2));
      const normal = layerNorm(
        rmsNorm(
          linear(
            leaf,
            tape.tidy(() => scale(weight, 2)),
          ),
          own,
          1e-5,
        ),
        own,
        bias,
        1e-5,
      );
      release(own);
      return normal;
    });
    const [gradient] = tape.backward(sum(square(output)), [leaf]);
    expect(gradient!.dataSync().every(Number.isFinite)).toBe(true);
    gradient!.dispose();
    tape.dispose();
  });

  it("frees saved tensors as backward goes, and keeps the loss readable", () => {
    const x = input([8, 8]);
    const tape = new Tape({ matmul: "flags" });
    const parameter = tape.parameter(x, true);
    let value: Value = parameter;
    for (let layer = 0; layer < 5; layer += 1) value = tape.tidy(() => square(tanh(value)));
    const loss = sum(value);
    const saved = tf.memory().numTensors;
    const [gradient] = tape.backward(loss, [parameter]);
    // Left: the loss, its gradient's scalars 1 and 2, and the result.
    expect(tf.memory().numTensors - before - inputs.length).toBe(4);
    expect(saved - before).toBeGreaterThan(10);
    expect(Number.isFinite(loss.tensor.dataSync()[0])).toBe(true);
    expect(() => value.tensor).toThrow(expect.objectContaining({ code: "THAW_AUTOGRAD_FREED" }));
    tape.dispose();
    gradient!.dispose();
  });
});

describe("what is computed", () => {
  it("multiplies once in backward for a frozen linear layer, twice for a trained one", async () => {
    const [x, w] = [input([4, 3]), input([5, 3])];
    const products = async (trains: boolean) => {
      const tape = new Tape({ matmul: "flags" });
      const [leaf, weight] = [tape.parameter(x, true), tape.parameter(w, trains)];
      const loss = sum(linear(leaf, weight));
      const kernels = await kernelsOf(() =>
        tf.dispose(tape.backward(loss, [leaf, weight]).filter((gradient) => gradient !== null)),
      );
      tape.dispose();
      return kernels.filter((kernel) => kernel === "BatchMatMul").length;
    };
    expect(await products(false)).toBe(1);
    expect(await products(true)).toBe(2);
  });

  it("computes no gradient that is not asked for, though the value could have one", async () => {
    const [x, w] = [input([4, 3]), input([5, 3])];
    const tape = new Tape({ matmul: "flags" });
    const [leaf, weight] = [tape.parameter(x, true), tape.parameter(w, true)];
    const loss = sum(linear(square(leaf), weight));
    const kernels = await kernelsOf(() => tf.dispose(tape.backward(loss, [weight]) as tf.Tensor[]));
    expect(kernels.filter((kernel) => kernel === "BatchMatMul")).toHaveLength(1);
    tape.dispose();
  });

  it("stops at the first value that trains: nothing before it is differentiated", async () => {
    const [x, w1, w2] = [input([4, 3]), input([5, 3]), input([2, 5])];
    const tape = new Tape({ matmul: "flags" });
    const last = tape.parameter(w2, true);
    const loss = sum(linear(tanh(linear(tape.constant(x), tape.parameter(w1, false))), last));
    const kernels = await kernelsOf(() => tf.dispose(tape.backward(loss, [last]) as tf.Tensor[]));
    expect(kernels.filter((kernel) => kernel === "BatchMatMul")).toHaveLength(1);
    tape.dispose();
  });

  it("needs no product of ones: the gradient of a cross entropy is handed over as it was saved", async () => {
    const [h, w] = [input([3, 4]), input([6, 4])];
    const tape = new Tape({ matmul: "flags" });
    const hidden = tape.parameter(h, true);
    const loss = crossEntropy(hidden, tape.parameter(w, false), Int32Array.of(1, 2, 3));
    let gradients: (tf.Tensor | null)[] = [];
    const kernels = await kernelsOf(() => {
      gradients = tape.backward(loss, [hidden]);
    });
    expect(kernels).toEqual([]);
    tape.dispose();
    expect(gradients[0]!.dataSync().every(Number.isFinite)).toBe(true);
    tf.dispose(gradients as tf.Tensor[]);
  });
});

describe("backward", () => {
  it("gives null where no path leads, and for a value without gradient", () => {
    const [x, y, z] = [input([2]), input([2]), input([2])];
    const tape = new Tape();
    const [used, unused, frozen] = [tape.parameter(x, true), tape.parameter(y, true), tape.parameter(z, false)];
    const [gradient, ...others] = tape.backward(sum(mul(used, frozen)), [used, unused, frozen]);
    expect([...gradient!.dataSync()]).toEqual([...z.dataSync()]);
    expect(others).toEqual([null, null]);
    gradient!.dispose();
    tape.dispose();
  });

  it("gives tensors of their own where one gradient belongs to several values, or is asked for twice", () => {
    const [x, y] = [input([2]), input([2])];
    const tape = new Tape();
    const [a, b] = [tape.parameter(x, true), tape.parameter(y, true)];
    const gradients = tape.backward(sum(square(add(a, b))), [a, b, a]);
    const values = gradients.map((gradient) => [...gradient!.dataSync()]);
    gradients[0]!.dispose();
    expect([...gradients[1]!.dataSync()]).toEqual(values[0]);
    expect([...gradients[2]!.dataSync()]).toEqual(values[0]);
    gradients[1]!.dispose();
    gradients[2]!.dispose();
    tape.dispose();
  });

  it("gives gradients of values in the middle and of the loss itself", () => {
    const x = input([3]);
    const tape = new Tape();
    const middle = square(tape.parameter(x, true));
    const loss = sum(scale(middle, 3));
    const [ofMiddle, ofLoss] = tape.backward(loss, [middle, loss]);
    expect([...ofMiddle!.dataSync()]).toEqual([3, 3, 3]);
    expect([...ofLoss!.dataSync()]).toEqual([1]);
    expect(middle.tensor.shape).toEqual([3]);
    tf.dispose([ofMiddle!, ofLoss!]);
    tape.dispose();
  });

  it("hands gradients over once they are whole: of the last layer first, of what is read twice at its first", () => {
    const [early, late, unused] = [input([3, 3], 2), input([3, 3], 3), input([3, 3], 4)];
    const x = input([2, 3]);
    const run = (take?: (value: Value, gradient: tf.Tensor) => void) => {
      const tape = new Tape();
      const [a, b, c] = [early, late, unused].map((one) => tape.parameter(one, true)) as [Value, Value, Value];
      const hidden = linear(linear(tape.constant(x), a), b);
      const loss = sum(square(linear(hidden, a)));
      const gradients = tape.backward(loss, [a, b, c, hidden], take);
      tape.dispose();
      return gradients;
    };
    const taken: tf.Tensor[] = [];
    const whole = run();
    const last = run((_, gradient) => taken.push(gradient));
    // b, behind the first layer, is whole before a, which that layer reads too; what ops make comes at the end
    expect(taken.map((one) => one.dataSync())).toEqual([1, 0].map((index) => whole[index]!.dataSync()));
    expect(last.slice(0, 3)).toEqual([null, null, null]);
    expect(last[3]!.dataSync()).toEqual(whole[3]!.dataSync());
    tf.dispose([...taken, ...whole, ...last].filter((one) => one !== null));
  });

  it("takes a loss of shape [1, 1]", () => {
    const [x, w] = [input([1, 3]), input([1, 3])];
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    const [gradient] = tape.backward(linear(leaf, tape.parameter(w, false)), [leaf]);
    expect([...gradient!.dataSync()]).toEqual([...w.dataSync()]);
    gradient!.dispose();
    tape.dispose();
  });

  it("works inside tf.tidy, which frees none of the tape's tensors", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    const loss = tf.tidy(() => sum(square(leaf)) as unknown as tf.Tensor) as unknown as Value;
    const [gradient] = tape.backward(loss, [leaf]);
    expect([...gradient!.dataSync()]).toEqual([...x.dataSync()].map((value) => 2 * value));
    gradient!.dispose();
    tape.dispose();
  });

  it("leaks nothing when an op fails in backward", () => {
    const [x, cos, sin] = [input([2, 2]), input([2, 2]), input([2, 2])];
    const tape = new Tape();
    const borrowed = tape.constant(cos);
    const leaf = tape.parameter(x, true);
    const loss = sum(square(mul(square(leaf), borrowed)));
    cos.dispose();
    inputs = [x, sin];
    expect(() => tape.backward(loss, [leaf])).toThrow(expect.objectContaining({ code: "THAW_AUTOGRAD_FREED" }));
    tape.dispose();
  });
});

describe("noGrad and stopGradient", () => {
  it("records nothing inside noGrad", () => {
    const x = input([3]);
    const tape = new Tape();
    const output = tape.noGrad(() => square(tape.parameter(x, true)));
    expect(output.needsGradient).toBe(false);
    expect(tape.records).toHaveLength(0);
    tape.dispose();
  });

  it("cuts one path and leaves the other", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    const [gradient] = tape.backward(sum(mul(leaf, stopGradient(square(leaf)))), [leaf]);
    gradient!.dataSync().forEach((value, index) => expect(value).toBeCloseTo(x.dataSync()[index]! ** 2, 5));
    gradient!.dispose();
    tape.dispose();
  });
});

describe("tidy and release", () => {
  it("moves returned values out, one or several, and frees the rest", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.constant(x);
    const made = tensorsMade(() => {
      const [a, b] = tape.tidy(() => {
        square(leaf);
        return tape.tidy(() => [square(leaf), tanh(leaf)] as const);
      });
      expect(a.tensor.shape).toEqual(b.tensor.shape);
    });
    expect(made).toBe(2);
    tape.dispose();
  });

  it("frees what a failing run made", () => {
    const x = input([3]);
    const tape = new Tape();
    expect(() =>
      tape.tidy(() => {
        square(tape.constant(x));
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(tf.memory().numTensors - before - inputs.length).toBe(0);
    tape.dispose();
  });

  it("frees a released value at once, or after the backward that still needs it", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    const unsaved = scale(leaf, 2);
    const saved = scale(leaf, 2);
    const loss = sum(add(square(saved), unsaved));
    release(unsaved, saved);
    expect(() => unsaved.tensor).toThrow("was freed");
    expect(saved.tensor.shape).toEqual([3]);
    const [gradient] = tape.backward(loss, [leaf]);
    gradient!.dataSync().forEach((value, index) => expect(value).toBeCloseTo(8 * x.dataSync()[index]! + 2, 4));
    gradient!.dispose();
    tape.dispose();
  });
});

describe("checkpoint", () => {
  const block = (x: Value, gain: Value, weight: Value): Value => add(x, tanh(linear(rmsNorm(x, gain, 1e-5), weight)));

  function gradients(
    mode: "plain" | "checkpointed" | "nested",
    frozen = false,
  ): { values: number[][]; held: number; nulls: boolean[] } {
    const [x, gain, w1, w2] = [input([4, 6], 1), input([6], 2), input([6, 6], 3), input([6, 6], 4)];
    const tape = new Tape({ matmul: "flags" });
    const leaf = tape.parameter(x, true);
    const [g, first, second] = [
      tape.parameter(gain, !frozen),
      tape.parameter(w1, !frozen),
      tape.parameter(w2, !frozen),
    ];
    const run = (inner: Value): Value => {
      const middle =
        mode === "nested" ? tape.checkpoint([inner], (value) => block(value, g, first)) : block(inner, g, first);
      return block(middle, g, second);
    };
    const start = tape.tidy(() => scale(leaf, 1.5));
    const output = mode === "plain" ? tape.tidy(() => run(start)) : tape.checkpoint([start], run);
    const held = tf.memory().numTensors;
    const found = tape.backward(sum(square(output)), [leaf, g, first, second]);
    const values = found.map((gradient) => (gradient === null ? [] : [...gradient.dataSync()]));
    tf.dispose(found.filter((gradient) => gradient !== null));
    tape.dispose();
    return { values, held: held - before - inputs.length, nulls: found.map((gradient) => gradient === null) };
  }

  it.each(["checkpointed", "nested"] as const)(
    "gives the gradients of the plain pass, captured parameters included (%s)",
    (mode) => {
      const plain = gradients("plain");
      tf.dispose(inputs);
      inputs = [];
      const actual = gradients(mode);
      expect(actual.values).toEqual(plain.values);
      expect(actual.held).toBeLessThan(plain.held);
    },
  );

  it("profits a frozen stretch too, and asks for no gradient of what is frozen", () => {
    const plain = gradients("plain", true);
    tf.dispose(inputs);
    inputs = [];
    const actual = gradients("checkpointed", true);
    expect(actual.values).toEqual(plain.values);
    expect(actual.nulls).toEqual([false, true, true, true]);
    expect(actual.held).toBeLessThan(plain.held);
  });

  it("keeps a captured value alive that its tidy would have freed", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    const loss = tape.tidy(() => {
      const factor = tape.own(tf.tensor1d([1, 2, 3]));
      return sum(tape.checkpoint([leaf], (inner) => mul(square(inner), factor)));
    });
    const [gradient] = tape.backward(loss, [leaf]);
    gradient!
      .dataSync()
      .forEach((value, index) => expect(value).toBeCloseTo(2 * (index + 1) * x.dataSync()[index]!, 4));
    gradient!.dispose();
    tape.dispose();
  });

  it("gives gradients to a parameter first declared inside, and runs once where nothing trains", () => {
    const [x, w] = [input([2, 3]), input([2, 3])];
    const tape = new Tape();
    let runs = 0;
    const output = tape.checkpoint([tape.constant(x)], (inner) => {
      runs += 1;
      return linear(inner, tape.parameter(w, true));
    });
    const idle = tape.checkpoint([tape.constant(x)], (inner) => square(inner));
    expect(idle.needsGradient).toBe(false);
    const [gradient] = tape.backward(sum(output), [tape.parameter(w, true)]);
    expect(gradient!.shape).toEqual([2, 3]);
    expect(runs).toBe(2);
    gradient!.dispose();
    tape.dispose();
  });

  it("keeps what the run releases, its inputs and outer values, until it has run again", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    const [start, outer] = [scale(leaf, 2), tanh(leaf)];
    const output = tape.checkpoint([start], (inner) => {
      const squared = square(inner);
      const product = mul(squared, outer);
      release(inner, outer, squared);
      return product;
    });
    release(start, outer);
    const [gradient] = tape.backward(sum(output), [leaf]);
    gradient!.dataSync().forEach((value, index) => {
      const at = x.dataSync()[index]!;
      expect(value).toBeCloseTo(8 * at * Math.tanh(at) + 4 * at ** 2 * (1 - Math.tanh(at) ** 2), 4);
    });
    gradient!.dispose();
    tape.dispose();
  });

  it("leaves parts of the loss readable after backward", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    const part = sum(square(leaf));
    const [gradient] = tape.backward(add(part, sum(leaf)), [leaf]);
    expect(part.tensor.dataSync()[0]).toBeCloseTo(
      x.dataSync<"float32">().reduce((total, value) => total + value ** 2, 0),
      4,
    );
    gradient!.dispose();
    tape.dispose();
  });

  it("hands back an input or an outer value unchanged", () => {
    const x = input([3]);
    const tape = new Tape();
    const leaf = tape.parameter(x, true);
    expect(tape.checkpoint([leaf], (inner) => inner)).toBe(leaf);
    tape.dispose();
  });
});

describe("a step of a decoder layer", () => {
  it.each([
    ["cpu", false],
    ["wasm", false],
    ["wasm", true],
  ] as const)(
    "leaves no tensor behind on %s (SIMD: %s), with a cache that was passed in and without",
    async (backend, simd) => {
      await useBackend(backend, simd);
      const shapes = {
        x: [6, 8],
        q: [8, 8],
        k: [8, 8],
        v: [8, 8],
        gate: [8, 8],
        up: [8, 8],
        gain: [8],
        vocabulary: [11, 8],
      };
      const tensors = Object.fromEntries(
        Object.entries(shapes).map(([name, shape], index) => [name, input(shape, index)]),
      ) as Record<keyof typeof shapes, tf.Tensor>;
      const layouts = new LayoutCache();
      const step = (options: ConstructorParameters<typeof Tape>[0]) => {
        const tape = new Tape(options);
        const frozen = (name: keyof typeof shapes) => tape.parameter(tensors[name], false);
        const x = tape.parameter(tensors.x, true);
        const output = tape.tidy(() => {
          const normal = rmsNorm(x, frozen("gain"), 1e-5);
          const heads = (name: "q" | "k" | "v") => tape.tidy(() => linear(normal, frozen(name)));
          const asHeads = (value: Value) => reshape(value, [1, 1, 6, 8]);
          const mixed = attention(asHeads(heads("q")), asHeads(heads("k")), asHeads(heads("v")), { scale: 0.3 });
          return swiglu(linear(reshape(mixed, [6, 8]), frozen("gate")), linear(normal, frozen("up")));
        });
        const [gradient] = tape.backward(crossEntropy(output, frozen("vocabulary"), Int32Array.of(1, 2, 3, 4, 5, 6)), [
          x,
        ]);
        gradient!.dispose();
        tape.dispose();
      };
      const counts = [tf.memory().numTensors];
      step({ matmul: "plain2d" });
      counts.push(tf.memory().numTensors);
      step({ matmul: "flags" });
      counts.push(tf.memory().numTensors);
      expect(new Set(counts).size).toBe(1);
      step({ matmul: "plain2d", layouts });
      // Six frozen weights have a copy where the SIMD kernel does not spare it.
      expect(tf.memory().numTensors - counts[0]!).toBe(simd ? 0 : 6);
      expect(layouts.bytes).toBe(simd ? 0 : 4 * (5 * 64 + 88));
      step({ matmul: "plain2d", layouts });
      expect(tf.memory().numTensors - counts[0]!).toBe(simd ? 0 : 6);
      layouts.dispose();
      expect(layouts.bytes).toBe(0);
      tf.dispose(inputs);
      inputs = [];
      await useBackend("cpu");
      before = tf.memory().numTensors;
    },
  );
});

describe("an op of one's own", () => {
  it("saves, and is asked for, only what is needed", () => {
    const [x, y] = [input([3]), input([3], 2)];
    const asked: boolean[][] = [];
    // x^2 y
    const squareTimes = (a: Value, b: Value): Value =>
      operate("squareTimes", [a, b], (record, tape) => {
        if (record !== null) {
          const [savedA, savedB] = [record.save(a), record.needs[0] ? record.save(b) : null];
          record.backward = (gradient, wants) => {
            asked.push([...wants]);
            return [
              wants[0] && savedB !== null ? tf.mul(tf.mul(gradient, tape.scalar(2)), tf.mul(savedA(), savedB())) : null,
              wants[1] ? tf.mul(gradient, tf.square(savedA())) : null,
            ];
          };
        }
        return tf.mul(tf.square(a.tensor), b.tensor);
      });
    const tape = new Tape();
    const [a, b] = [tape.parameter(x, false), tape.parameter(y, true)];
    const gradients = tape.backward(sum(squareTimes(a, b)), [a, b]);
    expect(asked).toEqual([[false, true]]);
    expect(gradients[0]).toBeNull();
    gradients[1]!.dataSync().forEach((value, index) => expect(value).toBeCloseTo(x.dataSync()[index]! ** 2, 5));
    gradients[1]!.dispose();
    tape.dispose();
  });
});

describe("misuse", () => {
  it.each([
    [
      "values of two tapes",
      "THAW_AUTOGRAD_TAPES",
      (x: tf.Tensor) => add(new Tape().constant(x), new Tape().constant(x)),
    ],
    [
      "a value that no tape made",
      "THAW_AUTOGRAD_TAPES",
      (x: tf.Tensor) => square({ tensor: x, shape: [3], needsGradient: false }),
    ],
    [
      "a loss with several elements",
      "THAW_AUTOGRAD_SHAPE",
      (x: tf.Tensor, tape: Tape) => tape.backward(tape.constant(x), []),
    ],
    [
      "one tensor as trained and frozen",
      "THAW_AUTOGRAD_PARAMETER_TWICE",
      (x: tf.Tensor, tape: Tape) => [tape.parameter(x, true), tape.parameter(x, false)],
    ],
    [
      "an op after dispose",
      "THAW_AUTOGRAD_TAPE_SPENT",
      (x: tf.Tensor, tape: Tape) => {
        const value = tape.constant(x);
        tape.dispose();
        square(value);
      },
    ],
    [
      "a second backward",
      "THAW_AUTOGRAD_TAPE_SPENT",
      (x: tf.Tensor, tape: Tape) => {
        const loss = sum(tape.constant(x));
        tape.backward(loss, []);
        tape.backward(loss, []);
      },
    ],
  ] as const)("refuses %s", (_, code, run) => {
    const tape = new Tape();
    const x = input([3]);
    expect(() => run(x, tape)).toThrow(expect.objectContaining({ name: "ThawError", code }));
    tape.dispose();
  });
});
