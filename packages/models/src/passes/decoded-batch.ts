import { crossEntropy, gatherRows, reshape, scatterRows, softmaxCrossEntropy, type Value } from "@thaw/autograd";
import { ownersOfTokens, type LoadedBatch, type ModelOutput, type RowCounts, type Scope } from "@thaw/contracts";
import { fill } from "@tensorflow/tfjs-core";
import { rowsPass, keptRowsOf, type RowsPass } from "./decoder-pass.js";
import {
  type Decoder,
  embedTokens,
  type InnerStates,
  outputLogits,
  runInnerLayers,
  runLastLayer,
  statesAsInputs,
  statesFromInputs,
} from "../decoders/decoder.js";
import type { Additions } from "../decoders/additions.js";
import { evenEnd, keepRows, keptIndex, type KeptRows } from "../blocks/kept-rows.js";
import type { MixedTokens } from "../blocks/merge-features.js";
import { type Attending, type Sight, sightOf } from "./attending.js";
import { attendToPrompts, promptKeys, type PromptKeys } from "./prompt-prefix.js";
import { neededEnds, planPrompts } from "./row-plan.js";

/** With more rows than this share of all, the last layer runs on all: choosing them costs something too. */
const CHOICE_LIMIT = 0.75;

/** What `DecodedBatch` is made of. */
export interface DecodedBatchInput {
  readonly decoder: Decoder;
  readonly batch: LoadedBatch;
  readonly scope: Scope;
  /** Tokens of the given rows of the flattened batch. */
  readonly mix: (rows: Int32Array) => MixedTokens;
  /** In the embedding space, one per stretch of places that `mix` knows. */
  readonly features: readonly Value[];
  /** How rows attend. Default: as `Attending` says. */
  readonly attending?: Attending;
  /** What comes between layers, for the given rows of the flattened batch. */
  readonly additions?: (rows: Int32Array) => Additions;
}

/** Layers before the last one, run. */
interface Body {
  readonly kept: KeptRows;
  /** True if rows of prompts, or behind the last supervised one, are missing. */
  readonly isCut: boolean;
  readonly prompts: PromptKeys | undefined;
  readonly pass: RowsPass;
  /** `[kept rows, hidden]`. */
  readonly inner: InnerStates;
}

/**
 * A decoder's output, computed as it is asked for. The loss needs the rows that it reads alone: tokens behind a
 * sample's last one and padding are never computed, and of the last layer only keys and values of the others. Of what
 * comes before a sample's first image a frozen decoder's keys and values are made unrecorded. What may be left out
 * follows from what rows see (`Attending`) and from the kinds of layers.
 */
export class DecodedBatch implements ModelOutput {
  readonly #input: DecodedBatchInput;
  #body: Body | undefined;
  #hidden: Value | undefined;
  #sight: Sight | undefined;
  #rowCounts: RowCounts | undefined;

  constructor(input: DecodedBatchInput) {
    this.#input = input;
  }

  /** Padding's rows are 0. */
  get hidden(): Value {
    this.#hidden ??= this.#allRows();
    return this.#hidden;
  }

  get rowCounts(): RowCounts | undefined {
    return this.#rowCounts;
  }

  logits(rows: Int32Array | null): Value {
    const { decoder, scope } = this.#input;
    return scope.segment(decoder.names.head, [this.hidden], (x) =>
      outputLogits(decoder, rows === null ? flat(x) : gatherRows(flat(x), rows), scope),
    );
  }

  crossEntropy(rows: Int32Array, targets: Int32Array, options: { readonly labelSmoothing?: number } = {}): Value {
    const { decoder, scope, batch } = this.#input;
    if (batch.savings?.logits === false) return this.#crossEntropyOfAll(rows, targets, options);
    const alone = this.#hidden === undefined && isAscending(rows) ? this.#rowsAlone(rows) : undefined;
    if (alone === undefined) this.#count(this.#runBody({}), 0, rows.length);
    return scope.segment(decoder.names.head, [alone ?? this.hidden], (x) => {
      const wanted = alone === undefined ? gatherRows(flat(x), rows) : x;
      if (decoder.logits !== undefined)
        return softmaxCrossEntropy(outputLogits(decoder, wanted, scope), targets, options);
      const bias = decoder.outputLayer === undefined ? undefined : `${decoder.outputLayer}.bias`;
      const offset = bias !== undefined && scope.hasParameter(bias) ? { bias: scope.parameter(bias) } : {};
      return crossEntropy(wanted, scope.parameter(decoder.outputWeight), targets, { ...options, ...offset });
    });
  }

  /** The plain way: logits of every row. */
  #crossEntropyOfAll(rows: Int32Array, targets: Int32Array, options: { readonly labelSmoothing?: number }): Value {
    const { decoder, scope, batch } = this.#input;
    const loss = scope.segment(decoder.names.head, [this.hidden], (x) =>
      softmaxCrossEntropy(gatherRows(outputLogits(decoder, flat(x), scope), rows), targets, options),
    );
    this.#count(this.#runBody({}), 0, batch.batchSize * batch.tokenCount);
    return loss;
  }

  /** `[batch, tokens, hidden]`. */
  #allRows(): Value {
    const { decoder, scope, batch } = this.#input;
    const { kept, pass, inner } = this.#runBody({});
    return scope.segment(decoder.names.whole, statesAsInputs(inner), (...given) => {
      const states = statesFromInputs(inner, given);
      const rows = this.#owned(kept.rows, () => runLastLayer(decoder, states, pass, scope));
      const width = rows.shape[1]!;
      const whole = kept.isWhole
        ? rows
        : scatterRows(scope.own(fill([batch.batchSize * batch.tokenCount, width], 0)), kept.rows, rows);
      return reshape(whole, [batch.batchSize, batch.tokenCount, width]);
    });
  }

  /** Final hidden states of the given rows, `[rows, hidden]`; undefined if one of them is padding. */
  #rowsAlone(rows: Int32Array): Value | undefined {
    const { decoder, scope, batch } = this.#input;
    const planned = batch.savings?.prefix === false ? undefined : planPrompts(batch, rows, this.#seen(), decoder.kinds);
    const prompts = planned === undefined ? undefined : promptKeys(decoder, batch, planned, scope);
    const body = this.#runBody({
      ...(batch.savings?.tail === false ? {} : { ends: neededEnds(batch, rows, this.#seen().bothWays) }),
      ...(prompts === undefined ? {} : { prompts }),
    });
    const { kept, pass, inner } = body;
    const index = keptIndex(kept, batch.batchSize * batch.tokenCount);
    const chosen = rows.map((row) => index[row]!);
    if (chosen.includes(-1)) return undefined;
    const choosesRows =
      decoder.layerCount > 0 && batch.savings?.lastLayer !== false && chosen.length <= CHOICE_LIMIT * kept.rows.length;
    this.#count(body, choosesRows ? kept.rows.length - chosen.length : 0, rows.length);
    return this.#owned(
      kept.rows,
      () =>
        choosesRows
          ? runLastLayer(decoder, inner, pass, scope, pass.choose(decoder.layerCount - 1, chosen))
          : gatherRows(runLastLayer(decoder, inner, pass, scope), chosen),
      rows,
    );
  }

  #seen(): Sight {
    this.#sight ??= sightOf(this.#input.attending, this.#input.batch);
    return this.#sight;
  }

  #runBody({ ends, prompts }: { readonly ends?: readonly number[]; readonly prompts?: PromptKeys }): Body {
    const isCut = ends !== undefined || prompts !== undefined;
    if (this.#body !== undefined && (isCut || !this.#body.isCut)) return this.#body;
    const { decoder, scope, batch, mix, features, additions } = this.#input;
    const limits = {
      ...(ends === undefined ? {} : { ends }),
      ...(prompts === undefined ? {} : { starts: prompts.lengths }),
    };
    const even = scope.prefersEvenRows === true && prompts === undefined ? evenEnd(batch, ends) : undefined;
    const kept =
      even === undefined
        ? keepRows(batch, { skipsPadding: batch.savings?.padding !== false, ...limits })
        : keepRows(batch, { skipsPadding: false, ends: Array.from({ length: batch.batchSize }, () => even) });
    const plain = keptRowsOf(batch, kept, this.#seen());
    const rows = prompts === undefined ? plain : attendToPrompts(plain, prompts, kept.offsets);
    const pass = rowsPass(decoder, rows, scope);
    const tokens = mix(kept.rows);
    const embedded = embedTokens(decoder, tokens, scope, features);
    const inner = this.#owned(kept.rows, () =>
      runInnerLayers(decoder, tokens.tokenIds, embedded, pass, scope, additions?.(kept.rows)),
    );
    this.#body = { kept, isCut, prompts, pass, inner };
    return this.#body;
  }

  /** Runs layers on rows of the flattened batch, of which some go on with `chosen` ones. */
  #owned<T>(rows: Int32Array, run: () => T, chosen?: Int32Array): T {
    const { scope, batch } = this.#input;
    if (scope.owned === undefined) return run();
    const known = [rows, ...(chosen === undefined ? [] : [chosen])];
    return scope.owned((count) => {
      const found = known.find(({ length }) => length === count);
      return found === undefined ? undefined : ownersOfTokens(found, batch);
    }, run);
  }

  #count({ kept, prompts }: Body, lastLayer: number, logitRows: number): void {
    const { batchSize, tokenCount, attentionMask, savings } = this.#input.batch;
    const rows = batchSize * tokenCount;
    const isPadding = (row: number): number => (attentionMask[row] === 0 ? 1 : 0);
    const padding =
      savings?.padding === false
        ? 0
        : attentionMask.reduce((sum, _, row) => sum + isPadding(row), 0) -
          kept.rows.reduce((sum, row) => sum + isPadding(row), 0);
    const prefix = prompts?.lengths.reduce((sum, length) => sum + length, 0) ?? 0;
    const tail = rows - padding - prefix - kept.rows.length;
    this.#rowCounts = {
      rows,
      padding,
      tail,
      prefix,
      prefixComputed: prompts?.computedRows ?? 0,
      lastLayer,
      logits: rows - logitRows,
    };
  }
}

function flat(x: Value): Value {
  return reshape(x, [x.shape[0]! * x.shape[1]!, x.shape[2]!]);
}

function isAscending(rows: Int32Array): boolean {
  return rows.every((row, index) => index === 0 || row > rows[index - 1]!);
}
