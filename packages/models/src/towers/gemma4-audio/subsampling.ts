import { concat, gatherRows, layerNorm, matmul, relu, reshape, transpose, type Value } from "@thaw/autograd";
import { rowOffsets, type Scope } from "@thaw/contracts";
import { fill, zeros } from "@tensorflow/tfjs-core";
import { linearSpecs } from "../../blocks/specs.js";
import type { ParameterSpec } from "../../contract/family.js";
import type { Gemma4AudioConfig } from "./config.js";

/** Side of a convolution's kernel, and places of it. */
const SIDE = 3;
const TAPS = SIDE ** 2;

/** What is left of so many frames, or mel values, behind a convolution at every other one. */
export function halved(count: number): number {
  return Math.ceil(count / 2);
}

/** What makes rows of mel frames: a row for four frames. */
export interface Subsampling {
  readonly specs: readonly ParameterSpec[];
  /** Frames of clips of these lengths `[frames, mels]`, clip after clip, to `[rows, hidden]`. */
  run(frames: Value, lengths: readonly number[], scope: Scope): Value;
}

/**
 * Two convolutions over frames and mel values, at every other one of both, with zeros around every clip; each with a
 * norm over channels and ReLU. Then a matrix. Source: transformers 5.24, `modeling_gemma4.py`,
 * `Gemma4AudioSubSampleConvProjection`.
 */
export function subsampling(config: Gemma4AudioConfig, prefix: string): Subsampling {
  const { melCount, channelCount, hiddenSize, epsilon } = config;
  const [first, second, last] = [`${prefix}.layer0`, `${prefix}.layer1`, `${prefix}.input_proj_linear`];
  const convolutionSpecs = (name: string, inputs: number, outputs: number): readonly ParameterSpec[] => [
    { name: `${name}.conv.weight`, shape: [outputs, inputs, SIDE, SIDE], role: "linear", fanIn: inputs * TAPS },
    { name: `${name}.norm.weight`, shape: [outputs], role: "norm" },
  ];
  const step = (x: Value, name: string, grid: Grid, scope: Scope): Value => {
    const weight = scope.parameter(`${name}.conv.weight`);
    const [outputs, inputs] = weight.shape as [number, number];
    const padded = concat([x, scope.own(fill([1, inputs], 0))], 0);
    const places = windowPlaces(grid, x.shape[0]!);
    const windows = reshape(gatherRows(padded, places), [places.length / TAPS, TAPS * inputs]);
    const made = matmul(windows, reshape(transpose(weight, [2, 3, 1, 0]), [TAPS * inputs, outputs]));
    return relu(layerNorm(made, scope.parameter(`${name}.norm.weight`), scope.own(zeros([outputs])), epsilon));
  };
  return {
    specs: [
      ...convolutionSpecs(first, 1, melCount),
      ...convolutionSpecs(second, melCount, channelCount),
      ...linearSpecs(last, (melCount / 4) * channelCount, hiddenSize, false),
    ],
    run(frames, lengths, scope) {
      const cells = reshape(frames, [frames.shape[0]! * melCount, 1]);
      const half = { lengths: lengths.map(halved), width: halved(melCount) };
      const inner = step(cells, first, { lengths, width: melCount }, scope);
      const outer = step(inner, second, half, scope);
      const width = halved(half.width) * channelCount;
      return scope.linear(reshape(outer, [(outer.shape[0]! * channelCount) / width, width]), last);
    },
  };
}

/** Frames of clips, each of so many cells, one after the other. */
interface Grid {
  readonly lengths: readonly number[];
  readonly width: number;
}

/** Cells that each cell behind a convolution reads, in the kernel's order; `none` where there is none. */
function windowPlaces({ lengths, width }: Grid, none: number): Int32Array {
  const offsets = rowOffsets(lengths);
  const places: number[] = [];
  for (const [clip, length] of lengths.entries())
    for (let row = 0; row < length; row += 2)
      for (let column = 0; column < width; column += 2)
        for (let tap = 0; tap < TAPS; tap++) {
          const [y, x] = [row + Math.floor(tap / SIDE) - 1, column + (tap % SIDE) - 1];
          const isInside = y >= 0 && y < length && x >= 0 && x < width;
          places.push(isInside ? (offsets[clip]! + y) * width + x : none);
        }
  return Int32Array.from(places);
}
