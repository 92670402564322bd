import { crossEntropy, gatherRows, reshape, scatterRows, type Value } from "@thaw/autograd";
import type { LoadedBatch, ModelOutput, Scope } from "@thaw/contracts";
import { fill } from "@tensorflow/tfjs-core";
import { choose, keptPass } from "./decoder-pass.js";
import { type Decoder, type DecoderPass, decoderSegment, embedTokens, LANGUAGE_SEGMENT, outputLogits, runInnerLayers, runLastLayer } from "./decoder.js";
import { keepRows, keptIndex, type KeptRows } from "./kept-rows.js";
import type { MixedTokens } from "./merge-features.js";

/** With more rows than this share of all, the last layer runs on all: choosing them costs something too. */
const CHOICE_LIMIT = 0.75;

/** What `DecodedBatch` is made of. */
export interface DecodedBatchInput {
  readonly decoder: Decoder;
  readonly batch: LoadedBatch;
  readonly scope: Scope;
  /** Tokens of the given rows of the flattened batch. */
  readonly mix: (rows: Int32Array) => MixedTokens;
  /** In the embedding space. */
  readonly features: Value | undefined;
}

/** Layers before the last one, run. */
interface Body {
  readonly kept: KeptRows;
  /** True if rows behind the last supervised one are missing. */
  readonly isCut: boolean;
  readonly pass: DecoderPass;
  /** `[kept rows, hidden]`. */
  readonly x: Value;
}

/**
 * A decoder's output, computed as it is asked for. The loss needs the rows that it reads alone: tokens behind a sample's last one and padding are never
 * computed, and of the last layer only keys and values of the others.
 */
export class DecodedBatch implements ModelOutput {
  readonly #input: DecodedBatchInput;
  #body: Body | undefined;
  #hidden: Value | undefined;

  constructor(input: DecodedBatchInput) {
    this.#input = input;
  }

  /** Padding's rows are 0. */
  get hidden(): Value {
    this.#hidden ??= this.#allRows();
    return this.#hidden;
  }

  logits(rows: Int32Array | null): Value {
    const { decoder, scope } = this.#input;
    return scope.segment(decoderSegment.head, [this.hidden], (x) => outputLogits(decoder, rows === null ? flat(x) : gatherRows(flat(x), rows), scope));
  }

  crossEntropy(rows: Int32Array, targets: Int32Array, options: { readonly labelSmoothing?: number } = {}): Value {
    const { decoder, scope } = this.#input;
    const alone = this.#hidden === undefined && isAscending(rows) ? this.#rowsAlone(rows) : undefined;
    return scope.segment(decoderSegment.head, [alone ?? this.hidden], (x) => {
      const bias = decoder.outputLayer === undefined ? undefined : `${decoder.outputLayer}.bias`;
      const offset = bias !== undefined && scope.hasParameter(bias) ? { bias: scope.parameter(bias) } : {};
      return crossEntropy(alone === undefined ? gatherRows(flat(x), rows) : x, scope.parameter(decoder.outputWeight), targets, { ...options, ...offset });
    });
  }

  /** `[batch, tokens, hidden]`. */
  #allRows(): Value {
    const { decoder, scope, batch } = this.#input;
    const { kept, pass, x } = this.#runBody(undefined);
    return scope.segment(LANGUAGE_SEGMENT, [x], (inner) => {
      const rows = runLastLayer(decoder, inner, pass, scope);
      const width = rows.shape[1]!;
      const whole = kept.isWhole ? rows : scatterRows(scope.own(fill([batch.batchSize * batch.tokenCount, width], 0)), kept.rows, rows);
      return reshape(whole, [batch.batchSize, batch.tokenCount, width]);
    });
  }

  /** Final hidden states of the given rows, `[rows, hidden]`; undefined if one of them is padding. */
  #rowsAlone(rows: Int32Array): Value | undefined {
    const { decoder, scope, batch } = this.#input;
    const ends = Array.from({ length: batch.batchSize }, () => 0);
    for (const row of rows) ends[Math.floor(row / batch.tokenCount)] = (row % batch.tokenCount) + 1;
    const { kept, pass, x } = this.#runBody(batch.shortcuts?.tail === false ? undefined : ends);
    const index = keptIndex(kept, batch.batchSize * batch.tokenCount);
    const chosen = rows.map((row) => index[row]!);
    if (chosen.includes(-1)) return undefined;
    if (batch.shortcuts?.lastLayer === false || chosen.length > CHOICE_LIMIT * kept.rows.length) return gatherRows(runLastLayer(decoder, x, pass, scope), chosen);
    return runLastLayer(decoder, x, pass, scope, choose(decoder, batch, kept, pass, chosen, scope));
  }

  #runBody(ends: readonly number[] | undefined): Body {
    if (this.#body !== undefined && (ends !== undefined || !this.#body.isCut)) return this.#body;
    const { decoder, scope, batch, mix, features } = this.#input;
    const kept = keepRows(batch, { skipsPadding: batch.shortcuts?.padding !== false, ...(ends === undefined ? {} : { ends }) });
    const pass = keptPass(decoder, batch, kept, scope);
    const x = runInnerLayers(decoder, embedTokens(decoder, mix(kept.rows), scope, features), pass, scope);
    this.#body = { kept, isCut: ends !== undefined, pass, x };
    return this.#body;
  }
}

function flat(x: Value): Value {
  return reshape(x, [x.shape[0]! * x.shape[1]!, x.shape[2]!]);
}

function isAscending(rows: Int32Array): boolean {
  return rows.every((row, index) => index === 0 || row > rows[index - 1]!);
}
