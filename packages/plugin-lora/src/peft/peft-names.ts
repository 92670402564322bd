const PREFIX = "base_model.model.";

/** One tensor of `adapter_model.safetensors`. */
export type PeftTensor =
  | { readonly kind: "a" | "b"; readonly module: string }
  /** A parameter of a module that was trained whole (`modules_to_save`). */
  | { readonly kind: "parameter"; readonly name: string }
  /** Something that Thaw has no counterpart of: DoRA's magnitudes, embedding adapters, biases of adapters. */
  | { readonly kind: "other" };

/** PEFT's name of an adapter's matrix; `module` as transformers spells it. */
export function peftMatrixName(module: string, matrix: "a" | "b"): string {
  return `${PREFIX}${module}.lora_${matrix === "a" ? "A" : "B"}.weight`;
}

/** PEFT's name of a parameter in a module that was trained whole. */
export function peftParameterName(name: string): string {
  return PREFIX + name;
}

/** Reads a name of the file; with the adapter's name in it (`lora_A.default.weight`) too. */
export function readPeftName(key: string): PeftTensor {
  if (!key.startsWith(PREFIX)) return { kind: "other" };
  const name = key.slice(PREFIX.length);
  const matrix = /^(.+)\.lora_([AB])(?:\.[^.]+)?\.weight$/.exec(name);
  if (matrix !== null) return { kind: matrix[2] === "A" ? "a" : "b", module: matrix[1]! };
  return /\.lora_/.test(name)
    ? { kind: "other" }
    : { kind: "parameter", name: name.replace(/\.modules_to_save\.[^.]+\./, ".") };
}
