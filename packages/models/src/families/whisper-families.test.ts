import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MediaItem } from "@thaw/contracts";
import { encodePrompt, type Message, type Processor } from "@thaw/data";
import { afterEach, describe, expect, it } from "vitest";
import { openModel } from "../open/open-model.js";
import { openProcessor } from "../open/open-processor.js";

type Json = Record<string, unknown>;
type Config = Json & { audio_config: Json; text_config: Json };
type Golden = "qwen2_audio" | "voxtral";

const made: string[] = [];
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true });
});

/** A copy of a golden folder, whose JSON files are edited; without a file that is edited to null. */
async function changed(
  golden: Golden,
  files: Readonly<Record<string, ((json: Config) => void) | null>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thaw-whisper-"));
  made.push(folder);
  const from = fileURLToPath(new URL(`../../../../test/fixtures/goldens/${golden}`, import.meta.url));
  await cp(from, folder, { recursive: true, filter: (path) => !path.includes("golden.") });
  for (const [name, edit] of Object.entries(files)) {
    const path = join(folder, name);
    if (edit === null) {
      await rm(path);
      continue;
    }
    const json = JSON.parse(await readFile(path, "utf8").catch(() => "{}")) as Json;
    edit(json as Config);
    await writeFile(path, JSON.stringify(json));
  }
  return folder;
}

const planOf = ({ media }: Processor, sampleCount: number): ReturnType<NonNullable<typeof media.audio>["plan"]> =>
  media.audio!.plan({ sampleCount });

describe("the processor of", () => {
  it("Qwen2-Audio cuts long clips, gives the rows that are read, and refuses a clip without a token", async () => {
    const processor = await openProcessor(await changed("qwen2_audio", {}));
    const rows = (count: number): readonly unknown[] => {
      const { tokenCount, facts, inputs } = planOf(processor, count);
      return [tokenCount, facts["frames"]![0], inputs["inputFeatures"]!.rows];
    };
    // (((n - 1) // 2 + 1) - 2) // 2 + 1 tokens of n frames: `Qwen2AudioProcessor`, transformers 5.24.
    expect(rows(9920)).toEqual([15, 62, 63]);
    expect(rows(16000)).toEqual([25, 100, 100]);
    expect(rows(99_999)).toEqual([25, 100, 100]);
    expect(rows(481)).toEqual([1, 4, 5]);
    expect(() => planOf(processor, 320)).toThrow("too few for one token");
  });

  it("Voxtral fills clips up to whole chunks", async () => {
    const processor = await openProcessor(await changed("voxtral", {}));
    const sizes = (count: number): readonly number[] => {
      const { tokenCount, inputs } = planOf(processor, count);
      return [tokenCount, inputs["inputFeatures"]!.rows];
    };
    expect([1, 6400, 6401, 99_999].map(sizes)).toEqual([
      [5, 40],
      [5, 40],
      [10, 80],
      [80, 640],
    ]);
  });

  it("Qwen2-Audio has a template of its own where the folder has none, whatever the tokenizer's is", async () => {
    const folder = await changed("qwen2_audio", {
      "chat_template.jinja": null,
      "tokenizer_config.json": (json) => (json["chat_template"] = "{{ 'of the tokenizer' }}"),
    });
    const processor = await openProcessor(folder);
    const messages: readonly Message[] = [
      { role: "user", content: [{ type: "audio" }, { type: "text", text: "What?" }] },
    ];
    const golden = await openProcessor(await changed("qwen2_audio", {}));
    const options = { plans: [planOf(processor, 9920)], origin: "test" };
    expect(encodePrompt(processor, messages, options)).toEqual(encodePrompt(golden, messages, options));
  });

  it.each(["qwen2_audio", "voxtral"] as const)(
    "%s reads settings that are nested as transformers 5 writes them",
    async (golden) => {
      let settings: Json = {};
      const plain = await changed(golden, { "preprocessor_config.json": (json) => (settings = { ...json }) });
      const nested = await changed(golden, {
        "preprocessor_config.json": null,
        "processor_config.json": (json) => (json["feature_extractor"] = settings),
      });
      const [left, right] = [await openProcessor(plain), await openProcessor(nested)];
      expect(right.media.audio!.worker).toEqual(left.media.audio!.worker);
    },
  );

  it("Voxtral with Mistral's own tokenizer alone is refused by the file's name", async () => {
    const folder = await changed("voxtral", { "tokenizer.json": null, "tekken.json": () => undefined });
    await expect(openProcessor(folder)).rejects.toMatchObject({
      code: "THAW_DATA_TOKENIZER",
      message: expect.stringContaining("tekken.json") as string,
    });
  });

  it.each<[Golden, string, (json: Config) => void, string, string]>([
    [
      "qwen2_audio",
      "preprocessor_config.json",
      (json) => (json["feature_size"] = 80),
      "THAW_DATA_PROCESSOR",
      "80 mel values",
    ],
    [
      "qwen2_audio",
      "preprocessor_config.json",
      (json) => (json["chunk_length"] = 30),
      "THAW_DATA_PROCESSOR",
      "3000 frames",
    ],
    ["voxtral", "preprocessor_config.json", (json) => (json["dither"] = 0.1), "THAW_CHECKPOINT_CONFIG", "dither"],
    [
      "voxtral",
      "preprocessor_config.json",
      (json) => (json["padding_side"] = "left"),
      "THAW_CHECKPOINT_CONFIG",
      "padding_side",
    ],
    [
      "qwen2_audio",
      "preprocessor_config.json",
      (json) => (json["feature_extractor_type"] = "ClapFeatureExtractor"),
      "THAW_CHECKPOINT_CONFIG",
      "ClapFeatureExtractor",
    ],
    ["qwen2_audio", "config.json", (json) => (json["audio_token_index"] = 3), "THAW_DATA_PROCESSOR", "has id 284"],
    ["voxtral", "config.json", (json) => (json["audio_token_id"] = 9999), "THAW_DATA_PROCESSOR", "9999"],
  ])("%s refuses what %s says otherwise", async (golden, file, edit, code, message) => {
    await expect(openProcessor(await changed(golden, { [file]: edit }))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });
});

describe("a checkpoint of", () => {
  it.each(["qwen2_audio", "voxtral"] as const)(
    "%s may have either's names of options, and null for defaults",
    async (golden) => {
      const pairs = [
        ["d_model", "hidden_size"],
        ["encoder_ffn_dim", "intermediate_size"],
        ["encoder_layers", "num_hidden_layers"],
        ["encoder_attention_heads", "num_attention_heads"],
      ] as const;
      const folder = await changed(golden, {
        "config.json": ({ audio_config: audio, ...rest }) => {
          for (const names of pairs) {
            const [old, other] = audio[names[0]] === undefined ? [names[1], names[0]] : names;
            audio[other] = audio[old];
            delete audio[old];
          }
          audio["activation_function"] = null;
          rest.text_config["rope_scaling"] = null;
        },
      });
      const whole = await openModel(await changed(golden, {}));
      const model = await openModel(folder);
      expect(model.parameters).toEqual(whole.parameters);
      expect(model.segments.map(({ signature }) => signature)).toEqual(
        whole.segments.map(({ signature }) => signature),
      );
    },
  );

  it("both owns every tensor by component, and says how many rows items have", async () => {
    for (const [golden, tokens] of [
      ["qwen2_audio", 15],
      ["voxtral", 10],
    ] as const) {
      const folder = await changed(golden, {});
      const model = await openModel(folder);
      const plan = planOf(await openProcessor(folder), 9920);
      const item = { modality: "audio", facts: plan.facts, inputs: plan.inputs } as unknown as MediaItem;
      expect(model.text.mediaTokens!.map((media) => [media.modality, media.rows(item)])).toEqual([["audio", tokens]]);
      expect(model.components.map(({ name }) => name)).toEqual(["audio_tower", "audio_projector", "language_model"]);
      expect(model.deadParameters).toEqual([]);
    }
  });

  it.each<[Golden, (config: Config) => void, string]>([
    ["qwen2_audio", (config) => (config.audio_config["encoder_layerdrop"] = 0.1), "audio_config.encoder_layerdrop"],
    ["voxtral", (config) => (config.audio_config["dropout"] = 0.1), "audio_config.dropout"],
    ["qwen2_audio", (config) => (config.audio_config["model_type"] = "whisper"), "audio_config.model_type"],
    ["qwen2_audio", (config) => (config.audio_config["encoder_attention_heads"] = 3), "encoder_attention_heads"],
    ["voxtral", (config) => (config.audio_config["intermediate_size"] = 100), "audio_config.intermediate_size"],
    ["voxtral", (config) => (config.audio_config["max_source_positions"] = 22), "audio_config.intermediate_size"],
    ["voxtral", (config) => delete config["audio_token_id"], "audio_token_id"],
    ["voxtral", (config) => (config["projector_hidden_act"] = "mish"), "projector_hidden_act"],
  ])("%s is refused by the name of an option (%#)", async (golden, edit, key) => {
    await expect(openModel(await changed(golden, { "config.json": edit }))).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_CONFIG",
      message: expect.stringContaining(key) as string,
    });
  });
});
