import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, UpdateContext } from "../api/optimizer.js";
import { ownedBy, ShardedOptimizer } from "../ensemble/sharded-optimizer.js";
import { optimizerUpdatedFrozen } from "../errors/passes.js";
import type { ParameterStore } from "../weights/parameter-store.js";
import type { UpdateSizes } from "./component-norms.js";
import type { Measured } from "./measure-step.js";
import { scaled } from "./named-tensors.js";

/** What an update is made of. */
export interface UpdateInput {
  readonly optimizer: Optimizer;
  /** The plugin that made it. */
  readonly optimizerPlugin: string | undefined;
  readonly store: ParameterStore;
  readonly measured: Measured;
  readonly context: Omit<UpdateContext, "factorOf">;
  /** Told of values before and after, if they are to be measured. */
  readonly sizes: UpdateSizes | undefined;
  readonly onUpdated: (name: string) => void;
  /** Of several ranks, what has a gradient on some one, in the same order on all. */
  readonly updated: readonly string[] | undefined;
}

/**
 * Updates every parameter that has a gradient, and frees its old value and gradient as soon as it has the new one.
 * @throws THAW_CORE_OPTIMIZER_UPDATED_FROZEN, THAW_CORE_RANK_LOST
 */
export async function applyUpdate(input: UpdateInput): Promise<void> {
  const { optimizer, store, measured, sizes, onUpdated } = input;
  const { gradients } = measured;
  const { updated = [...gradients.keys()] } = input;
  const set = (name: string, value: Tensor): void => {
    sizes?.add(name, store.get(name), value);
    store.replace(name, value);
    free(measured, name);
    onUpdated(name);
  };
  if (!(optimizer instanceof ShardedOptimizer)) {
    tf.tidy(() => {
      for (const [name, value] of newValues(input)) set(name, value);
    });
    return;
  }
  const own = new Map<string, Tensor>();
  try {
    tf.tidy(() => {
      for (const name of gradients.keys()) if (!optimizer.owns(name)) free(measured, name);
      for (const [name, value] of newValues(input)) {
        own.set(name, tf.keep(value));
        free(measured, name);
      }
    });
    await optimizer.share(own, new Map(updated.map((name) => [name, store.get(name)])), set);
  } finally {
    tf.dispose([...own.values()]);
  }
}

/** Inside a tidy. */
function* newValues({
  optimizer,
  optimizerPlugin,
  store,
  measured,
  context,
}: UpdateInput): Generator<readonly [string, Tensor]> {
  const { gradients, clip } = measured;
  const names = [...ownedBy(optimizer, new Set(gradients.keys()))];
  const parameters = new Map(names.map((name) => [name, store.get(name)]));
  const own = new Map(names.map((name) => [name, gradients.get(name)!]));
  const updated =
    optimizer.takesFactors === true
      ? optimizer.update(parameters, own, { ...context, factorOf: clip.factor })
      : optimizer.update(
          parameters,
          scaled(own, clip.factor, (name) => free(measured, name)),
          context,
        );
  for (const [name, value] of updated) {
    if (!own.has(name)) throw optimizerUpdatedFrozen(optimizer.name, optimizerPlugin, [name], context.step);
    yield [name, value];
  }
}

function free({ gradients, owned }: Measured, name: string): void {
  const gradient = gradients.get(name);
  if (gradient !== undefined && owned.has(gradient)) gradient.dispose();
}
