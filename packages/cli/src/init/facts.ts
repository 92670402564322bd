import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isOnHub } from "@thaw/config";
import { ownerByPrefix } from "@thaw/contracts";
import { elementCount, type DatasetFormat, type Model } from "@thaw/core";
import { glanceAtSource, type Glance } from "@thaw/data";
import { loadConfig } from "../config/load-config.js";
import { plannedConfig } from "../hub/planned-config.js";
import { openConfiguredModel } from "../planning/plan-run.js";

/** A component of a checkpoint. */
export interface ComponentFacts {
  readonly name: string;
  readonly parameterCount: number;
  /** True where the checkpoint stores some of it in 4 or 8 bits, which cannot train. */
  readonly isQuantized: boolean;
}

/** What a checkpoint's headers tell of it. */
export interface ModelFacts {
  /** As the config is to name it: a folder as it was given, or a name on the hub. */
  readonly given: string;
  readonly modelType: string;
  readonly components: readonly ComponentFacts[];
  /** True for a model type that can be planned, and not trained. */
  readonly plansOnly: boolean;
}

/** What a look at a data set tells. */
export interface DataFacts extends Partial<Glance> {
  /** As the config is to name it. */
  readonly given: string;
}

/** Folders that hold no checkpoints and no data sets of the user's. */
const SKIPPED = /^(?:\.|node_modules$|runs$|dist$)/;
/** Names of files that look like data sets. */
const DATA_FILE = /\.(?:jsonl|json|csv|tsv|parquet|arrow)(?:\.(?:gz|zst))?$/i;
/** Files of projects that end in .json and are none. */
const NO_DATA = /^(?:package|package-lock|tsconfig.*|.*config|tokenizer|vocab|special_tokens_map|.*\.index)\.json$/;
/** Entries that a search looks at before it gives up. */
const MOST_ENTRIES = 2000;

/**
 * Reads a checkpoint's headers; of one on the hub as much as planning needs.
 * @throws THAW_CHECKPOINT_*, THAW_SAFETENSORS_*, THAW_MODEL_*, THAW_HUB_*
 */
export async function modelFacts(given: string): Promise<ModelFacts> {
  const { config } = await plannedConfig(await loadConfig(null, { values: { model: given } }));
  const model = await openConfiguredModel(config);
  return {
    given,
    modelType: model.modelType,
    components: componentFacts(model),
    plansOnly: model.plansOnly === true,
  };
}

function componentFacts({ components, parameters }: Model): readonly ComponentFacts[] {
  const facts = new Map(components.map(({ name }) => [name, { name, parameterCount: 0, isQuantized: false }]));
  for (const parameter of parameters) {
    const known = facts.get(parameter.component ?? ownerByPrefix(parameter.name, components) ?? "");
    if (known === undefined) continue;
    known.parameterCount += elementCount(parameter.shape);
    known.isQuantized ||= parameter.quantized !== undefined;
  }
  // A family may have components that this checkpoint has nothing of
  return [...facts.values()].filter(({ parameterCount }) => parameterCount > 0);
}

/**
 * Looks at the first samples of a data set; one on the hub is not fetched for that, and nothing is known of it.
 * @throws THAW_DATA_*
 */
export async function dataFacts(given: string, formats: readonly DatasetFormat[]): Promise<DataFacts> {
  if (isOnHub(given)) return { given };
  return { given, ...(await glanceAtSource(given, { baseFolder: process.cwd(), role: "train", formats })) };
}

/** Folders and files below the working folder that a config may mean. */
export interface Candidates {
  /** Folders whose config.json names a model type, with weights beside it. */
  readonly models: readonly string[];
  /** Files that look like data sets. */
  readonly data: readonly string[];
}

/** Looks for checkpoints and data sets in the working folder and two levels below it. */
export async function findCandidates(folder: string): Promise<Candidates> {
  const [models, data]: [string[], string[]] = [[], []];
  let left = MOST_ENTRIES;
  const look = async (path: string, depth: number): Promise<void> => {
    const entries = await readdir(join(folder, path), { withFileTypes: true }).catch(() => []);
    entries.sort((one, other) => (one.name < other.name ? -1 : 1));
    const names = entries.map(({ name }) => name);
    if (names.includes("config.json") && names.some((name) => name.endsWith(".safetensors"))) {
      if (await namesModelType(join(folder, path, "config.json"))) models.push(path === "" ? "." : `./${path}`);
      return;
    }
    for (const entry of entries) {
      left -= 1;
      if (left < 0 || SKIPPED.test(entry.name)) continue;
      const below = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory() && depth > 0) await look(below, depth - 1);
      else if (entry.isFile() && DATA_FILE.test(entry.name) && !NO_DATA.test(entry.name)) data.push(`./${below}`);
    }
  };
  await look("", 2);
  return { models, data };
}

async function namesModelType(file: string): Promise<boolean> {
  return /"model_type"/.test(await readFile(file, "utf8").catch(() => ""));
}
