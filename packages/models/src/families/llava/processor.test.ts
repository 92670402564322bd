import { elementCount } from "@thaw/contracts";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  clipImageProcessor,
  type ClipPatchOptions,
  cutPatches,
  decodeRgb,
  encodeConversation,
  encodePrompt,
  type Message,
  type Processor,
} from "@thaw/data";
import { openSafetensors } from "@thaw/safetensors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GOLDEN_FOLDERS } from "../../../test-support/golden.js";
import { openProcessor } from "../../open/open-processor.js";

const folder = GOLDEN_FOLDERS.llava;

interface GoldenText {
  readonly messages: Message[];
  readonly prompt: string;
  readonly text: string;
}

async function golden(name: string): Promise<{ values: number[]; shape: readonly number[] }> {
  const reader = await openSafetensors(`${folder}/golden.safetensors`);
  try {
    const entry = reader.entries.get(name)!;
    return {
      values: Array.from(entry.dtype === "I32" ? await reader.readInt32(name) : await reader.readFloat32(name)),
      shape: entry.shape,
    };
  } finally {
    await reader.close();
  }
}

describe("loadLlavaProcessor", () => {
  let processor: Processor;
  let texts: GoldenText[];
  beforeAll(async () => {
    processor = await openProcessor(folder);
    texts = (JSON.parse(await readFile(`${folder}/golden.json`, "utf8")) as { text: GoldenText[] }).text;
  });

  it("makes the reference's pixel values", async () => {
    const { values, shape } = await golden("in.pixel_values");
    const plan = processor.media.image!.plan();
    const [, channels, height, width] = shape as [number, number, number, number];
    expect(plan.inputs).toEqual({ pixelValues: { rows: (height / 7) * (width / 7), width: channels * 49 } });
    expect(plan.facts).toEqual({ grid: [height / 7, width / 7] });
    const size = elementCount(shape.slice(1));
    for (const [index, name] of ["image0.png", "image1.png"].entries()) {
      const image = await decodeRgb(await readFile(`${folder}/${name}`), { exif: true });
      const { pixelValues } = clipImageProcessor(processor.media.image!.worker.options as ClipPatchOptions).process(
        image,
      );
      const own = Float32Array.from(values.slice(index * size, (index + 1) * size));
      const wanted = cutPatches(own, { channels, height, width }, 7);
      const worst = Math.max(...pixelValues!.map((value, at) => Math.abs(value - wanted[at]!)));
      expect(worst).toBeLessThan(1e-5);
    }
  });

  it("writes the reference's ids and labels", async () => {
    const ids = await golden("in.input_ids");
    const labels = await golden("in.labels");
    const mask = await golden("in.attention_mask");
    const width = ids.shape[1]!;
    for (const [index, { messages, prompt, text }] of texts.entries()) {
      const row = (values: number[]): number[] =>
        values.slice(index * width, (index + 1) * width).filter((_, at) => mask.values[index * width + at] === 1);
      expect(processor.template!.render(messages)).toBe(text);
      expect(processor.template!.render(messages.slice(0, 1), { addGenerationPrompt: true })).toBe(prompt);
      const options = { plans: [processor.media.image!.plan()], origin: "golden" };
      const encoded = encodeConversation(processor, messages, { ...options, endToken: "template" });
      expect(encoded.tokenIds).toEqual(row(ids.values));
      expect(encoded.labels).toEqual(row(labels.values));
      const { tokenIds: promptIds, columns } = encodePrompt(processor, messages, options);
      expect(columns).toEqual(encoded.columns);
      expect([...columns[0]!].every((column) => promptIds[column] === 332)).toBe(true);
      expect(columns[0]).toHaveLength(16);
      expect(promptIds).toEqual(
        row(ids.values).slice(
          0,
          row(labels.values).findIndex((label) => label !== -100),
        ),
      );
    }
  });

  it("closes an answer that the template leaves open", () => {
    const options = { plans: [processor.media.image!.plan()], origin: "golden", endToken: "close" as const };
    const { tokenIds, labels } = encodeConversation(processor, texts[0]!.messages, options);
    expect([tokenIds.at(-1), labels.at(-1)]).toEqual([processor.endTokenId, processor.endTokenId]);
  });
});

describe("loadLlavaProcessor refuses", () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true }))));

  async function changed(file: string, change: (config: Record<string, unknown>) => void): Promise<string> {
    const copy = await mkdtemp(join(tmpdir(), "thaw-processor-"));
    folders.push(copy);
    await cp(folder, copy, { recursive: true, filter: (path) => !path.endsWith(".safetensors") });
    const config = JSON.parse(await readFile(join(copy, file), "utf8")) as Record<string, unknown>;
    change(config);
    await writeFile(join(copy, file), JSON.stringify(config));
    return copy;
  }

  it.each<[string, string, (config: Record<string, unknown>) => void, string]>([
    [
      "a patch size that is not the tower's",
      "processor_config.json",
      (config) => (config["patch_size"] = 14),
      "tokens for an image",
    ],
    [
      "a strategy that is not the model's",
      "processor_config.json",
      (config) => (config["vision_feature_select_strategy"] = "full"),
      "tokens for an image",
    ],
    [
      "images of another size",
      "processor_config.json",
      (config) => ((config["image_processor"] as Record<string, unknown>)["crop_size"] = 32),
      "32x32",
    ],
    ["an image token with another id", "config.json", (config) => (config["image_token_index"] = 3), "has id 332"],
    [
      "an image processor that is not known",
      "processor_config.json",
      (config) => (config["image_processor"] = { image_processor_type: "Pix2StructImageProcessor" }),
      "not known",
    ],
  ])("%s", async (_, file, change, message) => {
    await expect(openProcessor(await changed(file, change))).rejects.toMatchObject({
      code: "THAW_DATA_PROCESSOR",
      message: expect.stringContaining(message),
    });
  });

  it("follows the tower where processor_config.json says nothing", async () => {
    const copy = await changed("processor_config.json", (config) =>
      Object.keys(config).forEach((key) => delete config[key]),
    );
    expect((await openProcessor(copy)).media.image!.plan().placeholder).toBe("<image>".repeat(16));
  });
});
