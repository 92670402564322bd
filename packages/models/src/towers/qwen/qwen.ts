import { add, gatherRows, type NamedColumns, type Value } from "@thaw/autograd";
import type { MediaItem, Scope } from "@thaw/contracts";
import type { ParameterSpec } from "../../contract/family.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import type { NormOptions } from "../../layers/norms.js";
import type { RowBlock } from "../../layers/parts.js";
import { linesAt } from "../../passes/rotary-lines.js";
import { axialRotary } from "../../blocks/rope.js";
import { resampledPositions } from "../../blocks/resampled-positions.js";
import { encoder } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { frameSpans, type Grid, gridOf, patchCount, patchPass, patchPlaces } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth, type PatchEmbeddingOptions } from "../patches.js";
import { windowsOf, type Windows } from "./windows.js";

/** A tower of Qwen's vision models. */
export interface QwenTowerOptions {
  /** Prefix of the checkpoint's names: `visual`. */
  readonly prefix: string;
  readonly hiddenSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly channelCount: number;
  readonly patchSize: number;
  /** Frames of a patch. */
  readonly frames: number;
  /** Patches a side of the blocks in whose order they come. */
  readonly merge: number;
  readonly theta: number;
  readonly norm: NormOptions;
  readonly block: RowBlock;
  /** Whether the patches' convolution has a bias. */
  readonly hasPatchBias: boolean;
  /** Layers that are not in `full` see windows of so many blocks a side alone (Qwen2.5-VL). */
  readonly windows?: { readonly side: number; readonly full: readonly number[] };
  /** Places a side of a table of learned positions (Qwen3-VL). Absent: there is none. */
  readonly tableSide?: number;
  /** Hidden states that make the features, side by side; see `EncoderOptions.featureStates`. */
  readonly featureStates: readonly number[];
  /** See `Segment.outputs`. */
  readonly outputs?: readonly NamedColumns[];
}

/**
 * The vision tower of Qwen2-VL (Wang et al., arXiv:2409.12191), Qwen2.5-VL (arXiv:2502.13923) and Qwen3-VL: pictures of
 * any grid, whose patches see those of their own picture and are turned by row and column. Source: transformers 5.24,
 * `modeling_qwen2_vl.py`, `modeling_qwen2_5_vl.py`, `modeling_qwen3_vl.py`.
 */
export function qwenTower(options: QwenTowerOptions, place: TowerPlace): Tower {
  const { prefix, hiddenSize, headCount, norm, block, merge, windows, tableSide, featureStates } = options;
  const patch: PatchEmbeddingOptions = {
    name: `${prefix}.patch_embed.proj`,
    hiddenSize,
    kernel: [options.channelCount, options.frames, options.patchSize, options.patchSize],
    hasBias: options.hasPatchBias,
  };
  const table: ParameterSpec | undefined =
    tableSide === undefined
      ? undefined
      : { name: `${prefix}.pos_embed.weight`, shape: [tableSide ** 2, hiddenSize], role: "embedding" };
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    block,
    fused: "qkv",
    names: { attention: "attn", output: "proj", firstNorm: "norm1", secondNorm: "norm2" },
  });
  const positionsOf = (name: string, grids: readonly Grid[], scope: Scope): Value =>
    resampledPositions(
      scope.parameter(name),
      { side: tableSide!, kernel: "bilinear", alignsCorners: true },
      grids.flatMap((grid) => Array<Grid>(grid.frames).fill(grid)),
      patchPlaces(grids, merge),
      scope,
    );
  const known = new WeakMap<readonly MediaItem[], Windows>();
  /** Windows of the items of a pass, which embeddings, layers and features share. */
  const windowed = (items: readonly MediaItem[], side: number): Windows => {
    const found = known.get(items) ?? windowsOf(items.map(gridOf), merge, side);
    known.set(items, found);
    return found;
  };
  const rotary = { name: `${place.component} patches`, options: axialRotary(hiddenSize / headCount, options.theta) };
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: [...patchEmbeddingSpecs(patch), ...(table ? [table] : [])],
        run(batch, scope, items) {
          const grids = items.map(gridOf);
          const patches = patchesOf(batch, place.component, patchWidth(patch), grids.map(patchCount));
          const plain = embedPatches(patches, patch, scope);
          const x = table === undefined ? plain : add(plain, positionsOf(table.name, grids, scope));
          return windows === undefined ? x : gatherRows(x, windowed(items, windows.side).order);
        },
      },
      layers: Array.from({ length: options.layerCount }, (_, index) => ({ name: `${prefix}.blocks.${index}`, layer })),
      pass(items, scope) {
        const grids = items.map(gridOf);
        if (windows === undefined) {
          const pass = patchPass(grids, merge, rotary, scope);
          return () => pass;
        }
        const places = patchPlaces(grids, merge);
        const whole = frameSpans(grids);
        const { order, spans } = windowed(items, windows.side);
        const lines = linesAt(
          rotary,
          places.map((axis) => order.map((at) => axis[at]!)),
          scope,
        );
        return (index) => ({ spans: windows.full.includes(index) ? whole : spans, rotary: lines });
      },
      featureStates,
      ...(windows !== undefined && {
        features: {
          specs: [],
          run: (x, items) => gatherRows(x, windowed(items, windows.side).inverse),
        },
      }),
      ...(options.outputs && { outputs: options.outputs }),
      signature: { tower: "qwen", patchSize: options.patchSize, merge, theta: options.theta, windows, tableSide },
    },
    place,
  );
}
