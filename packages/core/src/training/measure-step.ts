import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { StepContext } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import { clipFactors, type ClipResult } from "../optimize/clip.js";
import { mapped } from "./named-tensors.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import { sharedClipFactors } from "../optimize/shared-clip.js";
import type { Accumulator } from "./accumulator.js";

/** A step's gradients and what is known of them before anything is updated. */
export interface Measured {
  readonly gradients: ReadonlyMap<string, Tensor>;
  /** As they were summed. */
  readonly sums: ReadonlyMap<string, Tensor>;
  readonly clip: ClipResult;
  /** What the squares of `clip` are still to be scaled by, as gradients are. */
  readonly scale: number;
  /** Sum of losses, norm, and the squares of `clip`, in one tensor. */
  readonly numbers: Tensor;
  /** What is freed at the latest when the step ends. */
  readonly owned: ReadonlySet<Tensor>;
}

/** What gradients pass through before an update. */
export interface MeasureInput {
  readonly gradients: TrainerHooks["gradients"];
  readonly groups: Parameters<typeof clipFactors>[1];
  readonly context: StepContext;
  /** Where each rank has the sums of its own parameters alone: by whom norms are shared. */
  readonly sharers: Pick<Ensemble, "gather"> | undefined;
}

/**
 * Takes the step's gradients, divides, hands them to taps, measures them; what is owned is freed by the caller, but for
 * what the update freed. @throws THAW_CORE_RANK_LOST
 */
export async function measureStep(
  accumulator: Accumulator,
  lossSum: Tensor,
  { gradients: hook, groups, context, sharers }: MeasureInput,
): Promise<Measured> {
  const scale = 1 / accumulator.supervisedTokens;
  const sums = accumulator.takeGradients();
  // `isUsed` also counts those who only watch
  const isTapped = hook.taps.length > 0;
  const given = isTapped ? 1 : scale;
  let gradients: ReadonlyMap<string, Tensor> = sums;
  let clip: ClipResult | undefined;
  try {
    if (sharers !== undefined) {
      const { clip: shared, tensors } = await sharedClipFactors(sums, groups, scale, sharers);
      const numbers = tf.tidy(() => numbersOf(lossSum, shared));
      const owned = new Set([...sums.values(), ...tensors, numbers]);
      return { gradients: sums, sums, clip: shared, scale, numbers, owned };
    }
    const made = tf.tidy(() => {
      const factor = tf.scalar(scale);
      const divided = isTapped ? mapped(sums, (sum) => tf.mul(sum, factor)) : sums;
      // Copies, since a tap may give tensors that are its own
      if (isTapped) gradients = mapped(hook.call(divided, context), tf.clone);
      clip = clipFactors(gradients, groups, given);
      const numbers = numbersOf(lossSum, clip);
      const factors = [...gradients.keys()].map((name) => clip!.factor(name));
      return [numbers, ...factors, ...(isTapped ? gradients.values() : [])];
    });
    const owned = new Set([...sums.values(), ...made]);
    return { gradients, sums, clip: clip!, scale: given, numbers: made[0]!, owned };
  } catch (error) {
    for (const sum of sums.values()) sum.dispose();
    throw error;
  }
}

function numbersOf(lossSum: Tensor, { norm, squares }: ClipResult): Tensor {
  const two = tf.stack([lossSum, norm]);
  return squares === null ? two : tf.concat([two, squares]);
}
