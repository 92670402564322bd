import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, UpdateContext } from "../optimizer.js";
import type { ResolvedTrainingOptions } from "../options.js";

interface Moments { readonly m: Tensor; readonly v: Tensor }

/** Scalars that depend on the group's rates and on how often the parameter was updated. */
interface StepScalars {
  /** Learning rate times the bias corrections. */
  readonly size: Scalar;
  readonly epsilon: Scalar;
  /** `1 - learningRate * weightDecay`; null without decay. */
  readonly decay: Scalar | null;
}

/**
 * AdamW (Loshchilov and Hutter, arXiv:1711.05101, algorithm 2) as `torch.optim.AdamW` computes it: decoupled decay first, epsilon
 * outside the square root, bias correction by the parameter's own number of updates. The corrections are folded into two scalars:
 * `lr/c1 * m / (sqrt(v)/sqrt(c2) + eps)` is `lr*sqrt(c2)/c1 * m / (sqrt(v) + eps*sqrt(c2))`, one op less a parameter.
 */
export class AdamW implements Optimizer {
  readonly name = "adamw";
  readonly #moments = new Map<string, Moments>();
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;

  constructor(options: Pick<ResolvedTrainingOptions["optimizer"], "beta1" | "beta2" | "epsilon">) {
    this.#beta1 = options.beta1;
    this.#beta2 = options.beta2;
    this.#epsilon = options.epsilon;
  }

  update(parameters: ReadonlyMap<string, Tensor>, gradients: ReadonlyMap<string, Tensor>, context: UpdateContext): ReadonlyMap<string, Tensor> {
    const betas = { m: tf.scalar(this.#beta1), v: tf.scalar(this.#beta2), newM: tf.scalar(1 - this.#beta1), newV: tf.scalar(1 - this.#beta2) };
    const scalars = new Map<string, StepScalars>();
    const updated = new Map<string, Tensor>();
    for (const [name, gradient] of gradients) {
      const { size, epsilon, decay } = this.#scalars(scalars, name, context);
      const before = this.#moments.get(name);
      const next = tf.tidy(() => {
        const newM = tf.mul(gradient, betas.newM);
        const newV = tf.mul(tf.square(gradient), betas.newV);
        const m = before === undefined ? newM : tf.add(tf.mul(before.m, betas.m), newM);
        const v = before === undefined ? newV : tf.add(tf.mul(before.v, betas.v), newV);
        const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), epsilon)), size);
        const parameter = parameters.get(name)!;
        const value = tf.sub(decay === null ? parameter : tf.mul(parameter, decay), change);
        return { m: tf.keep(m), v: tf.keep(v), value };
      });
      before?.m.dispose();
      before?.v.dispose();
      this.#moments.set(name, { m: next.m, v: next.v });
      updated.set(name, next.value);
    }
    return updated;
  }

  slots(): ReadonlyMap<string, Tensor> {
    return new Map([...this.#moments].flatMap(([name, { m, v }]) => [[`${name}/m`, m], [`${name}/v`, v]] as const));
  }

  restore(slots: ReadonlyMap<string, Tensor>): void {
    for (const [slot, m] of slots) {
      if (!slot.endsWith("/m")) continue;
      const name = slot.slice(0, -2);
      const v = slots.get(`${name}/v`);
      if (v !== undefined) this.#moments.set(name, { m: tf.keep(m), v: tf.keep(v) });
    }
  }

  drop(names: Iterable<string>): void {
    for (const name of names) {
      const moments = this.#moments.get(name);
      moments?.m.dispose();
      moments?.v.dispose();
      this.#moments.delete(name);
    }
  }

  dispose(): void {
    this.drop([...this.#moments.keys()]);
  }

  #scalars(cache: Map<string, StepScalars>, name: string, context: UpdateContext): StepScalars {
    const count = context.updatesOf(name) + 1;
    const { learningRate, weightDecay } = context.rates(name);
    const key = `${count}/${learningRate}/${weightDecay}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const correction1 = 1 - this.#beta1 ** count;
    const root2 = Math.sqrt(1 - this.#beta2 ** count);
    const shrink = learningRate * weightDecay;
    const made = {
      size: tf.scalar((learningRate * root2) / correction1),
      epsilon: tf.scalar(this.#epsilon * root2),
      decay: shrink === 0 ? null : tf.scalar(1 - shrink),
    };
    cache.set(key, made);
    return made;
  }
}
