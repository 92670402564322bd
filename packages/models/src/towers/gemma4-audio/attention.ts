import {
  add,
  exp,
  addScalar,
  gatherRows,
  log,
  mul,
  relu,
  reshape,
  scale,
  softCap,
  softmax,
  sum,
  transpose,
  type AttentionSpans,
  type Value,
} from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { tensor2d, tensor3d } from "@tensorflow/tfjs-core";
import { linearSpecs } from "../../blocks/specs.js";
import type { ParameterSpec } from "../../contract/family.js";
import type { Projection } from "../../layers/projection.js";
import type { Gemma4AudioConfig } from "./config.js";

/** Speeds of positions: from one radian per row to one per so many rows. */
const LONGEST = 10_000;

/** Attention of rows to those near them. */
export interface NearAttention {
  specs(name: string): readonly ParameterSpec[];
  /** `[rows, hidden]` to the same; samples of `spans` are clips. */
  run(name: string, x: Value, spans: AttentionSpans, scope: Scope): Value;
}

/**
 * Attention in which a row sees few rows before and behind it, and each distance adds to keys a vector of its own. The
 * reference computes it in blocks, with scores that are shifted from positions to keys; this reads keys and values of
 * each row's neighbours. Source: transformers 5.24, `modeling_gemma4.py`, `Gemma4AudioAttention`.
 */
export function nearAttention(config: Gemma4AudioConfig, linear: Projection): NearAttention {
  const { hiddenSize, headCount, past, future, cap, unseenScore } = config;
  const headSize = hiddenSize / headCount;
  const width = past + 1 + future;
  const projections = ["q_proj", "k_proj", "v_proj", "post"];
  return {
    specs: (name) => [
      ...projections.flatMap((part) => linear.specs(`${name}.${part}`, hiddenSize, hiddenSize, false)),
      ...linearSpecs(`${name}.relative_k_proj`, hiddenSize, hiddenSize, false),
      { name: `${name}.per_dim_scale`, shape: [headSize], role: "bias" },
    ],
    run(name, x, spans, scope) {
      const rows = x.shape[0]!;
      const project = (part: string): Value => linear.run(x, `${name}.${part}`, scope);
      const byHead = (value: Value, count: number): Value => reshape(value, [rows, count, headCount, headSize]);
      const factor = scale(softplus(scope.parameter(`${name}.per_dim_scale`)), headSize ** -0.5 / Math.LN2);
      const queries = mul(byHead(project("q_proj"), 1), factor);
      const keys = scale(project("k_proj"), Math.log(1 + Math.E) / Math.LN2);
      const { places, scores: unseen } = neighbours(spans, rows, past, width, unseenScore);
      const distances = scope.own(tensor2d(positionsOf(config), [width, hiddenSize]));
      const relative = reshape(scope.linear(distances, `${name}.relative_k_proj`), [1, width, hiddenSize]);
      const near = add(reshape(gatherRows(keys, places), [rows, width, hiddenSize]), relative);
      const scores = softCap(sum(mul(byHead(near, width), queries), 3), cap);
      const seen = add(scores, scope.own(tensor3d(unseen, [rows, width, 1])));
      const weights = transpose(softmax(transpose(seen, [0, 2, 1])), [0, 2, 1]);
      const values = byHead(gatherRows(project("v_proj"), places), width);
      const mixed = sum(mul(values, reshape(weights, [rows, width, headCount, 1])), 1);
      return linear.run(reshape(mixed, [rows, hiddenSize]), `${name}.post`, scope);
    },
  };
}

/** `log(1 + exp(x))`, without a large power. */
function softplus(x: Value): Value {
  const magnitude = add(relu(x), relu(scale(x, -1)));
  return add(relu(x), log(addScalar(exp(scale(magnitude, -1)), 1)));
}

/**
 * Sines, then cosines of the position of each neighbour, the one furthest before a row first: `[width, hidden]`. Zeros
 * where the table of positions ends.
 */
function positionsOf({ hiddenSize, past, future, firstPosition }: Gemma4AudioConfig): Float32Array {
  const speeds = hiddenSize / 2;
  const table = new Float32Array((past + 1 + future) * hiddenSize);
  for (let at = 0; at <= past + future; at++) {
    // The row `past + 1` before a row, which it does not see, has the first position.
    const position = firstPosition - 1 - at;
    if (position < 0) continue;
    for (let speed = 0; speed < speeds; speed++) {
      const angle = position * LONGEST ** (-speed / Math.max(speeds - 1, 1));
      table[at * hiddenSize + speed] = Math.sin(angle);
      table[at * hiddenSize + speeds + speed] = Math.cos(angle);
    }
  }
  return table;
}

/** The neighbours of each row, `[rows * width]`, and what is added to their scores: 0 where they are of its clip. */
function neighbours(
  { samples }: AttentionSpans,
  rows: number,
  past: number,
  width: number,
  unseenScore: number,
): { readonly places: Int32Array; readonly scores: Float32Array } {
  const places = new Int32Array(rows * width);
  const scores = new Float32Array(rows * width).fill(unseenScore);
  for (const { firstQuery, queries } of samples)
    for (let row = firstQuery; row < firstQuery + queries; row++)
      for (let at = 0; at < width; at++) {
        const near = row - past + at;
        if (near < firstQuery || near >= firstQuery + queries) continue;
        places[row * width + at] = near;
        scores[row * width + at] = 0;
      }
  return { places, scores };
}
