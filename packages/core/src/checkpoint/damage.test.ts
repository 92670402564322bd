import "@tensorflow/tfjs-backend-cpu";
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { MANIFEST_FILE, openSafetensors, readManifest, writeManifest, writeSafetensors } from "@thaw/safetensors";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { toySource } from "../toy/toy-source.js";
import { runToy, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import type { TrainerOptions } from "../api/trainer-options.js";

let tensors = 0;
let output: string;
/** A run that was stopped after step 4 of 6, with checkpoints after steps 2 and 4. */
let origin: string;
let folder: string;
const options: Partial<TrainerOptions> = {
  data: { train: toySource({ sampleCount: 8 }) },
  training: { maxSteps: 6, microBatchSize: 2, saveEverySteps: 2 },
};
const plugins = () => [trainOnly([0, ["projector"]])];

beforeAll(async () => {
  await tf.setBackend("cpu");
  output = await mkdtemp(join(tmpdir(), "thaw-damage-"));
  const { summary } = await runToy({ ...options, output, plugins: plugins() });
  origin = summary.runFolder!;
  await rm(join(origin, "final"), { recursive: true });
  await rm(join(origin, "checkpoints/step-6"), { recursive: true });
});
afterAll(() => rm(output, { recursive: true }));
beforeEach(async () => {
  tensors = tf.memory().numTensors;
  folder = join(await mkdtemp(join(output, "copy-")), "run");
  await cp(origin, folder, { recursive: true });
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
});

const at = (step: number, name = ""): string => join(folder, "checkpoints", `step-${step}`, name);
const resume = (from = folder) => runToy({ ...options, plugins: plugins(), resume: { from } });
const flip = async (path: string, where: number): Promise<void> => {
  const bytes = await readFile(path);
  bytes[where < 0 ? bytes.length + where : where]! ^= 0x10;
  await writeFile(path, bytes);
};

/** Writes a file of tensors anew, and its manifest too: what a hash cannot tell. */
async function rewrite(
  file: string,
  change: (name: string, shape: readonly number[]) => readonly (readonly number[])[],
) {
  const reader = await openSafetensors(at(4, file));
  const values = new Map<string, Float32Array>();
  for (const name of reader.entries.keys()) values.set(name, await reader.readFloat32(name));
  await reader.close();
  const manifest = (await readManifest(at(4)))!;
  const proof = await writeSafetensors(
    at(4, file),
    [...reader.entries.values()].flatMap(({ name, shape }) =>
      change(name, shape).map((wanted) => ({ name, dtype: "F32" as const, shape: wanted })),
    ),
    (name) => values.get(name)!,
    reader.metadata,
  );
  await writeManifest(at(4), { ...Object.fromEntries(manifest), [file]: proof });
}

describe("a damaged checkpoint", () => {
  it.each([
    ["trained.safetensors", -1, "the values of its tensor projector.linear.bias"],
    ["optimizer.safetensors", -1, "the values of its tensor projector.linear."],
    ["trained.safetensors", 60, "its header, with names and shapes, is not"],
    ["optimizer.safetensors", 0, "its header, with names and shapes, is not"],
    ["state.json", 20, "its bytes are not those that were written"],
    [MANIFEST_FILE, 60, ""],
  ])("is named with the newest whole one: a bit of %s at %i", async (file, where, what) => {
    await flip(at(4, file), where);
    await expect(resume()).rejects.toMatchObject({
      code: "THAW_CORE_CHECKPOINT_DAMAGED",
      message: expect.stringContaining(what),
      details: { folder: at(4), file: at(4, file), whole: at(2) },
    });
    await resume(at(2));
  });

  it.each(["trained.safetensors", "optimizer.safetensors", "state.json", MANIFEST_FILE])(
    "is named where %s is missing, cut off, longer, or another checkpoint's",
    async (file) => {
      const bytes = await readFile(at(4, file));
      for (const damage of [
        () => rm(at(4, file)),
        () => writeFile(at(4, file), bytes.subarray(0, -20)),
        () => writeFile(at(4, file), Buffer.concat([bytes, Buffer.from("  ")])),
        () => cp(at(2, file), at(4, file)),
      ]) {
        await writeFile(at(4, file), bytes);
        await damage();
        const result = await resume().then(
          () => "resumed",
          (error: unknown) => error,
        );
        // Blanks after a manifest's JSON mean nothing
        if (result === "resumed") expect(file).toBe(MANIFEST_FILE);
        else
          expect(result).toMatchObject({
            code: "THAW_CORE_CHECKPOINT_DAMAGED",
            details: { folder: at(4), whole: at(2) },
          });
        await rm(folder, { recursive: true });
        await cp(origin, folder, { recursive: true });
      }
    },
  );

  it("is not gone on from by its neighbour's name", async () => {
    await rm(at(4), { recursive: true });
    await rename(at(2), at(4));
    await expect(resume()).rejects.toMatchObject({
      code: "THAW_CORE_CHECKPOINT_DAMAGED",
      message: expect.stringContaining("it is the state after step 2, in a folder of step 4"),
    });
  });

  it("is said to be the only one where no other is whole", async () => {
    await flip(at(4, "state.json"), 9);
    await flip(at(2, "optimizer.safetensors"), -1);
    await expect(resume()).rejects.toThrow("No other checkpoint of the run is whole");
  });

  it.each([
    ["trained.safetensors", "it lacks projector.linear.weight", (name: string) => !name.endsWith("weight")],
    ["trained.safetensors", "it lacks projector.linear.weight; it lacks projector.linear.bias", () => false],
    ["optimizer.safetensors", "it lacks the slot projector.linear.weight/v", (name: string) => !/weight.v/.test(name)],
    ["optimizer.safetensors", "it lacks the slot", () => false],
  ])("is named where %s has a manifest of its own, and %s", async (file, what, isKept) => {
    await rewrite(file, (name, shape) => (isKept(name) ? [shape] : []));
    await expect(resume()).rejects.toThrow(what);
  });

  it.each([
    ["trained.safetensors", /projector\.linear\.weight has the shape \[\d+, \d+\], and is \[\d+, \d+\] here/],
    ["optimizer.safetensors", /the slot projector\.linear\.weight\/m has the shape \[\d+, \d+\], not \[\d+, \d+\]/],
  ])("is named where shapes of %s are turned round", async (file, what) => {
    await rewrite(file, (_, shape) => [shape.toReversed()]);
    await expect(resume()).rejects.toThrow(what);
  });
});

describe("what a run hands over", () => {
  it("is compared before another run starts from it", async () => {
    const { summary } = await runToy({ ...options, output: folder, plugins: plugins() });
    const startFrom = join(summary.runFolder!, "final/trained.safetensors");
    await toyTrainer({ ...options, startFrom }).run();
    await flip(startFrom, -1);
    await expect(toyTrainer({ ...options, startFrom }).run()).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_DAMAGED",
      details: { file: startFrom },
    });
    await rm(join(summary.runFolder!, "final", MANIFEST_FILE));
    await expect(toyTrainer({ ...options, startFrom }).run()).rejects.toThrow("it is missing, or does not know");
  });

  it("may be a file of somebody else, with at least one tensor", async () => {
    const startFrom = join(folder, "mine.safetensors");
    await writeSafetensors(startFrom, [], () => new Float32Array(0));
    await expect(toyTrainer({ ...options, startFrom }).run()).rejects.toThrow("it holds no tensor");
  });
});
