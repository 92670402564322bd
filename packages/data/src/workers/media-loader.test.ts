import { fileURLToPath } from "node:url";
import type * as Contracts from "@thaw/contracts";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { testProcessor } from "../../test-support/processor.js";
import type { Processor } from "../media/processor.js";
import type { ImageReference, SampleMedia } from "../samples/sample.js";
import type { DecodePool } from "./decode-pool.js";
import { runDecodeTask } from "./decode-task.js";
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
