import * as tf from "@tensorflow/tfjs-core";
import { operate } from "../operation.js";
import type { Value } from "../value.js";

/** The same elements in another shape; one size may be -1. Saves nothing and copies nothing. */
export function reshape(x: Value, shape: readonly number[]): Value {
  return operate("reshape", [x], (record) => {
    if (record !== null) record.backward = (gradient) => [tf.reshape(gradient, [...x.shape])];
    return tf.reshape(x.tensor, [...shape]);
  });
}

/** Reorders axes: axis `i` of the result is axis `order[i]` of `x`. Saves nothing. */
export function transpose(x: Value, order: readonly number[]): Value {
  return operate("transpose", [x], (record) => {
    if (record !== null) {
      const inverse = order.map((_, axis) => order.indexOf(axis));
      record.backward = (gradient) => [tf.transpose(gradient, inverse)];
    }
    return tf.transpose(x.tensor, [...order]);
  });
}

/** The box of `size` that starts at `begin`; a size of -1 reaches to the end. Saves nothing. */
export function slice(x: Value, begin: readonly number[], size: readonly number[]): Value {
  return operate("slice", [x], (record) => {
    const output = tf.slice(x.tensor, [...begin], [...size]);
    if (record !== null) {
      const paddings = begin.map((start, axis): [number, number] => [start, (x.shape[axis] as number) - start - (output.shape[axis] as number)]);
      record.backward = (gradient) => [tf.pad(gradient, paddings)];
    }
    return output;
  });
}

/** Joins values along an axis; all other sizes are equal. Saves nothing. */
export function concat(values: readonly Value[], axis: number): Value {
  const rank = (values[0] as Value).shape.length;
  const along = axis < 0 ? axis + rank : axis;
  return operate("concat", values, (record) => {
    if (record !== null) {
      record.backward = (gradient, wants) => {
        let start = 0;
        return values.map((value, index) => {
          const begin = value.shape.map((_, current) => (current === along ? start : 0));
          start += value.shape[along] as number;
          return wants[index] ? tf.slice(gradient, begin, [...value.shape]) : null;
        });
      };
    }
    return tf.concat(
      values.map((value) => value.tensor),
      along,
    );
  });
}

/** Adds zeros: `paddings[axis] = [before, after]`. Saves nothing. */
export function pad(x: Value, paddings: readonly (readonly [number, number])[]): Value {
  return operate("pad", [x], (record) => {
    if (record !== null) {
      record.backward = (gradient) => [
        tf.slice(
          gradient,
          paddings.map(([before]) => before),
          [...x.shape],
        ),
      ];
    }
    return tf.pad(
      x.tensor,
      paddings.map(([before, after]): [number, number] => [before, after]),
    );
  });
}
