import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { operate } from "../engine/operation.js";
import type { Value } from "../engine/value.js";

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
  const resolved = size.map((length, axis) =>
    length < 0 ? (x.shape[axis] as number) - (begin[axis] as number) : length,
  );
  const outside = begin.findIndex(
    (start, axis) => start < 0 || start + (resolved[axis] as number) > (x.shape[axis] as number),
  );
  if (begin.length !== x.shape.length || size.length !== x.shape.length || outside >= 0) {
    throw badArgument(
      "slice",
      `The box of size [${size.join(", ")}] at [${begin.join(", ")}] is not inside [${x.shape.join(", ")}].`,
      "Give a start and a size per axis.",
    );
  }
  return operate("slice", [x], (record, tape) => {
    if (record !== null) {
      const paddings = begin.map((start, axis): [number, number] => [
        start,
        (x.shape[axis] as number) - start - (resolved[axis] as number),
      ]);
      record.backward = (gradient) => [tf.pad(gradient, paddings)];
    }
    return tape.kernels.box(x.tensor, begin, resolved);
  });
}

/** Joins values along an axis; all other sizes are equal. Saves nothing. */
export function concat(values: readonly Value[], axis: number): Value {
  const rank = (values[0] as Value).shape.length;
  const along = axis < 0 ? axis + rank : axis;
  return operate("concat", values, (record, tape) => {
    if (record !== null) {
      record.backward = (gradient, wants) => {
        let start = 0;
        return values.map((value, index) => {
          const begin = value.shape.map((_, current) => (current === along ? start : 0));
          start += value.shape[along] as number;
          return wants[index] ? tape.kernels.box(gradient, begin, value.shape) : null;
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
  return operate("pad", [x], (record, tape) => {
    const begin = paddings.map(([before]) => before);
    if (record !== null) record.backward = (gradient) => [tape.kernels.box(gradient, begin, x.shape)];
    return tf.pad(
      x.tensor,
      paddings.map(([before, after]): [number, number] => [before, after]),
    );
  });
}

/** A named stretch of the columns of a matrix. */
export interface NamedColumns<Name extends string = string> {
  readonly name: Name;
  readonly width: number;
}

/**
 * Values `[rows, width]` side by side, in the order of `columns`: `[rows, sum of widths]`. Saves nothing. `@throws
 * THAW_AUTOGRAD_SHAPE` if a value has another width than its columns, or other rows than the first one
 */
export function joinColumns<Name extends string>(
  columns: readonly NamedColumns<Name>[],
  values: Readonly<Record<Name, Value>>,
): Value {
  const parts = columns.map(({ name }) => values[name]);
  const rows = parts[0]?.shape[0];
  columns.forEach(({ name, width }, index) => {
    const { shape } = parts[index]!;
    if (shape.length === 2 && shape[0] === rows && shape[1] === width) return;
    throw badArgument(
      "joinColumns",
      `${name} has shape [${shape.join(", ")}], but it is declared as [${rows}, ${width}].`,
      "Give every value the declared width, and all of them equally many rows.",
      { name, shape, width },
    );
  });
  return parts.length === 1 ? parts[0]! : concat(parts, 1);
}

/**
 * The named stretches of `x [rows, sum of widths]`, `[rows, width]` each: undoes {@link joinColumns}. Saves nothing.
 * `@throws THAW_AUTOGRAD_SHAPE` if `x` has more or fewer columns
 */
export function splitColumns<Name extends string>(
  columns: readonly NamedColumns<Name>[],
  x: Value,
): Readonly<Record<Name, Value>> {
  const total = columns.reduce((sum, { width }) => sum + width, 0);
  if (x.shape.length !== 2 || x.shape[1] !== total) {
    throw badArgument(
      "splitColumns",
      `The value has shape [${x.shape.join(", ")}], but ${columnsText(columns)} are ${total} columns.`,
      "Give a matrix of exactly the declared columns.",
      { shape: x.shape, total },
    );
  }
  let start = 0;
  const parts = columns.map(({ name, width }) => {
    const part = columns.length === 1 ? x : slice(x, [0, start], [-1, width]);
    start += width;
    return [name, part] as const;
  });
  return Object.fromEntries(parts) as Record<Name, Value>;
}

function columnsText(columns: readonly NamedColumns[]): string {
  return columns.map(({ name, width }) => `${name} (${width})`).join(", ");
}
