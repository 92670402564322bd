import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isOnHub, readForeign, resolveModel, type ForeignConfig } from "@thaw/config";
import { ThawError, Trainer, type Finding, type Model, type TrainingOptions } from "@thaw/core";
import { openModel, placeholderModel } from "@thaw/models";
import { conflictChecker } from "@thaw/plugin-conflict-checker";
import { foreignFreezePolicy } from "@thaw/plugin-freeze-policy";
import { plannedModel } from "../hub/planned-config.js";
import type { Planning } from "./plan-run.js";

/** The config of another tool at a path; undefined for anything else, also for what does not exist. */
export function readForeignFile(path: string | undefined): ForeignConfig | undefined {
  if (path === undefined || !existsSync(path) || !statSync(path).isFile()) return undefined;
  return readForeign(readFileSync(path, "utf8"), resolve(path));
}

/**
 * Judges another tool's config by the same rules, in its words. Models and data sets that are not local are not errors.
 */
export async function planForeign(config: ForeignConfig): Promise<Planning> {
  const { model, findings } = await modelOf(config);
  const planned = await new Trainer({
    model,
    plugins: [foreignFreezePolicy(config.settings, config.words), conflictChecker()],
    training: trainingOf(config),
    settings: config.settings,
  }).plan();
  const all = [...findings, ...config.findings, ...planned.findings];
  return { ...(model.isPlaceholder === true ? {} : { planned }), findings: all };
}

async function modelOf(
  config: ForeignConfig,
): Promise<{ readonly model: Model; readonly findings: readonly Finding[] }> {
  const name = typeof config.model?.value === "string" ? config.model.value : "the model";
  const folder = [resolve(name), resolve(dirname(config.file), name)].find((path) =>
    existsSync(join(path, "config.json")),
  );
  if (folder !== undefined) {
    try {
      return { model: await openModel(folder), findings: [] };
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      const finding: Finding = {
        rule: "config",
        severity: "note",
        message: error.message,
        fix: "Only the settings were checked.",
        settings: config.model === undefined ? [] : [config.model],
      };
      return { model: placeholderModel(name), findings: [finding] };
    }
  }
  const settings = config.model === undefined ? [] : [config.model];
  const onHub = resolveModel(name, dirname(config.file));
  let reason = `${name} is not a local folder`;
  if (isOnHub(onHub))
    try {
      return { model: await openModel(await plannedModel(onHub), { hubName: name }), findings: [] };
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      reason = error.message.replace(/\.$/, "");
    }
  const note: Finding = {
    rule: "config",
    severity: "note",
    message: `${reason}, so what needs a checkpoint was not checked.`,
    fix: "Name a checkpoint folder, or a model of the hub, to check everything.",
    settings,
  };
  return { model: placeholderModel(name), findings: [note] };
}

/** The training options that the settings mean, as far as rules judge them. */
function trainingOf({ settings }: ForeignConfig): TrainingOptions {
  const training: Record<string, unknown> = {};
  for (const { means } of settings) {
    const [section, ...path] = means?.path.split(".") ?? [];
    if (section !== "training" || means === undefined) continue;
    const parent = path
      .slice(0, -1)
      .reduce<Record<string, unknown>>((at, key) => (at[key] ??= {}) as Record<string, unknown>, training);
    parent[path.at(-1)!] = means.value;
  }
  return training as TrainingOptions;
}
