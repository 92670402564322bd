import { createHash } from "node:crypto";
import { openSafetensors, type Model, type ParameterInfo } from "@thaw/core";
import type { ResolvedTokenRows } from "./options.js";

/** Names of rows longer than this have a hash instead of the ids. */
const LONGEST_LIST = 40;

/** Rows of one matrix that train while the rest of it is frozen. */
export interface TokenRows {
  /** The matrix as the checkpoint names it, `[vocabulary, hidden]`. */
  readonly matrix: string;
  /** Which rows: ascending, each once. */
  readonly ids: Int32Array;
  /** Checkpoint name of the rows, `[ids, hidden]` float32. */
  readonly name: string;
}

/**
 * Rows of a matrix, named by their ids: `embed_tokens.token_rows.7_32000-32003`. What was trained of other tokens has
 * another name, so a resumed run or a later stage cannot take it for these.
 */
export function tokenRows(matrix: ParameterInfo, ids: readonly number[]): TokenRows {
  const sorted = Int32Array.from(new Set(ids)).sort();
  const list = rangesOf(sorted);
  const label = list.length > LONGEST_LIST ? createHash("sha256").update(list).digest("hex").slice(0, 12) : list;
  return { matrix: matrix.name, ids: sorted, name: `${matrix.name.replace(/\.weight$/, "")}.token_rows.${label}` };
}

/**
 * The rows as a parameter of the matrix's component. `startFrom`: values that an earlier run trained, which hold before
 * the checkpoint's.
 */
export function rowsParameter(
  rows: TokenRows,
  matrix: ParameterInfo,
  component: string,
  {
    model,
    initialize,
    startFrom,
  }: {
    readonly model: Model;
    readonly initialize: ResolvedTokenRows["initialize"];
    readonly startFrom: string | undefined;
  },
): ParameterInfo {
  const [, hidden] = matrix.shape as [number, number];
  return {
    name: rows.name,
    shape: [rows.ids.length, hidden],
    dtype: "F32",
    component,
    initialize: async () => {
      const whole = await readMatrix(model, matrix.name, startFrom);
      return initialize === "mean" ? meanOfOthers(whole, rows.ids, hidden) : rowsOf(whole, rows.ids, hidden);
    },
  };
}

/** The matrix with the rows in their places; `values` are `[ids, hidden]`, row-major. */
export function mergedRows(matrix: Float32Array, { ids }: TokenRows, values: Float32Array): Float32Array {
  const merged = matrix.slice();
  const hidden = values.length / ids.length;
  for (const [index, id] of ids.entries())
    merged.set(values.subarray(index * hidden, (index + 1) * hidden), id * hidden);
  return merged;
}

function rowsOf(matrix: Float32Array, ids: Int32Array, hidden: number): Float32Array {
  const rows = new Float32Array(ids.length * hidden);
  for (const [index, id] of ids.entries()) rows.set(matrix.subarray(id * hidden, (id + 1) * hidden), index * hidden);
  return rows;
}

/** Every row the mean of those that do not train, summed in float64. */
function meanOfOthers(matrix: Float32Array, ids: Int32Array, hidden: number): Float32Array {
  const sums = new Float64Array(hidden);
  const own = new Set(ids);
  const count = matrix.length / hidden;
  for (let row = 0; row < count; row++) {
    if (own.has(row)) continue;
    for (let column = 0; column < hidden; column++) sums[column]! += matrix[row * hidden + column]!;
  }
  const others = Math.max(1, count - own.size);
  return Float32Array.from({ length: ids.length * hidden }, (_, index) => sums[index % hidden]! / others);
}

async function readMatrix(model: Model, name: string, startFrom: string | undefined): Promise<Float32Array> {
  const trained = startFrom === undefined ? undefined : await readTrained(startFrom, name);
  if (trained !== undefined) return trained;
  const found: Float32Array[] = [];
  for await (const { values } of model.load([name])) found.push(values);
  return found[0]!;
}

async function readTrained(file: string, name: string): Promise<Float32Array | undefined> {
  const reader = await openSafetensors(file);
  try {
    return reader.entries.has(name) ? await reader.readFloat32(name) : undefined;
  } finally {
    await reader.close();
  }
}

/** `7_32000-32003`. */
function rangesOf(ids: Int32Array): string {
  const ranges: [number, number][] = [];
  for (const id of ids) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === id - 1) last[1] = id;
    else ranges.push([id, id]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join("_");
}
