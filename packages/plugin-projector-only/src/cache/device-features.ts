import { rowOffsets, type Rows } from "@thaw/core";
import * as tf from "@tensorflow/tfjs-core";
import { type Feature, featureBytes } from "./feature.js";

/**
 * Features on a device with memory of its own, as many as fit into `limitBytes`: those that came first stay, so that
 * they need not travel there for every batch.
 */
export class DeviceFeatures {
  readonly #limitBytes: number;
  readonly #tensors = new Map<string, tf.Tensor>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Features by key as rows on the device, one item's after the other's, which the caller owns; of one width. */
  join(keys: readonly string[], features: readonly Feature[]): Rows {
    const tensor = tf.tidy(() => {
      const parts = features.map((feature, index) => this.#tensorOf(keys[index]!, feature));
      return parts.length === 1 ? tf.clone(parts[0]!) : tf.concat(parts, 0);
    });
    return { tensor, offsets: rowOffsets(features.map(({ shape }) => shape[0]!)) };
  }

  /** Frees all. */
  clear(): void {
    tf.dispose([...this.#tensors.values()]);
    this.#tensors.clear();
    this.#bytes = 0;
  }

  #tensorOf(key: string, feature: Feature): tf.Tensor {
    const known = this.#tensors.get(key);
    if (known !== undefined) return known;
    const made = tf.tensor(feature.values, [...feature.shape], "float32");
    if (this.#bytes + featureBytes(feature) > this.#limitBytes) return made;
    this.#bytes += featureBytes(feature);
    this.#tensors.set(key, tf.keep(made));
    return made;
  }
}
