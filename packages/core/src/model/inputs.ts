import {
  isSegmentPrefix,
  elementCount,
  type Batch,
  type LazyItem,
  type LoadedBatch,
  type Segment,
} from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { inputItemMisshaped } from "../errors/passes.js";

/** A batch ready for `forward`. The caller frees it once the pass is over. */
export interface PreparedBatch {
  readonly batch: LoadedBatch;
  /** The same on the host, as the `batch` hook left it. */
  readonly host: Batch;
  /** Frees loaded inputs and substituted outputs. */
  dispose(): void;
}

/**
 * Loads the lazy inputs that some segment still has to read, as float32 `[items, ...shape]`; inputs whose segments are
 * all substituted are absent, and their `load()` is never called. Takes ownership of `batch.segmentOutputs`, also when
 * it throws.
 * @throws THAW_CORE_INPUT_MISSHAPED and what `load()` throws
 */
export async function loadBatch(batch: Batch, segments: readonly Segment[]): Promise<PreparedBatch> {
  const inputs: Record<string, Tensor> = {};
  const dispose = (): void => {
    for (const tensor of [...Object.values(inputs), ...Object.values(batch.segmentOutputs)]) tensor.dispose();
  };
  try {
    for (const [name, items] of Object.entries(batch.inputs)) {
      if (items.length > 0 && isNeeded(name, segments, batch.segmentOutputs))
        inputs[name] = await loadItems(name, items);
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return { batch: { ...batch, inputs }, host: batch, dispose };
}

/**
 * Loads items into one tensor, float32 `[items, ...shape]`, which the caller disposes. @throws
 * THAW_CORE_INPUT_MISSHAPED
 */
export async function loadItems(name: string, items: readonly LazyItem[]): Promise<Tensor> {
  const shape = items[0]?.shape ?? [];
  const size = elementCount(shape);
  const values = new Float32Array(items.length * size);
  await Promise.all(
    items.map(async (item, index) => {
      const own = await item.load();
      if (own.length !== size || item.shape.join() !== shape.join())
        throw inputItemMisshaped(name, shape, item.shape, own.length);
      values.set(own, index * size);
    }),
  );
  return tf.tensor(values, [items.length, ...shape], "float32");
}

/** False if every segment that reads the input, or one around it, has a known output. */
function isNeeded(input: string, segments: readonly Segment[], outputs: Readonly<Record<string, unknown>>): boolean {
  const readers = segments.filter(({ reads }) => reads.includes(input));
  return readers.length === 0 || readers.some(({ name }) => !isSubstituted(name, outputs));
}

function isSubstituted(segment: string, outputs: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(outputs).some((known) => isSegmentPrefix(known, segment));
}
