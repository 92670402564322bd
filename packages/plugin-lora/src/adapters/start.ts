import type { ComponentRequest, Finding, Initializer, Model, Setting } from "@thaw/core";
import { matrixNames, scalingOf, type Adapter } from "./adapter.js";
import { fileUnusable } from "../planning/findings.js";
import { moduleName } from "../planning/module-names.js";
import type { ResolvedLora } from "../options.js";
import { alphaOf, parsePeftConfig, type PeftConfig } from "../peft/peft-config.js";
import { readPeftValues, type PeftHeader } from "../peft/peft-folder.js";
import { readPeftName } from "../peft/peft-names.js";
import { selectLayers, type LinearLayer } from "../planning/targets.js";

/** A PEFT folder that a run starts from, matched with the model. */
export interface Start {
  readonly config: PeftConfig;
  /** First values by checkpoint name: of the adapters' matrices, and of parameters that were trained whole. */
  readonly values: ReadonlyMap<string, Initializer>;
  /** The adapters that the folder holds of a component. */
  adapters(component: string, lora: ResolvedLora): readonly Adapter[];
}

/** What a folder is matched with. */
export interface StartInput {
  readonly folder: string;
  /** What the folder holds, or why it cannot be read. */
  readonly header: PeftHeader | string;
  readonly model: Model;
  readonly owners: ReadonlyMap<string, string>;
  readonly requests: readonly ComponentRequest[];
  readonly layersOf: (component: string) => readonly LinearLayer[];
  readonly settings: readonly Setting[];
}

interface Matrices {
  a?: readonly number[];
  b?: readonly number[];
  aKey?: string;
  bKey?: string;
}

/** Matches a folder with the model; undefined if it cannot be used, and a finding says why. */
export function readStart(input: StartInput, report: (finding: Finding) => void): Start | undefined {
  const { folder, header, model, settings } = input;
  const fail = (problems: readonly string[], fix: string): undefined =>
    report(fileUnusable(folder, problems, fix, settings)) as undefined;
  if (typeof header === "string")
    return fail([header], "Name the folder that holds adapter_config.json and adapter_model.safetensors.");
  const config = parsePeftConfig(header.config);
  if (isProblems(config))
    return fail(
      config,
      "Only LoRA adapters of linear layers over an unchanged base can be read; merge this one with PEFT and " +
        "start from the result.",
    );
  const known = new Map(model.parameters.map((parameter) => [moduleName(model, parameter.name), parameter]));
  const pairs = new Map<string, Matrices>();
  const values = new Map<string, Initializer>();
  const problems: string[] = [];
  for (const [key, shape] of header.shapes) {
    const tensor = readPeftName(key);
    const name =
      tensor.kind === "other"
        ? undefined
        : moduleName(model, tensor.kind === "parameter" ? tensor.name : `${tensor.module}.weight`);
    const parameter = name === undefined ? undefined : known.get(name);
    if (tensor.kind === "other") problems.push(`${key} has no counterpart here.`);
    else if (parameter === undefined)
      problems.push(`${key} belongs to no ${tensor.kind === "parameter" ? "parameter" : "layer"} of the model.`);
    else if (tensor.kind === "parameter") {
      if (shape.join() === parameter.shape.join()) values.set(parameter.name, () => readPeftValues(folder, key));
      else problems.push(`${key} has the shape [${shape.join(", ")}], the model's is [${parameter.shape.join(", ")}].`);
    } else {
      const pair = pairs.get(parameter.name) ?? {};
      pairs.set(
        parameter.name,
        tensor.kind === "a" ? { ...pair, a: shape, aKey: key } : { ...pair, b: shape, bKey: key },
      );
    }
  }
  const found = [...pairs].map(([weight, pair]) => matched(weight, pair, input, config, problems));
  if (problems.length > 0)
    return fail(
      problems.slice(0, 5).concat(problems.length > 5 ? [`${problems.length - 5} more.`] : []),
      "Use an adapter that was made for this model.",
    );
  const adapters = found.filter((adapter) => adapter !== undefined);
  for (const { module } of adapters) {
    const { aKey, bKey } = pairs.get(`${module}.weight`)!;
    const { a, b } = matrixNames(module);
    values.set(a, () => readPeftValues(folder, aKey!)).set(b, () => readPeftValues(folder, bKey!));
  }
  const contradiction = contradicted(input, adapters);
  if (contradiction !== undefined) return fail([contradiction.problem], contradiction.fix);
  return {
    config,
    values,
    adapters: (component, { dropout }) =>
      adapters.filter((adapter) => adapter.component === component).map((adapter) => ({ ...adapter, dropout })),
  };
}

function isProblems(config: PeftConfig | readonly string[]): config is readonly string[] {
  return Array.isArray(config);
}

/** The adapter of one layer, or a sentence in `problems`. */
function matched(
  weight: string,
  { a, b }: Matrices,
  { model, owners, layersOf }: StartInput,
  config: PeftConfig,
  problems: string[],
): Adapter | undefined {
  const module = weight.slice(0, -".weight".length);
  const component = owners.get(weight) ?? "";
  const layer = layersOf(component).find((one) => one.module === module);
  if (layer === undefined) problems.push(`${module} is not a linear layer that a gradient reaches.`);
  else if (a === undefined || b === undefined) problems.push(`${module} has one of its two matrices only.`);
  else if (a[1] !== layer.inputs || b[0] !== layer.outputs || a[0] !== b[1])
    problems.push(
      `${module} is [${layer.outputs}, ${layer.inputs}], its matrices are [${a.join(", ")}] and [${b.join(", ")}].`,
    );
  else {
    const scale = { rank: a[0]!, alpha: alphaOf(config, moduleName(model, module)), rslora: config.rslora };
    return { ...layer, component, ...scale, scaling: scalingOf(scale), dropout: 0 };
  }
  return undefined;
}

/** Components without an entry, entries without layers, and settings that say otherwise than the folder. */
function contradicted(
  { requests, layersOf, model }: StartInput,
  adapters: readonly Adapter[],
): { readonly problem: string; readonly fix: string } | undefined {
  const asked = new Map(requests.map((request) => [request.component, request]));
  const unasked = [...new Set(adapters.map(({ component }) => component))].find((component) => !asked.has(component));
  if (unasked !== undefined)
    return {
      problem: `It adapts layers of ${unasked}, for which no adapter is asked.`,
      fix: `Add ${unasked}: { lora: {} } to freeze.components.`,
    };
  for (const [component, { options }] of asked) {
    const own = adapters.filter((adapter) => adapter.component === component);
    if (own.length === 0)
      return {
        problem: `It adapts no layer of ${component}.`,
        fix: `Remove lora from freeze.components.${component}, or start without the folder.`,
      };
    for (const key of ["rank", "alpha", "rslora"] as const) {
      const wrong = options[key] === undefined ? undefined : own.find((adapter) => adapter[key] !== options[key]);
      if (wrong !== undefined)
        return {
          problem:
            `Its ${key} is ${String(wrong[key])} for ${wrong.module}, ` +
            `and the settings say ${String(options[key])}.`,
          fix: `Remove ${key}: it comes from the folder.`,
        };
    }
    const targets = options["targetModules"] as string | readonly string[] | undefined;
    const selected =
      targets === undefined
        ? undefined
        : selectLayers(layersOf(component), targets, model).selected.map(({ module }) => module);
    if (
      selected !== undefined &&
      selected.toSorted().join() !==
        own
          .map(({ module }) => module)
          .toSorted()
          .join()
    ) {
      return {
        problem: `It adapts other layers of ${component} than the settings name.`,
        fix: "Remove target_modules: they come from the folder.",
      };
    }
  }
  return undefined;
}
