import { toCamelCase, type Finding, type Setting } from "@thaw/core";
import { describePlace, locateNearest, type Layer } from "../reading/layer.js";
import { readBases, type ReadOptions } from "../reading/read-layers.js";

/** Keys that are the same for all stages, so that they stand outside of them. */
export const SHARED_KEYS: readonly string[] = ["model", "output", "runName", "plugins", "seed", "stages"];

/** What one stage is read from, what wins last. */
export interface StageLayers {
  readonly name: string;
  readonly index: number;
  readonly layers: readonly Layer[];
  /** What is said of this stage alone, in files, with where it stands there. */
  readonly own: readonly OwnLayer[];
}

/** A part of a layer that is about one stage. */
interface OwnLayer {
  readonly layer: Layer;
  /** `stages.0`, `stages.align`. */
  readonly prefix: string;
}

/** A config's layers, taken apart into what all stages share and what each of them is. */
export interface SplitLayers {
  readonly base: readonly Layer[];
  readonly stages: readonly StageLayers[];
}

/**
 * Takes `stages` out of the layers. A stage's entry lies on top of the files (what it extends below it) and below
 * `onTop` (the program's values and `--set`). Over a list of stages that a base or preset gives, a mapping `stages: {
 * NAME: { ... } }` adds to single stages; so does `--set stages.NAME.key=value`.
 */
export async function splitStages(
  files: readonly Layer[],
  onTop: readonly Layer[],
  options: ReadOptions,
  findings: Finding[],
): Promise<SplitLayers> {
  const all = [...files, ...onTop];
  const base = all.map(withoutStages);
  const listed = all.findLast((layer) => Array.isArray(stagesOf(layer)));
  const after = listed === undefined ? [] : all.slice(all.indexOf(listed) + 1);
  const odd = all.find(
    (layer) =>
      ![undefined, null].includes(stagesOf(layer) as null) &&
      !Array.isArray(stagesOf(layer)) &&
      (!after.includes(layer) || typeof stagesOf(layer) !== "object"),
  );
  if (odd !== undefined)
    findings.push(
      problem(
        odd,
        ["stages"],
        "stages is not a list",
        "Write a list of stages, each with a name: stages: [{ name: align, ... }].",
      ),
    );
  if (listed === undefined) return { base: byOrigin(base), stages: [] };
  const entries = stagesOf(listed) as readonly unknown[];
  if (entries.length === 0)
    findings.push(problem(listed, ["stages"], "stages is empty", "Name at least one stage, or remove the key."));
  const stages: StageLayers[] = [];
  for (const [index, entry] of entries.entries()) {
    const name = stageName(
      listed,
      index,
      entry,
      stages.map((stage) => stage.name),
      findings,
    );
    if (name === undefined) continue;
    const narrow = after.flatMap((layer) => [name, String(index)].flatMap((key) => partOf(layer, key, findings)));
    const own = [...partOf(listed, String(index), findings), ...narrow];
    const isOnTop = ({ layer }: OwnLayer): boolean => layer.file === undefined && listed.file !== undefined;
    const layers: Layer[] = files.map(withoutStages);
    for (const { layer } of own.filter((part) => !isOnTop(part)))
      layers.push(
        ...(layer.file === undefined ? [] : await readBases(layer, layer.file, [], options, findings)),
        layer,
      );
    layers.push(...onTop.map(withoutStages), ...own.filter(isOnTop).map(({ layer }) => layer));
    stages.push({ name, index, own, layers: byOrigin(layers) });
  }
  for (const layer of after) reportUnknownStages(layer, stages, findings);
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
  /** Settings that are about this stage alone, with the path in their file that is left out of theirs. */
  readonly own: readonly { readonly setting: Setting; readonly prefix: string }[];
}

/**
 * Findings of all stages as findings of the config: what every stage has is said once; what some have names them. Edits
 * of a stage's own keys are aimed at its entry; where an edit's place is not certain, there is none.
 */
export function joinStageFindings(
  stages: readonly { readonly stage: StagePlace; readonly findings: readonly Finding[] }[],
): readonly Finding[] {
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
    return {
      ...finding,
      message: `${names.length === 1 ? "Stage" : "Stages"} ${names.join(", ")}: ${finding.message}`,
    };
  });
}

function placed(finding: Finding, { own }: StagePlace): Finding {
  const { edit, settings } = finding;
  if (edit === undefined) return finding;
  const prefixes = new Set(
    settings.map(
      (setting) =>
        own.find(
          (one) =>
            one.setting.file === setting.file && one.setting.line === setting.line && one.setting.path === setting.path,
        )?.prefix,
    ),
  );
  const [prefix] = prefixes;
  if (prefixes.size <= 1 && prefix === undefined) return finding;
  const { edit: _edit, ...rest } = finding;
  return prefixes.size === 1 ? { ...finding, edit: { ...edit, path: `${prefix}.${edit.path}` } } : rest;
}

function stagesOf(layer: Layer): unknown {
  return typeof layer.value === "object" && layer.value !== null
    ? (layer.value as Record<string, unknown>)["stages"]
    : undefined;
}

function withoutStages(layer: Layer): Layer {
  if (stagesOf(layer) === undefined) return layer;
  const { stages: _stages, ...value } = layer.value as Record<string, unknown>;
  return { ...layer, value };
}

/** What a layer says of one stage, by its place in the list or by its name in a mapping. */
function partOf(layer: Layer, key: string, findings: Finding[]): readonly OwnLayer[] {
  const stages = stagesOf(layer);
  const entry =
    typeof stages === "object" && stages !== null && Object.hasOwn(stages, key)
      ? (stages as Record<string, unknown>)[key]
      : undefined;
  if (entry === undefined || entry === null) return [];
  if (typeof entry !== "object" || Array.isArray(entry)) {
    findings.push(
      problem(
        layer,
        ["stages", key],
        `Stage ${key} is not a mapping`,
        "Write what differs in this stage: { training: { max_steps: 100 } }.",
      ),
    );
    return [];
  }
  const shared = Object.keys(entry).filter((name) => SHARED_KEYS.includes(toCamelCase(name)));
  for (const name of shared)
    findings.push(
      problem(
        layer,
        ["stages", key, name],
        `${name} stands inside of a stage`,
        `Write ${name} outside of stages: it is the same for all of them.`,
      ),
    );
  const value = Object.fromEntries(Object.entries(entry).filter(([name]) => name !== "name" && !shared.includes(name)));
  return [
    {
      prefix: `stages.${key}`,
      layer: { ...layer, value, locate: (path, part) => layer.locate(["stages", key, ...path], part) },
    },
  ];
}

function stageName(
  layer: Layer,
  index: number,
  entry: unknown,
  earlier: readonly string[],
  findings: Finding[],
): string | undefined {
  const path = ["stages", String(index)];
  const name = typeof entry === "object" && entry !== null ? (entry as Record<string, unknown>)["name"] : undefined;
  if (typeof name !== "string")
    findings.push(
      problem(
        layer,
        path,
        `Stage ${index + 1} has no name`,
        "Add name: align, or another word; the stage's folder is named after it.",
      ),
    );
  else if (!/^\w[\w.-]*$/.test(name))
    findings.push(
      problem(
        layer,
        [...path, "name"],
        `${JSON.stringify(name)} cannot name a stage`,
        "Use letters, digits, dots, dashes and underscores.",
      ),
    );
  else if (earlier.includes(name))
    findings.push(problem(layer, [...path, "name"], `Two stages are named ${name}`, "Give them different names."));
  else return name;
  return undefined;
}

function reportUnknownStages(layer: Layer, stages: readonly StageLayers[], findings: Finding[]): void {
  const given = stagesOf(layer);
  if (typeof given !== "object" || given === null || Array.isArray(given)) return;
  const known = stages.flatMap(({ name, index }) => [name, String(index)]);
  for (const key of Object.keys(given))
    if (!known.includes(key))
      findings.push(
        problem(
          layer,
          ["stages", key],
          `There is no stage ${key}`,
          `Stages are: ${stages.map(({ name }) => name).join(", ")}.`,
        ),
      );
}

function problem(layer: Layer, path: readonly string[], what: string, fix: string): Finding {
  const position = locateNearest(layer, path, "value");
  const setting = {
    path: path.join("."),
    value: undefined,
    origin: layer.origin,
    ...(layer.file === undefined ? {} : { file: layer.file }),
    ...(position === undefined ? {} : { line: position.line }),
  };
  return {
    rule: "config",
    severity: "error",
    message: `${what} (${describePlace(layer, position)}).`,
    fix,
    settings: [setting],
  };
}
