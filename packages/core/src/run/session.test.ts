import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { writeSafetensors } from "@thaw/safetensors";
import type { Batch, BatchSource } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import type { Backend } from "../api/contexts.js";
import { TOY, toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

async function firstBatch(source: BatchSource, microBatchSize: number): Promise<Batch> {
  for await (const batch of source.batches({ epoch: 0, seed: 0, microBatchSize, shuffle: false })) return batch;
  throw new Error("empty");
}

describe("Trainer.open", () => {
  it("measures, generates, runs a segment and reads parameters without training", async () => {
    const session = await toyTrainer({ data: undefined, seed: undefined }).open();
    const batch = await firstBatch(toySource(), 3);
    const { lossSum, supervisedTokenCount } = await session.loss(batch);
    expect(supervisedTokenCount).toBe(2 + 3 + 4);
    const first = await runToy({
      data: { train: toySource({ sampleCount: 3 }) },
      training: { maxSteps: 1, microBatchSize: 3 },
    });
    expect(lossSum / supervisedTokenCount).toBeCloseTo(first.losses[0]!, 5);
    expect(await session.generate(batch, { maxNewTokens: 2 })).toHaveLength(3);
    const output = await session.runSegment("tower", batch.media);
    expect(output.tensor.shape).toEqual([3, TOY.features]);
    expect([...output.offsets]).toEqual([0, 1, 2, 3]);
    output.tensor.dispose();
    await expect(session.runSegment("decoder.head", batch.media)).rejects.toMatchObject({
      code: "THAW_CORE_SEGMENT_HAS_NO_OUTPUT",
    });
    await expect(session.readParameter("decoder.embd.weight")).rejects.toMatchObject({
      code: "THAW_CORE_PARAMETER_UNKNOWN",
      details: { nearest: ["decoder.embed.weight", expect.anything(), expect.anything()] },
    });
    await session.close();
    await session.close();
  });

  it("measures the loss of the batch that taps of `batch` leave: padded, reversed, masked", async () => {
    const batch = await firstBatch(toySource(), 3);
    const measured = async (change: (batch: Batch) => Batch) => {
      const plugin = tapped("Change", ({ hooks }) => {
        hooks.batch.tap("Change", change);
      });
      const session = await toyTrainer({ data: undefined, seed: undefined, plugins: [plugin] }).open();
      const loss = await session.loss(batch);
      await session.close();
      return loss;
    };
    const rows = (values: Int32Array, tokens: number): readonly (readonly number[])[] =>
      Array.from({ length: 3 }, (_, row) => [...values.subarray(row * tokens, (row + 1) * tokens)]);
    const changed = (
      given: Batch,
      change: (rows: readonly (readonly number[])[], padding: number) => number[][],
    ): Batch => {
      const { tokenIds, labels, attentionMask, tokenCount } = given;
      const make = (values: Int32Array, padding: number): Int32Array =>
        Int32Array.from(change(rows(values, tokenCount), padding).flat());
      const next = { tokenIds: make(tokenIds, 2), labels: make(labels, -100), attentionMask: make(attentionMask, 0) };
      return { ...given, ...next, tokenCount: next.labels.length / 3 };
    };
    const plain = await measured((given) => given);
    const padded = await measured((given) => changed(given, (all, padding) => all.map((row) => [...row, padding])));
    expect(padded.supervisedTokenCount).toBe(plain.supervisedTokenCount);
    expect(padded.lossSum).toBeCloseTo(plain.lossSum, 5);
    const reversed = await measured((given) => ({
      ...changed(given, (all) => all.toReversed().map((row) => [...row])),
      media: given.media.map((item) => ({ ...item, sample: 2 - item.sample })).toReversed(),
    }));
    expect(reversed.supervisedTokenCount).toBe(plain.supervisedTokenCount);
    expect(reversed.lossSum).toBeCloseTo(plain.lossSum, 5);
    expect(await measured((given) => ({ ...given, labels: given.labels.map(() => -100) }))).toEqual({
      lossSum: 0,
      supervisedTokenCount: 0,
    });
  });

  it("measures each row of a batch by itself as it is measured alone", async () => {
    const session = await toyTrainer({ data: undefined, seed: undefined }).open();
    const batch = await firstBatch(toySource(), 3);
    const losses = await session.losses(batch);
    const onlyRow = (row: number): Batch => ({
      ...batch,
      labels: batch.labels.map((label, at) => (Math.floor(at / batch.tokenCount) === row ? label : -100)),
    });
    for (const [row, own] of losses.entries()) {
      const alone = await session.loss(onlyRow(row));
      expect(own.supervisedTokenCount).toBe(alone.supervisedTokenCount);
      expect(own.lossSum).toBeCloseTo(alone.lossSum, 5);
    }
    expect(new Set(losses.map(({ lossSum }) => lossSum)).size).toBe(3);
    const [, second] = await session.losses(onlyRow(0));
    expect(second).toEqual({ lossSum: 0, supervisedTokenCount: 0 });
    await session.close();
  });

  it("loads what a run trained, all or nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "thaw-core-"));
    const { summary, parameters } = await runToy({ output: folder, plugins: [trainOnly([0, ["projector"]])] });
    const session = await toyTrainer().open();
    expect(await session.loadParameters(join(summary.runFolder!, "final/trained.safetensors"))).toEqual([
      "projector.linear.weight",
      "projector.linear.bias",
    ]);
    expect(await session.readParameter("projector.linear.weight")).toEqual(parameters.get("projector.linear.weight"));
    const file = join(folder, "strange.safetensors");
    await writeSafetensors(
      file,
      ["projector.linear.bias", "strange"].map((name) => ({ name, dtype: "F32", shape: [TOY.hidden] })),
      () => new Float32Array(TOY.hidden),
    );
    await expect(session.loadParameters(file)).rejects.toMatchObject({
      code: "THAW_CORE_PARAMETERS_UNFIT",
      details: { file, problems: [expect.stringMatching(/^there is no parameter strange/)] },
    });
    const final = join(summary.runFolder!, "final/trained.safetensors");
    const bytes = await readFile(final);
    bytes[bytes.length - 1]! ^= 1; // in the last tensor: what comes before it must not stay changed
    await writeFile(final, bytes);
    const other = await toyTrainer().open();
    const before = await other.readParameter("projector.linear.weight");
    await expect(other.loadParameters(final)).rejects.toMatchObject({ code: "THAW_SAFETENSORS_DAMAGED" });
    expect(await other.readParameter("projector.linear.weight")).toEqual(before);
    await other.close();
    expect(await session.readParameter("projector.linear.bias")).toEqual(parameters.get("projector.linear.bias"));
    await session.close();
    await rm(folder, { recursive: true });
  });

  it("does one thing at a time, and another when that is over", async () => {
    const trainer = toyTrainer({ training: { maxSteps: 1 } });
    const session = await trainer.open();
    await expect(trainer.run()).rejects.toMatchObject({ code: "THAW_CORE_ALREADY_RUNNING" });
    await session.close();
    expect((await trainer.run()).steps).toBe(1);
    await (await trainer.open()).close();
  });

  it("frees everything when initialize fails", async () => {
    const trainer = toyTrainer({
      plugins: [
        tapped("Bad", ({ hooks }) => {
          hooks.initialize.tap("Bad", () => {
            throw new Error("bad");
          });
        }),
      ],
    });
    await expect(trainer.open()).rejects.toThrow("bad");
  });

  it("says which values are missing or misshaped", async () => {
    const model = toyModel();
    const load = (change: (name: string, values: Float32Array) => Float32Array | undefined) => ({
      ...model,
      async *load(names: readonly string[]) {
        for await (const { name, values } of model.load(names)) {
          const changed = change(name, values);
          if (changed !== undefined) yield { name, values: changed };
        }
      },
    });
    await expect(
      toyTrainer({ model: load((name, values) => (name.startsWith("tower.linear") ? undefined : values)) }).open(),
    ).rejects.toMatchObject({
      code: "THAW_CORE_PARAMETERS_MISSING",
      details: { names: ["tower.linear.weight", "tower.linear.bias"] },
    });
    await expect(toyTrainer({ model: load((_, values) => values.slice(1)) }).open()).rejects.toMatchObject({
      code: "THAW_CORE_PARAMETER_MISSHAPED",
    });
  });

  it("uses the backend that a plugin names, and disposes it last", async () => {
    const order: string[] = [];
    const backend: Backend = {
      name: "cpu",
      description: "by the test",
      matmul: "plain2d",
      dispose: () => {
        order.push("backend");
      },
    };
    const session = await toyTrainer({
      plugins: [
        tapped("Named", ({ hooks }) => {
          hooks.resolveBackend.tapPromise("Named", async () => backend);
          hooks.shutdown.tap("Named", () => {
            order.push("shutdown");
          });
        }),
      ],
    }).open();
    expect(session.backend).toBe(backend);
    await session.close();
    expect(order).toEqual(["shutdown", "backend"]);
  });
});

describe("a run", () => {
  it("uses an optimizer that a plugin brings, and refuses one that updates what has no gradient", async () => {
    const bring = (strange: boolean) =>
      tapped("Bring", ({ hooks }) => {
        hooks.resolveOptimizer.tap("Bring", () => ({
          name: "sgd",
          update: (parameters, gradients, { rates }) =>
            new Map(
              [...gradients].map(([name, gradient]) => [
                strange ? "tower.linear.bias" : name,
                tf.sub(parameters.get(name)!, tf.mul(gradient, rates(name).learningRate)),
              ]),
            ),
          slots: () => new Map(),
          restore: () => {},
          drop: () => {},
          dispose: () => {},
        }));
      });
    const { losses } = await runToy({ plugins: [bring(false)], training: { epochs: 3, learningRate: 0.5 } });
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    await expect(toyTrainer({ plugins: [trainOnly([0, ["projector"]]), bring(true)] }).run()).rejects.toMatchObject({
      code: "THAW_CORE_OPTIMIZER_UPDATED_FROZEN",
    });
  });

  it("trains a parameter that a plugin adds, from seeded initial values", async () => {
    const add = () =>
      tapped("Add", ({ hooks }) => {
        hooks.parameters.tap("Add", (parameters) => [
          ...parameters,
          { name: "projector.scale", shape: [1], dtype: "F32", initialize: (_, random) => Float32Array.of(random()) },
        ]);
        hooks.loss.tap("Add", (loss, { scope }) => {
          expect(scope.parameter("projector.scale").needsGradient).toBe(true);
          return loss;
        });
      });
    const values: Float32Array[] = [];
    for (const seed of [5, 5, 6]) {
      const trainer = toyTrainer({ seed, training: { maxSteps: 1 }, plugins: [add()] });
      trainer.hooks.beforeRun.tapPromise("Test", async ({ readParameter }) => {
        values.push(await readParameter("projector.scale"));
      });
      await trainer.run();
    }
    expect(values[1]).toEqual(values[0]);
    expect(values[2]).not.toEqual(values[0]);
  });

  it("reports peak memory since the last call, and lets timers run between micro-batches", async () => {
    const laps: { bytes: number; peakBytes: number }[] = [];
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 1);
    await runToy({
      training: { epochs: 5 },
      plugins: [
        tapped("Lap", ({ hooks }) => {
          hooks.afterStep.tap("Lap", ({ memory }) => {
            laps.push(memory());
          });
        }),
      ],
    });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
    for (const { bytes, peakBytes } of laps) expect(peakBytes).toBeGreaterThan(bytes);
    expect(new Set(laps.slice(3).map(({ bytes }) => bytes)).size).toBe(1);
  });
});
