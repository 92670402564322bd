import { add } from "@thaw/autograd";
import { axialRotary } from "../../blocks/rope.js";
import { resampledPositions, type PositionTable } from "../../blocks/resampled-positions.js";
import type { ParameterSpec } from "../../contract/family.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import { normed, normSpecs, type NormOptions } from "../../layers/norms.js";
import { encoder, type EncoderEmbeddings } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { framesOf, gridOf, patchCount, patchPass, patchPlaces } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth, type PatchEmbeddingOptions } from "../patches.js";
import type { Glm4vVisionConfig } from "./config.js";

/**
 * The tower of GLM-4.1V (arXiv:2507.01006) and GLM-OCR: images of any size, whose patches see those of their own image
 * and are turned by row and column; GLM-4.1V adds positions of a table that is resampled. Its merger is the projector.
 * Source: transformers 5.24, `modeling_glm4v.py`, `modeling_glm_ocr.py`. `prefix`: `model.visual`.
 */
export function glm4vTower(config: Glm4vVisionConfig, prefix: string, place: TowerPlace): Tower {
  const { hiddenSize, headCount, layerWidth, layerCount, activation, epsilon, merge, isOcr, hasBias } = config;
  const norm: NormOptions = { epsilon };
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    fused: true,
    biases: { queries: hasBias, output: hasBias && isOcr },
    ...(isOcr && { headNorm: { norm, over: "head" as const } }),
    block: gatedMlp({ hiddenSize, intermediateSize: layerWidth, activation, hasBias: hasBias && isOcr }),
    names: { attention: "attn", output: "proj", firstNorm: "norm1", secondNorm: "norm2" },
  });
  const rotary = { name: `${place.component} patches`, options: axialRotary(hiddenSize / headCount, config.theta) };
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: embeddings(config, prefix, place),
      layers: Array.from({ length: layerCount }, (_, index) => ({ name: `${prefix}.blocks.${index}`, layer })),
      pass(items, scope) {
        const pass = patchPass(items.map(gridOf), merge, rotary, scope);
        return () => pass;
      },
      norm: {
        specs: normSpecs(`${prefix}.post_layernorm`, hiddenSize, norm),
        run: (x, _items, scope) => normed(x, `${prefix}.post_layernorm`, norm, scope),
      },
      featureStates: [layerCount],
      signature: { tower: "glm4v", patchSize: config.patchSize, merge, theta: config.theta, epsilon },
    },
    place,
  );
}

function embeddings(config: Glm4vVisionConfig, prefix: string, { component }: TowerPlace): EncoderEmbeddings {
  const { hiddenSize, channelCount, patchSize, frames, merge, isOcr } = config;
  const norm: NormOptions = { epsilon: config.epsilon };
  const patch: PatchEmbeddingOptions = {
    name: `${prefix}.patch_embed.proj`,
    hiddenSize,
    kernel: [channelCount, frames, patchSize, patchSize],
    hasBias: true,
  };
  const table: PositionTable = {
    side: Math.floor(config.imageSize / patchSize),
    kernel: "bicubic",
    alignsCorners: false,
  };
  const positions: ParameterSpec = {
    name: `${prefix}.embeddings.position_embedding.weight`,
    shape: [table.side ** 2, hiddenSize],
    role: "embedding",
  };
  const behind = `${prefix}.post_conv_layernorm`;
  return {
    specs: [
      ...(isOcr ? [] : [positions]),
      ...patchEmbeddingSpecs(patch),
      ...(isOcr ? [] : normSpecs(behind, hiddenSize, norm)),
    ],
    run(batch, scope, items) {
      const grids = items.map(gridOf);
      const patches = patchesOf(batch, component, patchWidth(patch), grids.map(patchCount));
      const embedded = embedPatches(patches, patch, scope);
      if (isOcr) return embedded;
      const places = patchPlaces(grids, merge);
      const added = resampledPositions(scope.parameter(positions.name), table, framesOf(grids), places, scope);
      return add(normed(embedded, behind, norm, scope), added);
    },
  };
}
