import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Ensemble } from "./ensemble.js";

/** `Ensemble.sumFor`, also of one that sums for all alone. @throws THAW_CORE_RANK_LOST */
export async function sumFor(
  ensemble: Ensemble,
  owner: number,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<ReadonlyMap<string, Tensor>> {
  if (ensemble.sumFor !== undefined) return ensemble.sumFor(owner, tensors);
  const sums = await ensemble.sum(tensors);
  if (owner === ensemble.rank) return sums;
  tf.dispose([...sums.values()]);
  return new Map();
}
