import { isOnHub } from "@thaw/config";
import type { DatasetFormat } from "@thaw/core";
import { z } from "zod";
import { areNamed, sourceName, type DataSection, type SourceSetting } from "../config/data-section.js";
import type { LoadedConfig } from "../config/load-config.js";

/** What stands for a name of the hub. */
export interface Local {
  /** `org/name`. */
  readonly name: string;
  readonly folder: string;
  /** The name at the commit that the folder is. */
  readonly pinned: string;
}

/** What stands for what a config names: a model and a data set may have one name. */
export interface LocalNames {
  readonly model?: Local | undefined;
  readonly data: ReadonlyMap<string, Local>;
}

type Replace = (name: string) => string;
type ModelValue = LoadedConfig["values"]["model"];

/** What a config names on the hub: `hub:org/name`. */
export function hubNamesOf({ values: { model }, data, registry }: LoadedConfig): {
  readonly model?: string;
  readonly data: readonly string[];
} {
  const path = pathOf(model);
  return {
    ...(path !== undefined && isOnHub(path) ? { model: path } : {}),
    data: namesThat((collect) => mapData(data, registry.all("formats"), collect)),
  };
}

/** The names on the hub in a data set, each once. */
export function namesIn(source: SourceSetting, formats: readonly DatasetFormat[]): readonly string[] {
  return namesThat((collect) => mapSource(source, formats, collect));
}

/** The names that a mapping asks to be replaced. */
function namesThat(map: (collect: Replace) => unknown): readonly string[] {
  const names = new Set<string>();
  map((name) => {
    names.add(name);
    return name;
  });
  return [...names];
}

/** A model's folder or name; undefined where a config, which needs none, has no model. */
function pathOf(model: ModelValue | undefined): string | undefined {
  return typeof model === "object" ? model.path : model;
}

/**
 * The config with folders in place of names, and in what a run saves of it names with the commits that these folders
 * are: a run that goes on trains the same weights on the same data. Names without a folder stay.
 */
export function withFolders(config: LoadedConfig, local: LocalNames): LoadedConfig {
  const { values, data, registry, saved } = config;
  const formats = registry.all("formats");
  const by =
    (what: "folder" | "pinned"): Replace =>
    (name) =>
      local.data.get(name)?.[what] ?? name;
  const { model } = local;
  return {
    ...config,
    ...(model === undefined ? {} : { hubName: model.name }),
    values: { ...values, model: withPath(values.model, model?.folder) },
    data: mapData(withNames(data, formats), formats, by("folder")),
    saved: { ...saved, model: withPath(values.model, model?.pinned), data: mapData(data, formats, by("pinned")) },
  };
}

/** With the name of a single evaluation set written down: its folder in the cache would give it another. */
function withNames(data: DataSection, formats: readonly DatasetFormat[]): DataSection {
  const { evaluation } = data;
  if (evaluation === undefined || areNamed(evaluation)) return data;
  const one = evaluation as SourceSetting;
  if (!isRemote(one, formats)) return data;
  const bare = mapSource(one, formats, (name) => name.replace(/^hub:/, "").replace(/@(refs\/\w+\/)?[^/]+/, ""));
  return { ...data, evaluation: { [sourceName(bare, formats)]: one } };
}

function withPath(model: ModelValue, path: string | undefined): ModelValue {
  if (path === undefined) return model;
  return typeof model === "string" ? path : { ...model, path };
}

function mapData(data: DataSection, formats: readonly DatasetFormat[], replace: Replace): DataSection {
  const { train, evaluation } = data;
  const one = <Source>(source: Source): Source => mapSource(source as SourceSetting, formats, replace) as Source;
  return {
    ...data,
    ...(train === undefined ? {} : { train: Array.isArray(train) ? train.map(one) : one(train) }),
    ...(evaluation === undefined
      ? {}
      : { evaluation: areNamed(evaluation) ? mapValues(evaluation, one) : one(evaluation) }),
  } as DataSection;
}

function mapValues<Value>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value) => Value,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** A data set with its names replaced: the short form, or those options whose schema says `hub-or-path`. */
export function mapSource(source: SourceSetting, formats: readonly DatasetFormat[], replace: Replace): SourceSetting {
  if (typeof source === "string") return isOnHub(source) ? replace(source) : source;
  const options = hubOptions(formats.find(({ type }) => type === source.type));
  return Object.fromEntries(
    Object.entries(source).map(([key, value]) => [
      key,
      options.includes(key) && typeof value === "string" && isOnHub(value) ? replace(value) : value,
    ]),
  ) as typeof source;
}

function hubOptions(format: DatasetFormat | undefined): readonly string[] {
  if (!(format?.schema instanceof z.ZodObject)) return [];
  const { properties = {} } = z.toJSONSchema(format.schema, { io: "input", unrepresentable: "any" });
  return Object.entries(properties).flatMap(([key, schema]) =>
    typeof schema === "object" && schema.format === "hub-or-path" ? [key] : [],
  );
}

/** True where something of a data set is still on the hub. */
export function isRemote(source: SourceSetting, formats: readonly DatasetFormat[]): boolean {
  return namesIn(source, formats).length > 0;
}
