import { AttentionSpans, type RowRange, type SampleSpan } from "@thaw/autograd";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import type { ChosenRows, Decoder } from "../decoders/decoder.js";
import type { DecoderPass, LayerKind, LayerPass, RotaryLines } from "../decoders/layer-kind.js";
import type { KeptRows } from "../blocks/kept-rows.js";
import type { Sight } from "./attending.js";
import { firstLines, linesAt } from "./rotary-lines.js";

/** Rows of a pass, stretch by stretch: where they stand and what they see. */
export interface PassRows {
  /** By axis, the position of each row. */
  readonly axes: readonly Int32Array[];
  /** Stretch `s` has the rows `offsets[s]` to `offsets[s + 1]`. */
  readonly offsets: Int32Array;
  /** Rows of the pass that see one another both ways. */
  readonly bothWays: readonly RowRange[];
  /** The rows that layers of a kind look back to, their own included. */
  seen(kind: LayerKind): SeenRows;
  /** Rows of padding at the start of a sample, which none of its tokens sees; by sample of the spans. */
  readonly padding?: readonly number[];
  readonly remember?: LayerPass["remember"];
  readonly state?: LayerPass["state"];
}

/** Rows that are looked back to. */
export interface SeenRows {
  /** Each row sees itself and all before it. Queries are the last of a sample's keys. */
  readonly spans: AttentionSpans;
  /** See `LayerPass.seenOffsets`. */
  readonly offsets: Int32Array;
}

/** A pass over such rows, from which some may be chosen. */
export interface RowsPass extends DecoderPass {
  /** Some of the rows, ascending, for the layer with that number. */
  choose(layer: number, rows: Int32Array): ChosenRows;
}

/**
 * What layers need on such rows: tables and spans are made once per kind, here, as what the first layer of a kind made
 * would be freed with that layer.
 */
export function rowsPass(decoder: Decoder, rows: PassRows, scope: Scope): RowsPass {
  const passes = new Map(decoder.kinds.map((kind) => [kind.name, passOf(decoder, kind, rows, scope)]));
  const of = (name: string): LayerPass => passes.get(name)!;
  return {
    of,
    choose(layer, chosen) {
      const kind = decoder.kinds.find((each) => each.name === decoder.kindOf(layer))!;
      const pass = of(kind.name);
      const axes = rows.axes.map((axis) => chosen.map((row) => axis[row]!));
      const lines = kind.rotary === undefined ? {} : { rotary: linesAt(sourceOf(decoder, kind), axes, scope) };
      return { rows: chosen, pass: { ...pass, ...lines, spans: pass.spans.choosing(chosen) } };
    },
  };
}

function passOf(decoder: Decoder, kind: LayerKind, rows: PassRows, scope: Scope): LayerPass {
  const seen = rows.seen(kind);
  return {
    ...rotaryOf(decoder, kind, rows, scope),
    spans: hidePadding(spansOf(kind, seen.spans, rows.bothWays), rows.padding),
    offsets: rows.offsets,
    seenOffsets: seen.offsets,
    ...(rows.remember && { remember: rows.remember }),
    ...(rows.state && { state: rows.state }),
  };
}

/** The kept rows of a batch, of which every one sees itself and its sample's before it. */
export function keptRowsOf(batch: LoadedBatch, kept: KeptRows, { positions, bothWays }: Sight): PassRows {
  const { rows, offsets } = kept;
  const axes = positions.axes.map((axis) => rows.map((row) => axis[row]!));
  const stretches = Array.from({ length: batch.batchSize }, (_, sample) => sample).filter(
    (sample) => offsets[sample + 1]! > offsets[sample]!,
  );
  const padding = stretches.map((sample) => leadingPadding(rows, offsets[sample]!, offsets[sample + 1]!, batch));
  const count = evenCount(kept, axes);
  const isPadded = padding.some((length) => length > 0);
  const spans =
    count !== undefined && !isPadded
      ? AttentionSpans.even(batch.batchSize, count, true)
      : withoutEmpty(AttentionSpans.causal(offsets));
  const own = isPadded ? splitBehind(offsets, stretches, padding) : offsets;
  return {
    axes,
    offsets: own,
    bothWays: keptRanges(kept, batch.attentionMask, bothWays),
    seen: () => ({ spans, offsets: own }),
    ...(isPadded && { padding }),
  };
}

function rotaryOf(decoder: Decoder, kind: LayerKind, rows: PassRows, scope: Scope): { readonly rotary?: RotaryLines } {
  if (kind.rotary === undefined) return {};
  const count = evenCount(rows, rows.axes);
  const source = sourceOf(decoder, kind);
  return { rotary: count === undefined ? linesAt(source, rows.axes, scope) : firstLines(source, count, scope) };
}

function sourceOf(
  decoder: Decoder,
  kind: LayerKind,
): { readonly name: string; readonly options: NonNullable<LayerKind["rotary"]> } {
  return { name: `${decoder.outputWeight} ${kind.name}`, options: kind.rotary! };
}

/** A kind's spans, from those of rows that see all before them. */
function spansOf(
  { window, bothWays = "cut" }: LayerKind,
  causal: AttentionSpans,
  ranges: readonly RowRange[],
): AttentionSpans {
  const cut = (spans: AttentionSpans): AttentionSpans => (window === undefined ? spans : spans.windowed(window));
  if (bothWays === "ignored") return cut(causal);
  return bothWays === "whole" ? cut(causal).seeing(ranges) : cut(causal.seeing(ranges));
}

/** Rows of each sample if all have equally many, which stand at 0, 1, 2, ... on all axes. */
function evenCount({ offsets }: Pick<PassRows, "offsets">, axes: readonly Int32Array[]): number | undefined {
  const count = offsets[1] ?? 0;
  const isEven =
    count > 0 &&
    offsets.every((offset, sample) => offset === sample * count) &&
    axes.every((axis) => axis.every((position, row) => position === row % count));
  return isEven ? count : undefined;
}

/** Ranges of a batch's rows as ranges of the kept ones; padding sees nothing both ways. */
function keptRanges({ rows }: KeptRows, attentionMask: Int32Array, ranges: readonly RowRange[]): readonly RowRange[] {
  if (ranges.length === 0) return [];
  const found = ranges.map(({ first, end }) => {
    const inside = (row: number): boolean => row >= first && row < end && attentionMask[row] !== 0;
    return { first: rows.findIndex(inside), end: rows.findLastIndex(inside) + 1 };
  });
  return found.filter(({ first }) => first >= 0);
}

/** Rows of padding before a sample's first token. Padding after it needs nothing: no token looks to its right. */
function leadingPadding(rows: Int32Array, from: number, to: number, { attentionMask }: LoadedBatch): number {
  const first = rows.subarray(from, to).findIndex((row) => attentionMask[row] !== 0);
  return first < 0 ? 0 : first;
}

/** Offsets by which leading padding is a stretch of its own. */
function splitBehind(offsets: Int32Array, stretches: readonly number[], padding: readonly number[]): Int32Array {
  return Int32Array.from([
    0,
    ...stretches.flatMap((sample, index) => [
      ...(padding[index]! > 0 ? [offsets[sample]! + padding[index]!] : []),
      offsets[sample + 1]!,
    ]),
  ]);
}

function withoutEmpty({ samples, end }: AttentionSpans): AttentionSpans {
  return new AttentionSpans(
    samples.filter(({ queries }) => queries > 0),
    { end: end! },
  );
}

/** The same spans without the first keys of each sample. */
function hidePadding(spans: AttentionSpans, padding: readonly number[] | undefined): AttentionSpans {
  if (padding === undefined) return spans;
  const shifted = (bounds: Int32Array | undefined): Int32Array | undefined => {
    const moved = bounds?.slice();
    for (const [sample, { firstQuery, queries }] of spans.samples.entries())
      for (let row = firstQuery; row < firstQuery + queries; row++)
        if (moved !== undefined) moved[row] = Math.max(0, moved[row]! - padding[sample]!);
    return moved;
  };
  const [first, end] = [shifted(spans.first), shifted(spans.end)];
  const samples = spans.samples.map((span, sample): SampleSpan => ({
    ...span,
    firstKey: span.firstKey + padding[sample]!,
    keys: span.keys - padding[sample]!,
  }));
  return new AttentionSpans(samples, { ...(first && { first }), ...(end && { end }) });
}
