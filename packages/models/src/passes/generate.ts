import { setImmediate } from "node:timers/promises";
import { argMax, keep, tidy, type Tensor } from "@tensorflow/tfjs-core";
import type { Value } from "@thaw/autograd";
import type { GenerationOptions, LoadedBatch, Scope } from "@thaw/contracts";
import { keepRows, type KeptRows } from "../blocks/kept-rows.js";
import { type Decoder, embedTokens, outputLogits, runInnerLayers, runLastLayer } from "../decoders/decoder.js";
import type { Additions } from "../decoders/additions.js";
import { emptyRow } from "../errors.js";
import { type Sight, sightOf } from "./attending.js";
import type { DecodedBatchInput } from "./decoded-batch.js";
import { keptRowsOf, rowsPass, type RowsPass } from "./decoder-pass.js";
import { RowMemory } from "./row-memory.js";
import { type TokenChoice, tokenChoice } from "./sampling.js";

/** What goes on: a batch of prompts and the model around its decoder. The scope must not record. */
export interface Prompted extends DecodedBatchInput {
  /** A row ends with one of them, which is not part of its answer. */
  readonly eosTokenIds: readonly number[];
}

/**
 * Goes on from all samples at once, with keys, values and states kept; padding is never computed. The most likely
 * tokens, or drawn ones (see `GenerationOptions`), told as they are chosen. Returns the new ids of each sample, without
 * the end token. Frees all that it keeps.
 * @throws THAW_MODEL_EMPTY_ROW
 */
export async function generate(prompted: Prompted, options: GenerationOptions): Promise<number[][]> {
  const { decoder, batch, eosTokenIds } = prompted;
  const kept = keepRows(batch, { skipsPadding: true });
  const prompts = promptIds(batch, kept);
  const sight = sightOf(prompted.attending, batch);
  const memory = new RowMemory(decoder);
  const choice = tokenChoice(options);
  const results: number[][] = Array.from({ length: batch.batchSize }, () => []);
  const running = new Set(results.keys());
  try {
    for (let count = 0; count < options.maxNewTokens && running.size > 0 && !isAborted(options); count++) {
      const pass =
        count === 0 ? prefill(prompted, kept, sight, memory) : goOn(prompted, sight, count - 1, memory, results);
      const ids = await nextIds(prompted, pass, choice, (row) => [...prompts[row]!, ...results[row]!]);
      for (const row of running) {
        const id = ids[row]!;
        if (eosTokenIds.includes(id)) running.delete(row);
        else {
          results[row]!.push(id);
          options.onToken?.(row, id);
        }
      }
      await setImmediate();
    }
  } finally {
    memory.dispose();
  }
  return results;
}

function isAborted({ signal }: GenerationOptions): boolean {
  return signal?.aborted === true;
}

/** One pass inside the language model's segment: final hidden states of each sample's last row, `[batch, hidden]`. */
interface NextRows {
  readonly inputs: readonly Value[];
  run(...inputs: Value[]): Value;
}

function prefill(prompted: Prompted, kept: KeptRows, sight: Sight, memory: RowMemory): NextRows {
  const { decoder, batch, scope, mix, features, additions } = prompted;
  const last = kept.offsets.slice(1).map((end) => end - 1);
  const counts = Array.from(last, (row, sample) => row + 1 - kept.offsets[sample]!);
  return {
    inputs: features,
    run(...given) {
      const pass = rowsPass(decoder, { ...keptRowsOf(batch, kept, sight), ...memory.next(counts, scope) }, scope);
      const tokens = mix(kept.rows);
      const embedded = embedTokens(decoder, tokens, scope, given);
      return lastRows(decoder, tokens.tokenIds, embedded, pass, scope, last, additions?.(kept.rows));
    },
  };
}

/** Every sample by one more row; one that is done goes on from anything. */
function goOn(
  { decoder, scope }: Prompted,
  { positions }: Sight,
  step: number,
  memory: RowMemory,
  results: readonly (readonly number[])[],
): NextRows {
  const ids = Int32Array.from(results, (row) => row.at(-1) ?? 0);
  return {
    inputs: [],
    run() {
      const axis = positions.next.map((position) => position + step);
      const rows = {
        axes: positions.axes.map(() => axis),
        bothWays: [],
        ...memory.next(
          results.map(() => 1),
          scope,
        ),
      };
      const embedded = scope.segment(decoder.names.embed, [], () => decoder.embed(ids, scope));
      return lastRows(decoder, ids, embedded, rowsPass(decoder, rows, scope), scope);
    },
  };
}

function lastRows(
  decoder: Decoder,
  ids: Int32Array,
  embedded: Value,
  pass: RowsPass,
  scope: Scope,
  rows?: Int32Array,
  additions?: Additions,
): Value {
  const inner = runInnerLayers(decoder, ids, embedded, pass, scope, additions);
  return runLastLayer(decoder, inner, pass, scope, rows && pass.choose(decoder.layerCount - 1, rows));
}

/**
 * Runs one pass in the language model's segment, so that what it made is freed at once, and chooses the next id of each
 * row.
 */
async function nextIds(
  { decoder, scope }: Prompted,
  next: NextRows,
  choice: TokenChoice | undefined,
  before: (row: number) => readonly number[],
): Promise<Int32Array> {
  let kept: Tensor | undefined;
  scope.segment(decoder.names.whole, next.inputs, (...given) => {
    const hidden = next.run(...given);
    const logits = outputLogits(decoder, hidden, scope);
    kept = keep(tidy(() => (choice === undefined ? argMax(logits.tensor, -1) : logits.tensor.clone())));
    return hidden;
  });
  try {
    const values = await kept!.data();
    if (choice === undefined) return values as Int32Array;
    const [rows, width] = kept!.shape as [number, number];
    const logits = values as Float32Array;
    return Int32Array.from({ length: rows }, (_, row) =>
      choice(row, logits.subarray(row * width, (row + 1) * width), before(row)),
    );
  } finally {
    kept!.dispose();
  }
}

/** The ids of each sample, without padding. */
function promptIds({ tokenIds, batchSize }: LoadedBatch, { rows, offsets }: KeptRows): readonly (readonly number[])[] {
  return Array.from({ length: batchSize }, (_, sample) => {
    const ids = Array.from(rows.subarray(offsets[sample], offsets[sample + 1]), (row) => tokenIds[row]!);
    if (ids.length === 0) throw emptyRow(sample);
    return ids;
  });
}
