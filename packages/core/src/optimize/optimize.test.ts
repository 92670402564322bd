import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { trainingSchema } from "../api/options.js";
import { adamwRule } from "../optimizers/adamw.js";
import { clipFactors } from "./clip.js";
import { scheduleFactor } from "../schedules/factor.js";
import { SCHEDULES } from "../schedules/list.js";
import { ElementwiseOptimizer } from "./elementwise.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

/**
 * torch 2.15: AdamW(lr 0.01, betas 0.9 and 0.999, eps 1e-8; decay 0.1 on P, 0 on B), clip_grad_norm_(1), cosine with 1
 * warm-up step of 5.
 */
const TORCH = [
  { norm: 3.641551971435547, lr: 0, P: [0.5, -1, 2, 0.25], B: [0.10000000149011612, -0.30000001192092896] },
  {
    norm: 2.879392147064209,
    lr: 0.01,
    P: [0.4901168942451477, -0.9890071153640747, 1.9880070686340332, 0.24944663047790527],
    B: [0.09008023887872696, -0.29831647872924805],
  },
  {
    norm: 2.3110387325286865,
    lr: 0.008535533905932738,
    P: [0.48188552260398865, -0.9796367287635803, 1.9777840375900269, 0.24893945455551147],
    B: [0.08197401463985443, -0.30133479833602905],
  },
  {
    norm: 2.1002142429351807,
    lr: 0.005,
    P: [0.4770435094833374, -0.9741325378417969, 1.971780776977539, 0.2486265003681183],
    B: [0.0780843198299408, -0.3007100820541382],
  },
  {
    norm: 2.3453996181488037,
    lr: 0.0014644660940672626,
    P: [0.47559085488319397, -0.9725174903869629, 1.9700196981430054, 0.2485337257385254],
    B: [0.07745632529258728, -0.30095747113227844],
  },
];
const TORCH_M = [0.05583943799138069, -0.32774683833122253, 0.0049162027426064014, 1.6387342871571065e-10];
const TORCH_V = [0.00010406313958810642, 0.0031619740184396505, 7.11444101852976e-7];

/** What a backend may bring: packages/backend-gpu/native/kernels. */
const OWN_KERNELS: readonly tf.KernelConfig[] = [
  {
    kernelName: "ThawAdamW",
    backendName: "cpu",
    kernelFunc: ({ inputs }) =>
      tf.tidy(() => {
        const { parameter, m, v, gradient, scalars } = inputs as Record<string, tf.Tensor>;
        const [beta1, beta2, newM, newV, size, epsilon, decay] = [...scalars!.dataSync()] as [
          number,
          number,
          number,
          number,
          number,
          number,
          number,
        ];
        const nextM = tf.add(tf.mul(m!, beta1), tf.mul(gradient!, newM));
        const nextV = tf.add(tf.mul(v!, beta2), tf.mul(tf.square(gradient!), newV));
        return [
          tf.sub(tf.mul(parameter!, decay), tf.mul(tf.div(nextM, tf.add(tf.sqrt(nextV), epsilon)), size)),
          nextM,
          nextV,
        ];
      }),
  },
  {
    kernelName: "ThawSumOfSquares",
    backendName: "cpu",
    kernelFunc: ({ inputs }) => tf.tidy(() => tf.sum(tf.square(inputs["x"] as tf.Tensor))),
  },
];

function closeTo(actual: tf.Tensor, expected: readonly number[]): void {
  actual.dataSync().forEach((value, index) => {
    if (index < expected.length)
      expect(Math.abs(value - expected[index]!)).toBeLessThan(2e-7 + 2e-6 * Math.abs(expected[index]!));
  });
}

describe("AdamW, clipping and schedule", () => {
  const options = trainingSchema.parse({ schedule: { type: "cosine", warmupSteps: 1 } });
  const makeAdamw = (joinBytes?: number) =>
    new ElementwiseOptimizer(adamwRule({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }), { joinBytes });

  it.each(["composed of ops", "in a kernel of the backend's own"])("follow PyTorch for five steps, %s", (way) => {
    const registered = way === "composed of ops" ? [] : OWN_KERNELS;
    for (const kernel of registered) tf.registerKernel(kernel);
    const optimizer = makeAdamw();
    let parameters = new Map([
      ["P", tf.tensor2d([0.5, -1, 2, 0.25], [2, 2]) as tf.Tensor],
      ["B", tf.tensor1d([0.1, -0.3])],
    ]);
    for (const [step, expected] of TORCH.entries()) {
      const learningRate = 0.01 * scheduleFactor(options.schedule, SCHEDULES, step, 5);
      expect(learningRate).toBeCloseTo(expected.lr, 12);
      const next = tf.tidy(() => {
        // Sums over four tokens, to be divided by four
        const sums = new Map([
          [
            "P",
            tf.tensor2d(
              [0.1 * (step + 1), -2, 0.03, 1e-9].map((value) => 4 * value),
              [2, 2],
            ) as tf.Tensor,
          ],
          ["B", tf.tensor1d([4 * (3 - step), 2 * (-1) ** step])],
        ]);
        const { norm, factor } = clipFactors(sums, [{ names: ["P", "B"], clipNorm: 1 }], 0.25);
        closeTo(norm, [expected.norm]);
        const gradients = new Map([...sums].map(([name, sum]) => [name, tf.mul(sum, factor(name))]));
        return Object.fromEntries(
          optimizer.update(parameters, gradients, {
            step,
            updatesOf: () => step,
            rates: (name) => ({ learningRate, weightDecay: name === "P" ? 0.1 : 0 }),
          }),
        );
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
    for (const { kernelName, backendName } of registered) tf.unregisterKernel(kernelName, backendName);
  });

  it("corrects the bias of a parameter that starts late by its own number of updates", () => {
    const run = (name: string, count: number, step: number) => {
      const optimizer = makeAdamw();
      const value = tf.tidy(
        () =>
          new Map(
            optimizer.update(new Map([[name, tf.tensor1d([1])]]), new Map([[name, tf.tensor1d([0.5])]]), {
              step,
              updatesOf: () => count,
              rates: () => ({ learningRate: 0.1, weightDecay: 0 }),
            }),
          )
            .get(name)!
            .dataSync()[0],
      );
      optimizer.dispose();
      return value;
    };
    expect(run("late", 0, 100)).toBe(run("early", 0, 0));
  });

  describe("many parameters", () => {
    const names = [
      ...Array.from({ length: 20 }, (_, index) => `norm${index}`),
      ...Array.from({ length: 6 }, (_, index) => `square${index}`),
      "wide",
      "large0",
      "large1",
    ];
    const shapeOf = (name: string): number[] =>
      name.startsWith("norm")
        ? [Number(name.slice(4)) + 1]
        : name.startsWith("square")
          ? [3, 3]
          : name === "wide"
            ? [3, 5]
            : [513, 512];
    const make = () =>
      new Map(
        names.map((name, index) => [
          name,
          tf.tidy(() =>
            tf.add(
              tf.fill(shapeOf(name), index / 7),
              tf.reshape(tf.range(0, 1, 1 / tf.util.sizeFromShape(shapeOf(name))), shapeOf(name)),
            ),
          ) as tf.Tensor,
        ]),
      );

    /** Two updates of each set; values of small parameters after each, and how many kernels ran. */
    function run(sets: readonly (readonly string[])[], joinBytes?: number) {
      const values = make();
      const optimizer = makeAdamw(joinBytes);
      const results = new Map<string, readonly number[]>();
      const kernels: number[] = [];
      for (const count of [0, 1]) {
        for (const set of sets) {
          const own = new Map(set.map((name) => [name, values.get(name)!]));
          const updated = tf.tidy(() => {
            const factor = tf.scalar(0.5);
            const spy = vi.spyOn(tf.engine(), "runKernel");
            const result = new Map(
              optimizer.update(own, own, {
                step: count,
                updatesOf: () => count,
                factorOf: () => factor,
                rates: (name) => ({ learningRate: name === "norm3" ? 0.5 : 0.1, weightDecay: 0.01 }),
              }),
            );
            kernels.push(spy.mock.calls.length);
            spy.mockRestore();
            return [...result].map(([name, tensor]) => [name, [...tensor.dataSync()]] as const);
          });
          for (const [name, numbers] of updated) results.set(name, [...(results.get(name) ?? []), ...numbers]);
        }
      }
      const slots = new Map(
        [...optimizer.slots()].map(([name, tensor]) => [name, { shape: tensor.shape, values: [...tensor.dataSync()] }]),
      );
      optimizer.dispose();
      tf.dispose([...values.values()]);
      return { results, slots, kernels };
    }

    it("are updated together as each would be alone, to the last bit, in a few ops", () => {
      const [together, alone] = [run([names]), run(names.map((name) => [name]))];
      expect(together.results).toEqual(alone.results);
      expect(together.slots).toEqual(alone.slots);
      // 6 packs: vectors, the one with its own rate, squares, wide, large0, large1. A parameter takes 13 kernels, a
      // pack 3 more.
      expect(together.kernels[1]).toBeLessThanOrEqual(6 * 13 + 2 * 3 + 12);
      // With room for more bytes the large ones are one pack, too.
      const wide = run([names], 1 << 22);
      expect(wide.results).toEqual(alone.results);
      expect(wide.kernels[1]).toBeLessThan(together.kernels[1]! - 8);
      expect(alone.kernels.slice(names.length).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(
        names.length * 13,
      );
    });

    it(
      "get their moments where they are prepared, joined as they are updated, and are not touched by preparing " +
        "again",
      () => {
        const values = make();
        const context = { step: 0, updatesOf: () => 0, rates: () => ({ learningRate: 0.1, weightDecay: 0 }) };
        const optimizer = makeAdamw();
        const before = tf.memory().numTensors;
        optimizer.prepare(values, context);
        // 5 packs: vectors, squares, wide, large0, large1
        expect(tf.memory().numTensors - before).toBe(2 * 5);
        const first = tf.tidy(() =>
          Object.fromEntries(
            [...optimizer.update(values, values, context)].map(([name, tensor]) => [name, [...tensor.dataSync()]]),
          ),
        );
        const slots = () =>
          Object.fromEntries([...optimizer.slots()].map(([slot, tensor]) => [slot, [...tensor.dataSync()]]));
        const moved = slots();
        optimizer.prepare(values, context);
        expect(slots()).toEqual(moved);
        optimizer.dispose();
        const unprepared = makeAdamw();
        expect(
          tf.tidy(() =>
            Object.fromEntries(
              [...unprepared.update(values, values, context)].map(([name, tensor]) => [name, [...tensor.dataSync()]]),
            ),
          ),
        ).toEqual(first);
        unprepared.dispose();
        tf.dispose([...values.values()]);
      },
    );

    it("stay right when the set changes, and when slots are asked for in between", () => {
      const values = make();
      const runSets = (isAsked: boolean) => {
        const optimizer = makeAdamw();
        const counts = new Map<string, number>();
        const last = new Map<string, number[]>();
        for (const set of [
          ["square0", "square1", "square2", "norm1"],
          ["square1", "square2"],
          ["square0", "square1", "square2", "square3"],
          ["square3", "norm1", "norm2"],
          ["square0", "norm2", "norm1"],
        ]) {
          if (isAsked) expect([...optimizer.slots().keys()]).toHaveLength(2 * counts.size);
          tf.tidy(() => {
            const own = new Map(set.map((name) => [name, values.get(name)!]));
            for (const [name, tensor] of optimizer.update(own, own, {
              step: 0,
              updatesOf: (name) => counts.get(name) ?? 0,
              rates: () => ({ learningRate: 0.1, weightDecay: 0 }),
            }))
              last.set(name, [...tensor.dataSync()]);
          });
          for (const name of set) counts.set(name, (counts.get(name) ?? 0) + 1);
        }
        optimizer.drop(["square1"]);
        expect([...optimizer.slots().keys()].some((slot) => slot.startsWith("square1/"))).toBe(false);
        optimizer.dispose();
        return last;
      };
      const alone = new Map<string, number[]>();
      for (const [name, count] of [
        ["square0", 3],
        ["square1", 3],
        ["square2", 3],
        ["square3", 2],
        ["norm1", 3],
        ["norm2", 2],
      ] as const) {
        const optimizer = makeAdamw();
        for (let updates = 0; updates < count; updates++) {
          tf.tidy(() => {
            const own = new Map([[name, values.get(name)!]]);
            alone.set(name, [
              ...new Map(
                optimizer.update(own, own, {
                  step: 0,
                  updatesOf: () => updates,
                  rates: () => ({ learningRate: 0.1, weightDecay: 0 }),
                }),
              )
                .get(name)!
                .dataSync(),
            ]);
          });
        }
        optimizer.dispose();
      }
      for (const isAsked of [false, true]) expect(runSets(isAsked)).toEqual(alone);
      tf.dispose([...values.values()]);
    });
  });

  it("hands out, drops and takes back slots", () => {
    const optimizer = makeAdamw();
    optimizer.restore(
      new Map([
        ["a/m", tf.scalar(1)],
        ["a/v", tf.scalar(2)],
        ["b/m", tf.scalar(3)],
        ["b/v", tf.scalar(4)],
      ]),
    );
    optimizer.drop(["a", "unknown"]);
    expect([...optimizer.slots()].map(([name, tensor]) => [name, tensor.dataSync()[0]])).toEqual([
      ["b/m", 3],
      ["b/v", 4],
    ]);
    optimizer.dispose();
  });

  it("clips groups apart, and counts an unclipped one in the norm", () => {
    const [norm, ...factors] = tf.tidy(() => {
      const gradients = new Map([
        ["a", tf.tensor1d([3, 4])],
        ["b", tf.tensor1d([12])],
        ["c", tf.tensor1d([84])],
      ]);
      const result = clipFactors(
        gradients,
        [
          { names: ["a"], clipNorm: 1 },
          { names: ["b"], clipNorm: 100 },
          { names: ["c"], clipNorm: null },
          { names: ["absent"], clipNorm: 1 },
        ],
        1,
      );
      return [result.norm, result.factor("a"), result.factor("b"), result.factor("c")].map(
        (tensor) => tensor.dataSync()[0]!,
      );
    });
    expect(norm).toBeCloseTo(85, 5);
    expect(factors[0]).toBeCloseTo(1 / 5.000001, 6);
    expect(factors.slice(1)).toEqual([1, 1]);
  });
});

/** Made by fixtures/make_schedules.py. */
const SCHEDULE_CASES = JSON.parse(
  readFileSync(new URL("../../fixtures/schedules.json", import.meta.url), "utf8"),
) as readonly { readonly options: object; readonly totalSteps: number; readonly factors: readonly number[] }[];

describe("scheduleFactor", () => {
  const factors = (schedule: object, totalSteps: number, count: number) => {
    const resolved = trainingSchema.parse({ schedule }).schedule;
    return Array.from({ length: count }, (_, step) => scheduleFactor(resolved, SCHEDULES, step, totalSteps));
  };
  const close = (actual: readonly number[], expected: readonly number[]) => {
    actual.forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index]!, 12);
    });
  };

  it.each(SCHEDULE_CASES)("gives transformers' numbers for $options", ({ options, totalSteps, factors: expected }) => {
    close(factors(options, totalSteps, expected.length), expected);
  });

  it("rounds a warm-up ratio up, and starts at the full rate without one", () => {
    expect(factors({ type: "cosine", warmupRatio: 0.03 }, 100, 4)).toEqual([0, 1 / 3, 2 / 3, 1]);
    expect(factors({ type: "cosine", warmupRatio: 0.001 }, 100, 2)).toEqual([0, 1]);
    expect(factors({ type: "linear" }, 4, 5)).toEqual([1, 0.75, 0.5, 0.25, 0]);
    expect(factors({}, 4, 2)).toEqual([1, 1]);
  });
});
