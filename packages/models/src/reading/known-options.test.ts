import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findFamily } from "../open/families.js";
import { configReader, type ConfigReader } from "./config-reader.js";

type Json = Readonly<Record<string, unknown>>;

const fixtures = new URL("../../../../test/fixtures/", import.meta.url);
const readJson = (path: string): Json => JSON.parse(readFileSync(new URL(path, fixtures), "utf8")) as Json;
const { options: KNOWN, aliases: ALIASES } = readJson("known-options.json") as {
  /** By model type: options, and what each is where a config does not say it; null if not a plain value. */
  readonly options: Readonly<Record<string, Readonly<Record<string, string | number | boolean | null>>>>;
  /** By model type: other names of options. */
  readonly aliases: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

/** Options that change no number of a forward pass, or are looked at only where another one asks for it. */
const INERT: Readonly<Record<string, string>> = {
  audio_end_token_id: "the template writes it",
  audio_ms_per_token: "for meeting lengths in generation alone",
  boa_token_id: "the template writes it",
  boa_token_index: "the template writes it",
  boi_token_id: "the template writes it",
  boi_token_index: "the template writes it",
  bos_token_id: "the tokenizer and the template write it",
  eoa_token_id: "the template writes it",
  eoa_token_index: "the template writes it",
  eoi_token_id: "the template writes it",
  eoi_token_index: "the template writes it",
  image_end_token_id: "the template writes it",
  image_seq_length: "the processor counts tokens by the tower",
  image_start_token_id: "the template writes it",
  initializer_factor: "for new weights",
  initializer_range: "for new weights",
  pretraining_tp: "how Llama was trained",
  projection_dim: "of CLIP's pooled token, which no model reads",
  router_aux_loss_coef: "only with output_router_logits",
  scale_embedding: "Whisper encoders read it and do not use what they make of it",
  tokens_per_second: "of videos",
  use_cache: "of generation",
  video_end_token_id: "of videos",
  video_start_token_id: "of videos",
  video_token_id: "of videos",
  video_token_index: "of videos",
  vision_end_token_id: "the template writes it",
  vision_start_token_id: "the template writes it",
  vision_use_head: "the file tells whether there is a head, which no model computes",
};
/** As {@link INERT}, of one type alone. */
const INERT_OF: Readonly<Record<string, readonly string[]>> = {
  voxtral_encoder: ["vocab_size"],
  gemma4_text: ["moe_intermediate_size", "num_experts", "top_k_experts"],
  gemma4_vision: ["max_position_embeddings"],
  paligemma: ["hidden_size", "vocab_size"],
  minicpmv4_6: ["image_size"],
  minicpmv4_6_vision: ["insert_layer_id"],
  pixtral: ["image_size"],
  qwen2: ["max_window_layers", "sliding_window"],
  qwen2_vl_text: ["max_window_layers", "sliding_window"],
  qwen2_5_vl_text: ["max_window_layers", "sliding_window"],
};

/** A config whose reads are written down, by the dotted key of the object. */
function watched(raw: Json, reads: Map<string, Set<string>>, path = ""): Json {
  return new Proxy(raw, {
    get(target, key) {
      if (typeof key !== "string") return undefined;
      const own = reads.get(path) ?? new Set();
      reads.set(path, own.add(key));
      const value = target[key];
      const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      return isObject ? watched(value as Json, reads, path === "" ? key : `${path}.${key}`) : value;
    },
  });
}

/** Parts that the golden folders of a type do not have. */
const SOUND: Readonly<Record<string, Json>> = {
  gemma4: { audio_config: { model_type: "gemma4_audio" } },
  gemma4_unified: { audio_config: { model_type: "gemma4_unified_audio" } },
};

/** Types without a folder of their own: that of the same model without experts, with their names in it. */
const RENAMED = [
  { name: "glm4v_moe", folder: "glm4v" },
  { name: "qwen3_vl_moe", folder: "qwen3_vl" },
];

/** A config with another model's name in the place of its own. */
function renamed(config: unknown, from: string, to: string): unknown {
  return JSON.parse(JSON.stringify(config).replaceAll(`"${from}`, `"${to}`)) as unknown;
}

const folders = [
  ...readdirSync(new URL("goldens/", fixtures), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, config: { ...readJson(`goldens/${name}/config.json`), ...SOUND[name] } })),
  ...RENAMED.map(({ name, folder }) => {
    const config = renamed(readJson(`goldens/${folder}/config.json`), folder, name) as Json;
    return { name, config };
  }),
];

describe("options that transformers knows", () => {
  it.each(folders)("are looked at by the reader of $name, or change nothing", ({ config }) => {
    const family = findFamily(config["model_type"] as string)!;
    const reads = new Map<string, Set<string>>();
    family.describe({
      config: configReader("config.json", watched(config, reads)),
      generationConfig: configReader("generation_config.json", {}),
      storedNames: new Set(),
      storedShapes: new Map(),
    });
    const parts = ["", ...Object.keys(config).filter((key) => key.endsWith("_config"))];
    const passedOver = parts.flatMap((path) => {
      const part = (path === "" ? config : config[path]) as Json | null;
      const type = (part?.["model_type"] ?? "") as string;
      return Object.keys(KNOWN[type] ?? {})
        .filter((key) => reads.get(path)?.has(key) !== true)
        .filter((key) => !(key in INERT) && INERT_OF[type]?.includes(key) !== true)
        .map((key) => `${type}.${key}`);
    });
    expect(passedOver).toEqual([]);
  });
});

describe("another name of an option", () => {
  it.each(folders)("is looked at where the first one is missing, in the config of $name", ({ config }) => {
    const family = findFamily(config["model_type"] as string)!;
    const parts = ["", ...Object.keys(config).filter((key) => key.endsWith("_config"))];
    const passedOver = parts.flatMap((path) => {
      const part = (path === "" ? config : config[path]) as Json | null;
      const type = (part?.["model_type"] ?? "") as string;
      const pairs = Object.entries(ALIASES[type] ?? {}).filter(([alias, key]) => !(alias in INERT) && !(key in INERT));
      return pairs.flatMap(([alias, key]) => {
        const { [key]: own, ...rest } = part!;
        if (own === undefined) return [];
        const reads = new Map<string, Set<string>>();
        const renamed = { ...rest, [alias]: own };
        family.describe({
          config: configReader("config.json", watched(path === "" ? renamed : { ...config, [path]: renamed }, reads)),
          generationConfig: configReader("generation_config.json", {}),
          storedNames: new Set(),
          storedShapes: new Map(),
        });
        return reads.get(path)?.has(alias) === true ? [] : [`${type}.${alias}`];
      });
    });
    expect(passedOver).toEqual([]);
  });
});

/** A reader that writes down what is taken for each option that is missing. */
function asked(reader: ConfigReader, taken: Map<string, unknown>): ConfigReader {
  const told = <T>(key: string, value: T): T => {
    if (!reader.has(key)) taken.set(`${reader.path}.${key}`, value);
    return value;
  };
  return {
    ...reader,
    size: (key, fallback) => told(key, reader.size(key, fallback)),
    number: (key, fallback) => told(key, reader.number(key, fallback)),
    boolean: (key, fallback) => told(key, reader.boolean(key, fallback)),
    choice: (key, allowed, fallback) => told(key, reader.choice(key, allowed, fallback)),
    child: (key) => asked(reader.child(key), taken),
  };
}

/** Options of which transformers has to be told what the rest of the config says already. */
const SAID_TWICE = ["ovis2.vocab_size"];

describe("an option that a config does not say", () => {
  it.each(folders)("is what transformers takes for it, in the config of $name", ({ config }) => {
    const family = findFamily(config["model_type"] as string)!;
    /** What is taken for `key` of a part where it is missing under all of its names. */
    const without = (path: string, part: Json, names: readonly string[]): readonly unknown[] => {
      const rest = Object.fromEntries(Object.entries(part).filter(([key]) => !names.includes(key)));
      const taken = new Map<string, unknown>();
      try {
        family.describe({
          config: asked(configReader("config.json", path === "" ? rest : { ...config, [path]: rest }), taken),
          generationConfig: configReader("generation_config.json", {}),
          storedNames: new Set(),
          storedShapes: new Map(),
        });
      } catch {
        // What is taken need not go together with the rest.
      }
      return names.map((name) => taken.get(`${path}.${name}`)).filter((value) => value !== undefined);
    };
    const parts = ["", ...Object.keys(config).filter((key) => key.endsWith("_config"))];
    const wrong = parts.flatMap((path) => {
      const part = (path === "" ? config : config[path]) as Json | null;
      const type = (part?.["model_type"] ?? "") as string;
      return Object.entries(KNOWN[type] ?? {}).flatMap(([key, known]) => {
        const aliases = Object.entries(ALIASES[type] ?? {}).filter(([, name]) => name === key);
        const isOpen = known === null || SAID_TWICE.includes(`${type}.${key}`);
        const taken = isOpen ? [] : without(path, part!, [key, ...aliases.map(([alias]) => alias)]);
        return taken.filter((value) => value !== known).map((value) => `${type}.${key}: ${String(value)}`);
      });
    });
    expect(wrong).toEqual([]);
  });
});
