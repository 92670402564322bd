import { add, AttentionSpans, concat, gatherRows, reshape, slice, type Value } from "@thaw/autograd";
import type { MediaItem, Scope } from "@thaw/contracts";
import { fill, type Tensor } from "@tensorflow/tfjs-core";
import type { ParameterSpec } from "../contract/family.js";
import type { Tower, TowerPlace } from "../contract/parts.js";
import { normed, normSpecs, type NormOptions } from "../layers/norms.js";
import { encoder } from "./encoder.js";
import type { EncoderLayer } from "./encoder-layer.js";
import { PIXEL_VALUES, tilesOf } from "./inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth, type PatchEmbeddingOptions } from "./patches.js";

/** Sizes of pictures that a tower reads, all alike. */
export interface PictureSize {
  readonly channelCount: number;
  /** Pixels a side. */
  readonly imageSize: number;
  readonly patchSize: number;
}

/** What a model takes from a tower of this kind. */
export interface VitUse {
  /** Prefix of the checkpoint's names: `vision_tower.vision_model`. */
  readonly prefix: string;
  /** Hidden states, from 0 (the embeddings) to the number of layers; joined along the last axis. */
  readonly featureStates: readonly number[];
  /** Whether the first row of each picture, as a rule a class token's, is left out of the features. */
  readonly dropsFirst: boolean;
  /** Whether the norm behind the last layer is part of the last state. */
  readonly isNormed: boolean;
}

/** A vision transformer over pictures of one size. */
export interface VitOptions extends PictureSize, VitUse {
  readonly hiddenSize: number;
  /** Name of the patch convolution, and whether it has a bias. */
  readonly patch: Pick<PatchEmbeddingOptions, "name" | "hasBias">;
  /** Token before the patches of each picture. Absent: none. */
  readonly classToken?: Pick<ParameterSpec, "name" | "shape">;
  /**
   * Name of learned positions, one for each token, whether they are stored with a first axis of 1, and which of them
   * each token takes, where patches come in another order. Absent: none.
   */
  readonly positions?: { readonly name: string; readonly isNested?: boolean; readonly order?: Int32Array };
  /** Name of the norm on the embeddings. Absent: none. */
  readonly firstNorm?: string;
  /** Name of the norm on the patches before their positions are added. Absent: none. */
  readonly patchNorm?: string;
  /** Name of the norm behind the last layer. Absent: none is stored. */
  readonly lastNorm?: string;
  /** Its kind, where it is not that of the others. */
  readonly lastNormOptions?: NormOptions;
  readonly norm: NormOptions;
  readonly layers: readonly { readonly name: string; readonly layer: EncoderLayer }[];
  /** Parameters that files hold and nothing computes with. */
  readonly unused?: readonly ParameterSpec[];
}

/** Patches a side. */
export function gridSide({ imageSize, patchSize }: Omit<PictureSize, "channelCount">): number {
  return Math.floor(imageSize / patchSize);
}

/**
 * A vision transformer (Dosovitskiy et al., arXiv:2010.11929): patches, a class token if it has one, learned positions,
 * pre-norm layers. Patches come cut, one per row, and are multiplied, without a convolution. An item of several `tiles`
 * has the rows of one after those of another.
 */
export function vitTower(options: VitOptions, place: TowerPlace): Tower {
  const { hiddenSize, classToken, dropsFirst, norm, lastNorm, unused = [] } = options;
  const { lastNormOptions = norm } = options;
  const patchCount = gridSide(options) ** 2;
  const tokenCount = patchCount + (classToken === undefined ? 0 : 1);
  const patch: PatchEmbeddingOptions = {
    ...options.patch,
    hiddenSize,
    kernel: [options.channelCount, options.patchSize, options.patchSize],
  };
  const lastNormSpecs = lastNorm === undefined ? [] : normSpecs(lastNorm, hiddenSize, lastNormOptions);
  const rowsOf =
    (perTile: number) =>
    (item: MediaItem): number =>
      perTile * tilesOf(item);
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: embeddingSpecs(options, patch, tokenCount),
        rows: rowsOf(tokenCount),
        run(batch, scope, items) {
          const counts = items.map((item) => patchCount * tilesOf(item));
          const patches = patchesOf(batch, place.component, patchWidth(patch), counts);
          const embedded = embed(patches, patch, options, patchCount, scope);
          return options.firstNorm === undefined ? embedded : normed(embedded, options.firstNorm, norm, scope);
        },
      },
      layers: options.layers,
      pass(items) {
        const tiles = items.reduce((total, item) => total + tilesOf(item), 0);
        const spans = AttentionSpans.even(tiles, tokenCount, false);
        return () => ({ spans });
      },
      featureStates: options.featureStates,
      ...(lastNorm !== undefined &&
        options.isNormed && {
          norm: { specs: lastNormSpecs, run: (x, _items, scope) => normed(x, lastNorm, lastNormOptions, scope) },
        }),
      ...(dropsFirst && {
        features: { specs: [], rows: rowsOf(tokenCount - 1), run: (joined) => dropFirst(joined, tokenCount) },
      }),
      unused: [...(options.isNormed ? [] : lastNormSpecs), ...unused],
      signature: {
        tower: "vit",
        norm,
        lastNormOptions,
        patchSize: options.patchSize,
        dropsFirst,
        isNormed: options.isNormed,
        order: options.positions?.order && [...options.positions.order],
      },
    },
    place,
  );
}

function embeddingSpecs(
  { hiddenSize, classToken, positions, firstNorm, patchNorm, norm }: VitOptions,
  patch: PatchEmbeddingOptions,
  tokenCount: number,
): readonly ParameterSpec[] {
  const shape = positions?.isNested === true ? [1, tokenCount, hiddenSize] : [tokenCount, hiddenSize];
  return [
    ...(classToken === undefined ? [] : [{ ...classToken, role: "embedding" } satisfies ParameterSpec]),
    ...patchEmbeddingSpecs(patch),
    ...(patchNorm === undefined ? [] : normSpecs(patchNorm, hiddenSize, norm)),
    ...(positions === undefined ? [] : [{ name: positions.name, shape, role: "embedding" } satisfies ParameterSpec]),
    ...(firstNorm === undefined ? [] : normSpecs(firstNorm, hiddenSize, norm)),
  ];
}

/** `[tiles * patches, width]` to `[tiles * tokens, hidden]`, the class token before the patches of each. */
function embed(
  given: Tensor,
  patch: PatchEmbeddingOptions,
  { hiddenSize, classToken, positions, patchNorm, norm }: VitOptions,
  patchCount: number,
  scope: Scope,
): Value {
  const tiles = given.shape[0]! / patchCount;
  const patches = embedPatches(given, patch, scope);
  const even = patchNorm === undefined ? patches : normed(patches, patchNorm, norm, scope);
  const embedded = reshape(even, [tiles, patchCount, hiddenSize]);
  const tokens =
    classToken === undefined ? embedded : concat([firstTokens(classToken.name, tiles, hiddenSize, scope), embedded], 1);
  const x = positions === undefined ? tokens : add(tokens, places(positions, tokens.shape[1]!, hiddenSize, scope));
  return reshape(x, [tiles * x.shape[1]!, hiddenSize]);
}

/** Positions as the tokens of a tile take them, `[tokens, hidden]`, or as they are stored. */
function places(
  { name, order }: NonNullable<VitOptions["positions"]>,
  tokenCount: number,
  hiddenSize: number,
  scope: Scope,
): Value {
  const stored = scope.parameter(name);
  return order === undefined ? stored : gatherRows(reshape(stored, [tokenCount, hiddenSize]), order);
}

function firstTokens(name: string, tiles: number, hiddenSize: number, scope: Scope): Value {
  const token = reshape(scope.parameter(name), [1, 1, hiddenSize]);
  return add(scope.own(fill([tiles, 1, hiddenSize], 0)), token);
}

/** `[tiles * tokens, width]` without the first row of each tile. */
function dropFirst(x: Value, tokens: number): Value {
  const [rows, width] = x.shape as [number, number];
  const tiles = rows / tokens;
  const whole = reshape(x, [tiles, tokens, width]);
  return reshape(slice(whole, [0, 1, 0], [tiles, tokens - 1, width]), [rows - tiles, width]);
}
