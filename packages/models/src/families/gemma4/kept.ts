import type { CheckpointHeader, ParameterSpec } from "../../contract/family.js";

/** What published files hold for layers that take keys and values of others. */
const KEYS_AND_VALUES = /\.layers\.(\d+)\.self_attn\.(?:k_proj|v_proj|k_norm)\./u;

/**
 * Stored tensors that nothing computes with and that a saved folder holds too: keys and values of the text's layers
 * that share those of others, from number `firstSharing`.
 */
export function keptTensors(
  { storedShapes }: Pick<CheckpointHeader, "storedShapes">,
  textPrefix: string,
  firstSharing: number,
): readonly ParameterSpec[] {
  const isKept = (name: string): boolean => {
    const layer = name.startsWith(`${textPrefix}.`) ? KEYS_AND_VALUES.exec(name)?.[1] : undefined;
    return layer !== undefined && Number(layer) >= firstSharing;
  };
  return [...storedShapes].filter(([name]) => isKept(name)).map(([name, shape]) => ({ name, shape, role: "linear" }));
}
