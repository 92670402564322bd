import { ownerByPrefix, toSnakeCase, type ComponentDeclaration, type Model, type ParameterInfo } from "@thaw/contracts";
import { readVocabulary } from "@thaw/data";
import type { TensorEntry } from "@thaw/safetensors";
import { componentSegments } from "../owners/component-segments.js";
import type { ConfigReader } from "../reading/config-reader.js";
import { cannotInitialize, noForward, unknownComponent, unknownModelType } from "../errors.js";
import { COMPUTED_NAMES, type Architecture, type Family, type OwnerTable } from "../contract/family.js";
import { readConfig, readGenerationConfig } from "../reading/folder.js";
import { fuseExperts, unfuseExperts } from "../checkpoint/fused-experts.js";
import { loadValues, type LoadedFrom } from "../checkpoint/load.js";
import { readQuantized, type StoredQuantized } from "../checkpoint/quantized.js";
import { mergeComponents } from "../owners/owners.js";
import { guessText } from "./guess-text.js";
import { FAMILIES, findFamily, findOwners, knownFamilies, knownModelTypes } from "./families.js";
import { saveModel } from "../checkpoint/save.js";
import {
  matchTensors,
  proveCompanions,
  readHeaders,
  storedTensors,
  withoutIgnored,
} from "../checkpoint/stored-tensors.js";

/** How to open a checkpoint. */
export interface OpenModelOptions {
  /** Components that start from new values instead of stored ones; with `"all"` no weights need exist. */
  readonly initialize?: readonly string[] | "all";
  /** Decides the new values, together with each parameter's name. */
  readonly seed?: number;
  /** Owners by name prefix, beside the family's or instead of an unknown type's. */
  readonly components?: Readonly<Record<string, readonly string[]>>;
  /** Prefixes of stored names that are not parameters. */
  readonly ignored?: readonly string[];
  /** `org/name` of a model whose folder is of the hub's cache. */
  readonly hubName?: string;
  /** The families that there are; Thaw's own without it: `[...FAMILIES, mine]` adds one. */
  readonly families?: readonly Family[];
}

/**
 * Opens a Hugging Face checkpoint folder: configs and weight headers are read, no weight. What Thaw wrote is compared
 * with its manifest. A model type without a family opens for planning and checking if an owner table or `components`
 * says who owns what; then running it throws THAW_MODEL_NO_FORWARD.
 * @throws THAW_CHECKPOINT_UNREADABLE, _CONFIG, _UNKNOWN_TYPE, _TENSOR_MISSING, _TENSOR_MISSHAPED, _TENSOR_UNEXPECTED,
 * _TENSOR_DTYPE, _UNKNOWN_COMPONENT, _CANNOT_INITIALIZE, THAW_SAFETENSORS_*
 */
export async function openModel(folder: string, options: OpenModelOptions = {}): Promise<Model> {
  await proveCompanions(folder);
  const config = await readConfig(folder);
  const owners = ownersOf(config, options);
  const components = mergeComponents(owners.components, options.components);
  const isInitialized = initializedBy(folder, components, options.initialize);
  const headers = options.initialize === "all" ? new Map<string, TensorEntry>() : await readHeaders(folder);
  const { entries, quantized } = await readQuantized(folder, headers);
  const stored = withoutIgnored(entries, owners.ignoredNames, options.ignored ?? []);
  const family = findFamily(owners.modelType, options.families);
  const read = { stored, quantized };
  const model =
    family === undefined
      ? headerModel(folder, config, owners, read, options)
      : await familyModel(folder, family, config, components, read, isInitialized, options.seed ?? 0);
  return options.hubName === undefined ? model : { ...model, hubName: options.hubName };
}

function ownersOf(config: ConfigReader, { components, families = FAMILIES }: OpenModelOptions): OwnerTable {
  const modelType = config.raw["model_type"];
  const found = typeof modelType === "string" ? findOwners(modelType, families) : undefined;
  if (found !== undefined) return found;
  if (components === undefined) throw unknownModelType(config.file, modelType, knownModelTypes(families));
  return {
    modelType: typeof modelType === "string" ? modelType : "unknown",
    components: [],
    ignoredNames: COMPUTED_NAMES,
  };
}

function initializedBy(
  folder: string,
  components: readonly ComponentDeclaration[],
  initialize: OpenModelOptions["initialize"] = [],
): (name: string) => boolean {
  if (initialize === "all") return () => true;
  const wanted = new Set(initialize.map(toSnakeCase));
  const known = components.map(({ name }) => name);
  for (const name of wanted) if (!known.includes(name)) throw unknownComponent(folder, name, known);
  return (name) => wanted.has(ownerByPrefix(name, components) ?? "");
}

/** What a checkpoint's headers say. */
interface Headers {
  readonly stored: ReadonlyMap<string, TensorEntry>;
  readonly quantized: ReadonlyMap<string, StoredQuantized>;
}

/** Weights that others than bitsandbytes have quantised are other numbers than those that a forward pass knows. */
function checkQuantization(config: ConfigReader, hasQuantized: boolean): void {
  const parts = Object.entries(config.raw).filter(
    ([key, value]) => key.endsWith("_config") && typeof value === "object" && !Array.isArray(value),
  );
  for (const reader of [config, ...parts.map(([key]) => config.child(key))]) {
    if (!reader.has("quantization_config")) continue;
    const method = String(reader.child("quantization_config").raw["quant_method"]);
    if (method === "bitsandbytes" && hasQuantized) continue;
    reader.fail(
      "quantization_config",
      method === "bitsandbytes"
        ? "The weights are to be quantised by bitsandbytes, and none is."
        : `The weights are quantised (${method}).`,
      method === "bitsandbytes"
        ? "Take the key out, and ask for training.frozen_precision instead."
        : "Use the checkpoint that these weights were made from, or its copy in bfloat16.",
    );
  }
}

/** Parameters with the form in which a checkpoint stores them. */
function withForms(
  parameters: readonly ParameterInfo[],
  quantized: Headers["quantized"],
  isInitialized: (name: string) => boolean = () => false,
): readonly ParameterInfo[] {
  return parameters.map((parameter) => {
    const form = quantized.get(parameter.name);
    if (form === undefined || isInitialized(parameter.name)) return parameter;
    return { ...parameter, dtype: form.dtype, quantized: form.layout };
  });
}

async function familyModel(
  folder: string,
  family: Family,
  config: ConfigReader,
  components: readonly ComponentDeclaration[],
  { stored, quantized }: Headers,
  isInitialized: (name: string) => boolean,
  seed: number,
): Promise<Model> {
  checkQuantization(config, quantized.size > 0);
  const { entries, parts } = unfuseExperts(stored);
  const architecture: Architecture = family.describe({
    config,
    generationConfig: await readGenerationConfig(folder),
    storedNames: new Set(entries.keys()),
    storedShapes: new Map([...entries].map(([name, { shape }]) => [name, shape])),
  });
  const { ignores } = architecture;
  const read = ignores === undefined ? entries : new Map([...entries].filter(([name]) => !ignores(name)));
  const { parameters: expected, buffers } = matchTensors(folder, architecture.parameters, read, isInitialized);
  const parameters = withForms(expected, quantized, isInitialized);
  const fresh = new Map(
    architecture.parameters.filter(({ name }) => isInitialized(name)).map((spec) => [spec.name, spec]),
  );
  const tensors = [...parameters, ...buffers];
  const bufferNames = new Set(buffers.map(({ name }) => name));
  return {
    modelType: family.modelType,
    source: folder,
    components,
    parameters,
    buffers,
    segments: architecture.segments,
    deadParameters: architecture.deadParameters,
    ...moduleNamesOf(family),
    text: architecture.text,
    vocabulary: () => readVocabulary(folder),
    load: (names) => loadValues(folder, { tensors, parts, quantized, buffers: bufferNames, fresh, seed }, names),
    forward: (batch, scope) => architecture.forward(batch, scope),
    generate: (batch, scope, generation) => architecture.generate(batch, scope, generation),
    save(target, values, saving) {
      const whole = fuseExperts(tensors, parts, stored, values);
      return saveModel(folder, target, whole.tensors, whole.values, saving);
    },
  };
}

function headerModel(
  folder: string,
  config: ConfigReader,
  owners: OwnerTable,
  { stored, quantized }: Headers,
  options: OpenModelOptions,
): Model {
  if (options.initialize !== undefined && options.initialize.length > 0) throw cannotInitialize(folder);
  const { parameters: floats, buffers } = storedTensors(stored);
  const parameters = withForms(floats, quantized);
  const tensors = [...parameters, ...buffers];
  const components = mergeComponents(owners.components, options.components);
  const modelType = String(config.raw["model_type"]);
  const refuse = (): never => {
    throw noForward(modelType, folder, knownFamilies(options.families));
  };
  return {
    modelType,
    source: folder,
    plansOnly: true,
    components,
    parameters,
    buffers,
    segments: componentSegments(components, parameters),
    deadParameters: [],
    ...moduleNamesOf(owners),
    text: guessText(config, parameters),
    vocabulary: () => readVocabulary(folder),
    load: (names) => loadValues(folder, { tensors, quantized, ...nothingMade() }, names),
    forward: refuse,
    generate: refuse,
    save: (target, values, saving) => saveModel(folder, target, tensors, values, saving),
  };
}

/** Of a model without a family: nothing is put together, and nothing starts anew. */
function nothingMade(): Pick<LoadedFrom, "parts" | "buffers" | "fresh" | "seed"> {
  return { parts: new Map(), buffers: new Set(), fresh: new Map(), seed: 0 };
}

function moduleNamesOf({ moduleNames }: OwnerTable): Pick<Model, "moduleNames"> {
  return moduleNames === undefined ? {} : { moduleNames };
}
