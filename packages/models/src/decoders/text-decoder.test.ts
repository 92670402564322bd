import * as tf from "@tensorflow/tfjs-core";
import type { LoadedBatch } from "@thaw/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { useBackend } from "../../test-support/golden.js";
import { batchOf, testScope } from "../../test-support/scope.js";
import { initialValues } from "../checkpoint/initial-values.js";
import { mixTokens } from "../blocks/merge-features.js";
import { rotaryFrequencies } from "../blocks/rope.js";
import { attentionMixer, type AttentionOptions } from "../layers/attention.js";
import { experts } from "../layers/experts.js";
import { gatedDeltaNet } from "../layers/gated-delta-net.js";
import { gatedMlp } from "../layers/gated-mlp.js";
import { gemma4Experts } from "../layers/gemma4-experts.js";
import { shortConvolution } from "../layers/short-convolution.js";
import { DecodedBatch } from "../passes/decoded-batch.js";
import { generate } from "../passes/generate.js";
import type { Decoder } from "./decoder.js";
import { textDecoder, type TextDecoderOptions, type TextLayer } from "./text-decoder.js";

const HIDDEN = 8;
const norm = { epsilon: 1e-6 };
const offsetNorm = { epsilon: 1e-6, unitOffset: true };
const rotary = (size: number, theta = 100) => ({ frequencies: rotaryFrequencies(size, theta) });
const attention = (more: Partial<AttentionOptions> = {}) =>
  attentionMixer({ hiddenSize: HIDDEN, headCount: 2, keyValueHeadCount: 1, headSize: 4, ...more });
const mlp = gatedMlp({ hiddenSize: HIDDEN, intermediateSize: 10, activation: "silu" });
const layersOf = (...layers: (readonly [kind: string, TextLayer["mixer"], Partial<TextLayer>?])[]): TextLayer[] =>
  layers.map(([kind, mixer, more]) => ({ kind, mixer, block: mlp, ...more }));
const full = { name: "full", rotary: rotary(4), remembers: 2 };
const sliding = { name: "sliding", window: 3, rotary: rotary(4, 10), remembers: 2 };
const conv = { name: "conv", window: 3, remembers: 1 };
const linear = { name: "linear", window: 4, remembers: 1, isRecurrent: true };
const delta = gatedDeltaNet({
  hiddenSize: HIDDEN,
  keyHeadCount: 1,
  valueHeadCount: 2,
  keyHeadSize: 3,
  valueHeadSize: 4,
  taps: 4,
  epsilon: 1e-6,
});
const moe = (more: object = {}): TextLayer["block"] =>
  experts({
    hiddenSize: HIDDEN,
    expertCount: 4,
    chosenCount: 2,
    intermediateSize: 6,
    activation: "silu",
    isNormalized: true,
    ...more,
  });

const besideMlp = gemma4Experts({
  mlp: { hiddenSize: HIDDEN, intermediateSize: 10, activation: "gelu_pytorch_tanh" },
  expertCount: 4,
  chosenCount: 2,
  intermediateSize: 6,
  norm,
});

/** Decoders as the coming families have them. */
const DECODERS: Readonly<Record<string, Omit<TextDecoderOptions, "hiddenSize" | "vocabularySize">>> = {
  Llama: { norm, kinds: [full], layers: layersOf(["full", attention()], ["full", attention()]) },
  "Qwen2, with biases": { norm, kinds: [full], layers: layersOf(["full", attention({ hasBias: true })]) },
  "Qwen3, with norms of heads": {
    norm,
    kinds: [{ ...full, rotary: rotary(6) }],
    layers: layersOf(
      ["full", attention({ headNorm: norm, headSize: 6 })],
      ["full", attention({ headNorm: norm, headSize: 6 })],
    ),
  },
  "Gemma3, with windows, four norms and scales": {
    norm: offsetNorm,
    kinds: [sliding, full],
    layers: layersOf(
      ["sliding", attention({ headNorm: offsetNorm, scale: 0.3 })],
      ["full", attention({ headNorm: offsetNorm, scale: 0.3 })],
    ),
    normsOutputs: true,
    embeddingScale: Math.sqrt(HIDDEN),
    logits: { cap: 3, scale: 0.9 },
  },
  "GLM, turning neighbours of a part of a head": {
    norm,
    kinds: [full],
    layers: layersOf(["full", attention({ headSize: 6, rotarySize: 4, pairs: "neighbours" })]),
    residualScale: 0.5,
  },
  "LFM2, with convolutions": {
    norm,
    kinds: [conv, full],
    layers: layersOf(
      ["conv", shortConvolution({ hiddenSize: HIDDEN, taps: 3, hasBias: true })],
      ["full", attention({ headNorm: norm, names: { output: "out_proj" } })],
      ["conv", shortConvolution({ hiddenSize: HIDDEN, taps: 3 })],
    ),
  },
  "Qwen3.5, with delta nets and gated attention": {
    norm: offsetNorm,
    kinds: [linear, full],
    layers: layersOf(
      ["linear", delta],
      ["full", attention({ isGated: true, headNorm: offsetNorm })],
      ["linear", delta],
    ),
  },
  "Gemma4, with shared keys, keys as values and per-layer inputs": {
    norm,
    kinds: [sliding, full],
    layers: layersOf(
      ["sliding", attention({ handsOn: true, valueNorm: { ...norm, hasWeight: false } }), { handsOn: 8 }],
      ["full", attention({ valuesAreKeys: true, headNorm: norm })],
      ["sliding", attention({ keysFrom: 0 }), { takesFrom: 0 }],
    ),
    normsOutputs: true,
    perLayer: { size: 3, vocabularySize: 24, activation: "gelu_pytorch_tanh", paddingId: 0 },
  },
  "Gemma4, with experts beside its MLPs": {
    norm,
    kinds: [full],
    layers: layersOf(["full", attention(), { block: besideMlp }], ["full", attention()]),
    normsOutputs: true,
  },
  "Mixtral, with experts": {
    norm,
    kinds: [full],
    layers: layersOf(["full", attention(), { block: moe() }], ["full", attention(), { block: moe() }]),
  },
  "Qwen2-MoE, with an expert for all": {
    norm,
    kinds: [full],
    layers: layersOf(["full", attention(), { block: moe({ expertCount: 3, isNormalized: false, sharedSize: 5 }) }]),
  },
};

const ROWS = [
  [1, 4, 7, 9, 11, 3, 8, 2, 6],
  [1, 4, 7, 9, 12, 13, 10],
];
const LEARNT = Int32Array.of(5, 7, 9 + 3, 9 + 5);

beforeAll(async () => {
  await useBackend("cpu");
});

function decoderOf(name: string): Decoder {
  const options = { hiddenSize: HIDDEN, vocabularySize: 24, ...DECODERS[name]! };
  const names = { prefix: "model", head: "lm_head", isTied: false };
  return textDecoder(options, names, { component: "language_model", after: [] });
}

/** New values, larger where small ones would make the loss steep. */
function valuesOf({ parameters }: Decoder): Map<string, Float32Array> {
  const factor = ({ name, role }: Decoder["parameters"][number]): number =>
    role === "embedding" ? (name.includes("per_layer") ? 2 : 8) : /conv1d|qkv/.test(name) ? 3 : 1;
  return new Map(
    parameters.map((spec) => [
      spec.name,
      initialValues(spec, 3).map((value) => factor(spec) * value + (spec.role === "bias" ? 0.1 : 0)),
    ]),
  );
}

interface Pass {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

function pass(decoder: Decoder, values: ReadonlyMap<string, Float32Array>, saves: boolean, backward = true): Pass {
  const shapes = new Map(decoder.parameters.map(({ name, shape }) => [name, shape]));
  const weights = new Map([...values].map(([name, own]) => [name, tf.tensor(own, [...shapes.get(name)!])]));
  const scope = testScope(weights, () => true);
  const savings = { padding: false, tail: false, lastLayer: false, logits: false, prefix: false };
  const batch: LoadedBatch = { ...batchOf(ROWS, [0, 2]), ...(!saves && { savings }) };
  const output = new DecodedBatch({
    decoder,
    batch,
    scope,
    features: [],
    mix: (rows) => mixTokens(batch.tokenIds, [], rows),
  });
  const loss = output.crossEntropy(
    LEARNT,
    LEARNT.map((row) => batch.tokenIds[row + 1]!),
  );
  const gradients = new Map<string, Float32Array>();
  const value = loss.tensor.dataSync()[0]!;
  if (backward) {
    const names = [...weights.keys()];
    const found = scope.tape.backward(
      loss,
      names.map((name) => scope.parameter(name)),
    );
    names.forEach((name, index) => {
      if (found[index] !== null) gradients.set(name, found[index]!.dataSync<"float32">().slice());
      found[index]?.dispose();
    });
  }
  scope.tape.dispose();
  tf.dispose([...weights.values()]);
  return { loss: value, gradients };
}

describe.each(Object.keys(DECODERS))("a decoder like %s", (name) => {
  const decoder = decoderOf(name);
  const values = valuesOf(decoder);

  it("has the gradients that differences of its loss give", () => {
    const { gradients } = pass(decoder, values, true);
    expect([...gradients.keys()]).toEqual([...values.keys()]);
    for (const [parameter, gradient] of gradients) {
      const length = Math.hypot(...gradient);
      expect(length, parameter).toBeGreaterThan(1e-6);
      const at = (step: number): number => {
        const moved = values.get(parameter)!.map((value, index) => value + (step * gradient[index]!) / length);
        return pass(decoder, new Map([...values, [parameter, moved]]), true, false).loss;
      };
      // A steep loss bends within a large step, a flat one is lost in rounding within a small one.
      const step = Math.min(4e-3, 2e-2 / length);
      const slope = (at(step) - at(-step)) / (2 * step);
      expect(Math.abs(slope - length), parameter).toBeLessThan(0.01 * length + 4e-4);
    }
  });

  it("learns the same with all savings and with none", () => {
    const [saved, whole] = [pass(decoder, values, true), pass(decoder, values, false)];
    expect(Math.abs(saved.loss / whole.loss - 1)).toBeLessThan(1e-6);
    for (const [parameter, gradient] of whole.gradients) {
      const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
      gradient.forEach((value, at) =>
        expect(Math.abs(value - saved.gradients.get(parameter)![at]!), parameter).toBeLessThan(3e-5 * largest),
      );
    }
  });

  it("writes with what it remembers what full passes write", async () => {
    const weights = new Map(
      decoder.parameters.map(({ name: own, shape }) => [own, tf.tensor(values.get(own)!, [...shape])]),
    );
    const scope = testScope(weights);
    const write = (rows: readonly number[][], maxNewTokens: number): Promise<number[][]> => {
      const width = Math.max(...rows.map(({ length }) => length));
      const batch = batchOf(
        rows,
        rows.map(({ length }) => width - length),
      );
      const mix = (kept: Int32Array) => mixTokens(batch.tokenIds, [], kept);
      return generate({ decoder, batch, scope, mix, features: [], eosTokenIds: [] }, { maxNewTokens });
    };
    const written = await write(ROWS, 6);
    for (const [row, ids] of written.entries())
      for (const [at, id] of ids.entries())
        expect(await write([[...ROWS[row]!, ...ids.slice(0, at)]], 1)).toEqual([[id]]);
    scope.tape.dispose();
    tf.dispose([...weights.values()]);
  });
});
