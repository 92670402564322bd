import {
  add,
  concat,
  gatherRows,
  layerNorm,
  matmul,
  reshape,
  slice,
  softmax,
  stopGradient,
  sub,
  type Value,
} from "@thaw/autograd";
import type { MediaItem, Scope } from "@thaw/contracts";
import { tensor2d } from "@tensorflow/tfjs-core";
import { layerNormSpecs, linearSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { tilesOf } from "../towers/inputs.js";
import { oneSegment } from "./one-segment.js";

/** A token of a picture that is a visual word, in {@link VisualVocabularyOptions.layout}. */
export const VISUAL_WORD = -1;

/** A projector that speaks in visual words. */
export interface VisualVocabularyOptions {
  /** Names of the layer that scores words, of the norm on its scores, and of the table of words. */
  readonly names: { readonly scores: string; readonly norm: string; readonly table: string };
  readonly outputSize: number;
  /** Rows of the table: words, then indicators. */
  readonly vocabularySize: number;
  readonly indicatorCount: number;
  /** Patches a side of a tile. */
  readonly side: number;
  /** Patches a side of the blocks that become one word; it divides `side`. */
  readonly stride: number;
  /** True if a block is its likeliest word alone; gradients flow as if it were the mixture (`st_argmax`). */
  readonly takesLargest: boolean;
  /** What each token of a picture is: a visual word, or the number of an indicator. */
  layout(item: MediaItem): readonly number[];
}

/** Epsilon of `nn.LayerNorm`. */
const EPSILON = 1e-5;

/**
 * Ovis2's projector (Lu et al., arXiv:2405.20797): each block of patches is a mixture of visual words, whose rows of a
 * table are added up; indicators between them are rows of the same table. Source: transformers 5.24,
 * `modeling_ovis2.py`, `Ovis2VisionModel.forward` and `Ovis2Model.get_image_features`.
 */
export function visualVocabulary(options: VisualVocabularyOptions, place: ConnectorPlace): Connector {
  const { names, outputSize, vocabularySize, indicatorCount, side, stride, takesLargest } = options;
  const wordCount = vocabularySize - indicatorCount;
  const parameters: readonly ParameterSpec[] = [
    ...linearSpecs(names.scores, place.inputSize * stride ** 2, wordCount, false),
    ...layerNormSpecs(names.norm, wordCount),
    { name: `${names.table}.weight`, shape: [vocabularySize, outputSize], role: "embedding" },
  ];
  return oneSegment(place, {
    parameters,
    outputSize,
    outputRows: (item) => options.layout(item).length,
    signature: `visual words ${JSON.stringify({ side, stride, indicatorCount, takesLargest })}`,
    run(x, scope, items) {
      const tiles = items.reduce((total, item) => total + tilesOf(item), 0);
      const scores = layerNorm(
        scope.linear(blocksOf(x, tiles, side, stride), names.scores),
        scope.parameter(`${names.norm}.weight`),
        scope.parameter(`${names.norm}.bias`),
        EPSILON,
      );
      const table = scope.parameter(`${names.table}.weight`);
      const shares = softmax(scores);
      const words = matmul(
        takesLargest ? largestOf(shares, scope) : shares,
        slice(table, [0, 0], [wordCount, outputSize]),
      );
      const indicators = slice(table, [wordCount, 0], [indicatorCount, outputSize]);
      return gatherRows(
        concat([words, indicators], 0),
        tokenRows(
          items.map((item) => options.layout(item)),
          words.shape[0]!,
        ),
      );
    },
  });
}

/** 1 for the largest of each row and 0 for the others, with the gradient of the shares. */
function largestOf(shares: Value, scope: Scope): Value {
  const [rows, width] = shares.shape as [number, number];
  const values = shares.tensor.dataSync<"float32">();
  const ones = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * width, (row + 1) * width);
    ones[row * width + own.indexOf(own.reduce((most, value) => Math.max(most, value), 0))] = 1;
  }
  return add(sub(scope.own(tensor2d(ones, [rows, width])), stopGradient(shares)), shares);
}

/** `[tiles * side * side, width]` to `[tiles * blocks, stride * stride * width]`, blocks row by row. */
function blocksOf(x: Value, tiles: number, side: number, stride: number): Value {
  if (stride === 1) return x;
  const width = x.shape[1]!;
  const blocks = side / stride;
  const order = Int32Array.from({ length: tiles * side * blocks }, (_, index) => {
    const [line, block] = [index % stride, Math.floor(index / stride)];
    return Math.floor(block / blocks) * blocks * stride + line * blocks + (block % blocks);
  });
  const lines = gatherRows(reshape(x, [tiles * side * blocks, stride * width]), order);
  return reshape(lines, [tiles * blocks ** 2, stride ** 2 * width]);
}

/** Of each token its row among the words of all items, one after the other, and the indicators behind them. */
function tokenRows(layouts: readonly (readonly number[])[], wordCount: number): Int32Array {
  let word = 0;
  return Int32Array.from(layouts.flat(), (token) => (token === VISUAL_WORD ? word++ : wordCount + token));
}
