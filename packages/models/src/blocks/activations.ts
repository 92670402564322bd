import { gelu, geluTanh, quickGelu, relu, sigmoid, silu, tanh, type Value } from "@thaw/autograd";
import type { ConfigReader } from "../reading/config-reader.js";

/** Activations by the names of Hugging Face configs. Source: transformers 5.24, `activations.py`, `ACT2CLS`. */
const ACTIVATIONS = {
  gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_fast: geluTanh,
  gelu_python: gelu,
  gelu_python_tanh: geluTanh,
  gelu_accurate: geluTanh,
  quick_gelu: quickGelu,
  relu,
  sigmoid,
  silu,
  swish: silu,
  tanh,
} as const;

export type ActivationName = keyof typeof ACTIVATIONS;
export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as readonly ActivationName[];

/** Reads an activation's name. @throws THAW_CHECKPOINT_CONFIG listing the supported ones */
export function readActivation(config: ConfigReader, key: string, fallback: ActivationName): ActivationName {
  return config.choice(key, ACTIVATION_NAMES, fallback);
}

/** Applies an activation; any shape. */
export function activate(name: ActivationName, x: Value): Value {
  return ACTIVATIONS[name](x);
}
