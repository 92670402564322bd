import { setImmediate } from "node:timers/promises";
import { concat as join, keep, clone, tensor, tidy, argMax, type Tensor } from "@tensorflow/tfjs-core";
import { gatherRows, reshape, type Value } from "@thaw/autograd";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import { causalMask, keyMask } from "./attention-mask.js";
import { decoderSegment, embedTokens, LANGUAGE_SEGMENT, outputLogits, rotaryTensors, runLayers, type Decoder, type DecoderPass } from "./decoder.js";
import { emptyRow } from "./errors.js";
import type { MixedTokens } from "./merge-features.js";

/** How to continue. */
export interface GenerateOptions {
  readonly maxNewTokens: number;
  readonly eosTokenIds: readonly number[];
}

/**
 * Greedy decoding of all rows at once, with keys and values kept. Rows are aligned at their ends first, so that all share a position.
 * Returns the new ids of each row, without the end token. Frees all that it keeps. The scope must not record.
 */
export async function generateGreedily(decoder: Decoder, given: LoadedBatch, scope: Scope, features: Value | undefined, mix: (tokenIds: Int32Array) => MixedTokens, options: GenerateOptions): Promise<number[][]> {
  const batch = alignRight(given);
  const cache = new KeyValueCache();
  const results: number[][] = Array.from({ length: batch.batchSize }, () => []);
  const running = new Set(results.keys());
  try {
    for (let count = 0; count < options.maxNewTokens && running.size > 0; count++) {
      const next = count === 0 ? prefill(decoder, batch, mix(batch.tokenIds), scope, features, cache) : continueRows(decoder, batch, scope, cache, lastIds(results));
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

/** The same rows with all padding on the left and no more of it than the longest row asks for. @throws THAW_MODEL_EMPTY_ROW */
export function alignRight(batch: LoadedBatch): LoadedBatch {
  const { batchSize, tokenCount, attentionMask } = batch;
  const rows = Array.from({ length: batchSize }, (_, row) => {
    const ids = batch.tokenIds.slice(row * tokenCount, (row + 1) * tokenCount).filter((_id, column) => attentionMask[row * tokenCount + column] !== 0);
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
  return { ...batch, tokenIds, attentionMask: mask, tokenCount: longest, labels: new Int32Array(batchSize * longest).fill(-100) };
}

/** Keys and values of every layer, `[batch, kvHeads, tokens, headSize]`, owned here. */
class KeyValueCache {
  readonly #layers: { keys: Tensor; values: Tensor }[] = [];

  get tokenCount(): number {
    return this.#layers[0]?.keys.shape[2] ?? 0;
  }

  /** Adds a layer's new keys and values and returns all of them; the tensors stay the cache's. */
  extend(layer: number, keys: Tensor, values: Tensor): { readonly keys: Tensor; readonly values: Tensor } {
    const old = this.#layers[layer];
    const all = old === undefined
      ? { keys: keep(clone(keys)), values: keep(clone(values)) }
      : { keys: keep(join([old.keys, keys], 2)), values: keep(join([old.values, values], 2)) };
    old?.keys.dispose();
    old?.values.dispose();
    this.#layers[layer] = all;
    return all;
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) {
      keys.dispose();
      values.dispose();
    }
    this.#layers.length = 0;
  }
}

function prefill(decoder: Decoder, batch: LoadedBatch, tokens: MixedTokens, scope: Scope, features: Value | undefined, cache: KeyValueCache): Tensor {
  const { values, shape } = causalMask(batch.attentionMask, batch.batchSize, batch.tokenCount);
  return withTensor(tensor(values, [...shape]), (mask) => nextIds(scope, features === undefined ? [] : [features], (given?: Value) => {
    const x = embedTokens(decoder, batch, tokens, scope, given);
    return lastHidden(decoder, x, scope, { ...rotaryTensors(decoder, 0, batch.tokenCount, scope), mask }, cache);
  }, decoder));
}

function continueRows(decoder: Decoder, batch: LoadedBatch, scope: Scope, cache: KeyValueCache, ids: Int32Array): Tensor {
  const position = cache.tokenCount;
  const run = (mask: Tensor | undefined): Tensor => nextIds(scope, [], () => {
    const x = scope.segment(decoderSegment.embed, [], () => asColumn(decoder.embed(ids, scope)));
    return lastHidden(decoder, x, scope, { ...rotaryTensors(decoder, position, 1, scope), ...(mask === undefined ? {} : { mask }) }, cache);
  }, decoder);
  if (!batch.attentionMask.includes(0)) return run(undefined);
  const values = keyMask(batch.attentionMask, batch.batchSize, batch.tokenCount, position + 1);
  return withTensor(tensor(values, [batch.batchSize, 1, 1, position + 1]), run);
}

/** Layers and last norm; returns the last column alone, `[batch, hidden]`. */
function lastHidden(decoder: Decoder, embedded: Value, scope: Scope, pass: DecoderPass, cache: KeyValueCache): Value {
  const remember = (layer: number, keys: Value, values: Value): readonly [Value, Value] => {
    const all = cache.extend(layer, keys.tensor, values.tensor);
    return [scope.constant(all.keys), scope.constant(all.values)];
  };
  const x = runLayers(decoder, embedded, { ...pass, remember }, scope);
  const [batch, tokens, hidden] = x.shape as [number, number, number];
  const last = Int32Array.from({ length: batch }, (_, row) => (row + 1) * tokens - 1);
  const column = tokens === 1 ? reshape(x, [batch, hidden]) : gatherRows(reshape(x, [batch * tokens, hidden]), last);
  return scope.segment(decoderSegment.norm, [column], (input) => decoder.norm(input, scope));
}

/** Runs one pass in the language model's segment, so that what it made is freed at once; the best id of each row is kept: `[batch]`, int32. */
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

function withTensor<T>(made: Tensor, run: (made: Tensor) => T): T {
  try {
    return run(made);
  } finally {
    made.dispose();
  }
}

/** `[batch, hidden]` to `[batch, 1, hidden]`. */
function asColumn(x: Value): Value {
  return reshape(x, [x.shape[0]!, 1, x.shape[1]!]);
}

/** What each row goes on from; a row that is done goes on from anything. */
function lastIds(results: readonly (readonly number[])[]): Int32Array {
  return Int32Array.from(results, (ids) => ids.at(-1) ?? 0);
}
