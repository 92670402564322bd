import type { Adapter } from "../adapters/adapter.js";
import { areTargetParameters, patternSubject, targetParameter } from "./peft-targets.js";

/** What a PEFT `adapter_config.json` says about scales. Source: peft 0.21.2, `tuners/lora/config.py`. */
export interface PeftConfig {
  readonly alpha: number;
  readonly dropout: number;
  readonly rslora: boolean;
  /** Regular expressions of module ends to alpha. */
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** Weights of layers, or ends of their names, that are targets in place of their modules. */
  readonly targetParameters: readonly string[];
}

/** Reads a config. Otherwise: in one sentence each, what Thaw cannot do with it. */
export function parsePeftConfig(value: unknown): PeftConfig | readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return ["It is not a JSON object."];
  const config = value as Readonly<Record<string, unknown>>;
  const parameters = config["target_parameters"] ?? [];
  const problems = [
    ...(config["peft_type"] === "LORA" ? [] : [`Its peft_type is ${JSON.stringify(config["peft_type"])}, not "LORA".`]),
    ...(typeof config["lora_alpha"] === "number"
      ? []
      : [`Its lora_alpha is ${JSON.stringify(config["lora_alpha"])}, not a number.`]),
    ...(isIn(config["bias"], [undefined, null, "none"])
      ? []
      : [`It trains biases (bias: ${JSON.stringify(config["bias"])}).`]),
    ...["use_dora", "lora_bias", "fan_in_fan_out", "use_qalora", "use_bdlora"]
      .filter((key) => config[key] === true)
      .map((key) => `It uses ${key}.`),
    ...["layer_replication", "trainable_token_indices", "alora_invocation_tokens", "kasa_config", "monteclora_config"]
      .filter((key) => isGiven(config[key]))
      .map((key) => `It uses ${key}.`),
    ...(areTargetParameters(parameters)
      ? []
      : [`Its target_parameters, ${JSON.stringify(parameters)}, are not weights of single layers.`]),
    // These change the base's weights, which the file does not hold
    ...(typeof config["init_lora_weights"] === "string" &&
    /^(pissa|olora|loftq|corda)/i.test(config["init_lora_weights"])
      ? [`Its init_lora_weights, ${config["init_lora_weights"]}, changed the base model.`]
      : []),
  ];
  if (problems.length > 0) return problems;
  const patterns = Object.entries((config["alpha_pattern"] ?? {}) as Record<string, unknown>).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  return {
    alpha: config["lora_alpha"] as number,
    dropout: typeof config["lora_dropout"] === "number" ? config["lora_dropout"] : 0,
    rslora: config["use_rslora"] === true,
    alphaPattern: new Map(patterns),
    targetParameters: areTargetParameters(parameters) ? parameters : [],
  };
}

/**
 * A module's alpha: the first pattern that is its end, or that of its weight where this is the target, in whole
 * segments (`get_pattern_key` in peft's `utils/other.py`).
 */
export function alphaOf({ alpha, alphaPattern, targetParameters }: PeftConfig, module: string): number {
  const subject = patternSubject(targetParameters, module);
  for (const [pattern, own] of alphaPattern) if (endsWith(pattern, subject)) return own;
  return alpha;
}

/**
 * `adapter_config.json` for adapters of one or more components. `moduleOf` spells a module as transformers does. Where
 * targets are parameters, the file has no dropout: PEFT refuses it over these.
 */
export function makePeftConfig(
  adapters: readonly Adapter[],
  moduleOf: (module: string) => string,
  more: { readonly modelType: string; readonly base: string; readonly modulesToSave: readonly string[] },
): Readonly<Record<string, unknown>> {
  const first = adapters[0]!;
  const isStabilized = adapters.every(({ rslora }) => rslora);
  // Where only some are rank-stabilised, alpha says the same scale for the others' formula
  const alphaFor = (adapter: Adapter): number =>
    isStabilized || !adapter.rslora ? adapter.alpha : adapter.scaling * adapter.rank;
  const targets = adapters.map((adapter) => {
    const module = moduleOf(adapter.module);
    return { adapter, module, parameter: targetParameter(more.modelType, module) };
  });
  const parameters = targets.flatMap(({ parameter }) => parameter ?? []);
  const differing = (valueOf: (adapter: Adapter) => number): Record<string, number> =>
    Object.fromEntries(
      targets
        .filter(({ adapter }) => valueOf(adapter) !== valueOf(first))
        .map(({ adapter, module, parameter }) => [parameter ?? module, valueOf(adapter)]),
    );
  return {
    alpha_pattern: differing(alphaFor),
    auto_mapping: null,
    base_model_name_or_path: more.base,
    bias: "none",
    exclude_modules: null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: alphaFor(first),
    lora_dropout: parameters.length === 0 ? Math.max(...adapters.map(({ dropout }) => dropout)) : 0,
    modules_to_save: more.modulesToSave.length === 0 ? null : more.modulesToSave,
    peft_type: "LORA",
    r: first.rank,
    rank_pattern: differing(({ rank }) => rank),
    revision: null,
    target_modules: targets.filter(({ parameter }) => parameter === undefined).map(({ module }) => module),
    target_parameters: parameters.length === 0 ? null : parameters,
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: isStabilized,
  };
}

function endsWith(pattern: string, module: string): boolean {
  try {
    return new RegExp(`^(.*\\.)?(${pattern})$`).test(module);
  } catch {
    return module === pattern;
  }
}

function isIn(value: unknown, values: readonly unknown[]): boolean {
  return values.includes(value);
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  return Array.isArray(value) ? value.length > 0 : Object.keys(value as object).length > 0;
}
