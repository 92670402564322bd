import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { changedCheckpoint } from "../../test-support/checkpoint.js";
import { openModel } from "../open/open-model.js";
import { openProcessor } from "../open/open-processor.js";

const goldens = fileURLToPath(new URL("../../../../test/fixtures/goldens", import.meta.url));
const made: string[] = [];
afterEach(() => Promise.all(made.splice(0).map((folder) => rm(folder, { recursive: true }))));

type Json = Record<string, unknown>;

/** A copy of a golden folder in which one of its files is changed; one that is missing is an empty object. */
async function changed(golden: string, file: string, change: (config: Json) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thaw-options-"));
  made.push(folder);
  await cp(join(goldens, golden), folder, { recursive: true, filter: (path) => !path.includes("golden.") });
  const text = await readFile(join(folder, file), "utf8").catch(() => "{}");
  const config = JSON.parse(text) as Json;
  change(config);
  await writeFile(join(folder, file), JSON.stringify(config));
  return folder;
}

const part = (config: Json, key: string): Json => config[key] as Json;

it.each<[string, string, (config: Json) => void]>([
  ["mistral3", "vision_feature_layer", (config) => (config["vision_feature_layer"] = [-1, -2])],
  ["mistral3", "vision_config.head_dim", (config) => (part(config, "vision_config")["head_dim"] = 4)],
  ["mistral3", "vision_config.hidden_act", (config) => (part(config, "vision_config")["hidden_act"] = "mish")],
  ["mistral3", "vision_config.model_type", (config) => (part(config, "vision_config")["model_type"] = "clip")],
  ["pixtral_llava", "vision_feature_select_strategy", (config) => delete config["vision_feature_select_strategy"]],
  ["glm4v", "vision_config.out_hidden_size", (config) => (part(config, "vision_config")["out_hidden_size"] = 48)],
  ["glm4v", "text_config.head_dim", (config) => (part(config, "text_config")["head_dim"] = 8)],
  [
    "glm4v",
    "mrope_section",
    (config) => (part(part(config, "text_config"), "rope_parameters")["mrope_section"] = [2, 3]),
  ],
  ["glm_ocr", "vision_config.model_type", (config) => (part(config, "vision_config")["model_type"] = "glm4v_vision")],
  ["paddleocr_vl", "vision_config.image_size", (config) => (part(config, "vision_config")["image_size"] = 2)],
  [
    "paddleocr_vl",
    "vision_config.attention_dropout",
    (config) => (part(config, "vision_config")["attention_dropout"] = 1),
  ],
])("a model like %s is refused by name for %s", async (golden, key, change) => {
  const name = key === "vision_feature_layer" ? "vision_feature_layer" : key;
  await expect(openModel(await changed(golden, "config.json", change))).rejects.toMatchObject({
    code: "THAW_CHECKPOINT_CONFIG",
    message: expect.stringContaining(name) as string,
  });
});

const PREPROCESSOR = "preprocessor_config.json";
const PROCESSOR = "processor_config.json";

it.each<[string, string, string, (config: Json) => void]>([
  ["mistral3", "is not known", PREPROCESSOR, (config) => (config["image_processor_type"] = "CLIPImageProcessor")],
  ["mistral3", "do_center_crop", PREPROCESSOR, (config) => (config["do_center_crop"] = true)],
  ["mistral3", "is not one of this image processor", PREPROCESSOR, (config) => (config["size"] = { shortest_edge: 9 })],
  ["mistral3", "cuts patches of 5 pixels, but the tower of 7", PREPROCESSOR, (config) => (config["patch_size"] = 5)],
  ["mistral3", "a token of 7 pixels a side, but the model of 14", PROCESSOR, (config) => (config["patch_size"] = 7)],
  ["mistral3", "no token [BREAK]", PROCESSOR, (config) => (config["image_break_token"] = "[BREAK]")],
  ["glm4v", "do_resize", PREPROCESSOR, (config) => (config["do_resize"] = false)],
  ["glm4v", "merge_size of the image processor is 4", PREPROCESSOR, (config) => (config["merge_size"] = 4)],
  ["glm4v", "has no longest_edge", PREPROCESSOR, (config) => (config["size"] = { shortest_edge: 9 })],
  ["glm_ocr", "is not known", PREPROCESSOR, (config) => (config["image_processor_type"] = "Qwen2VLImageProcessor")],
  ["paddleocr_vl", "temporal_patch_size", PREPROCESSOR, (config) => (config["temporal_patch_size"] = 2)],
])("a processor like %s is refused: %s", async (golden, message, file, change) => {
  await expect(openProcessor(await changed(golden, file, change))).rejects.toMatchObject({
    code: "THAW_DATA_PROCESSOR",
    message: expect.stringContaining(message) as string,
  });
});

it("writes rows of tokens as large as published processors say, and reads either spelling of a size", async () => {
  const size = { width: 60, height: 26 };
  const published = await changed("mistral3", PROCESSOR, (config) =>
    Object.assign(config, { patch_size: 7, spatial_merge_size: 2, image_token: "[IMG]" }),
  );
  expect((await openProcessor(published)).media.image!.plan(size).placeholder).toBe(
    `${"[IMG]".repeat(4)}[IMG_BREAK]${"[IMG]".repeat(4)}[IMG_END]`,
  );
  const boxed = await changed("mistral3", PREPROCESSOR, (config) => (config["size"] = { height: 14, width: 56 }));
  expect((await openProcessor(boxed)).media.image!.plan(size).facts).toEqual({ grid: [2, 6] });
  const old = await changed("paddleocr_vl", PREPROCESSOR, (config) => {
    config["size"] = { min_pixels: 64, max_pixels: 128 };
  });
  expect((await openProcessor(old)).media.image!.plan(size).facts).toEqual({ grid: [1, 2, 4] });
});

it.each([
  ["glm_ocr", "model.language_model.layers.2.eh_proj.weight", true],
  ["glm_ocr", "model.language_model.layers.3.eh_proj.weight", false],
  ["glm4v", "model.language_model.layers.2.eh_proj.weight", false],
  ["paddleocr_vl", "visual.vision_model.embeddings.packing_position_embedding.weight", true],
  ["paddleocr_vl", "visual.vision_model.head.probe", true],
  ["mistral3", "vision_tower.head.probe", false],
])("of files like those of %s, %s is passed over: %s", async (golden, name, isIgnored) => {
  const folder = await changedCheckpoint({ from: join(goldens, golden), add: { [name]: [4] } });
  made.push(folder);
  const opened = openModel(folder).then(({ parameters }) => parameters.some((parameter) => parameter.name === name));
  if (isIgnored) await expect(opened).resolves.toBe(false);
  else await expect(opened).rejects.toMatchObject({ code: "THAW_CHECKPOINT_TENSOR_UNEXPECTED" });
});
