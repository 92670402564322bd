import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type * as Contracts from "@thaw/contracts";
import type { ThawError, ImageReference, MediaReference, SampleMedia } from "@thaw/contracts";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { testProcessor } from "../../test-support/processor.js";
import type { Processor } from "../media/processor.js";
import type { DecodePool } from "./decode-pool.js";
import { runDecodeTask, type DecodeTask } from "./decode-task.js";
import { createMediaLoader } from "./media-loader.js";

const reads: string[] = [];
vi.mock("@thaw/contracts", async (original) => {
  const contracts = await original<typeof Contracts>();
  const readPlainFile = (file: string, limitBytes: number): Promise<Buffer> => {
    reads.push(file);
    return contracts.readPlainFile(file, limitBytes);
  };
  return { ...contracts, readPlainFile };
});

const path = fileURLToPath(new URL("../../fixtures/images/turned.jpg", import.meta.url));
const imageOf = (source: ImageReference): SampleMedia => ({ modality: "image", source });
const pool: DecodePool = { run: runDecodeTask, release: () => Promise.resolve() };

/** A processor that wants to know sizes, and what it was told. */
async function sizedProcessor(): Promise<Processor & { readonly sizes: string[] }> {
  const processor = await testProcessor();
  const sizes: string[] = [];
  return {
    ...processor,
    sizes,
    media: {
      image: {
        ...processor.media.image!,
        needsSize: true,
        plan: (size) => {
          sizes.push(`${size!.width}x${size!.height}`);
          return processor.media.image!.plan();
        },
      },
    },
  };
}

describe("a family that plans by sizes", () => {
  beforeEach(() => void reads.splice(0));

  it.each([true, false])("reads a new image once, upright %s, and its header once", async (exif) => {
    const processor = await sizedProcessor();
    const loader = createMediaLoader(processor, pool, { exif });
    reads.splice(0);
    const image = imageOf({ kind: "file", path });
    await loader.plan(image, "first");
    await loader.plan(image, "first");
    const { item } = await loader.open(image, "first");
    expect(Object.keys(await item.load())).toEqual(["pixelValues"]);
    expect(reads).toEqual([path]);
    expect(processor.sizes).toEqual([exif ? "53x41" : "41x53"]);
    // Later on the worker reads it, and sees that it is what it was.
    const again = await loader.open(image, "first");
    expect(again.item.contentKey).toBe(item.contentKey);
    await again.item.load();
    expect([reads, processor.sizes.length]).toEqual([[path, path], 1]);
  });

  it("says what is missing, what cannot be read as an image, and takes drawings at their raster's size", async () => {
    const processor = await sizedProcessor();
    const loader = createMediaLoader(processor, pool, { exif: true });
    const missing = loader.plan(imageOf({ kind: "file", path: `${path}.missing` }), "first");
    await expect(missing).rejects.toMatchObject({ code: "THAW_DATA_IMAGE_MISSING" });
    const broken = loader.plan(imageOf({ kind: "file", path: fileURLToPath(import.meta.url) }), "first");
    await expect(broken).rejects.toMatchObject({ code: "THAW_DATA_IMAGE_BROKEN" });
    const bytes = loader.plan(imageOf({ kind: "bytes", bytes: new Uint8Array(20) }), "first");
    await expect(bytes).rejects.toMatchObject({ code: "THAW_DATA_IMAGE_BROKEN" });
    await loader.plan(imageOf({ kind: "svg", svg: "<svg viewBox='0 0 1 1'/>", background: "#ffffff" }), "first");
    expect(processor.sizes).toEqual([
      `${processor.media.image!.rasterSize.width}x${processor.media.image!.rasterSize.height}`,
    ]);
  });
});

it("refuses an item of a kind that the model does not read, naming the sample", async () => {
  const loader = createMediaLoader({ ...(await testProcessor()), media: {} }, pool, { exif: true });
  const image = imageOf({ kind: "file", path });
  const refusal = { code: "THAW_DATA_MODALITY", message: expect.stringContaining("text alone. In train.jsonl:3") };
  await expect(loader.plan(image, "train.jsonl:3")).rejects.toMatchObject(refusal);
  await expect(loader.open(image, "train.jsonl:3")).rejects.toMatchObject(refusal);
});

describe("sound", () => {
  const sounds = fileURLToPath(new URL("../../fixtures/sounds/", import.meta.url));
  const clipOf = (name: string): SampleMedia => ({ modality: "audio", source: { kind: "file", path: sounds + name } });
  const tasks: DecodeTask[] = [];
  const counted: DecodePool = {
    run: (task) => {
      tasks.push(task);
      return runDecodeTask(task);
    },
    release: () => Promise.resolve(),
  };
  const loader = async (): Promise<ReturnType<typeof createMediaLoader>> =>
    createMediaLoader(await testProcessor({ audio: true }), counted, { exif: true, augment: { flip: true } });

  it.each([
    ["s16.flac", 8, 0],
    ["u8.wav", 6, 0],
    ["44100.wav", 5, 0],
    ["stereo.ogg", 6, 1],
    ["info.mp3", 7, 1],
  ])(
    "%s is as long as it is said to be before, and is decoded as often as that needs",
    async (name, frames, before) => {
      tasks.splice(0);
      const own = await loader();
      expect((await own.plan(clipOf(name), "first")).tokenCount).toBe(frames);
      expect(tasks).toHaveLength(before);
      const { item } = await own.open(clipOf(name), "first", { augmentSeed: 3 });
      expect(item.inputs).toEqual({ inputFeatures: { rows: frames, width: 4 } });
      expect((await item.load())["inputFeatures"]).toHaveLength(frames * 4);
      expect((await (await loader()).open(clipOf(name), "second")).item.contentKey).toBe(item.contentKey);
    },
  );

  it("says what is missing, cut off, or not what the processor takes", async () => {
    const own = await loader();
    const refusal = async (source: MediaReference): Promise<unknown> =>
      own.plan({ modality: "audio", source }, "train.jsonl:3").catch(({ code, message }: ThawError) => [code, message]);
    expect(await refusal({ kind: "file", path: `${sounds}none.wav` })).toEqual([
      "THAW_DATA_AUDIO_MISSING",
      expect.stringContaining("none.wav does not exist. In train.jsonl:3"),
    ]);
    const bytes = await readFile(`${sounds}u8.wav`);
    expect(await refusal({ kind: "bytes", bytes: bytes.subarray(0, 200) })).toEqual([
      "THAW_DATA_AUDIO_BROKEN",
      expect.stringMatching(
        /The sound \(inline bytes\) cannot be decoded: it is cut off: 156 of 801.* In train.jsonl:3/,
      ),
    ]);
    expect(await refusal({ kind: "bytes", bytes: await readFile(`${sounds}opus.ogg`) })).toEqual([
      "THAW_DATA_AUDIO_BROKEN",
      expect.stringContaining("Opus"),
    ]);
    const long = Buffer.concat([bytes.subarray(0, 40), Buffer.alloc(4), Buffer.alloc(20_000, 9)]);
    long.writeUInt32LE(20_000, 40);
    expect(await refusal({ kind: "bytes", bytes: long })).toEqual([
      "THAW_DATA_AUDIO_BROKEN",
      expect.stringContaining("longer than a second"),
    ]);
  });
});
