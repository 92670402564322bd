import type { ConfigReader } from "./config-reader.js";

/**
 * Reads how a `vision_config` turns patches by their rows and columns: the base of the frequencies. Source:
 * transformers 5.24, `rope_parameters` of type `axial`. @throws THAW_CHECKPOINT_CONFIG for what is not supported, and
 * for heads that do not have as many pairs for rows as for columns
 */
export function readPatchRotary(config: ConfigReader, hiddenSize: number, headCount: number): number {
  const headSize = hiddenSize / headCount;
  if (headSize % 4 !== 0)
    config.fail(
      config.has("num_heads") ? "num_heads" : "num_attention_heads",
      `${headCount} heads of a width of ${hiddenSize} have ${headSize} columns, of which rows and columns turn pairs.`,
      "Give a number of heads that leaves a multiple of 4.",
    );
  if (config.size("head_dim", headSize) !== headSize)
    config.fail("head_dim", `Heads have ${headSize} columns.`, "Give the width over the heads, or nothing.");
  if (config.number("attention_dropout", 0) !== 0)
    config.fail("attention_dropout", "Dropout of attention is not supported.", "Set it to 0.");
  const rope = config.child(config.has("rope_scaling") ? "rope_scaling" : "rope_parameters");
  // Configs of before transformers 5.24 say default where axial is meant.
  rope.choice(rope.has("rope_type") ? "rope_type" : "type", ["axial", "default"], "axial");
  return rope.number("rope_theta", config.number("rope_theta", 10000));
}
