import { linearSpecs } from "../../blocks/specs.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { normed } from "../../layers/norms.js";
import { encoder } from "../encoder.js";
import { stretchSpans } from "../grids.js";
import { INPUT_FEATURES } from "../inputs.js";
import { patchesOf } from "../patches.js";

/** Sizes of what reads sound without a tower. */
export interface WaveFramesOptions {
  /** The matrix: `model.embed_audio.embedding_projection`. */
  readonly name: string;
  /** Samples of a row. */
  readonly sampleCount: number;
  readonly outputSize: number;
  readonly epsilon: number;
}

/**
 * Gemma 4 12B's way from sound to tokens: samples side by side, normed without weight, and a matrix. Source:
 * transformers 5.24, `modeling_gemma4_unified.py`, `get_audio_features`.
 */
export function waveFrames({ name, sampleCount, outputSize, epsilon }: WaveFramesOptions, place: TowerPlace): Tower {
  const rowsOf = (item: Parameters<Tower["run"]>[2][number]): number => item.inputs[INPUT_FEATURES]!.rows;
  return encoder(
    {
      reads: [INPUT_FEATURES],
      hiddenSize: sampleCount,
      embeddings: {
        specs: [],
        run: (batch, scope, items) =>
          scope.constant(patchesOf(batch, place.component, sampleCount, items.map(rowsOf), INPUT_FEATURES)),
      },
      layers: [],
      pass: (items) => () => ({ spans: stretchSpans(items.map(rowsOf)) }),
      featureStates: [0],
      features: {
        specs: linearSpecs(name, sampleCount, outputSize, false),
        run: (x, _items, scope) => scope.linear(normed(x, "", { epsilon, hasWeight: false }, scope), name),
        outputSize,
      },
      signature: { tower: "wave frames", sampleCount, epsilon },
    },
    place,
  );
}
