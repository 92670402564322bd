import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { sizeOf, inShape } from "../kernels/broadcast.js";
import { scatterSum } from "../kernels/indices.js";
import { operate } from "../engine/operation.js";
import type { Value } from "../engine/value.js";
import { release } from "./flow.js";
import { overlayOf, rememberOverlay, type Overlay } from "./overlay.js";
import { reshape } from "./shape.js";
import { rowsOfWeight } from "./weight.js";

/**
 * Rows of `weight [rows, hidden]` by `ids` (any number may repeat), in the given `shape`: `[...shape, hidden]`. Saves
 * nothing but the ids. Of a frozen matrix with rows from {@link scatterRows} only those rows get a gradient, and no
 * other is made.
 * @throws THAW_AUTOGRAD_SHAPE if an id is not a row, or ids and shape disagree
 */
export function embedding(weight: Value, ids: Int32Array, shape: readonly number[]): Value {
  const [rows, hidden] = weight.shape as [number, number];
  if (sizeOf(shape) !== ids.length) {
    throw badArgument(
      "embedding",
      `There are ${ids.length} ids for the shape [${shape.join(", ")}].`,
      "Give one id per element of the shape.",
    );
  }
  checkRows("embedding", ids, rows);
  const overlay = overlayOf(weight);
  if (overlay !== undefined) return overlaidEmbedding(overlay, ids, shape);
  return operate("embedding", [weight], (record, tape) => {
    if (record !== null)
      record.backward = (gradient) => [scatterSum(inShape(gradient, [ids.length, hidden]), ids, rows)];
    return inShape(rowsOfWeight(tape, weight, ids), [...shape, hidden]);
  });
}

/**
 * Rows of `x [rows, columns]` by index: `[indices, columns]`; an index may repeat. `@throws THAW_AUTOGRAD_SHAPE` if one
 * is not a row.
 */
export function gatherRows(x: Value, rows: Int32Array): Value {
  const count = x.shape[0] as number;
  checkRows("gatherRows", rows, count);
  return operate("gatherRows", [x], (record, tape) => {
    if (record !== null) record.backward = (gradient) => [scatterSum(gradient, rows, count)];
    return tape.kernels.gatherRows(x.tensor, rows);
  });
}

/**
 * A copy of `base [rows, columns]` whose rows at `rows` are those of `values [indices, columns]`. Saves nothing but the
 * indices.
 * @throws THAW_AUTOGRAD_SHAPE if an index is not a row or repeats
 */
export function scatterRows(base: Value, rows: Int32Array, values: Value): Value {
  const count = base.shape[0] as number;
  checkRows("scatterRows", rows, count);
  if (values.shape[0] !== rows.length) {
    throw badArgument(
      "scatterRows",
      `There are ${rows.length} row indices and values of shape [${values.shape.join(", ")}].`,
      "Give one row of values per index.",
    );
  }
  const source = new Int32Array(count);
  for (let row = 0; row < count; row++) source[row] = row;
  for (let index = 0; index < rows.length; index++) {
    if (source[rows[index]!]! >= count)
      throw badArgument("scatterRows", "A row index repeats.", "Give every row at most once.");
    source[rows[index]!] = count + index;
  }
  const replaced = operate("scatterRows", [base, values], (record, tape) => {
    if (record !== null) {
      record.backward = (gradient, [wantBase, wantValues]) => [
        wantBase ? tf.mul(gradient, keepMask(rows, count)) : null,
        wantValues ? tape.kernels.gatherRows(gradient, rows) : null,
      ];
    }
    return tape.kernels.gatherRows(tf.concat([base.tensor, values.tensor], 0), source);
  });
  if (!base.needsGradient && values.needsGradient && base.shape.length === 2)
    rememberOverlay(replaced, { base, rows, values });
  return replaced;
}

/**
 * Rows of constants and of `values [n, columns]` in a new order: row r of the result is row `source[r]` of `known[0]`,
 * `known[1]`, ..., `values`, one after the other. Each row of `values` is used exactly once. `known` are borrowed and
 * not read after the call. Saves nothing but the indices.
 * @throws THAW_AUTOGRAD_SHAPE if a row of `values` is not used exactly once, or an index is not a row
 */
export function insertRows(known: readonly Tensor[], values: Value, source: Int32Array): Value {
  const count = values.shape[0] as number;
  const first = known.reduce((sum, { shape }) => sum + (shape[0] as number), 0);
  checkRows("insertRows", source, first + count);
  const places = new Int32Array(count).fill(-1);
  let used = 0;
  source.forEach((row, place) => {
    if (row < first) return;
    places[row - first] = place;
    used += 1;
  });
  if (used !== count || places.includes(-1))
    throw badArgument(
      "insertRows",
      `${used} of the indices are among the ${count} rows of values.`,
      "Use every row of values exactly once.",
    );
  return operate("insertRows", [values], (record, tape) => {
    if (record !== null) record.backward = (gradient) => [tape.kernels.gatherRows(gradient, places)];
    return tape.kernels.gatherRows(
      known.length === 0 ? values.tensor : tf.concat([...known, values.tensor], 0),
      source,
    );
  });
}

/** Looks ids up in base and replacements apart: `[...shape, hidden]`. */
function overlaidEmbedding({ base, rows, values }: Overlay, ids: Int32Array, shape: readonly number[]): Value {
  const slots = new Map([...rows].map((row, slot) => [row, slot]));
  const places = Int32Array.from([...ids.keys()].filter((place) => slots.has(ids[place]!)));
  const found = embedding(base, ids, [ids.length]);
  const own = gatherRows(
    values,
    places.map((place) => slots.get(ids[place]!)!),
  );
  const joined = scatterRows(found, places, own);
  const shaped = reshape(joined, [...shape, base.shape[1]!]);
  release(found, own, joined);
  return shaped;
}

/** 0 on the given rows, 1 elsewhere: `[count, 1]`. */
function keepMask(rows: Int32Array, count: number): Tensor {
  const mask = new Float32Array(count).fill(1);
  for (const row of rows) mask[row] = 0;
  return tf.tensor2d(mask, [count, 1]);
}

function checkRows(name: string, ids: Int32Array, rows: number): void {
  for (const id of ids) {
    if (id < 0 || id >= rows)
      throw badArgument(name, `The index ${id} is not among ${rows} rows.`, `Use indices from 0 to ${rows - 1}.`, {
        index: id,
        rows,
      });
  }
}
