import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { trainingSchema } from "../options.js";
import { AdamW } from "./adamw.js";
import { clipFactors } from "./clip.js";
import { scheduleFactor } from "./schedule.js";

let tensors = 0;
beforeAll(async () => { await tf.setBackend("cpu"); });
beforeEach(() => { tensors = tf.memory().numTensors; });
afterEach(() => { expect(tf.memory().numTensors).toBe(tensors); });

/** torch 2.15: AdamW(lr 0.01, betas 0.9 and 0.999, eps 1e-8; decay 0.1 on P, 0 on B), clip_grad_norm_(1), cosine with 1 warm-up step of 5. */
const TORCH = [
  { norm: 3.641551971435547, lr: 0, P: [0.5, -1, 2, 0.25], B: [0.10000000149011612, -0.30000001192092896] },
  { norm: 2.879392147064209, lr: 0.01, P: [0.4901168942451477, -0.9890071153640747, 1.9880070686340332, 0.24944663047790527], B: [0.09008023887872696, -0.29831647872924805] },
  { norm: 2.3110387325286865, lr: 0.008535533905932738, P: [0.48188552260398865, -0.9796367287635803, 1.9777840375900269, 0.24893945455551147], B: [0.08197401463985443, -0.30133479833602905] },
  { norm: 2.1002142429351807, lr: 0.005, P: [0.4770435094833374, -0.9741325378417969, 1.971780776977539, 0.2486265003681183], B: [0.0780843198299408, -0.3007100820541382] },
  { norm: 2.3453996181488037, lr: 0.0014644660940672626, P: [0.47559085488319397, -0.9725174903869629, 1.9700196981430054, 0.2485337257385254], B: [0.07745632529258728, -0.30095747113227844] },
];
const TORCH_M = [0.05583943799138069, -0.32774683833122253, 0.0049162027426064014, 1.6387342871571065e-10];
const TORCH_V = [0.00010406313958810642, 0.0031619740184396505, 7.11444101852976e-7];

function closeTo(actual: tf.Tensor, expected: readonly number[]): void {
  actual.dataSync().forEach((value, index) => { if (index < expected.length) expect(Math.abs(value - expected[index]!)).toBeLessThan(2e-7 + 2e-6 * Math.abs(expected[index]!)); });
}

describe("AdamW, clipping and schedule", () => {
  const options = trainingSchema.parse({ schedule: { type: "cosine", warmupSteps: 1 } });

  it("follow PyTorch for five steps", () => {
    const optimizer = new AdamW(options.optimizer);
    let parameters = new Map([["P", tf.tensor2d([0.5, -1, 2, 0.25], [2, 2]) as tf.Tensor], ["B", tf.tensor1d([0.1, -0.3])]]);
    for (const [step, expected] of TORCH.entries()) {
      const learningRate = 0.01 * scheduleFactor(options.schedule, step, 5);
      expect(learningRate).toBeCloseTo(expected.lr, 12);
      const next = tf.tidy(() => {
        // Sums over four tokens, to be divided by four
        const sums = new Map([["P", tf.tensor2d([0.1 * (step + 1), -2, 0.03, 1e-9].map((value) => 4 * value), [2, 2]) as tf.Tensor], ["B", tf.tensor1d([4 * (3 - step), 2 * (-1) ** step])]]);
        const { norm, factor } = clipFactors(sums, [{ names: ["P", "B"], clipNorm: 1 }], 0.25);
        closeTo(norm, [expected.norm]);
        const gradients = new Map([...sums].map(([name, sum]) => [name, tf.mul(sum, factor(name))]));
        return Object.fromEntries(optimizer.update(parameters, gradients, { step, updatesOf: () => step, rates: (name) => ({ learningRate, weightDecay: name === "P" ? 0.1 : 0 }) }));
      });
      tf.dispose([...parameters.values()]);
      parameters = new Map(Object.entries(next));
      closeTo(parameters.get("P")!, expected.P);
      closeTo(parameters.get("B")!, expected.B);
    }
    closeTo(optimizer.slots().get("P/m")!, TORCH_M);
    closeTo(optimizer.slots().get("P/v")!, TORCH_V);
    expect([...optimizer.slots().keys()]).toEqual(["P/m", "P/v", "B/m", "B/v"]);
    tf.dispose([...parameters.values()]);
    optimizer.dispose();
  });

  it("corrects the bias of a parameter that starts late by its own number of updates", () => {
    const run = (name: string, count: number, step: number) => {
      const optimizer = new AdamW(options.optimizer);
      const value = tf.tidy(() => optimizer.update(new Map([[name, tf.tensor1d([1])]]), new Map([[name, tf.tensor1d([0.5])]]), { step, updatesOf: () => count, rates: () => ({ learningRate: 0.1, weightDecay: 0 }) }).get(name)!.dataSync()[0]);
      optimizer.dispose();
      return value;
    };
    expect(run("late", 0, 100)).toBe(run("early", 0, 0));
  });

  it("updates vectors together as it would each alone, in a few ops", () => {
    const names = Array.from({ length: 20 }, (_, index) => `norm${index}`);
    const values = new Map(names.map((name, index) => [name, tf.fill([index + 1], index / 7) as tf.Tensor]));
    const run = (sets: readonly (readonly string[])[]) => {
      const optimizer = new AdamW(options.optimizer);
      const results = new Map<string, readonly number[]>();
      let kernels = 0;
      for (const count of [0, 1]) {
        for (const set of sets) {
          const own = new Map(set.map((name) => [name, values.get(name)!]));
          const profile = tf.tidy(() => {
            const spy = vi.spyOn(tf.engine(), "runKernel");
            const updated = optimizer.update(own, own, { step: count, updatesOf: () => count, rates: (name) => ({ learningRate: name === "norm3" ? 0.5 : 0.1, weightDecay: 0.01 }) });
            kernels += spy.mock.calls.length;
            spy.mockRestore();
            return [...updated].map(([name, tensor]) => [name, [...tensor.dataSync()]] as const);
          });
          for (const [name, numbers] of profile) results.set(name, [...(results.get(name) ?? []), ...numbers]);
        }
      }
      optimizer.dispose();
      return { results, kernels };
    };
    const [together, alone] = [run([names]), run(names.map((name) => [name]))];
    expect(together.results).toEqual(alone.results);
    expect(together.kernels).toBeLessThan(90);
    expect(alone.kernels).toBeGreaterThan(400);
    tf.dispose([...values.values()]);
  });

  it("hands out, drops and takes back slots", () => {
    const optimizer = new AdamW(options.optimizer);
    optimizer.restore(new Map([["a/m", tf.scalar(1)], ["a/v", tf.scalar(2)], ["b/m", tf.scalar(3)], ["b/v", tf.scalar(4)]]));
    optimizer.drop(["a", "unknown"]);
    expect([...optimizer.slots()].map(([name, tensor]) => [name, tensor.dataSync()[0]])).toEqual([["b/m", 3], ["b/v", 4]]);
    optimizer.dispose();
  });

  it("clips groups apart, and counts an unclipped one in the norm", () => {
    const [norm, ...factors] = tf.tidy(() => {
      const gradients = new Map([["a", tf.tensor1d([3, 4])], ["b", tf.tensor1d([12])], ["c", tf.tensor1d([84])]]);
      const result = clipFactors(gradients, [{ names: ["a"], clipNorm: 1 }, { names: ["b"], clipNorm: 100 }, { names: ["c"], clipNorm: null }, { names: ["absent"], clipNorm: 1 }], 1);
      return [result.norm, result.factor("a"), result.factor("b"), result.factor("c")].map((tensor) => tensor.dataSync()[0]!);
    });
    expect(norm).toBeCloseTo(85, 5);
    expect(factors[0]).toBeCloseTo(1 / 5.000001, 6);
    expect(factors.slice(1)).toEqual([1, 1]);
  });
});

describe("scheduleFactor", () => {
  const factors = (schedule: object, totalSteps: number, count: number) => {
    const resolved = trainingSchema.parse({ schedule }).schedule;
    return Array.from({ length: count }, (_, step) => scheduleFactor(resolved, step, totalSteps));
  };
  const close = (actual: readonly number[], expected: readonly number[]) => { actual.forEach((value, index) => { expect(value).toBeCloseTo(expected[index]!, 12); }); };

  it("gives the numbers of transformers 5.23", () => {
    close(factors({ type: "cosine", warmupSteps: 3 }, 10, 11), [0, 1 / 3, 2 / 3, 1, 0.9504844339512095, 0.8117449009293668, 0.6112604669781572, 0.38873953302184283, 0.18825509907063326, 0.04951556604879048, 0]);
    close(factors({ type: "linear", warmupSteps: 3 }, 10, 12), [0, 1 / 3, 2 / 3, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7, 0, 0]);
    close(factors({ type: "constant", warmupSteps: 3 }, 10, 6), [0, 1 / 3, 2 / 3, 1, 1, 1]);
  });

  it("rounds a warm-up ratio up, and starts at the full rate without one", () => {
    expect(factors({ type: "cosine", warmupRatio: 0.03 }, 100, 4)).toEqual([0, 1 / 3, 2 / 3, 1]);
    expect(factors({ type: "cosine", warmupRatio: 0.001 }, 100, 2)).toEqual([0, 1]);
    expect(factors({ type: "linear" }, 4, 5)).toEqual([1, 0.75, 0.5, 0.25, 0]);
    expect(factors({}, 4, 2)).toEqual([1, 1]);
  });
});
