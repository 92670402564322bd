import { add, matmul } from "@thaw/autograd";
import { tensor2d } from "@tensorflow/tfjs-core";
import { linearSpecs } from "../../blocks/specs.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { normed, normSpecs } from "../../layers/norms.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { encoder } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { frameSpans, gridsOf, patchesOfGrids } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { patchesOf } from "../patches.js";
import { poolingHeadSpecs } from "../siglip.js";
import { checkHeads, readTowerSizes, type TowerSizes } from "../sizes.js";
import { antialiasedWeights } from "./positions.js";

/** Sizes of a SigLIP 2 vision tower over pictures of any size. */
export interface Siglip2Config extends TowerSizes {
  readonly patchSize: number;
  /** Places a side of the table of positions. */
  readonly tableSide: number;
  readonly epsilon: number;
  /** Whether files have a head that pools rows; no model computes it that reads the rows. */
  readonly hasHead: boolean;
}

/**
 * Reads `vision_config` of type `siglip2_vision_model`. Defaults: transformers 5.24, `configuration_siglip2.py`,
 * `Siglip2VisionConfig`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readSiglip2Config(config: ConfigReader): Siglip2Config {
  config.choice("model_type", ["siglip2_vision_model"], "siglip2_vision_model");
  const sizes = readTowerSizes(config, {
    hiddenSize: 768,
    intermediateSize: 3072,
    layerCount: 12,
    headCount: 12,
    activation: "gelu_pytorch_tanh",
  });
  checkHeads(config, sizes);
  const places = config.size("num_patches", 256);
  const tableSide = Math.round(Math.sqrt(places));
  if (tableSide ** 2 !== places)
    config.fail("num_patches", `${places} positions are not a square.`, "Give the square of the table's side.");
  return {
    ...sizes,
    tableSide,
    patchSize: config.size("patch_size", 16),
    epsilon: config.number("layer_norm_eps", 1e-6),
    hasHead: config.boolean("vision_use_head", true),
  };
}

/** What a model takes from a SigLIP 2 tower. */
export interface Siglip2Use {
  /** Prefix of the checkpoint's names: `model.vision_tower.vision_model`. */
  readonly prefix: string;
  /** Patches a side of the blocks in whose order they come. */
  readonly merge: number;
}

/**
 * The vision tower of SigLIP 2 (Tschannen et al., arXiv:2502.14786) in its NaFlex form: pictures or tiles of any grid,
 * which an item's fact `grids` says, positions resampled to each, patches that see their own tile alone. Patches come
 * pixel by pixel. Padding, which the reference masks, is not there. Source: transformers 5.24, `modeling_siglip2.py`.
 */
export function siglip2Tower(config: Siglip2Config, { prefix, merge }: Siglip2Use, place: TowerPlace): Tower {
  const { hiddenSize, intermediateSize, headCount, activation, tableSide, hasHead } = config;
  const norm = { kind: "layer", epsilon: config.epsilon } as const;
  const width = config.patchSize ** 2 * config.channelCount;
  const [patch, table] = [`${prefix}.embeddings.patch_embedding`, `${prefix}.embeddings.position_embedding.weight`];
  const lastNorm = `${prefix}.post_layernorm`;
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    block: plainMlp({ hiddenSize, intermediateSize, activation }),
  });
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: [
          ...linearSpecs(patch, width, hiddenSize, true),
          { name: table, shape: [tableSide ** 2, hiddenSize], role: "embedding" },
        ],
        run(batch, scope, items) {
          const patches = patchesOf(batch, place.component, width, items.map(patchesOfGrids));
          const weights = antialiasedWeights(items.flatMap(gridsOf), merge, tableSide);
          const sampled = scope.own(tensor2d(weights, [patches.shape[0]!, tableSide ** 2]));
          const positions = matmul(sampled, scope.parameter(table));
          return add(scope.linear(scope.constant(patches), patch), positions);
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
      unused: hasHead ? poolingHeadSpecs(config, `${prefix}.head`) : [],
      signature: { tower: "siglip2", patchSize: config.patchSize, tableSide, merge },
    },
    place,
  );
}
