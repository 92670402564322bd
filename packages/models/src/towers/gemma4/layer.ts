import { add, release } from "@thaw/autograd";
import { attentionMixer } from "../../layers/attention.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import { normed, normSpecs } from "../../layers/norms.js";
import type { ProjectionKind } from "../../layers/projection.js";
import type { EncoderLayer } from "../encoder-layer.js";
import type { Gemma4VisionConfig } from "./config.js";

const NORMS = {
  before: "input_layernorm",
  mixed: "post_attention_layernorm",
  between: "pre_feedforward_layernorm",
  after: "post_feedforward_layernorm",
};
/** Rows of a tower are no stretches of a text. */
const NO_OFFSETS = new Int32Array(0);

/**
 * One layer of Gemma 4's tower: what attention and MLP read and what they give are normed, values too; scores are not
 * scaled. Source: transformers 5.24, `modeling_gemma4.py`, `Gemma4VisionEncoderLayer`.
 */
export function gemma4Layer(config: Gemma4VisionConfig, projections: ProjectionKind): EncoderLayer {
  const { hiddenSize, intermediateSize, headCount, keyValueHeadCount, headSize, activation, epsilon } = config;
  const norm = { epsilon };
  const mixer = attentionMixer({
    hiddenSize,
    headCount,
    keyValueHeadCount,
    headSize,
    scale: 1,
    headNorm: norm,
    valueNorm: { epsilon, hasWeight: false },
    pairs: "quarters",
    projections,
  });
  const block = gatedMlp({ hiddenSize, intermediateSize, activation, projections });
  return {
    formula: `gemma 4 layer ${mixer.formula} ${block.formula}`,
    specs: (name) => [
      ...Object.values(NORMS).flatMap((part) => normSpecs(`${name}.${part}`, hiddenSize, norm)),
      ...mixer.specs(name),
      ...block.specs(name),
    ],
    run(name, x, { spans, rotary }, scope) {
      const part = (of: keyof typeof NORMS): string => `${name}.${NORMS[of]}`;
      const pass = { spans, ...(rotary && { rotary }), offsets: NO_OFFSETS, seenOffsets: NO_OFFSETS };
      const h = normed(x, part("before"), norm, scope);
      const { mixed } = mixer.run(name, 0, { x: h, pass }, scope);
      release(h);
      const attended = add(x, normed(mixed, part("mixed"), norm, scope));
      const inner = block.run(name, normed(attended, part("between"), norm, scope), scope);
      return add(attended, normed(inner, part("after"), norm, scope));
    },
  };
}
