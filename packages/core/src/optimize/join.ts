import { float32Bytes } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Joins vectors end to end and tensors of one shape along a new first dimension: one op, no reshape. One tensor stays
 * as it is.
 */
export function joinTensors(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 1) return tensors[0]!;
  return tensors[0]!.rank === 1 ? tf.concat([...tensors], 0) : tf.stack([...tensors]);
}

/**
 * What `joinTensors` makes of zeros of these shapes. Filled by the backend: `tf.zeros` would hold them on the host
 * until they are first used.
 */
export function joinedZeros(shapes: readonly (readonly number[])[]): Tensor {
  const [first] = shapes as readonly [readonly number[], ...(readonly number[])[]];
  if (shapes.length === 1) return tf.fill([...first], 0);
  return tf.fill(
    first.length === 1 ? [shapes.reduce((sum, [length]) => sum + length!, 0)] : [shapes.length, ...first],
    0,
  );
}

/** Takes apart what `joinTensors` joined. */
export function partTensor(joined: Tensor, shapes: readonly (readonly number[])[]): Tensor[] {
  if (shapes.length === 1) return [joined];
  return shapes[0]!.length === 1
    ? tf.split(
        joined,
        shapes.map(([size]) => size!),
        0,
      )
    : tf.unstack(joined);
}

/**
 * Names in the order given, in groups that can be joined: of one key, vectors or tensors of one shape, together at most
 * `limitBytes` of float32.
 */
export function joinable(
  names: Iterable<string>,
  shapeOf: (name: string) => readonly number[],
  keyOf: (name: string) => string,
  limitBytes: number,
): readonly (readonly string[])[] {
  const groups: string[][] = [];
  const open = new Map<string, { readonly names: string[]; bytes: number }>();
  for (const name of names) {
    const shape = shapeOf(name);
    const bytes = float32Bytes(shape);
    const key = `${keyOf(name)}/${shape.length === 1 ? "vector" : shape.join("x")}`;
    const group = open.get(key);
    if (shape.length > 0 && group !== undefined && group.bytes + bytes <= limitBytes) {
      group.names.push(name);
      group.bytes += bytes;
      continue;
    }
    const fresh = { names: [name], bytes };
    groups.push(fresh.names);
    open.set(key, fresh);
  }
  return groups;
}
