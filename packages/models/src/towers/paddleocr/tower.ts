import { add } from "@thaw/autograd";
import { axialRotary } from "../../blocks/rope.js";
import { resampledPositions, type PositionTable } from "../../blocks/resampled-positions.js";
import type { ParameterSpec } from "../../contract/family.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { normed, normSpecs, type NormOptions } from "../../layers/norms.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import { encoder, type EncoderEmbeddings } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { framesOf, gridOf, patchCount, patchPass, patchPlaces } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth, type PatchEmbeddingOptions } from "../patches.js";
import type { PaddleOcrVisionConfig } from "./config.js";

/**
 * The tower of PaddleOCR-VL (arXiv:2510.14528): SigLIP's layers over images of any size, whose patches see those of
 * their own image, are turned by row and column, and have positions of a table that is resampled. Source: transformers
 * 5.24, `modeling_paddleocr_vl.py`. `prefix`: `visual.vision_model`.
 */
export function paddleOcrTower(config: PaddleOcrVisionConfig, prefix: string, place: TowerPlace): Tower {
  const { hiddenSize, headCount, intermediateSize, layerCount, activation, epsilon, merge, theta } = config;
  const norm: NormOptions = { kind: "layer", epsilon };
  const block = plainMlp({ hiddenSize, intermediateSize, activation });
  const layer = encoderLayer({ hiddenSize, headCount, norm, block });
  const rotary = { name: `${place.component} patches`, options: axialRotary(hiddenSize / headCount, theta) };
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: embeddings(config, `${prefix}.embeddings`, place),
      layers: Array.from({ length: layerCount }, (_, index) => ({ name: `${prefix}.encoder.layers.${index}`, layer })),
      pass(items, scope) {
        const pass = patchPass(items.map(gridOf), merge, rotary, scope);
        return () => pass;
      },
      norm: {
        specs: normSpecs(`${prefix}.post_layernorm`, hiddenSize, norm),
        run: (x, _items, scope) => normed(x, `${prefix}.post_layernorm`, norm, scope),
      },
      featureStates: [layerCount],
      signature: { tower: "paddleocr", patchSize: config.patchSize, merge, theta, epsilon },
    },
    place,
  );
}

function embeddings(config: PaddleOcrVisionConfig, prefix: string, { component }: TowerPlace): EncoderEmbeddings {
  const { hiddenSize, channelCount, patchSize, merge } = config;
  const patch: PatchEmbeddingOptions = {
    name: `${prefix}.patch_embedding`,
    hiddenSize,
    kernel: [channelCount, patchSize, patchSize],
    hasBias: true,
  };
  const side = Math.floor(config.imageSize / patchSize);
  const table: PositionTable = { side, kernel: "bilinear", alignsCorners: false };
  const positions: ParameterSpec = {
    name: `${prefix}.position_embedding.weight`,
    shape: [side ** 2, hiddenSize],
    role: "embedding",
  };
  return {
    specs: [...patchEmbeddingSpecs(patch), positions],
    run(batch, scope, items) {
      const grids = items.map(gridOf);
      const patches = patchesOf(batch, component, patchWidth(patch), grids.map(patchCount));
      const places = patchPlaces(grids, merge);
      const added = resampledPositions(scope.parameter(positions.name), table, framesOf(grids), places, scope);
      return add(embedPatches(patches, patch, scope), added);
    },
  };
}
