import * as tf from "@tensorflow/tfjs-core";
import { silentLogger } from "@thaw/core";
import { openModel } from "@thaw/models";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { conceptsOf, type IconSet } from "./concepts.js";
import { writeModelFiles } from "./model-files.js";
import { pretrain, PRETRAIN_DEFAULTS } from "./pretrain.js";
import { trainingSetOf } from "./training-set.js";

const checkpoint = join(import.meta.dirname, "../../emoji-captioner/checkpoint");
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-pretrain-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Pictures of noise under real names, as the cache of rasters holds them. */
async function writeRasters(file: string, names: readonly string[]): Promise<void> {
  const bytes = Buffer.alloc(names.length * 96 * 96 * 4, 255);
  for (let index = 0; index < bytes.length; index += 1)
    if (index % 4 < 3) bytes[index] = ((index >> 13) * 2654435761) >>> 24;
  await writeFile(file, Buffer.concat([Buffer.from(`${JSON.stringify({ names, size: 96 })}\n`), bytes]));
}

test("trains a few steps from nothing, lowers the loss and writes a checkpoint that opens", async () => {
  const names = ["dog-face", "cat-face", "red-apple", "green-apple", "hot-dog", "snail", "axe", "whale", "sun", "moon"];
  await writeRasters(join(folder, "noto-96.bin"), names);
  await writeRasters(join(folder, "twemoji-96.bin"), names);
  const saved = join(folder, "checkpoint");
  const summary = await pretrain({
    ...PRETRAIN_DEFAULTS,
    steps: 5,
    batchSize: 4,
    threads: 0,
    checkEverySteps: 100,
    checkPictures: 4,
    learningRate: 1e-3,
    checkpoint: saved,
    cache: folder,
    backend: "wasm",
    logger: silentLogger,
  });
  expect(summary.steps).toBe(5);
  expect(summary.lastLoss).toBeLessThan(summary.firstLoss!);
  expect(summary.evaluations["twemoji"]).toHaveProperty("tokenF1");
  expect((await readdir(saved)).sort()).toEqual([...(await readdir(checkpoint)), "thaw-manifest.json"].sort());
  const model = await openModel(saved);
  expect(model.parameters.every(({ dtype }) => dtype === "BF16")).toBe(true);
  expect(tf.memory().numTensors).toBe(0);
});

test("the committed checkpoint's files are what this example writes", async () => {
  const icons = createRequire(import.meta.url)("@iconify-json/noto/icons.json") as IconSet;
  const names = conceptsOf(icons).map(({ name }) => name);
  const { tokenizer, pictures, promptIds } = trainingSetOf({
    names,
    size: 96,
    bytes: new Uint8Array(new SharedArrayBuffer(0)),
  });
  expect([pictures.length, promptIds.length, tokenizer.vocabulary.size]).toEqual([1575, 1, 1024]);
  await writeModelFiles(join(folder, "files"), tokenizer);
  for (const file of await readdir(join(folder, "files"))) {
    const [written, committed] = await Promise.all([
      readFile(join(folder, "files", file), "utf8"),
      readFile(join(checkpoint, file), "utf8"),
    ]);
    if (file.endsWith(".json")) expect(JSON.parse(committed), file).toEqual(JSON.parse(written));
    else expect(committed, file).toBe(written);
  }
});

test("the committed checkpoint is small, complete and bfloat16", async () => {
  expect((await readFile(join(checkpoint, "model.safetensors"))).length).toBeLessThan(8e6);
  const model = await openModel(checkpoint);
  expect(model.parameters.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)).toBe(
    1_986_688,
  );
  expect(new Set(model.parameters.map(({ dtype }) => dtype))).toEqual(new Set(["BF16"]));
});
