import { setImmediate } from "node:timers/promises";
import {
  concat as join,
  keep,
  clone,
  tidy,
  argMax,
  reshape as reshapeTensor,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { AttentionSpans, type Value } from "@thaw/autograd";
import type { LoadedBatch, MediaItem, Scope } from "@thaw/contracts";
import { choose, keptPass, rotaryTensors } from "./decoder-pass.js";
import {
  type Decoder,
  type DecoderPass,
  decoderSegment,
  embedTokens,
  LANGUAGE_SEGMENT,
  outputLogits,
  runInnerLayers,
  runLastLayer,
} from "../decoders/decoder.js";
import { emptyRow } from "../errors.js";
import { keepRows } from "../blocks/kept-rows.js";
import type { MixedTokens } from "../blocks/merge-features.js";

/** How to continue. */
export interface GenerateOptions {
  readonly maxNewTokens: number;
  readonly eosTokenIds: readonly number[];
}

/**
 * Greedy decoding of all rows at once, with keys and values kept. Rows are aligned at their ends first, so that all
 * share a position. Returns the new ids of each row, without the end token. Frees all that it keeps. The scope must not
 * record.
 */
export async function generateGreedily(
  decoder: Decoder,
  given: LoadedBatch,
  scope: Scope,
  features: Value | undefined,
  mix: (batch: LoadedBatch) => MixedTokens,
  options: GenerateOptions,
): Promise<number[][]> {
  const batch = alignRight(given);
  const cache = new KeyValueCache();
  const results: number[][] = Array.from({ length: batch.batchSize }, () => []);
  const running = new Set(results.keys());
  try {
    for (let count = 0; count < options.maxNewTokens && running.size > 0; count++) {
      const next =
        count === 0
          ? prefill(decoder, batch, mix(batch), scope, features, cache)
          : continueRows(decoder, batch, scope, cache, lastIds(results));
      const ids = await readAndFree(next);
      for (const row of running) {
        if (options.eosTokenIds.includes(ids[row]!)) running.delete(row);
        else results[row]!.push(ids[row]!);
      }
      await setImmediate();
    }
  } finally {
    cache.dispose();
  }
  return results;
}

/**
 * The same rows with all padding on the left and no more of it than the longest row asks for. @throws
 * THAW_MODEL_EMPTY_ROW
 */
export function alignRight(batch: LoadedBatch): LoadedBatch {
  const { batchSize, tokenCount, attentionMask } = batch;
  const rows = Array.from({ length: batchSize }, (_, row) => {
    const ids = batch.tokenIds
      .slice(row * tokenCount, (row + 1) * tokenCount)
      .filter((_id, column) => attentionMask[row * tokenCount + column] !== 0);
    if (ids.length === 0) throw emptyRow(row);
    return ids;
  });
  const longest = Math.max(...rows.map((ids) => ids.length));
  const tokenIds = new Int32Array(batchSize * longest);
  const mask = new Int32Array(batchSize * longest);
  for (const [row, ids] of rows.entries()) {
    tokenIds.set(ids, (row + 1) * longest - ids.length);
    mask.fill(1, (row + 1) * longest - ids.length, (row + 1) * longest);
  }
  return {
    ...batch,
    tokenIds,
    attentionMask: mask,
    tokenCount: longest,
    labels: new Int32Array(batchSize * longest).fill(-100),
    media: batch.media.map((item) => ({ ...item, columns: alignedColumns(item, batch, longest) })),
  };
}

/** Where an item's columns are once its row's tokens stand at the right of `longest` columns. */
function alignedColumns(
  { sample, columns }: MediaItem,
  { attentionMask, tokenCount }: LoadedBatch,
  longest: number,
): Int32Array {
  const mask = attentionMask.subarray(sample * tokenCount, (sample + 1) * tokenCount);
  return columns.map((column) => longest - mask.subarray(column).reduce((sum, isReal) => sum + (isReal ? 1 : 0), 0));
}

/** Keys and values of every layer, `[batch, tokens, kvHeads * headSize]`, owned here. */
class KeyValueCache {
  readonly #layers: { keys: Tensor; values: Tensor }[] = [];

  get tokenCount(): number {
    return this.#layers[0]?.keys.shape[1] ?? 0;
  }

  /**
   * Adds a layer's new keys and values, `[batch * new tokens, width]`, and returns all of them as such rows; the caller
   * disposes these.
   */
  extend(
    layer: number,
    batchSize: number,
    keys: Tensor,
    values: Tensor,
  ): { readonly keys: Tensor; readonly values: Tensor } {
    const old = this.#layers[layer];
    const add = (known: Tensor | undefined, rows: Tensor): Tensor =>
      keep(
        tidy(() => {
          const own = reshapeTensor(rows, [batchSize, rows.shape[0]! / batchSize, rows.shape[1]!]);
          return known === undefined ? clone(own) : join([known, own], 1);
        }),
      );
    const all = { keys: add(old?.keys, keys), values: add(old?.values, values) };
    old?.keys.dispose();
    old?.values.dispose();
    this.#layers[layer] = all;
    const rows = (x: Tensor): Tensor => reshapeTensor(x, [x.shape[0]! * x.shape[1]!, x.shape[2]!]);
    return { keys: rows(all.keys), values: rows(all.values) };
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) {
      keys.dispose();
      values.dispose();
    }
    this.#layers.length = 0;
  }
}

function prefill(
  decoder: Decoder,
  batch: LoadedBatch,
  tokens: MixedTokens,
  scope: Scope,
  features: Value | undefined,
  cache: KeyValueCache,
): Tensor {
  const kept = keepRows(batch, { skipsPadding: false });
  const last = Int32Array.from({ length: batch.batchSize }, (_, row) => (row + 1) * batch.tokenCount - 1);
  return nextIds(
    scope,
    features === undefined ? [] : [features],
    (given?: Value) => {
      const pass = remembering(keptPass(decoder, batch, kept, scope), batch.batchSize, scope, cache);
      const x = runInnerLayers(decoder, embedTokens(decoder, tokens, scope, given), pass, scope);
      return runLastLayer(decoder, x, pass, scope, choose(decoder, batch, kept, pass, last, scope));
    },
    decoder,
  );
}

function continueRows(
  decoder: Decoder,
  batch: LoadedBatch,
  scope: Scope,
  cache: KeyValueCache,
  ids: Int32Array,
): Tensor {
  const position = cache.tokenCount;
  const samples = Array.from({ length: batch.batchSize }, (_, row) => {
    const padding = batch.attentionMask.subarray(row * batch.tokenCount, (row + 1) * batch.tokenCount).indexOf(1);
    return { firstQuery: row, queries: 1, firstKey: row * (position + 1) + padding, keys: position + 1 - padding };
  });
  return nextIds(
    scope,
    [],
    () => {
      const pass = remembering(
        { ...rotaryTensors(decoder, position, 1, scope), spans: new AttentionSpans(samples) },
        batch.batchSize,
        scope,
        cache,
      );
      const x = runInnerLayers(
        decoder,
        scope.segment(decoderSegment.embed, [], () => decoder.embed(ids, scope)),
        pass,
        scope,
      );
      return runLastLayer(decoder, x, pass, scope);
    },
    decoder,
  );
}

/** The pass with a cache behind its keys and values. */
function remembering(pass: DecoderPass, batchSize: number, scope: Scope, cache: KeyValueCache): DecoderPass {
  return {
    ...pass,
    remember: (layer, keys, values) => {
      const all = cache.extend(layer, batchSize, keys.tensor, values.tensor);
      return [scope.own(all.keys), scope.own(all.values)];
    },
  };
}

/**
 * Runs one pass in the language model's segment, so that what it made is freed at once; the best id of each row is
 * kept: `[batch]`, int32.
 */
function nextIds(scope: Scope, inputs: readonly Value[], run: (...inputs: Value[]) => Value, decoder: Decoder): Tensor {
  let ids: Tensor | undefined;
  scope.segment(LANGUAGE_SEGMENT, inputs, (...given) => {
    const hidden = run(...given);
    const logits = outputLogits(decoder, hidden, scope);
    ids = keep(tidy(() => argMax(logits.tensor, -1)));
    return hidden;
  });
  return ids!;
}

async function readAndFree(ids: Tensor): Promise<Int32Array> {
  try {
    return (await ids.data()) as Int32Array;
  } finally {
    ids.dispose();
  }
}

/** What each row goes on from; a row that is done goes on from anything. */
function lastIds(results: readonly (readonly number[])[]): Int32Array {
  return Int32Array.from(results, (ids) => ids.at(-1) ?? 0);
}
