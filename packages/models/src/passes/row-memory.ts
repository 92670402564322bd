import { AttentionSpans, type Value } from "@thaw/autograd";
import { rowOffsets, type Scope } from "@thaw/contracts";
import {
  clone,
  concat,
  dispose,
  gatherND,
  keep,
  tensor2d,
  tidy,
  type Tensor,
  type Tensor2D,
} from "@tensorflow/tfjs-core";
import type { Decoder } from "../decoders/decoder.js";
import type { LayerKind, LayerPass, LayerState } from "../decoders/layer-kind.js";
import type { PassRows, SeenRows } from "./decoder-pass.js";
import { rowsBehind } from "./rows-behind.js";

/** Rows that one kind of layer sees in a pass. */
interface KindRows extends SeenRows {
  /** Rows seen: of what was kept, then of the new ones. Undefined: all, in order. */
  readonly source: Int32Array | undefined;
  /** Of the rows seen, how many of each sample's last ones the next pass may see. */
  readonly kept: readonly number[];
}

/**
 * What layers remember from pass to pass of a generation: of each sample the rows that later ones may see, so that a
 * sliding window keeps no more than its width. Owned here.
 */
export class RowMemory {
  readonly #decoder: Decoder;
  readonly #rows = new Map<number, readonly Tensor[]>();
  readonly #states = new Map<number, Tensor>();
  /** By name of a kind, how many rows of each sample the tensors hold that the next pass sees first. */
  readonly #lengths = new Map<string, KindRows>();

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  /** A pass over so many new rows of each sample: what they see, and how layers reach it. */
  next(counts: readonly number[], scope: Scope): Pick<PassRows, "offsets" | "seen" | "remember" | "state"> {
    const kinds = new Map(
      this.#decoder.kinds.map((kind) => [kind.name, seenRows(kind, this.#lengths.get(kind.name), counts)] as const),
    );
    for (const [name, rows] of kinds) this.#lengths.set(name, rows);
    const remembered = new Map<number, readonly Value[]>();
    const remember: LayerPass["remember"] = (layer, made) => {
      const known = remembered.get(layer);
      if (known !== undefined) return known;
      const { source } = kinds.get(this.#decoder.kindOf(layer))!;
      const values = this.#extend(layer, made, source).map((tensor) => scope.constant(tensor));
      remembered.set(layer, values);
      return values;
    };
    return {
      offsets: rowOffsets(counts),
      seen: (kind) => kinds.get(kind.name)!,
      remember,
      state: this.#stateIn(scope),
    };
  }

  dispose(): void {
    dispose([...this.#rows.values()].flat());
    dispose([...this.#states.values()]);
    this.#rows.clear();
    this.#states.clear();
  }

  #extend(layer: number, made: readonly Value[], source: Int32Array | undefined): readonly Tensor[] {
    const old = this.#rows.get(layer);
    const all = made.map(({ tensor }, part) =>
      keep(
        tidy(() => {
          const rows = old === undefined ? clone(tensor) : concat([old[part]! as Tensor2D, tensor as Tensor2D], 0);
          return source === undefined ? rows : gatherND(rows, tensor2d(source, [source.length, 1], "int32"));
        }),
      ),
    );
    dispose([...(old ?? [])]);
    this.#rows.set(layer, all);
    return all;
  }

  #stateIn(scope: Scope): LayerState {
    return {
      recall: (layer) => {
        const state = this.#states.get(layer);
        return state === undefined ? undefined : scope.constant(state);
      },
      keep: (layer, { tensor }) => {
        const copy = keep(tidy(() => clone(tensor)));
        this.#states.get(layer)?.dispose();
        this.#states.set(layer, copy);
      },
    };
  }
}

/** What a kind sees of so many new rows per sample behind those of the pass before. */
function seenRows({ window }: LayerKind, before: KindRows | undefined, counts: readonly number[]): KindRows {
  const ends = before?.offsets.subarray(1) ?? new Int32Array(counts.length);
  const known = before?.kept ?? counts.map(() => 0);
  const knownCount = before?.offsets.at(-1) ?? 0;
  const firsts = rowOffsets(counts);
  const { samples, end, offsets } = rowsBehind(known, counts);
  const source = Int32Array.from(
    counts.flatMap((count, sample) => [
      ...Array.from({ length: known[sample]! }, (_, at) => ends[sample]! - known[sample]! + at),
      ...Array.from({ length: count }, (_, at) => knownCount + firsts[sample]! + at),
    ]),
  );
  return {
    spans: new AttentionSpans(samples, { end }),
    offsets,
    source: source.every((row, at) => row === at) && source.length === knownCount + firsts.at(-1)! ? undefined : source,
    kept: samples.map(({ keys }) => (window === undefined ? keys : Math.min(keys, window - 1))),
  };
}
