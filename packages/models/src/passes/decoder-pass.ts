import { AttentionSpans } from "@thaw/autograd";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import { gatherND, tensor, tensor2d, tidy, type Tensor } from "@tensorflow/tfjs-core";
import type { ChosenRows, Decoder, DecoderPass } from "../decoders/decoder.js";
import { causalSpans, columnsOf, type KeptRows } from "../blocks/kept-rows.js";
import type { RotaryTable } from "../blocks/rope.js";

/** Tables of positions have a multiple of this many lines, so that batches of other lengths share them. */
const TABLE_LINES = 64;

/**
 * A pass over the kept rows of a batch. Positions count from a row's start, padding included: rotary attention knows
 * differences only.
 */
export function keptPass(decoder: Decoder, batch: LoadedBatch, kept: KeptRows, scope: Scope): DecoderPass {
  const columns = columnsOf(kept.rows, batch.tokenCount);
  const count = evenCount(kept, columns);
  // Padding after a sample's tokens is seen by none of them.
  const startsPadded = kept.offsets
    .subarray(0, -1)
    .some((first, sample) => first < kept.offsets[sample + 1]! && batch.attentionMask[kept.rows[first]!] === 0);
  const spans =
    count !== undefined && !startsPadded
      ? AttentionSpans.even(batch.batchSize, count, true)
      : causalSpans(kept, batch.attentionMask);
  return {
    ...(count === undefined ? rotaryOf(decoder, columns, scope) : rotaryTensors(decoder, 0, count, scope)),
    spans,
  };
}

/** Some of the kept rows, ascending, for the last layer of such a pass. */
export function choose(
  decoder: Decoder,
  batch: LoadedBatch,
  kept: KeptRows,
  pass: DecoderPass,
  rows: Int32Array,
  scope: Scope,
): ChosenRows {
  const columns = columnsOf(
    rows.map((row) => kept.rows[row]!),
    batch.tokenCount,
  );
  return { rows, pass: { ...pass, ...rotaryOf(decoder, columns, scope), spans: pass.spans.choosing(rows) } };
}

/** Rotary positions from `start` on, as tensors that the scope keeps or frees. */
export function rotaryTensors(
  decoder: Decoder,
  start: number,
  count: number,
  scope: Scope,
): { readonly cos: Tensor; readonly sin: Tensor } {
  let table: RotaryTable | undefined;
  const part = (name: "cos" | "sin"): Tensor =>
    sharedTensor(scope, `${decoder.outputWeight} rotary ${name} ${start} ${count}`, () => {
      table ??= decoder.rotary(start, count);
      return tensor(table[name], [count, table[name].length / count]);
    });
  return { cos: part("cos"), sin: part("sin") };
}

/**
 * Rotary positions of rows that lie at the given columns: lines of a table that is kept, so that only the columns are
 * uploaded.
 */
export function rotaryOf(
  decoder: Decoder,
  columns: Int32Array,
  scope: Scope,
): { readonly cos: Tensor; readonly sin: Tensor } {
  const count = columns.reduce((most, column) => Math.max(most, column + 1), 1);
  const table = rotaryTensors(decoder, 0, Math.ceil(count / TABLE_LINES) * TABLE_LINES, scope);
  const lines = (whole: Tensor): Tensor =>
    scope.own(tidy(() => gatherND(whole, tensor2d(columns, [columns.length, 1], "int32")))).tensor;
  return { cos: lines(table.cos), sin: lines(table.sin) };
}

/** Rows of each sample if all have equally many from the first column on. */
function evenCount({ offsets }: KeptRows, columns: Int32Array): number | undefined {
  const count = offsets[1] ?? 0;
  const isEven =
    count > 0 &&
    offsets.every((offset, sample) => offset === sample * count) &&
    columns.every((column, row) => column === row % count);
  return isEven ? count : undefined;
}

function sharedTensor(scope: Scope, key: string, make: () => Tensor): Tensor {
  return scope.shared?.(key, make) ?? scope.own(make()).tensor;
}
