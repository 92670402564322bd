import { add, gatherRows } from "@thaw/autograd";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { normed, normSpecs } from "../../layers/norms.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { encoder } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { frameSpans, gridsOf, patchesOfGrids } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth, type PatchEmbeddingOptions } from "../patches.js";
import { checkPictures } from "../picture-sizes.js";
import { readTowerSizes, type TowerSizes } from "../sizes.js";
import { gridSide, type PictureSize } from "../vit.js";
import { tablePlaces } from "./positions.js";

/** Sizes of the vision tower of Idefics3 or SmolVLM; `imageSize` is that of its table of positions. */
export interface Idefics3VisionConfig extends PictureSize, TowerSizes {
  readonly epsilon: number;
}

/** `model_type` of `vision_config`, as version 5 and older files say it. */
const MODEL_TYPES = ["idefics3_vision", "smolvlm_vision", "idefics3", "smolvlm"] as const;

/**
 * Reads `vision_config`. Defaults: transformers 5.24, `configuration_idefics3.py`, `Idefics3VisionConfig`, and
 * `configuration_smolvlm.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readIdefics3VisionConfig(config: ConfigReader): Idefics3VisionConfig {
  config.choice("model_type", MODEL_TYPES, "idefics3_vision");
  const vision: Idefics3VisionConfig = {
    ...readTowerSizes(config, {
      hiddenSize: 1152,
      intermediateSize: 3072,
      layerCount: 12,
      headCount: 16,
      activation: "gelu_pytorch_tanh",
    }),
    imageSize: config.size("image_size", 224),
    patchSize: config.size("patch_size", 32),
    epsilon: config.number("layer_norm_eps", 1e-6),
  };
  checkPictures(config, vision);
  return vision;
}

/** What a model takes from such a tower. */
export interface Idefics3Use {
  /** Prefix of the checkpoint's names: `model.vision_model`. */
  readonly prefix: string;
  /** Patches a side of the blocks in whose order they come. */
  readonly merge: number;
}

/**
 * The vision tower of Idefics3 (Laurençon et al., arXiv:2408.12637): SigLIP over tiles of any grid, which an item's
 * fact `grids` says, each patch at the place of a table of positions that lies nearest before it. Source: transformers
 * 5.24, `modeling_idefics3.py`.
 */
export function idefics3Tower(config: Idefics3VisionConfig, { prefix, merge }: Idefics3Use, place: TowerPlace): Tower {
  const { hiddenSize, intermediateSize, headCount, channelCount, patchSize, activation } = config;
  const norm = { kind: "layer", epsilon: config.epsilon } as const;
  const side = gridSide(config);
  const patch: PatchEmbeddingOptions = {
    name: `${prefix}.embeddings.patch_embedding`,
    hiddenSize,
    kernel: [channelCount, patchSize, patchSize],
    hasBias: true,
  };
  const table = `${prefix}.embeddings.position_embedding.weight`;
  const lastNorm = `${prefix}.post_layernorm`;
  const block = plainMlp({ hiddenSize, intermediateSize, activation });
  const layer = encoderLayer({ hiddenSize, headCount, norm, block });
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: [...patchEmbeddingSpecs(patch), { name: table, shape: [side ** 2, hiddenSize], role: "embedding" }],
        run(batch, scope, items) {
          const patches = patchesOf(batch, place.component, patchWidth(patch), items.map(patchesOfGrids));
          const places = tablePlaces(items.flatMap(gridsOf), merge, side);
          return add(embedPatches(patches, patch, scope), gatherRows(scope.parameter(table), places));
        },
      },
      layers: Array.from({ length: config.layerCount }, (_, index) => ({
        name: `${prefix}.encoder.layers.${index}`,
        layer,
      })),
      pass(items) {
        const spans = frameSpans(items.flatMap(gridsOf));
        return () => ({ spans });
      },
      featureStates: [config.layerCount],
      norm: {
        specs: normSpecs(lastNorm, hiddenSize, norm),
        run: (x, _items, scope) => normed(x, lastNorm, norm, scope),
      },
      signature: { tower: "idefics3", patchSize, side, merge },
    },
    place,
  );
}
