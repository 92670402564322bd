import * as tf from "@tensorflow/tfjs-core";
import { elementCount, type Optimizer, ThawError, type UpdateContext } from "@thaw/core";
import { keptScalars, orthogonalise, updateScale } from "./muon.js";
import { groupParameters, joinGroup, splitGroup, type TensorGroup } from "./parameter-groups.js";

export interface PretrainingOptimizerOptions {
  /** Rate of layer matrices over that of everything else. */
  readonly matrixRateRatio: number;
  readonly momentum: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Share that the average of the weights keeps a step; it starts lower, so that early weights are forgotten. */
  readonly averageDecay: number;
}

/** Thaw's `Optimizer`, and the running average of the weights that it keeps. */
export interface AveragingOptimizer extends Optimizer {
  /** The averages by parameter; the caller disposes them. */
  averages(): Map<string, tf.Tensor>;
}

const SLOTS = ["momentum", "first", "second", "average"] as const;
type Slot = (typeof SLOTS)[number];

/**
 * Muon for the matrices of layers, AdamW for everything else, and an average of all weights. Equal shapes are stacked,
 * so a step is some 200 operations however many parameters there are. The set of trained parameters is that of the
 * first update.
 */
export function pretrainingOptimizer(options: PretrainingOptimizerOptions): AveragingOptimizer {
  const scalars = keptScalars();
  const slots = new Map<string, tf.Tensor>();
  let groups: readonly TensorGroup[] | undefined;
  let decays: tf.Tensor | undefined;

  const keep = (group: TensorGroup, slot: Slot, value: tf.Tensor): tf.Tensor => {
    const name = `${group.name}/${slot}`;
    slots.get(name)?.dispose();
    slots.set(name, tf.keep(value));
    return value;
  };
  const previous = (group: TensorGroup, slot: Slot, like: tf.Tensor): tf.Tensor =>
    slots.get(`${group.name}/${slot}`) ?? tf.fill(like.shape, 0);
  /** `share` of the old value and the rest of the new one. */
  const mix = (old: tf.Tensor, value: tf.Tensor, share: number): tf.Tensor =>
    tf.add(tf.mul(old, scalars.of(share)), tf.mul(value, scalars.of(1 - share)));
  /** The average forgets faster at first; its share changes every step, so its scalar is not kept. */
  const average = (old: tf.Tensor, value: tf.Tensor, updates: number): tf.Tensor =>
    tf.add(old, tf.mul(tf.sub(value, old), tf.scalar(1 - Math.min(options.averageDecay, updates / (10 + updates)))));

  function muonStep(
    group: TensorGroup,
    weights: tf.Tensor,
    gradient: tf.Tensor,
    rates: { learningRate: number; weightDecay: number },
  ): tf.Tensor {
    const momentum = keep(group, "momentum", mix(previous(group, "momentum", gradient), gradient, options.momentum));
    const nesterov = mix(momentum, gradient, options.momentum);
    const [rows, columns] = group.matrixShape as readonly [number, number];
    const learningRate = rates.learningRate * options.matrixRateRatio;
    const update = tf.mul(
      orthogonalise(nesterov as tf.Tensor3D, scalars),
      tf.scalar(learningRate * updateScale(rows, columns)),
    );
    return tf.sub(tf.mul(weights, tf.scalar(1 - learningRate * rates.weightDecay)), update);
  }

  function adamwStep(
    group: TensorGroup,
    weights: tf.Tensor,
    gradient: tf.Tensor,
    learningRate: number,
    updates: number,
  ): tf.Tensor {
    const first = keep(group, "first", mix(previous(group, "first", gradient), gradient, options.beta1));
    const second = keep(group, "second", mix(previous(group, "second", gradient), tf.square(gradient), options.beta2));
    const deviation = tf.add(
      tf.sqrt(tf.mul(second, tf.scalar(1 / (1 - options.beta2 ** updates)))),
      scalars.of(options.epsilon),
    );
    const update = tf.div(tf.mul(first, tf.scalar(learningRate / (1 - options.beta1 ** updates))), deviation);
    return tf.sub(tf.sub(weights, tf.mul(weights, tf.mul(decays as tf.Tensor, tf.scalar(learningRate)))), update);
  }

  /** Decay of each element of the flat group. */
  function decayVector(group: TensorGroup, context: UpdateContext): tf.Tensor {
    const parts = group.parameters.map(({ name, shape }) =>
      tf.fill([elementCount(shape)], context.rates(name).weightDecay),
    );
    return tf.keep(parts.length === 1 ? (parts[0] as tf.Tensor) : tf.concat(parts, 0));
  }

  return {
    name: "muon with adamw",
    update(parameters, gradients, context) {
      const trained = new Map([...gradients.keys()].map((name) => [name, (parameters.get(name) as tf.Tensor).shape]));
      if (groups === undefined) {
        const { matrices, rest } = groupParameters(trained);
        groups = [...matrices, ...(rest.parameters.length > 0 ? [rest] : [])];
        if (rest.parameters.length > 0) decays = decayVector(rest, context);
      }
      const known = groups.flatMap((group) => group.parameters);
      const stranger = known.find(({ name }) => !trained.has(name))?.name;
      if (known.length !== trained.size || stranger !== undefined)
        throw parametersChanged(known.length, trained.size, stranger);
      const updated = new Map<string, tf.Tensor>();
      for (const group of groups) {
        const weights = joinGroup(group, parameters);
        const gradient = joinGroup(group, gradients);
        const leader = (group.parameters[0] as { name: string }).name;
        const updates = context.updatesOf(leader) + 1;
        const rates = context.rates(leader);
        const next =
          group.matrixShape === undefined
            ? adamwStep(group, weights, gradient, rates.learningRate, updates)
            : muonStep(group, weights, gradient, rates);
        keep(group, "average", average(slots.get(`${group.name}/average`) ?? next, next, updates));
        for (const [name, value] of splitGroup(group, next)) updated.set(name, value);
      }
      return updated;
    },
    averages() {
      const read = (group: TensorGroup): [string, tf.Tensor][] => [
        ...splitGroup(group, slots.get(`${group.name}/average`) as tf.Tensor),
      ];
      return new Map(Object.entries(tf.tidy(() => Object.fromEntries((groups ?? []).flatMap(read)))));
    },
    slots: () => slots,
    restore(restored) {
      for (const [name, tensor] of restored) slots.set(name, tensor);
    },
    drop() {},
    dispose() {
      tf.dispose([...slots.values()]);
      slots.clear();
      decays?.dispose();
      scalars.dispose();
    },
  };
}

function parametersChanged(known: number, now: number, example: string | undefined): ThawError {
  const what =
    example === undefined
      ? `${now} parameters have a gradient and the first step had ${known}`
      : `"${example}" no longer has a gradient`;
  return new ThawError(
    "THAW_PRETRAIN_PARAMETERS_CHANGED",
    `The pretraining optimizer keeps its state by shape, and ${what}. Train one set of parameters for the whole ` +
      "run, or use Thaw's own AdamW.",
    {
      details: { known, now, example },
    },
  );
}
