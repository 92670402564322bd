import type { LoadedBatch, Model, Scope, Segment } from "@thaw/core";
import { parameterMissing } from "./errors.js";
import { tinyForward } from "./tiny-forward.js";
import { TINY, tinyParameters, tinyValues } from "./tiny-parameters.js";
import { writeCheckpoint } from "./tiny-checkpoint.js";

export interface TinyModelOptions {
  /** Of the weights; default 1. */
  readonly seed?: number;
  /** The output layer is the embedding; default false. */
  readonly tied?: boolean;
}

/**
 * A complete vision-language model of about 540 parameters, for tests: vision tower (with a dead last norm, as CLIP
 * has), projector and decoder in LLaVA's names. Weights are a function of the seed; nothing is read from disk.
 */
export function tinyModel(options: TinyModelOptions = {}): Model {
  const { seed = 1, tied = false } = options;
  const parameters = tinyParameters(tied);
  const outputWeight = tied ? "language_model.embed_tokens.weight" : "lm_head.weight";
  return {
    modelType: "thaw_tiny",
    source: `tinyModel(seed ${seed})`,
    components: [
      { name: "vision_tower", prefixes: ["vision_tower"] },
      { name: "multi_modal_projector", prefixes: ["multi_modal_projector"] },
      { name: "language_model", prefixes: ["language_model", "lm_head"] },
    ],
    parameters,
    segments: tinySegments(
      parameters.map(({ name }) => name),
      outputWeight,
    ),
    deadParameters: ["vision_tower.post_layernorm.weight", "vision_tower.post_layernorm.bias"],
    text: {
      vocabularySize: TINY.vocabularySize,
      hiddenSize: TINY.hidden,
      maxPositions: TINY.maxPositions,
      eosTokenIds: [TINY.eosTokenId],
      padTokenId: TINY.padTokenId,
      mediaTokens: [{ modality: "image", tokenId: TINY.imageTokenId, rows: () => TINY.patches }],
      embeddings: { input: "language_model.embed_tokens.weight", output: outputWeight },
    },
    async *load(names) {
      for (const name of names) {
        const parameter = parameters.find((candidate) => candidate.name === name);
        if (parameter === undefined)
          throw parameterMissing(
            name,
            parameters.map((known) => known.name),
          );
        yield await Promise.resolve({ name, values: tinyValues(parameter, seed) });
      }
    },
    forward: (batch, scope) => tinyForward(batch, scope, outputWeight),
    generate: (batch, scope, { maxNewTokens }) => generate(batch, scope, outputWeight, maxNewTokens),
    save: (folder, values) => writeCheckpoint(folder, parameters, values),
  };
}

function tinySegments(names: readonly string[], outputWeight: string): Segment[] {
  const segments: Segment[] = [];
  const add = (name: string, after: readonly string[], reads: readonly string[] = []): void => {
    const parameters = names.filter(
      (parameter) => parameter.startsWith(`${name}.`) && !parameter.startsWith("vision_tower.post_layernorm"),
    );
    segments.push({ name, after, reads, parameters, ...(reads.length > 0 && { signature: "tiny" }) });
  };
  add("vision_tower", [], ["pixelValues"]);
  add("vision_tower.patch_embedding", [], ["pixelValues"]);
  add("vision_tower.layers.0", ["vision_tower.patch_embedding"]);
  add("vision_tower.layers.1", ["vision_tower.layers.0"]);
  add("multi_modal_projector", ["vision_tower"]);
  add("language_model.embed_tokens", ["multi_modal_projector"]);
  add("language_model.layers.0", ["language_model.embed_tokens"]);
  add("language_model.layers.1", ["language_model.layers.0"]);
  add("language_model.norm", ["language_model.layers.1"]);
  segments.push({ name: "lm_head", after: ["language_model.norm"], reads: [], parameters: [outputWeight] });
  return segments;
}

/** Greedy, by running the whole sequence again for every token: the sequences are short. */
async function generate(
  batch: LoadedBatch,
  scope: Scope,
  outputWeight: string,
  maxNewTokens: number,
): Promise<number[][]> {
  const rows = Array.from({ length: batch.batchSize }, (_, row) => {
    const start = row * batch.tokenCount;
    return [...batch.tokenIds.subarray(start, start + batch.tokenCount)].filter(
      (_, token) => batch.attentionMask[start + token] === 1,
    );
  });
  const prompts = rows.map((row) => row.length);
  const finished = new Set<number>();
  for (let step = 0; step < maxNewTokens && finished.size < rows.length; step += 1) {
    const tokenCount = Math.max(...rows.map((row) => row.length));
    const tokenIds = new Int32Array(rows.length * tokenCount).fill(TINY.padTokenId);
    rows.forEach((row, index) => tokenIds.set(row, index * tokenCount));
    const attentionMask = Int32Array.from(tokenIds, (_, at) =>
      at % tokenCount < rows[Math.floor(at / tokenCount)]!.length ? 1 : 0,
    );
    const output = tinyForward(
      { ...batch, tokenIds, attentionMask, tokenCount, labels: new Int32Array(tokenIds.length).fill(-100) },
      scope,
      outputWeight,
    );
    const last = Int32Array.from(rows, (row, index) => index * tokenCount + row.length - 1);
    const logits = await output.logits(last).tensor.data();
    rows.forEach((row, index) => {
      if (finished.has(index)) return;
      const scores = logits.slice(index * TINY.vocabularySize, (index + 1) * TINY.vocabularySize);
      // A generated placeholder would ask for an image that is not there.
      scores[TINY.imageTokenId] = -Infinity;
      const token = scores.indexOf(Math.max(...scores));
      if (token === TINY.eosTokenId) finished.add(index);
      else row.push(token);
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return rows.map((row, index) => row.slice(prompts[index]));
}
