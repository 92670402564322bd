import { AttentionSpans, insertRows, type SampleSpan, type Value } from "@thaw/autograd";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import { clone, keep, tidy, type Tensor } from "@tensorflow/tfjs-core";
import { rotaryOf } from "./decoder-pass.js";
import {
  type Decoder,
  type DecoderPass,
  decoderSegment,
  LANGUAGE_SEGMENT,
  runInnerLayers,
  runLastLayer,
} from "../decoders/decoder.js";
import type { KeptRows } from "../blocks/kept-rows.js";

/** Fewer tokens than these before an image do not pay. */
const LEAST_TOKENS = 4;
/** Nor do they where they are less than this share of all rows: every layer has to put keys and values together. */
const LEAST_SHARE = 0.05;

/** Keys and values of prompts, computed without a record. */
export interface PromptKeys {
  /** By sample, how many of its first rows these are. */
  readonly lengths: readonly number[];
  /** Rows that were computed now, not known from before. */
  readonly computedRows: number;
  /**
   * Keys and values of layer 0, of layer 1, ..., each `[rows, kvHeads * headSize]`: of what all prompts share, then of
   * the rest. Borrowed.
   */
  readonly known: readonly (readonly Tensor[])[];
  /** By sample, its rows in all of `known`, one after the other. */
  readonly rows: readonly Int32Array[];
}

/**
 * By sample, the tokens before its first image or sound and before the first row that the loss reads: they depend on
 * nothing but the language model. Undefined where they are too few to pay, or where padding comes first.
 */
export function promptLengths(
  { attentionMask, batchSize, tokenCount, media }: LoadedBatch,
  rows: Int32Array,
): readonly number[] | undefined {
  const firsts = new Map<number, number>();
  for (const row of rows)
    if (!firsts.has(Math.floor(row / tokenCount))) firsts.set(Math.floor(row / tokenCount), row % tokenCount);
  const lengths = Array.from({ length: batchSize }, (_, sample) => {
    const own = media.filter((item) => item.sample === sample);
    const length = Math.min(firsts.get(sample) ?? 0, ...own.map(({ columns }) => columns[0] ?? tokenCount));
    return length < LEAST_TOKENS ? 0 : length;
  });
  const sum = lengths.reduce((total, length) => total + length, 0);
  const startsWithPadding = lengths.some((_, sample) => attentionMask[sample * tokenCount] === 0);
  return sum === 0 || startsWithPadding || sum < LEAST_SHARE * batchSize * tokenCount ? undefined : lengths;
}

/**
 * Computes the prompts' keys and values where the language model is frozen; what all of them share comes from an
 * earlier pass if it can. Undefined where they must be recorded.
 */
export function promptKeys(
  decoder: Decoder,
  { tokenIds, tokenCount, segmentOutputs }: LoadedBatch,
  lengths: readonly number[],
  scope: Scope,
): PromptKeys | undefined {
  if (scope.kept === undefined || Object.keys(segmentOutputs).some((name) => name.startsWith(LANGUAGE_SEGMENT)))
    return undefined;
  const prompts = lengths.map((length, sample) => tokenIds.subarray(sample * tokenCount, sample * tokenCount + length));
  const common = commonStart(prompts.filter(({ length }) => length > 0));
  const shared = common.length < LEAST_TOKENS ? common.subarray(0, 0) : common;
  let computedRows = 0;
  const known: (readonly Tensor[])[] = [];
  const sharedKeys = scope.kept(LANGUAGE_SEGMENT, `prompt ${shared.join(" ")}`, () => {
    computedRows += shared.length;
    return shared.length === 0 ? [] : computeKeys(decoder, [shared], 0, [], scope);
  });
  if (sharedKeys === undefined) return undefined;
  if (shared.length > 0) known.push(sharedKeys);
  const rests = new Map<string, { readonly ids: Int32Array; readonly first: number }>();
  let end = shared.length;
  const rows = prompts.map((ids) => {
    if (ids.length === 0) return new Int32Array(0);
    const rest = ids.subarray(shared.length);
    const place = rests.get(rest.join()) ?? { ids: rest, first: end };
    if (!rests.has(rest.join())) end += rest.length;
    rests.set(rest.join(), place);
    return Int32Array.from(ids, (_, at) => (at < shared.length ? at : place.first + at - shared.length));
  });
  const own = [...rests.values()].map(({ ids }) => ids).filter(({ length }) => length > 0);
  if (own.length > 0)
    known.push(computeKeys(decoder, own, shared.length, sharedKeys, scope).map((tensor) => scope.own(tensor).tensor));
  return { lengths, computedRows: computedRows + end - shared.length, known, rows };
}

/** The pass over the rows that are left, each sample's attending to its prompt too. */
export function attendToPrompts(
  pass: DecoderPass,
  { known, rows, lengths }: PromptKeys,
  { offsets }: KeptRows,
): DecoderPass {
  const knownCount = known.reduce((sum, [keys]) => sum + keys!.shape[0]!, 0);
  const queries = lengths.map((_, sample) => offsets[sample + 1]! - offsets[sample]!);
  const source = Int32Array.from(
    lengths.flatMap((_, sample) => [
      ...rows[sample]!,
      ...Array.from({ length: queries[sample]! }, (_unused, at) => knownCount + offsets[sample]! + at),
    ]),
  );
  return {
    ...pass,
    spans: spansBehind(lengths, queries),
    remember: (layer, keys, values) => joined(known, layer, keys, values, source),
  };
}

/** Keys and values of every layer for rows behind `start` shared ones, piece by piece; the caller owns them. */
function computeKeys(
  decoder: Decoder,
  pieces: readonly Int32Array[],
  start: number,
  shared: readonly Tensor[],
  scope: Scope,
): readonly Tensor[] {
  const ids = Int32Array.from(pieces.flatMap((piece) => [...piece]));
  const columns = Int32Array.from(pieces.flatMap((piece) => Array.from(piece, (_, at) => start + at)));
  const firsts = pieces.map((_, index) => pieces.slice(0, index).reduce((sum, { length }) => sum + length, 0));
  const source = Int32Array.from(
    pieces.flatMap((piece, index) => [
      ...Array.from({ length: start }, (_, at) => at),
      ...Array.from(piece, (_, at) => start + firsts[index]! + at),
    ]),
  );
  const made: Tensor[] = [];
  const spans = spansBehind(
    pieces.map(() => start),
    pieces.map(({ length }) => length),
  );
  const pass: DecoderPass = {
    ...rotaryOf(decoder, columns, scope),
    spans,
    remember: (layer, keys, values) => {
      made.push(...[keys, values].map(({ tensor }) => keep(tidy(() => clone(tensor)))));
      return start === 0 ? [keys, values] : joined([shared], layer, keys, values, source);
    },
  };
  // Of the last layer keys and values alone are wanted: one row is the least that it can be asked for.
  const last = Int32Array.of(ids.length - 1);
  try {
    const x = runInnerLayers(
      decoder,
      scope.segment(decoderSegment.embed, [], () => decoder.embed(ids, scope)),
      pass,
      scope,
    );
    runLastLayer(decoder, x, pass, scope, {
      rows: last,
      pass: { ...pass, ...rotaryOf(decoder, Int32Array.of(columns.at(-1)!), scope), spans: spans.choosing(last) },
    });
    return made;
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

function joined(
  known: readonly (readonly Tensor[])[],
  layer: number,
  keys: Value,
  values: Value,
  source: Int32Array,
): readonly [Value, Value] {
  return [
    insertRows(
      known.map((tensors) => tensors[2 * layer]!),
      keys,
      source,
    ),
    insertRows(
      known.map((tensors) => tensors[2 * layer + 1]!),
      values,
      source,
    ),
  ];
}

/**
 * Samples of `queries[s]` rows that see as many rows before them as `before[s]` says, and themselves up to each row.
 */
function spansBehind(before: readonly number[], queries: readonly number[]): AttentionSpans {
  const samples: SampleSpan[] = [];
  const end: number[] = [];
  let [firstQuery, firstKey] = [0, 0];
  for (const [sample, count] of queries.entries()) {
    const keys = before[sample]! + count;
    if (count > 0) samples.push({ firstQuery, queries: count, firstKey, keys });
    for (let at = 1; at <= count; at++) end.push(before[sample]! + at);
    firstQuery += count;
    firstKey += keys;
  }
  const isEven =
    samples.length > 0 &&
    samples.length === queries.length &&
    queries.every((count, sample) => count === queries[0] && before[sample] === before[0]);
  return new AttentionSpans(
    samples,
    { end: Int32Array.from(end) },
    isEven ? `${samples.length} samples of ${queries[0]} rows behind ${before[0]}` : undefined,
  );
}

function commonStart(prompts: readonly Int32Array[]): Int32Array {
  const first = prompts[0] ?? new Int32Array(0);
  let length = Math.min(first.length, ...prompts.map((ids) => ids.length));
  for (const ids of prompts) {
    const at = first.subarray(0, length).findIndex((id, index) => ids[index] !== id);
    if (at >= 0) length = at;
  }
  return first.subarray(0, length);
}
