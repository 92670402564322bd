import type { ConfigReader } from "../../reading/config-reader.js";
import type { TextSizes } from "./sizes.js";

/** Sizes that Gemma 4's layers have of their own. */
export interface LayerSizes {
  readonly headSize: number;
  readonly keyValueHeadCount: number;
}

const KEYS: readonly string[] = ["head_dim", "num_key_value_heads"];

/**
 * By layer, its heads: `per_layer_config` (transformers 5.24: by number of the layer) or `global_head_dim` and
 * `num_global_key_value_heads` (published configs: for full layers). Layers of one kind have heads of one size, as
 * their positions turn them alike. @throws THAW_CHECKPOINT_CONFIG
 */
export function readLayerSizes(
  config: ConfigReader,
  { headSize, headCount, keyValueHeadCount }: TextSizes,
  types: readonly string[],
): readonly LayerSizes[] {
  const all =
    config.raw["per_layer_config"] !== undefined // null: no layer has sizes of its own
      ? readByLayer(config.child("per_layer_config"), { headSize, keyValueHeadCount }, types.length)
      : readGlobal(config, { headSize, keyValueHeadCount }, types);
  for (const [layer, sizes] of all.entries()) {
    const first = all[types.indexOf(types[layer]!)]!;
    if (sizes.headSize !== first.headSize)
      config.fail(
        "per_layer_config",
        `Layer ${layer} has heads of ${sizes.headSize} columns, others of its type of ${first.headSize}.`,
        "Give layers of one type one head_dim.",
      );
    if (headCount % sizes.keyValueHeadCount !== 0 || sizes.headSize % 2 !== 0)
      config.fail(
        "num_key_value_heads",
        `Layer ${layer} has ${sizes.keyValueHeadCount} key/value heads of ${sizes.headSize} columns for ${headCount}.`,
        "Give a number of heads that divides num_attention_heads, and an even head_dim.",
      );
  }
  return all;
}

function readGlobal(config: ConfigReader, own: LayerSizes, types: readonly string[]): readonly LayerSizes[] {
  const global: LayerSizes = {
    headSize: config.size("global_head_dim", 512),
    keyValueHeadCount: config.boolean("attention_k_eq_v", false)
      ? config.size("num_global_key_value_heads", own.keyValueHeadCount)
      : own.keyValueHeadCount,
  };
  return types.map((type) => (type === "full_attention" ? global : own));
}

/** Numbers of layers have zeros before them where there are ten layers or more: `05`. */
function readByLayer(config: ConfigReader, own: LayerSizes, layerCount: number): readonly LayerSizes[] {
  const keys = new Map<number, string>();
  for (const key of Object.keys(config.raw)) {
    const layer = /^[0-9]+$/.test(key) ? Number(key) : NaN;
    if (!(layer < layerCount) || keys.has(layer))
      config.fail(
        key,
        keys.has(layer) ? `Layer ${layer} is there already.` : `There is no layer ${key}.`,
        `Name layers by their numbers, 0 to ${layerCount - 1}, each once.`,
      );
    keys.set(layer, key);
  }
  return Array.from({ length: layerCount }, (_, layer) => {
    const given = config.child(keys.get(layer) ?? String(layer));
    for (const key of Object.keys(given.raw))
      if (!KEYS.includes(key))
        given.fail(key, "This is not supported layer by layer.", `Supported: ${KEYS.join(", ")}.`);
    return {
      headSize: given.size("head_dim", own.headSize),
      keyValueHeadCount: given.size("num_key_value_heads", own.keyValueHeadCount),
    };
  });
}
