import { AttentionSpans, insertRows, type Value } from "@thaw/autograd";
import { rowOffsets, type LoadedBatch, type Scope } from "@thaw/contracts";
import { clone, keep, tidy, type Tensor } from "@tensorflow/tfjs-core";
import { type Decoder, runInnerLayers, runLastLayer } from "../decoders/decoder.js";
import { type PassRows, rowsPass, type SeenRows } from "./decoder-pass.js";
import type { Prompts } from "./row-plan.js";
import { rowsBehind } from "./rows-behind.js";

/** Fewer tokens than these at the beginning of all prompts are not computed apart. */
const LEAST_SHARED = 4;

/** What layers remember of prompts, computed without a record. */
export interface PromptKeys extends Prompts {
  /** Rows that were computed now, not known from before. */
  readonly computedRows: number;
  /** By layer, what it remembers, each `[rows, width]`: of what all prompts share, then of the rest. Borrowed. */
  readonly known: readonly LayerMemories[];
  /** By sample, its rows in all of `known`, one after the other. */
  readonly rows: readonly Int32Array[];
}

/** By layer, the tensors that it remembers. */
type LayerMemories = readonly (readonly Tensor[])[];

/** Prompts' tokens that stand behind `start` shared ones. */
interface Pieces {
  readonly ids: readonly Int32Array[];
  readonly start: number;
  readonly shared: LayerMemories;
  readonly firstPosition: number;
}

/**
 * Computes what layers remember of prompts where the language model is frozen; what all of them share comes from an
 * earlier pass if it can. Undefined where it must be recorded.
 */
export function promptKeys(
  decoder: Decoder,
  { tokenIds, tokenCount, segmentOutputs }: LoadedBatch,
  { lengths, firstPosition }: Prompts,
  scope: Scope,
): PromptKeys | undefined {
  const { whole } = decoder.names;
  if (scope.kept === undefined || Object.keys(segmentOutputs).some((name) => name.startsWith(whole))) return undefined;
  const prompts = lengths.map((length, sample) => tokenIds.subarray(sample * tokenCount, sample * tokenCount + length));
  const common = commonStart(prompts.filter(({ length }) => length > 0));
  const shared = common.length < LEAST_SHARED ? common.subarray(0, 0) : common;
  let computedRows = 0;
  const kept = scope.kept(whole, `prompt at ${firstPosition} ${shared.join(" ")}`, () => {
    computedRows += shared.length;
    if (shared.length === 0) return [];
    return computeKeys(decoder, { ids: [shared], start: 0, shared: [], firstPosition }, scope).flat();
  });
  if (kept === undefined) return undefined;
  const sharedKeys = shared.length === 0 ? [] : byLayer(decoder, kept);
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
  const known: LayerMemories[] = shared.length > 0 ? [sharedKeys] : [];
  const own = [...rests.values()].map(({ ids }) => ids).filter(({ length }) => length > 0);
  if (own.length > 0) {
    const made = computeKeys(decoder, { ids: own, start: shared.length, shared: sharedKeys, firstPosition }, scope);
    known.push(made.map((tensors) => tensors.map((tensor) => scope.own(tensor).tensor)));
  }
  return { lengths, firstPosition, computedRows: computedRows + end - shared.length, known, rows };
}

/** The rows that are left, each sample's of which see its prompt too. */
export function attendToPrompts(left: PassRows, { known, rows, lengths }: PromptKeys, offsets: Int32Array): PassRows {
  const knownCount = known.reduce((sum, layers) => sum + layers.find(({ length }) => length > 0)![0]!.shape[0]!, 0);
  const queries = lengths.map((_, sample) => offsets[sample + 1]! - offsets[sample]!);
  const source = Int32Array.from(
    lengths.flatMap((_, sample) => [
      ...rows[sample]!,
      ...Array.from({ length: queries[sample]! }, (_unused, at) => knownCount + offsets[sample]! + at),
    ]),
  );
  const seen = seenBehind(lengths, queries);
  return { ...left, seen: () => seen, remember: (layer, made) => joined(known, layer, made, source) };
}

/** What every layer remembers of rows behind shared ones, piece by piece; the caller owns it. */
function computeKeys(
  decoder: Decoder,
  { ids: pieces, start, shared, firstPosition }: Pieces,
  scope: Scope,
): readonly (readonly Tensor[])[] {
  const ids = Int32Array.from(pieces.flatMap((piece) => [...piece]));
  const offsets = rowOffsets(pieces.map(({ length }) => length));
  const source = Int32Array.from(
    pieces.flatMap((piece, index) => [
      ...Array.from({ length: start }, (_, at) => at),
      ...Array.from(piece, (_, at) => start + offsets[index]! + at),
    ]),
  );
  const made: (readonly Tensor[])[] = Array.from({ length: decoder.layerCount }, () => []);
  const seen = seenBehind(
    pieces.map(() => start),
    pieces.map(({ length }) => length),
  );
  const pass = rowsPass(
    decoder,
    {
      axes: [Int32Array.from(pieces.flatMap((piece) => Array.from(piece, (_, at) => firstPosition + start + at)))],
      offsets,
      bothWays: [],
      seen: () => seen,
      remember: (layer, values) => {
        if (made[layer]!.length === 0) made[layer] = values.map(({ tensor }) => keep(tidy(() => clone(tensor))));
        return start === 0 ? values : joined([shared], layer, values, source);
      },
    },
    scope,
  );
  try {
    const embedded = scope.segment(decoder.names.embed, [], () => decoder.embed(ids, scope));
    const inner = runInnerLayers(decoder, ids, embedded, pass, scope);
    // What the last layer remembers alone is wanted: one row is the least that it can be asked for.
    const last = decoder.layerCount - 1;
    if (last >= 0) runLastLayer(decoder, inner, pass, scope, pass.choose(last, Int32Array.of(ids.length - 1)));
    return made;
  } catch (error) {
    for (const tensor of made.flat()) tensor.dispose();
    throw error;
  }
}

/** Tensors that were kept in one row, by layer again. */
function byLayer(decoder: Decoder, kept: readonly Tensor[]): LayerMemories {
  let next = 0;
  return Array.from({ length: decoder.layerCount }, (_, layer) => {
    const { remembers } = decoder.kinds.find(({ name }) => name === decoder.kindOf(layer))!;
    const count = decoder.takesFrom?.(layer) === undefined ? remembers : 0;
    next += count;
    return kept.slice(next - count, next);
  });
}

/** Known rows and those that a layer made now, in the order of `source`. */
function joined(
  known: readonly LayerMemories[],
  layer: number,
  made: readonly Value[],
  source: Int32Array,
): readonly Value[] {
  return made.map((values, part) =>
    insertRows(
      known.map((layers) => layers[layer]![part]!),
      values,
      source,
    ),
  );
}

/** Rows behind `before[s]` rows of each sample, for all kinds of layers. */
function seenBehind(before: readonly number[], queries: readonly number[]): SeenRows {
  const { samples, end, offsets } = rowsBehind(before, queries);
  const isEven =
    queries.length > 0 &&
    queries.every((count, sample) => count > 0 && count === queries[0] && before[sample] === before[0]);
  const spans = new AttentionSpans(
    samples.filter((span) => span.queries > 0),
    { end },
    isEven ? `${samples.length} samples of ${queries[0]} rows behind ${before[0]}` : undefined,
  );
  return { spans, offsets };
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
