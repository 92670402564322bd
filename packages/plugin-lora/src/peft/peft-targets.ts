/**
 * Types of whole models whose layers PEFT takes for experts by the last word of their names, wherever they are: it
 * turns each into an adapter over the tensor that transformers 5 keeps all experts in. Source: peft 0.21.2,
 * `utils/transformers_weight_conversion.py`, `_convert_peft_config_moe`; transformers 5.24, `conversion_mapping.py`,
 * those of `qwen2_moe` among model types with pictures.
 */
const TAKEN_FOR_EXPERTS: ReadonlySet<string> = new Set(["glm4v_moe"]);
const WORDS_OF_EXPERTS: ReadonlySet<string> = new Set(["gate", "gate_proj", "up_proj", "down_proj"]);

const WEIGHT = ".weight";

/**
 * The parameter that PEFT has to be told in place of a module that it would take for experts. Undefined where it finds
 * the module by its name. `module` as transformers spells it.
 */
export function targetParameter(modelType: string, module: string): string | undefined {
  const isTaken = TAKEN_FOR_EXPERTS.has(modelType) && WORDS_OF_EXPERTS.has(module.slice(module.lastIndexOf(".") + 1));
  return isTaken ? module + WEIGHT : undefined;
}

/** True for what `target_parameters` may list here: weights of single layers, which have an adapter like any other. */
export function areTargetParameters(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string" && name.endsWith(WEIGHT));
}

/** What PEFT compares with patterns for a module: the name of its weight where that is a target by itself. */
export function patternSubject(parameters: readonly string[], module: string): string {
  const weight = module + WEIGHT;
  return parameters.some((name) => weight === name || weight.endsWith(`.${name}`)) ? weight : module;
}
