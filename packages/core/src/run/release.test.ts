import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { simulatedBfloat16 } from "@thaw/autograd";
import type { Batch, Model } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import type { Plugin } from "../api/plugin.js";
import { toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, trainOnly } from "../toy/toy-trainer.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

/** Weight and bias of the tower. */
const TOWER_BYTES = 4 * (3 * 4 + 3);
/** A matrix that the model never uses. */
const UNUSED = { name: "tower.unused.weight", bytes: 4 * 2 * 2 };

interface Released {
  readonly plugin: Plugin;
  readonly bytes: number[];
  readonly numTensors: number[];
}

/** Keeps the tower's output of every image while training, and has it released from a step on, every time again. */
function release({
  fromStep = 2,
  evaluates = true,
}: { readonly fromStep?: number; readonly evaluates?: boolean } = {}): Released {
  const bytes: number[] = [];
  const numTensors: number[] = [];
  const outputs = new Map<string, Float32Array>();
  const plugin = tapped("Release", ({ hooks }) => {
    hooks.batch.tapPromise("Release", async (batch, context): Promise<Batch> => {
      if (context.purpose !== "train" && !evaluates) return batch;
      const items = batch.media;
      if (items.length === 0) return batch;
      for (const item of items) {
        if (outputs.has(item.contentKey)) continue;
        const output = await context.runSegment("tower", [item]);
        outputs.set(item.contentKey, (await output.tensor.data<"float32">()).slice());
        output.tensor.dispose();
      }
      if (context.purpose === "train" && context.step >= fromStep) {
        const before = tf.memory().numTensors;
        bytes.push(await context.releaseSegment("tower"));
        numTensors.push(tf.memory().numTensors - before);
      }
      await context.segmentFingerprint("tower");
      return {
        ...batch,
        segmentOutputs: {
          tower: {
            tensor: tf.tensor(Float32Array.from(items.flatMap(({ contentKey }) => [...outputs.get(contentKey)!])), [
              items.length,
              3,
            ]),
            offsets: Int32Array.from({ length: items.length + 1 }, (_, item) => item),
          },
        },
      };
    });
  });
  return { plugin, bytes, numTensors };
}

const options = (): Partial<TrainerOptions> => ({
  data: { train: toySource({ sampleCount: 8 }), evaluation: { held: toySource({ seed: 9, sampleCount: 3 }) } },
  training: { epochs: 3, microBatchSize: 4, evaluateEverySteps: 2 },
});

describe("a released segment", () => {
  it("frees what it alone reads, and changes nothing", async () => {
    const plain = await runToy({ ...options(), plugins: [trainOnly([0, ["projector"]])] });
    const { plugin, bytes, numTensors } = release();
    const released = await runToy({ ...options(), plugins: [trainOnly([0, ["projector"]]), plugin] });
    expect(bytes).toEqual([TOWER_BYTES, 0, 0, 0]);
    expect(numTensors).toEqual([-2, 0, 0, 0]);
    expect(released.losses).toEqual(plain.losses);
    expect(released.parameters).toEqual(plain.parameters);
    expect(released.summary.frozenProof).toEqual(plain.summary.frozenProof);
    expect(released.summary.evaluations).toEqual(plain.summary.evaluations);
  });

  it("is read again where a batch does not bring its output, and can be released again", async () => {
    const plain = await runToy({ ...options(), plugins: [trainOnly([0, ["projector"]])] });
    const { plugin, bytes } = release({ evaluates: false });
    const released = await runToy({ ...options(), plugins: [trainOnly([0, ["projector"]]), plugin] });
    // The evaluation after steps 4 and 6 needs the tower.
    expect(bytes).toEqual([TOWER_BYTES, 0, TOWER_BYTES, 0]);
    expect(released.losses).toEqual(plain.losses);
    expect(released.summary.evaluations).toEqual(plain.summary.evaluations);
    expect(released.summary.frozenProof).toEqual(plain.summary.frozenProof);
  });

  it.each([
    ["trains", [[0, ["tower", "projector"]]]],
    [
      "trains in a later phase",
      [
        [0, ["projector"]],
        [4, ["tower"]],
      ],
    ],
  ] as const)("stays where it %s", async (_, phases) => {
    const { plugin, bytes } = release({ fromStep: 0, evaluates: false });
    const watched = tapped("Only", ({ hooks }) => {
      hooks.batch.tapPromise(
        "Only",
        async (batch, context) => (bytes.push(await context.releaseSegment("tower")), batch),
      );
    });
    await runToy({ ...options(), plugins: [trainOnly(...phases), ...(phases.length > 1 ? [] : [watched])] });
    if (phases.length > 1)
      await runToy({
        ...options(),
        training: { ...options().training, maxSteps: 3 },
        plugins: [trainOnly(...phases), plugin],
      });
    expect(bytes.length).toBeGreaterThan(0);
    expect(bytes.every((count) => count === 0)).toBe(true);
  });

  it("is not part of a checkpoint, and a resumed run is as one that never stopped", async () => {
    const output = await mkdtemp(join(tmpdir(), "thaw-release-"));
    try {
      const run = (more: Partial<TrainerOptions>) =>
        runToy({
          ...options(),
          output,
          ...more,
          plugins: [trainOnly([0, ["projector"]]), release().plugin, ...(more.plugins ?? [])],
        });
      const plain = await runToy({ ...options(), output, plugins: [trainOnly([0, ["projector"]])] });
      const stop = tapped("Stop", (trainer) => {
        trainer.hooks.afterStep.tap("Stop", ({ step }) => {
          if (step === 3) trainer.stop("Ctrl-C");
        });
      });
      const first = await run({ plugins: [stop] });
      const second = await run({ resume: { from: first.summary.runFolder! } });
      expect([...first.losses, ...second.losses]).toEqual(plain.losses);
      const final = (folder: string): Promise<Buffer> => readFile(join(folder, "final/trained.safetensors"));
      expect(await final(second.summary.runFolder!)).toEqual(await final(plain.summary.runFolder!));
    } finally {
      await rm(output, { recursive: true, force: true });
    }
  });

  it("comes back in bfloat16 with the same words", async () => {
    const bfloat16 = simulatedBfloat16;
    const backend = tapped("Backend", ({ hooks }) => {
      hooks.resolveBackend.tap("Backend", () => ({
        name: "cpu",
        description: "with bfloat16",
        matmul: "flags",
        precisions: ["bfloat16"],
        bfloat16: bfloat16(),
      }));
    });
    const run = (plugins: readonly Plugin[]) =>
      runToy({
        ...options(),
        training: { ...options().training, precision: "bfloat16" },
        plugins: [backend, trainOnly([0, ["projector"]]), ...plugins],
      });
    const plain = await run([]);
    const { plugin, bytes } = release({ evaluates: false });
    const released = await run([plugin]);
    // Halved but for the bias.
    expect(bytes[0]).toBe(4 * 3 + 2 * 3 * 4);
    expect(released.losses).toEqual(plain.losses);
    expect(released.summary.frozenProof).toEqual(plain.summary.frozenProof);
    expect(released.parameters).toEqual(plain.parameters);
  });

  it("is an error where a plugin reads it, with the name", async () => {
    const reader = tapped("Reader", ({ hooks }) => {
      hooks.loss.tap("Reader", (loss, { step, scope }) => (step > 2 && scope.parameter("tower.linear.weight"), loss));
    });
    await expect(
      runToy({ ...options(), plugins: [trainOnly([0, ["projector"]]), release().plugin, reader] }),
    ).rejects.toMatchObject({ code: "THAW_CORE_PARAMETER_RELEASED", details: { name: "tower.linear.weight" } });
  });

  it("is an error where the model's files have changed meanwhile", async () => {
    const model = toyModel();
    let loads = 0;
    const changing: Model = {
      ...model,
      async *load(names) {
        loads += 1;
        for await (const { name, values } of model.load(names))
          yield {
            name,
            values: loads > 1 && name.endsWith("bias") ? Float32Array.from(values, (value) => value + 1) : values,
          };
      },
    };
    await expect(
      runToy({
        ...options(),
        model: changing,
        plugins: [trainOnly([0, ["projector"]]), release({ evaluates: false }).plugin],
      }),
    ).rejects.toMatchObject({ code: "THAW_CORE_PARAMETERS_CHANGED", details: { names: ["tower.linear.bias"] } });
  });
});

describe("a parameter that the model never uses", () => {
  /** Bytes that all weights take, and the unused one's values as a plugin gets them. */
  async function look(trained: readonly string[]) {
    const seen: { bytes: number; values: Float32Array } = { bytes: 0, values: new Float32Array(0) };
    const empty = tf.memory().numBytes;
    const watch = tapped("Watch", ({ hooks }) => {
      hooks.initialize.tapPromise("Watch", async ({ readParameter }) => {
        seen.bytes = tf.memory().numBytes - empty;
        seen.values = await readParameter(UNUSED.name);
      });
    });
    const { summary, parameters } = await runToy({
      plugins: [trainOnly([0, trained]), watch],
      training: { epochs: 1 },
    });
    return { ...seen, proof: summary.frozenProof, atEnd: parameters.get(UNUSED.name) };
  }

  it("takes no memory while it is frozen, is in the proof and can be read", async () => {
    let values = new Float32Array(0);
    for await (const loaded of toyModel().load([UNUSED.name])) values = loaded.values as Float32Array<ArrayBuffer>;
    const [frozen, all] = [await look(["projector"]), await look(["tower", "projector", "decoder"])];
    expect(all.bytes - frozen.bytes).toBe(UNUSED.bytes);
    expect([frozen.values, frozen.atEnd, all.values]).toEqual([values, values, values]);
    expect(frozen.proof.find(({ component }) => component === "tower")).toMatchObject({
      parameterCount: 3,
      isUnchanged: true,
    });
  });
});
