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
    const betas: Betas = { m: tf.scalar(this.#beta1), v: tf.scalar(this.#beta2), newM: tf.scalar(1 - this.#beta1), newV: tf.scalar(1 - this.#beta2) };
    const updated = new Map<string, Tensor>();
    for (const { names, scalars } of this.#packs(gradients, context)) {
      const before = names.map((name) => this.#moments.get(name)).filter((moments) => moments !== undefined);
      const next = tf.tidy(() => {
        const [parameter, gradient] = [join(names.map((name) => parameters.get(name)!)), join(names.map((name) => gradients.get(name)!))];
        const moments = before.length === 0 ? undefined : { m: join(before.map(({ m }) => m)), v: join(before.map(({ v }) => v)) };
        const { m, v, value } = step(parameter, gradient, moments, betas, scalars);
        const sizes = names.map((name) => gradients.get(name)!.size);
        return { m: part(m, sizes).map((tensor) => tf.keep(tensor)), v: part(v, sizes).map((tensor) => tf.keep(tensor)), values: part(value, sizes) };
      });
      for (const { m, v } of before) tf.dispose([m, v]);
      names.forEach((name, index) => {
        this.#moments.set(name, { m: next.m[index]!, v: next.v[index]! });
        updated.set(name, next.values[index]!);
      });
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

  /** Vectors (norms and biases) with equal rates and counts are updated as one: a few ops for all of them instead of a dozen for each. */
  #packs(gradients: ReadonlyMap<string, Tensor>, context: UpdateContext): readonly Pack[] {
    const scalars = new Map<string, StepScalars>();
    const packs = new Map<string, Pack & { readonly names: string[] }>();
    for (const [name, { shape }] of gradients) {
      const count = context.updatesOf(name) + 1;
      const { learningRate, weightDecay } = context.rates(name);
      const rates = `${count}/${learningRate}/${weightDecay}`;
      const known = scalars.get(rates) ?? this.#scalars(count, learningRate, weightDecay);
      scalars.set(rates, known);
      const key = shape.length === 1 ? `${rates}/${this.#moments.has(name)}` : `of ${name}`;
      const pack = packs.get(key);
      if (pack === undefined) packs.set(key, { names: [name], scalars: known });
      else pack.names.push(name);
    }
    return [...packs.values()];
  }

  #scalars(count: number, learningRate: number, weightDecay: number): StepScalars {
    const correction1 = 1 - this.#beta1 ** count;
    const root2 = Math.sqrt(1 - this.#beta2 ** count);
    const shrink = learningRate * weightDecay;
    return {
      size: tf.scalar((learningRate * root2) / correction1),
      epsilon: tf.scalar(this.#epsilon * root2),
      decay: shrink === 0 ? null : tf.scalar(1 - shrink),
    };
  }
}

/** Parameters that are updated together: one, or several vectors end to end. */
interface Pack {
  readonly names: readonly string[];
  readonly scalars: StepScalars;
}

interface Betas { readonly m: Scalar; readonly v: Scalar; readonly newM: Scalar; readonly newV: Scalar }

/** One update, elementwise; runs in the caller's tidy. */
function step(parameter: Tensor, gradient: Tensor, before: Moments | undefined, betas: Betas, { size, epsilon, decay }: StepScalars): Moments & { readonly value: Tensor } {
  const newM = tf.mul(gradient, betas.newM);
  const newV = tf.mul(tf.square(gradient), betas.newV);
  const m = before === undefined ? newM : tf.add(tf.mul(before.m, betas.m), newM);
  const v = before === undefined ? newV : tf.add(tf.mul(before.v, betas.v), newV);
  const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), epsilon)), size);
  return { m, v, value: tf.sub(decay === null ? parameter : tf.mul(parameter, decay), change) };
}

function join(vectors: readonly Tensor[]): Tensor {
  return vectors.length === 1 ? vectors[0]! : tf.concat([...vectors], 0);
}

function part(joined: Tensor, sizes: readonly number[]): Tensor[] {
  return sizes.length === 1 ? [joined] : tf.split(joined, [...sizes], 0);
}
