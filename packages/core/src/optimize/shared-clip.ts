import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Ensemble } from "../ensemble/ensemble.js";
import { sumsOfSquares, type ClipGroup, type ClipResult } from "./clip.js";

/**
 * What `clipFactors` gives, of gradients of which each rank has its own: squares are made where a gradient is and told
 * to all, norms are sums of doubles. Tensors of the result are the caller's. @throws THAW_CORE_RANK_LOST
 */
export async function sharedClipFactors(
  gradients: ReadonlyMap<string, Tensor>,
  groups: readonly ClipGroup[],
  scale: number,
  ensemble: Pick<Ensemble, "gather">,
): Promise<{ readonly clip: ClipResult; readonly tensors: readonly Tensor[] }> {
  const squares = await gatheredSquares(gradients, ensemble);
  const tensors: Tensor[] = [];
  const own = <T extends Tensor>(tensor: T): T => {
    tensors.push(tf.keep(tensor));
    return tensor;
  };
  const plain = own(tf.scalar(scale));
  const factors = new Map<string, tf.Scalar>();
  const order: string[] = [];
  for (const { names, clipNorm } of groups) {
    const present = names.filter((name) => squares.has(name));
    const norm = Math.sqrt(total(present, squares)) * scale;
    // As torch.nn.utils.clip_grad_norm_
    const factor = clipNorm === null ? plain : own(tf.scalar(Math.min(1, clipNorm / (norm + 1e-6)) * scale));
    for (const name of present) factors.set(name, factor);
    order.push(...present);
  }
  const all = order.map((name) => squares.get(name)!);
  return {
    tensors,
    clip: {
      norm: own(tf.scalar(Math.sqrt(total(order, squares)) * scale)),
      factor: (name) => factors.get(name) ?? plain,
      squares: all.length === 0 ? null : own(tf.tensor1d(all)),
      names: order,
    },
  };
}

async function gatheredSquares(
  gradients: ReadonlyMap<string, Tensor>,
  ensemble: Pick<Ensemble, "gather">,
): Promise<ReadonlyMap<string, number>> {
  const made = gradients.size === 0 ? undefined : tf.tidy(() => sumsOfSquares([...gradients.values()], false));
  const values = made === undefined ? [] : [...(await made.data())];
  made?.dispose();
  // JSON knows neither infinity nor NaN
  const told = await ensemble.gather(
    [...gradients.keys()].map((name, index) => [name, String(values[index]!)] as const),
  );
  return new Map(told.flat().map(([name, square]) => [name, Number(square)]));
}

function total(names: readonly string[], squares: ReadonlyMap<string, number>): number {
  return names.reduce((sum, name) => sum + squares.get(name)!, 0);
}
