import type { Tower, TowerPlace } from "../contract/parts.js";
import { encoderLayer } from "./encoder-layer.js";
import { plainMlp } from "../layers/plain-mlp.js";
import type { ClipConfig } from "./clip-config.js";
import { vitTower, type VitUse } from "./vit.js";

/**
 * The vision tower of CLIP (Radford et al., arXiv:2103.00020) as transformers 5.24 has it in `modeling_clip.py`:
 * patches, class token, learned positions, `pre_layrnorm` (spelt so), pre-norm layers. `post_layernorm` norms the
 * pooled token alone, so that no model that reads the rows computes it.
 */
export function clipTower(config: ClipConfig, use: Omit<VitUse, "isNormed">, place: TowerPlace): Tower {
  const { hiddenSize, intermediateSize, headCount, activation, epsilon } = config;
  const { prefix } = use;
  const norm = { kind: "layer", epsilon } as const;
  const block = plainMlp({ hiddenSize, intermediateSize, activation });
  const layer = encoderLayer({ hiddenSize, headCount, norm, block });
  return vitTower(
    {
      ...config,
      ...use,
      isNormed: false,
      patch: { name: `${prefix}.embeddings.patch_embedding`, hasBias: false },
      classToken: { name: `${prefix}.embeddings.class_embedding`, shape: [hiddenSize] },
      positions: { name: `${prefix}.embeddings.position_embedding.weight` },
      firstNorm: `${prefix}.pre_layrnorm`,
      lastNorm: `${prefix}.post_layernorm`,
      norm,
      layers: Array.from({ length: config.layerCount }, (_, index) => ({
        name: `${prefix}.encoder.layers.${index}`,
        layer,
      })),
    },
    place,
  );
}
