import * as tf from "@tensorflow/tfjs-core";
import { openSafetensors, type SafetensorsReader } from "@thaw/safetensors";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LoadedBatch } from "@thaw/contracts";
import { batchOf, testScope } from "../../../test-support/scope.js";
import { useBackend } from "../../../test-support/golden.js";
import { mixTokens } from "../../blocks/merge-features.js";
import { DecodedBatch } from "../../passes/decoded-batch.js";
import { generate } from "../../passes/generate.js";
import { configReader } from "../../reading/config-reader.js";
import type { Decoder } from "../decoder.js";
import { textDecoder } from "../text-decoder.js";
import { readTextModel } from "./text-model.js";

const FOLDER = fileURLToPath(new URL("../../../../../test/fixtures/text/", import.meta.url));
const NAMES = [
  "llama3-rope",
  "mistral",
  "ministral3",
  "qwen2",
  "qwen3",
  "qwen3-moe",
  "gemma",
  "gemma2",
  "gemma3",
  "lfm2",
  "qwen3-5",
];

/** One golden of transformers: see test/fixtures/text/make.py. */
interface Golden {
  readonly decoder: Decoder;
  readonly batch: LoadedBatch;
  /** Rows of the flattened batch whose next token is learnt, and these tokens. */
  readonly learnt: Int32Array;
  readonly targets: Int32Array;
  readonly weights: Map<string, tf.Tensor>;
  readonly written: readonly number[];
  readonly read: (name: string) => Promise<Float32Array>;
  readonly names: readonly string[];
  close(): Promise<void>;
}

async function readInts(reader: SafetensorsReader, name: string): Promise<Int32Array> {
  const bytes = await reader.readBytes(name);
  return new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

async function openGolden(name: string): Promise<Golden> {
  const { config, written } = JSON.parse(await readFile(`${FOLDER}${name}.json`, "utf8")) as {
    config: Record<string, unknown>;
    written: number[];
  };
  const reader = await openSafetensors(`${FOLDER}${name}.safetensors`);
  const model = readTextModel(configReader(`${name}.json`, config));
  const isTied = config["tie_word_embeddings"] === true;
  const names = { prefix: "model", head: "lm_head", isTied };
  const decoder = textDecoder(model.options, names, { component: "language_model", after: [] });
  const [ids, mask, labels] = [
    await readInts(reader, "input_ids"),
    await readInts(reader, "attention_mask"),
    await readInts(reader, "labels"),
  ];
  const width = ids.length / 2;
  const learnt = Int32Array.from(
    [...labels.keys()].filter((row) => row % width > 0 && labels[row] !== -100),
    (row) => row - 1,
  );
  const weights = new Map<string, tf.Tensor>();
  for (const { name: parameter, shape } of decoder.parameters)
    weights.set(parameter, tf.tensor(await reader.readFloat32(`weights.${parameter}`), [...shape]));
  return {
    decoder,
    batch: { ...batchOf([[...ids.subarray(0, width)], [...ids.subarray(width)]], []), attentionMask: mask },
    learnt,
    targets: learnt.map((row) => labels[row + 1]!),
    weights,
    written,
    read: (tensor) => reader.readFloat32(tensor),
    names: [...reader.entries.keys()],
    close: () => reader.close(),
  };
}

function decoded(golden: Golden, scope: ReturnType<typeof testScope>, batch = golden.batch): DecodedBatch {
  const mix = (rows: Int32Array) => mixTokens(batch.tokenIds, [], rows);
  return new DecodedBatch({ decoder: golden.decoder, batch, scope, features: [], mix });
}

function largestDifference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  let [largest, size] = [0, 1e-3];
  for (let at = 0; at < wanted.length; at++) {
    largest = Math.max(largest, Math.abs(found[at]! - wanted[at]!));
    size = Math.max(size, Math.abs(wanted[at]!));
  }
  return largest / size;
}

describe.each(NAMES)("%s agrees with transformers", (name) => {
  let golden: Golden;
  beforeAll(async () => {
    await useBackend("cpu");
    golden = await openGolden(name);
  });
  afterAll(async () => {
    tf.dispose([...golden.weights.values()]);
    await golden.close();
  });

  it("in its parameters", () => {
    const stored = golden.names.filter((each) => each.startsWith("weights.")).map((each) => each.slice(8));
    expect(golden.decoder.parameters.map((spec) => spec.name).toSorted()).toEqual(stored.toSorted());
  });

  it("in logits", async () => {
    const scope = testScope(golden.weights);
    const wanted = await golden.read("logits");
    const real = Int32Array.from(
      [...golden.batch.attentionMask.keys()].filter((row) => golden.batch.attentionMask[row] === 1),
    );
    const logits = decoded(golden, scope).logits(real).tensor.dataSync();
    const width = wanted.length / golden.batch.attentionMask.length;
    const rows = [...real].flatMap((row) => [...wanted.subarray(row * width, (row + 1) * width)]);
    scope.tape.dispose();
    expect(largestDifference(logits, rows)).toBeLessThan(2e-5);
  });

  it("in the loss and in every gradient", async () => {
    const scope = testScope(golden.weights, () => true);
    const loss = decoded(golden, scope).crossEntropy(golden.learnt, golden.targets);
    const [wanted] = await golden.read("loss");
    expect(Math.abs(loss.tensor.dataSync()[0]! / wanted! - 1)).toBeLessThan(1e-5);
    const parameters = [...golden.weights.keys()];
    const gradients = scope.tape.backward(
      loss,
      parameters.map((parameter) => scope.parameter(parameter)),
    );
    for (const [index, parameter] of parameters.entries()) {
      if (!golden.names.includes(`gradients.${parameter}`)) continue;
      const found = gradients[index]?.dataSync() ?? new Float32Array(golden.weights.get(parameter)!.size);
      expect(largestDifference(found, await golden.read(`gradients.${parameter}`)), parameter).toBeLessThan(2e-4);
    }
    tf.dispose(gradients.filter((gradient): gradient is tf.Tensor => gradient !== null));
    scope.tape.dispose();
  });

  it("in what it writes", async () => {
    const scope = testScope(golden.weights);
    const width = golden.batch.tokenCount;
    const batch = batchOf([[...golden.batch.tokenIds.subarray(width, width + 6)]], []);
    const mix = (rows: Int32Array) => mixTokens(batch.tokenIds, [], rows);
    const prompted = { decoder: golden.decoder, batch, scope, mix, features: [], eosTokenIds: [] };
    expect(await generate(prompted, { maxNewTokens: 8 })).toEqual([golden.written]);
    scope.tape.dispose();
  });
});

describe("a text config is refused by file and key", () => {
  it.each<readonly [string, Record<string, unknown>, string]>([
    ["an unknown type", { model_type: "qwen9" }, "model_type"],
    ["a type of rotary positions", { rope_scaling: { rope_type: "longrope" } }, "rope_scaling.rope_type"],
    ["the same, as old configs have it", { rope_scaling: { type: "longrope", factor: 2 } }, "rope_scaling.type"],
    ["positions by length without their factor", { rope_scaling: { type: "dynamic" } }, "rope_scaling.factor"],
    ["a scaling without its factor", { rope_scaling: { type: "linear" } }, "rope_scaling.factor"],
    ["dropout of attention", { attention_dropout: 0.1 }, "attention_dropout"],
    ["an odd head", { head_dim: 5 }, "head_dim"],
    ["heads that do not divide", { num_attention_heads: 4, num_key_value_heads: 3 }, "num_key_value_heads"],
    ["types of layers", { model_type: "qwen2", num_hidden_layers: 1, layer_types: ["ssm"] }, "layer_types"],
    [
      "windows that it switches off",
      { model_type: "qwen2", num_hidden_layers: 1, layer_types: ["sliding_attention"] },
      "layer_types",
    ],
    ["a cap of nothing", { model_type: "gemma2", attn_logit_softcapping: 0 }, "attn_logit_softcapping"],
    ["text both ways", { model_type: "gemma3_text", use_bidirectional_attention: true }, "use_bidirectional_attention"],
    ["experts of no number", { model_type: "gemma4_text", enable_moe_block: true }, "num_experts"],
    [
      "more experts asked than there are",
      { model_type: "gemma4_text", enable_moe_block: true, num_experts: 2, top_k_experts: 3 },
      "top_k_experts",
    ],
    [
      "text both ways",
      { model_type: "gemma4_text", use_bidirectional_attention: "all" },
      "use_bidirectional_attention",
    ],
    ["no layer with keys of its own", { model_type: "gemma4_text", num_kv_shared_layers: 30 }, "num_kv_shared_layers"],
    [
      "layers of one kind with heads of two sizes",
      { model_type: "gemma4_text", per_layer_config: { 5: { head_dim: 128 } } },
      "per_layer_config",
    ],
    ["a part of a head where heads turn whole", { partial_rotary_factor: 0.5 }, "partial_rotary_factor"],
    [
      "layers with and without a window where all are alike",
      { model_type: "mistral", num_hidden_layers: 2, layer_types: ["full_attention", "sliding_attention"] },
      "layer_types",
    ],
    ["options by layer where all are alike", { per_layer_config: { 1: { head_dim: 8 } } }, "per_layer_config"],
    [
      "options of a layer that is not there",
      { model_type: "gemma4_text", per_layer_config: { 30: { head_dim: 512 } } },
      "per_layer_config.30",
    ],
    [
      "options of one layer under two numbers",
      { model_type: "gemma4_text", per_layer_config: { "05": { head_dim: 512 }, 5: { head_dim: 512 } } },
      "per_layer_config.05",
    ],
    [
      "other options by layer",
      { model_type: "gemma4_text", per_layer_config: { 5: { sliding_window: 4 } } },
      "per_layer_config.5.sliding_window",
    ],
    [
      "a part of a head that turns by default",
      {
        model_type: "gemma4_text",
        rope_parameters: { sliding_attention: { rope_type: "default", partial_rotary_factor: 0.5 } },
      },
      "partial_rotary_factor",
    ],
    [
      "heads of a delta net",
      { model_type: "qwen3_5_text", linear_num_key_heads: 3, linear_num_value_heads: 4 },
      "linear_num_value_heads",
    ],
    [
      "sections of other sizes",
      { head_dim: 8, rope_scaling: { type: "mrope", mrope_section: [1, 1, 1] } },
      "mrope_section",
    ],
  ])("%s", (_, config, key) => {
    expect(() => readTextModel(configReader("folder/config.json", config, "text_config"))).toThrow(
      expect.objectContaining({
        code: "THAW_CHECKPOINT_CONFIG",
        message: expect.stringContaining(key) as string,
      }) as Error,
    );
  });

  it("reads Gemma 3's published spelling", () => {
    const { options } = readTextModel(
      configReader("config.json", {
        model_type: "gemma3_text",
        num_hidden_layers: 4,
        sliding_window_pattern: 2,
        rope_theta: 1e6,
        rope_local_base_freq: 100,
        rope_scaling: { rope_type: "linear", factor: 8 },
        head_dim: 4,
      }),
    );
    expect(options.layers.map(({ kind }) => kind)).toEqual([
      "sliding_attention",
      "full_attention",
      "sliding_attention",
      "full_attention",
    ]);
    const [full, sliding] = options.kinds.map(({ rotary }) => [...rotary!.frequencies]);
    expect(full).toEqual([1 / 8, Math.fround(Math.fround(1 / 1000) / 8)]);
    expect(sliding).toEqual([1, Math.fround(0.1)]);
  });

  it("reads the heads of Gemma 4's full layers in both spellings", () => {
    const mixers = (more: object) =>
      readTextModel(
        configReader("config.json", {
          model_type: "gemma4_text",
          num_hidden_layers: 2,
          layer_types: ["sliding_attention", "full_attention"],
          head_dim: 8,
          hidden_size: 16,
          attention_k_eq_v: true,
          ...more,
        }),
      ).options.layers.map(({ mixer }) => mixer.formula);
    const published = mixers({ global_head_dim: 16, num_global_key_value_heads: 2 });
    expect(mixers({ per_layer_config: { 1: { head_dim: 16, num_key_value_heads: 2 } } })).toEqual(published);
    expect(mixers({ per_layer_config: { "01": { head_dim: 16, num_key_value_heads: 2 } } })).toEqual(published);
    expect(mixers({ global_head_dim: 16 })).not.toEqual(published);
    expect(mixers({ per_layer_config: null })).toEqual(mixers({ per_layer_config: {} }));
  });

  it("lets Gemma 4 see pictures both ways on sliding layers, and Gemma 4 12B on all of them", () => {
    const sight = (modelType: string, more: object) =>
      readTextModel(configReader("config.json", { model_type: modelType, ...more })).options.kinds.map(
        ({ bothWays }) => bothWays,
      );
    expect(sight("gemma4_text", {})).toEqual(["ignored", "ignored"]);
    expect(sight("gemma4_text", { use_bidirectional_attention: "vision" })).toEqual(["cut", "ignored"]);
    expect(sight("gemma4_unified_text", {})).toEqual(["whole", "whole"]);
    expect(sight("gemma4_unified_text", { use_bidirectional_attention: null })).toEqual(["ignored", "ignored"]);
  });

  it("turns a share of the pairs at the speed of whole heads, where positions are proportional", () => {
    const { frequencies } = readTextModel(
      configReader("config.json", {
        head_dim: 8,
        rope_parameters: { rope_type: "proportional", rope_theta: 16, partial_rotary_factor: 0.5, factor: 2 },
      }),
    ).options.kinds[0]!.rotary!;
    expect([...frequencies]).toEqual([0.5, 0.25, 0, 0]);
  });

  it("lets rope_scaling take the place of rope_parameters, as transformers does", () => {
    const { frequencies } = readTextModel(
      configReader("config.json", {
        head_dim: 4,
        rope_theta: 100,
        rope_parameters: { rope_type: "default", rope_theta: 9 },
        rope_scaling: { type: "linear", factor: 2 },
      }),
    ).options.kinds[0]!.rotary!;
    expect([...frequencies]).toEqual([0.5, Math.fround(Math.fround(0.1) / 2)]);
  });

  it("reads on how many positions the model was first trained: its config, its rotary options, or all of them", () => {
    const slowed = (config: object, rope: object) => [
      ...readTextModel(
        configReader("config.json", {
          head_dim: 8,
          max_position_embeddings: 64,
          rope_parameters: { rope_type: "llama3", rope_theta: 100, factor: 4, ...rope },
          ...config,
        }),
      ).options.kinds[0]!.rotary!.frequencies,
    ];
    // LlamaRotaryEmbedding of transformers 5.24.
    const all = [1, 0.2546479105949402, 0.02546478994190693, 0.007905694656074047];
    const given = [0.6366197466850281, 0.07905694097280502, 0.02500000037252903, 0.007905694656074047];
    const beside = [1, 0.1273239552974701, 0.02500000037252903, 0.007905694656074047];
    const first = (count: number) => ({ original_max_position_embeddings: count });
    for (const [found, wanted] of [
      [slowed({}, {}), all],
      [slowed({}, first(16)), given],
      [slowed(first(32), first(16)), beside],
    ])
      for (const [pair, frequency] of wanted!.entries()) expect(found![pair]).toBeCloseTo(frequency, 7);
  });

  it("has windows in all layers of Qwen3 with experts, where Qwen3 has them from a layer on", () => {
    const kinds = (modelType: string) =>
      readTextModel(
        configReader("config.json", {
          model_type: modelType,
          num_hidden_layers: 2,
          use_sliding_window: true,
          max_window_layers: 1,
        }),
      ).options.layers.map(({ kind }) => kind);
    expect(kinds("qwen3_moe")).toEqual(["sliding_attention", "sliding_attention"]);
    expect(kinds("qwen3")).toEqual(["full_attention", "sliding_attention"]);
  });

  it("lets queries of Ministral 3 grow, also where its config says nothing of positions", () => {
    const queriesOf = (config: object) =>
      readTextModel(configReader("config.json", { model_type: "ministral3", ...config })).options.kinds[0]!.rotary!
        .queries;
    expect(queriesOf({})).toEqual({ beta: 0.1, stretch: 16384 });
    expect(queriesOf({ rope_parameters: { rope_theta: 100 } })).toBeUndefined();
    const parameters = { llama_4_scaling_beta: 0.1 };
    expect(() => queriesOf({ rope_parameters: parameters })).toThrow("original_max_position_embeddings");
  });

  it("gives pairs to axes one after the other, or by turns", () => {
    const axes = (more: object) =>
      readTextModel(
        configReader("config.json", {
          head_dim: 16,
          rope_scaling: { type: "mrope", mrope_section: [4, 2, 2], ...more },
        }),
      ).options.kinds[0]!.rotary!.axes;
    expect(axes({})).toEqual([0, 0, 0, 0, 1, 1, 2, 2]);
    expect(axes({ mrope_interleaved: true })).toEqual([0, 1, 2, 0, 1, 2, 0, 0]);
  });
});
