import type { Finding, Setting } from "@thaw/core";
import { toCamel } from "./keys.js";
import { describePlace, locateNearest, type Layer } from "./layer.js";
import { readBases, type ReadOptions } from "./read-layers.js";

/** Keys that are the same for all stages, so that they stand outside of them. */
export const SHARED_KEYS: readonly string[] = ["model", "output", "runName", "plugins", "seed", "stages"];

/** What one stage is read from, what wins last. */
export interface StageLayers {
  readonly name: string;
  readonly index: number;
  readonly layers: readonly Layer[];
  /** The stage's entry alone. */
  readonly own: Layer;
}

/** A config's layers, taken apart into what all stages share and what each of them is. */
export interface SplitLayers {
  readonly base: readonly Layer[];
  readonly stages: readonly StageLayers[];
}

/**
 * Takes `stages` out of the layers. A stage's entry lies on top of the files (what it extends below it) and below `onTop` (the program's
 * values and `--set`); `--set stages.NAME.key=value` reaches one stage.
 */
export async function splitStages(files: readonly Layer[], onTop: readonly Layer[], options: ReadOptions, findings: Finding[]): Promise<SplitLayers> {
  const all = [...files, ...onTop];
  const base = all.map(withoutStages);
  const listed = all.findLast((layer) => Array.isArray(stagesOf(layer)));
  const odd = all.find((layer) => stagesOf(layer) !== undefined && stagesOf(layer) !== null && !Array.isArray(stagesOf(layer)) && (listed === undefined || !onTop.includes(layer)));
  if (odd !== undefined) findings.push(problem(odd, ["stages"], "stages is no list", "Write a list of stages, each with a name: stages: [{ name: align, ... }]."));
  if (listed === undefined) return { base: byOrigin(base), stages: [] };
  const entries = stagesOf(listed) as readonly unknown[];
  if (entries.length === 0) findings.push(problem(listed, ["stages"], "stages is empty", "Name at least one stage, or remove the key."));
  const stages: StageLayers[] = [];
  for (const [index, entry] of entries.entries()) {
    const name = stageName(listed, index, entry, stages.map((stage) => stage.name), findings);
    if (name === undefined) continue;
    const own = stageLayer(listed, index, entry as Record<string, unknown>);
    reportSharedKeys(listed, index, entry as Record<string, unknown>, name, findings);
    const bases = own.file === undefined ? [] : await readBases(own, own.file, [], options, findings);
    const narrow = onTop.flatMap((layer) => overridesOf(layer, [name, String(index)]));
    stages.push({ name, index, own, layers: byOrigin([...files.map(withoutStages), ...bases, own, ...onTop.map(withoutStages), ...narrow]) });
  }
  for (const layer of onTop) reportUnknownStages(layer, stages, findings);
  return { base: byOrigin(base), stages };
}

/** Presets below what users wrote, whichever is named first; otherwise the order stays. */
export function byOrigin(layers: readonly Layer[]): readonly Layer[] {
  return [...layers.filter(({ origin }) => origin === "preset"), ...layers.filter(({ origin }) => origin !== "preset")];
}

/** A stage as messages and edits see it. */
export interface StagePlace {
  readonly name: string;
  readonly index: number;
  /** Settings of the stage's own entry. */
  readonly own: readonly Setting[];
}

/**
 * Findings of all stages as findings of the config: what every stage has is said once; what some have names them. Edits of a stage's own
 * keys are aimed at its entry; where an edit's place is not certain, there is none.
 */
export function joinStageFindings(stages: readonly { readonly stage: StagePlace; readonly findings: readonly Finding[] }[]): readonly Finding[] {
  const joined = new Map<string, { readonly finding: Finding; readonly names: string[] }>();
  for (const { stage, findings } of stages) {
    for (const original of findings) {
      const finding = placed(original, stage);
      const key = JSON.stringify(finding);
      const known = joined.get(key);
      if (known === undefined) joined.set(key, { finding, names: [stage.name] });
      else if (!known.names.includes(stage.name)) known.names.push(stage.name);
    }
  }
  return [...joined.values()].map(({ finding, names }) => {
    if (names.length === stages.length && stages.length > 1) return finding;
    return { ...finding, message: `${names.length === 1 ? "Stage" : "Stages"} ${names.join(", ")}: ${finding.message}` };
  });
}

function placed(finding: Finding, { index, own }: StagePlace): Finding {
  const { edit, settings } = finding;
  if (edit === undefined) return finding;
  const owned = settings.filter((setting) => own.some((one) => one.file === setting.file && one.line === setting.line && one.path === setting.path));
  if (owned.length === 0) return finding;
  const { edit: _edit, ...rest } = finding;
  return owned.length === settings.length ? { ...finding, edit: { ...edit, path: `stages.${index}.${edit.path}` } } : rest;
}

function stagesOf(layer: Layer): unknown {
  return typeof layer.value === "object" && layer.value !== null ? (layer.value as Record<string, unknown>)["stages"] : undefined;
}

function withoutStages(layer: Layer): Layer {
  if (stagesOf(layer) === undefined) return layer;
  const { stages: _stages, ...value } = layer.value as Record<string, unknown>;
  return { ...layer, value };
}

function stageLayer(layer: Layer, index: number, entry: Record<string, unknown>): Layer {
  const { name: _name, ...rest } = entry;
  const value = Object.fromEntries(Object.entries(rest).filter(([key]) => !SHARED_KEYS.includes(toCamel(key))));
  return { ...layer, value, locate: (path, part) => layer.locate(["stages", String(index), ...path], part) };
}

function stageName(layer: Layer, index: number, entry: unknown, earlier: readonly string[], findings: Finding[]): string | undefined {
  const path = ["stages", String(index)];
  const name = typeof entry === "object" && entry !== null ? (entry as Record<string, unknown>)["name"] : undefined;
  if (typeof name !== "string") findings.push(problem(layer, path, `Stage ${index + 1} has no name`, "Add name: align, or another word; the stage's folder is named after it."));
  else if (!/^\w[\w.-]*$/.test(name)) findings.push(problem(layer, [...path, "name"], `${JSON.stringify(name)} cannot name a stage`, "Use letters, digits, dots, dashes and underscores."));
  else if (earlier.includes(name)) findings.push(problem(layer, [...path, "name"], `Two stages are named ${name}`, "Give them different names."));
  else return name;
  return undefined;
}

function reportSharedKeys(layer: Layer, index: number, entry: Record<string, unknown>, name: string, findings: Finding[]): void {
  for (const key of Object.keys(entry)) {
    if (!SHARED_KEYS.includes(toCamel(key))) continue;
    findings.push(problem(layer, ["stages", String(index), key], `${key} stands inside of stage ${name}`, `Write ${key} outside of stages: it is the same for all of them.`));
  }
}

/** `--set stages.NAME.key=value` or `stages.INDEX.key`. */
function overridesOf(layer: Layer, keys: readonly string[]): readonly Layer[] {
  const stages = stagesOf(layer);
  if (typeof stages !== "object" || stages === null || Array.isArray(stages)) return [];
  return keys.flatMap((key) => (Object.hasOwn(stages, key) ? [{ ...layer, value: (stages as Record<string, unknown>)[key] }] : []));
}

function reportUnknownStages(layer: Layer, stages: readonly StageLayers[], findings: Finding[]): void {
  const given = stagesOf(layer);
  if (typeof given !== "object" || given === null || Array.isArray(given)) return;
  const known = stages.flatMap(({ name, index }) => [name, String(index)]);
  for (const key of Object.keys(given)) if (!known.includes(key)) findings.push(problem(layer, ["stages", key], `There is no stage ${key}`, `Stages are: ${stages.map(({ name }) => name).join(", ")}.`));
}

function problem(layer: Layer, path: readonly string[], what: string, fix: string): Finding {
  const position = locateNearest(layer, path, "value");
  const setting = { path: path.join("."), value: undefined, origin: layer.origin, ...(layer.file === undefined ? {} : { file: layer.file }), ...(position === undefined ? {} : { line: position.line }) };
  return { rule: "config", severity: "error", message: `${what} (${describePlace(layer, position)}).`, fix, settings: [setting] };
}
