import { AttentionSpans } from "@thaw/autograd";
import { rowOffsets, type MediaItem } from "@thaw/contracts";
import { linearSpecs } from "../../blocks/specs.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import type { ProjectionKind } from "../../layers/projection.js";
import { encoder } from "../encoder.js";
import { INPUT_FEATURES } from "../inputs.js";
import { patchesOf } from "../patches.js";
import type { Gemma4AudioConfig } from "./config.js";
import { gemma4AudioLayer } from "./layer.js";
import { halved, subsampling } from "./subsampling.js";

/** What a model takes from the tower. */
export interface Gemma4AudioUse {
  /** Prefix of the checkpoint's names: `model.audio_tower`. */
  readonly prefix: string;
  readonly projections: ProjectionKind;
}

/** Rows that Gemma 4's tower makes of so many mel frames. */
export function gemma4AudioRows(frames: number): number {
  return halved(halved(frames));
}

/**
 * Gemma 4's tower for sound: mel frames, a row for four of them, layers in which a row sees near rows, a matrix.
 * Padding, which the reference masks, is not there. Source: transformers 5.24, `modeling_gemma4.py`,
 * `Gemma4AudioModel`.
 */
export function gemma4AudioTower(config: Gemma4AudioConfig, use: Gemma4AudioUse, place: TowerPlace): Tower {
  const { hiddenSize, layerCount, melCount, outputSize } = config;
  const { prefix, projections } = use;
  const before = subsampling(config, `${prefix}.subsample_conv_projection`);
  const output = `${prefix}.output_proj`;
  const layer = gemma4AudioLayer(config, projections);
  const framesOf = ({ inputs }: MediaItem): number => inputs[INPUT_FEATURES]!.rows;
  const rows = (item: MediaItem): number => gemma4AudioRows(framesOf(item));
  return encoder(
    {
      reads: [INPUT_FEATURES],
      hiddenSize,
      embeddings: {
        specs: before.specs,
        rows,
        run(batch, scope, items) {
          const lengths = items.map(framesOf);
          const frames = patchesOf(batch, place.component, melCount, lengths, INPUT_FEATURES);
          return before.run(scope.constant(frames), lengths, scope);
        },
      },
      layers: Array.from({ length: layerCount }, (_, index) => ({ name: `${prefix}.layers.${index}`, layer })),
      pass(items) {
        // Without a key: what a layer reads of near rows is made anew for each pass, so that none can be compiled.
        const spans = AttentionSpans.within(rowOffsets(items.map(rows)), false);
        return () => ({ spans });
      },
      featureStates: [layerCount],
      features: {
        specs: linearSpecs(output, hiddenSize, outputSize, true),
        rows,
        run: (x, _items, scope) => scope.linear(x, output),
        outputSize,
      },
      signature: { tower: "gemma4 audio", ...config },
    },
    place,
  );
}
