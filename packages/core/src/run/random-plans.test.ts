import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped } from "../toy/toy-trainer.js";
import { markLast } from "../training/micro-batches.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

const model = toyModel();
const live = model.parameters.map(({ name }) => name).filter((name) => !model.deadParameters.includes(name));

describe("any plan", () => {
  it(
    "leaves a frozen parameter bit-identical after ten steps, moves each that trains, and gives the gradients of " +
      "the all-trained run",
    async () => {
      const start = new Map<string, Float32Array>();
      for await (const { name, values } of model.load(live)) start.set(name, values);
      const gradientsOf = async (trained: ReadonlySet<string>, maxSteps: number) => {
        const gradients = new Map<string, Float32Array>();
        const plugin = tapped("Plan", ({ hooks }) => {
          hooks.plan.tap("Plan", (plan) => ({
            phases: [
              {
                fromStep: 0,
                entries: plan.phases[0]!.entries.map((entry) => ({ ...entry, trainable: trained.has(entry.name) })),
              },
            ],
          }));
          hooks.gradients.tap("Plan", (named, { step }) => {
            if (step === 0)
              for (const [name, gradient] of named) gradients.set(name, gradient.dataSync<"float32">().slice());
            return named;
          });
        });
        const { parameters } = await runToy({
          plugins: [plugin],
          training: { maxSteps, epochs: undefined, optimizer: { weightDecay: 0.1, decayNormsAndBiases: true } },
        });
        return { gradients, parameters };
      };
      const all = await gradientsOf(new Set(live), 1);
      await fc.assert(
        fc.asyncProperty(fc.subarray(live, { minLength: 1 }), async (names) => {
          const { gradients, parameters } = await gradientsOf(new Set(names), 10);
          expect([...gradients.keys()].toSorted()).toEqual(names.toSorted());
          for (const [name, gradient] of gradients)
            gradient.forEach((value, index) => {
              expect(value).toBeCloseTo(all.gradients.get(name)![index]!, 5);
            });
          for (const name of live) {
            if (names.includes(name)) expect(parameters.get(name)).not.toEqual(start.get(name));
            else expect(parameters.get(name)).toEqual(start.get(name));
          }
        }),
        { numRuns: 12, seed: 3 },
      );
    },
  );
});

describe("markLast", () => {
  it("asks for the next item early, knows the last, and closes the source when it is left", async () => {
    const events: string[] = [];
    async function* numbers() {
      try {
        for (const value of [1, 2, 3]) {
          events.push(`give ${value}`);
          yield value;
        }
      } finally {
        events.push("closed");
      }
    }
    for await (const { item, isLast } of markLast(numbers())) {
      await Promise.resolve();
      events.push(`take ${item}`);
      events.push(`last ${await isLast()}`);
    }
    expect(events).toEqual([
      "give 1",
      "give 2",
      "take 1",
      "last false",
      "give 3",
      "take 2",
      "last false",
      "closed",
      "take 3",
      "last true",
    ]);
    events.length = 0;
    for await (const { item } of markLast(numbers())) if (item === 1) break;
    expect(events.at(-1)).toBe("closed");
  });

  it("hands on the source's error once the item before it is done", async () => {
    async function* failing() {
      yield 1;
      throw new Error("decode");
    }
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const { item } of markLast(failing())) seen.push(item);
      })(),
    ).rejects.toThrow("decode");
    expect(seen).toEqual([1]);
    const source = { ...toySource(), batches: failing as never };
    await expect(runToy({ data: { train: source } })).rejects.toThrow();
  });
});
