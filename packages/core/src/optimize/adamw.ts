import { asFunction, hasFused, runFused } from "@thaw/autograd";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, UpdateContext } from "../api/optimizer.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import { joinable, joinedZeros, joinTensors, partTensor } from "./join.js";
import { MomentStore, type Moments } from "./moments.js";

/** What fits into a processor's cache: beyond it joining costs more than an op there. */
const JOIN_BYTES = 1 << 15;

/** Scalars of one update, equal for all parameters that are updated together. */
interface StepScalars {
  readonly beta1: Scalar;
  readonly beta2: Scalar;
  /** What a gradient, and its square, are multiplied by for the moments: the gradient's own factor is in it. */
  readonly newM: Scalar;
  readonly newV: Scalar;
  /** Learning rate times the bias corrections. */
  readonly size: Scalar;
  readonly epsilon: Scalar;
  /** `1 - learningRate * weightDecay`; null without decay. */
  readonly decay: Scalar | null;
  /** All of them in one tensor, for the fused kernel; null where the backend has none. */
  readonly together: Tensor | null;
}

/**
 * AdamW (Loshchilov and Hutter, arXiv:1711.05101, algorithm 2) as `torch.optim.AdamW` computes it: decoupled decay
 * first, epsilon outside the square root, bias correction by the parameter's own number of updates. The corrections are
 * folded into two scalars: `lr/c1 * m / (sqrt(v)/sqrt(c2) + eps)` is `lr*sqrt(c2)/c1 * m / (sqrt(v) + eps*sqrt(c2))`,
 * one op less a parameter.
 *
 * Small parameters with equal rates and counts are updated as one (vectors end to end, matrices of one shape stacked):
 * on a GPU an op costs more than the arithmetic of a small tensor. The numbers are the same to the last bit.
 */
export class AdamW implements Optimizer {
  /** Tensors of a parameter's own size that it keeps: both moments. */
  static readonly slotsPerParameter = 2;
  readonly name = "adamw";
  readonly takesFactors = true;
  readonly #moments = new MomentStore();
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #joinBytes: number;

  /** `joinBytes`: see `Backend`. */
  constructor(
    options: Pick<ResolvedTrainingOptions["optimizer"], "beta1" | "beta2" | "epsilon">,
    { joinBytes = JOIN_BYTES }: { readonly joinBytes?: number } = {},
  ) {
    this.#beta1 = options.beta1;
    this.#beta2 = options.beta2;
    this.#epsilon = options.epsilon;
    this.#joinBytes = joinBytes;
  }

  /** Moments of 0 for parameters that have none, joined as they are going to be updated. */
  prepare(parameters: ReadonlyMap<string, Tensor>, context: UpdateContext): void {
    const fresh = [...parameters.keys()].filter((name) => !this.#moments.has(name));
    if (fresh.length === 0) return;
    for (const names of joinable(fresh, (name) => parameters.get(name)!.shape, rateKeys(context), this.#joinBytes)) {
      const shapes = names.map((name) => parameters.get(name)!.shape);
      this.#moments.put(
        names,
        shapes,
        tf.tidy(() => ({ m: joinedZeros(shapes), v: joinedZeros(shapes) })),
      );
    }
  }

  *update(
    parameters: ReadonlyMap<string, Tensor>,
    gradients: ReadonlyMap<string, Tensor>,
    context: UpdateContext,
  ): Generator<readonly [string, Tensor]> {
    this.prepare(new Map([...gradients.keys()].map((name) => [name, parameters.get(name)!])), context);
    const keyOf = rateKeys(context);
    const scalarsOf = this.#scalars(context, keyOf);
    for (const names of joinable(gradients.keys(), (name) => gradients.get(name)!.shape, keyOf, this.#joinBytes)) {
      const shapes = names.map((name) => gradients.get(name)!.shape);
      const before = this.#moments.take(names);
      const own = scalarsOf(names[0]!);
      const next = tf.tidy(() => {
        const given = [parameters, gradients].flatMap((map) => names.map((name) => map.get(name)!));
        const { together, ...numbers } = own;
        const singles =
          together === null
            ? Object.entries(numbers).filter(([, scalar]) => scalar !== null)
            : [["together", together] as const];
        const [m, v, ...values] = asFunction(
          `adamw ${singles.map(([name]) => name).join(" ")}`,
          [...given, before.m, before.v, ...singles.map(([, scalar]) => scalar as Tensor)],
          (inputs) => {
            const [parameter, gradient] = [
              inputs.slice(0, names.length),
              inputs.slice(names.length, 2 * names.length),
            ].map(joinTensors) as [Tensor, Tensor];
            const [oldM, oldV, ...scalars] = inputs.slice(2 * names.length) as [Tensor, Tensor, ...Tensor[]];
            const done = step(
              parameter,
              gradient,
              { m: oldM, v: oldV },
              { ...own, ...Object.fromEntries(singles.map(([name], index) => [name, scalars[index]])) },
            );
            return [done.m, done.v, ...partTensor(done.value, shapes)];
          },
        ) as [Tensor, Tensor, ...Tensor[]];
        this.#moments.put(names, shapes, { m, v });
        return values;
      });
      tf.dispose([before.m, before.v]);
      for (const [index, name] of names.entries()) yield [name, next[index]!];
    }
  }

  slots(): ReadonlyMap<string, Tensor> {
    return new Map(
      this.#moments.each().flatMap(
        ({ name, m, v }) =>
          [
            [`${name}/m`, m],
            [`${name}/v`, v],
          ] as const,
      ),
    );
  }

  slotShapes(parameter: string, shape: readonly number[]): ReadonlyMap<string, readonly number[]> {
    return new Map([
      [`${parameter}/m`, shape],
      [`${parameter}/v`, shape],
    ]);
  }

  /** Slots come in pairs, as {@link slotShapes} says. */
  restore(slots: ReadonlyMap<string, Tensor>): void {
    for (const [slot, m] of slots) {
      if (!slot.endsWith("/m")) continue;
      const name = slot.slice(0, -2);
      this.#moments.put([name], [m.shape], { m, v: slots.get(`${name}/v`)! });
    }
  }

  drop(names: Iterable<string>): void {
    this.#moments.drop(names);
  }

  dispose(): void {
    this.#moments.drop(this.#moments.each().map(({ name }) => name));
  }

  /** Scalars are made once for all parameters that share them. */
  #scalars(
    { updatesOf, rates, factorOf }: UpdateContext,
    keyOf: (name: string) => string,
  ): (name: string) => StepScalars {
    const made = new Map<string, StepScalars>();
    const [beta1, beta2] = [tf.scalar(this.#beta1), tf.scalar(this.#beta2)];
    return (name) => {
      const key = keyOf(name);
      const known = made.get(key);
      if (known !== undefined) return known;
      const count = updatesOf(name) + 1;
      const { learningRate, weightDecay } = rates(name);
      const correction1 = 1 - this.#beta1 ** count;
      const root2 = Math.sqrt(1 - this.#beta2 ** count);
      const shrink = learningRate * weightDecay;
      const factor = factorOf?.(name);
      const [newM, newV] = [tf.scalar(1 - this.#beta1), tf.scalar(1 - this.#beta2)];
      const scalars = {
        beta1,
        beta2,
        newM: factor === undefined ? newM : tf.mul<Scalar>(newM, factor),
        newV: factor === undefined ? newV : tf.mul<Scalar>(newV, tf.square(factor)),
        size: tf.scalar((learningRate * root2) / correction1),
        epsilon: tf.scalar(this.#epsilon * root2),
        decay: shrink === 0 ? null : tf.scalar(1 - shrink),
      };
      const { size, epsilon, decay } = scalars;
      const together = hasFused("ThawAdamW")
        ? tf.stack([beta1, beta2, scalars.newM, scalars.newV, size, epsilon, decay ?? tf.scalar(1)])
        : null;
      made.set(key, { ...scalars, together });
      return made.get(key)!;
    };
  }
}

/** Equal for parameters that are updated with the same numbers. */
function rateKeys({ updatesOf, rates, factorOf }: UpdateContext): (name: string) => string {
  const factors = new Map<Tensor | undefined, number>();
  return (name) => {
    const { learningRate, weightDecay } = rates(name);
    const factor = factorOf?.(name);
    if (!factors.has(factor)) factors.set(factor, factors.size);
    return `${updatesOf(name)}/${learningRate}/${weightDecay}/${factors.get(factor)}`;
  };
}

/** One update, elementwise; runs in the caller's tidy. */
function step(
  parameter: Tensor,
  gradient: Tensor,
  before: Moments,
  own: StepScalars,
): Moments & { readonly value: Tensor } {
  if (own.together !== null) return fusedStep(parameter, gradient, before, own.together);
  const { beta1, beta2, newM, newV, size, epsilon, decay } = own;
  const addedM = tf.mul(gradient, newM);
  const addedV = tf.mul(tf.square(gradient), newV);
  const m = tf.add(tf.mul(before.m, beta1), addedM);
  const v = tf.add(tf.mul(before.v, beta2), addedV);
  const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), epsilon)), size);
  return { m, v, value: tf.sub(decay === null ? parameter : tf.mul(parameter, decay), change) };
}

/** The same in one pass over the parameter, where the backend can. */
function fusedStep(
  parameter: Tensor,
  gradient: Tensor,
  before: Moments,
  scalars: Tensor,
): Moments & { readonly value: Tensor } {
  const inputs = { parameter, ...before, gradient, scalars };
  const [value, m, v] = runFused("ThawAdamW", inputs, {}) as [Tensor, Tensor, Tensor];
  return { m, v, value };
}
