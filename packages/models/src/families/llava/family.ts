import type { Value } from "@thaw/autograd";
import { placeholderRows } from "@thaw/contracts";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import { clipTower } from "../../towers/clip.js";
import { DecodedBatch } from "../../passes/decoded-batch.js";
import type { Architecture, CheckpointHeader, Family } from "../../contract/family.js";
import { generate } from "../../passes/generate.js";
import { findPrefix } from "../../blocks/layout.js";
import { llamaDecoder } from "../../decoders/llama.js";
import { readLlavaConfig, type LlavaConfig } from "./config.js";
import { loadLlavaProcessor } from "./processor.js";
import { mixTokens, type MixedTokens } from "../../blocks/merge-features.js";
import { mlpProjector, PROJECTOR_SEGMENT } from "../../connectors/mlp.js";
import { readSpecialTokens } from "../../reading/special-tokens.js";
import { IMAGE, imagesOf, VISION_SEGMENT } from "../../towers/vision-tower.js";

/**
 * LLaVA-1.5 (Liu et al., arXiv:2310.03744): CLIP tower, two-layer projector, Llama. Source: transformers 5.23,
 * `modeling_llava.py`. Reads published names, those of transformers 5's modules, and files without the tower's
 * `vision_model.` level.
 */
export const llavaFamily: Family = {
  modelType: "llava",
  components: [
    { name: "vision_tower", prefixes: ["vision_tower", "model.vision_tower"] },
    { name: "multi_modal_projector", prefixes: ["multi_modal_projector", "model.multi_modal_projector"] },
    { name: "language_model", prefixes: ["language_model", "model.language_model", "lm_head"] },
  ],
  ignoredNames: ["position_ids", "rotary_emb.inv_freq"],
  describe: ({ config, generationConfig, storedNames }) => {
    const llava = readLlavaConfig(config);
    return build(llava, { config, generationConfig, storedNames });
  },
  processor: loadLlavaProcessor,
};

function build(config: LlavaConfig, { config: reader, generationConfig, storedNames }: CheckpointHeader): Architecture {
  const prefix = findPrefix(
    storedNames,
    ["vision_tower.vision_model", "vision_tower", "model.vision_tower", "model.vision_tower.vision_model"],
    "encoder.layers",
  );
  const tower = clipTower(config.vision, {
    prefix,
    featureStates: config.featureStates,
    keepClassToken: config.keepClassToken,
  });
  const projector = mlpProjector(
    {
      prefix: findPrefix(storedNames, ["multi_modal_projector", "model.multi_modal_projector"], "linear_1"),
      inputSize: tower.outputSize,
      outputSize: config.text.hiddenSize,
      activation: config.projectorActivation,
      hasBias: config.projectorBias,
    },
    VISION_SEGMENT,
  );
  const decoder = llamaDecoder(config.text, decoderNames(config, storedNames), {
    component: "language_model",
    after: [PROJECTOR_SEGMENT],
  });
  const special = readSpecialTokens(reader, reader.child("text_config"), generationConfig);
  const mix = (batch: LoadedBatch, rows: Int32Array): MixedTokens =>
    mixTokens(batch.tokenIds, [placeholderRows(imagesOf(batch), batch.tokenCount)], rows);
  const features = (batch: LoadedBatch, scope: Scope): readonly Value[] =>
    imagesOf(batch).length > 0 ? [projector.run(tower.run(batch, scope), scope)] : [];
  return {
    parameters: [...tower.parameters, ...projector.parameters, ...decoder.parameters],
    segments: [...tower.segments, projector.segment, ...decoder.segments],
    deadParameters: tower.deadParameters,
    text: {
      vocabularySize: config.text.vocabularySize,
      hiddenSize: config.text.hiddenSize,
      maxPositions: config.text.maxPositions,
      ...special,
      mediaTokens: [
        { modality: IMAGE, tokenId: config.imageTokenId, rows: (item) => tower.segments[0]!.outputRows!(item) },
      ],
    },
    forward(batch, scope) {
      return new DecodedBatch({
        decoder,
        batch,
        scope,
        features: features(batch, scope),
        mix: (rows) => mix(batch, rows),
      });
    },
    generate: (batch, scope, options) =>
      generate(
        {
          decoder,
          batch,
          scope,
          features: features(batch, scope),
          mix: (rows) => mix(batch, rows),
          eosTokenIds: special.eosTokenIds,
        },
        options,
      ),
  };
}

function decoderNames(
  config: LlavaConfig,
  storedNames: ReadonlySet<string>,
): { readonly prefix: string; readonly head: string; readonly isTied: boolean } {
  const prefix = findPrefix(storedNames, ["language_model.model", "model.language_model", "language_model"], "layers");
  const head = prefix === "language_model.model" ? "language_model.lm_head" : "lm_head";
  const isStored = storedNames.has(`${head}.weight`);
  return { prefix, head, isTied: config.tied === "unclear" ? !isStored : config.tied };
}
