import type { BatchSource, Claims, Model, Setting } from "@thaw/contracts";
import { settingsOf, Trainer, type Plugin, type TrainingOptions } from "@thaw/core";
import conflictChecker, { type ConflictCheckerOptions } from "@thaw/plugin-conflict-checker";
import freezePolicy, { type FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import { parse } from "yaml";
import { stubModel } from "./stub-model.js";
import { settingsOfYaml } from "./yaml-settings.js";

/** What a planned config may be tried with. */
export interface PlanYamlOptions {
  readonly model?: Model;
  /** Settings of an `extends` package. */
  readonly preset?: string;
  readonly plugins?: readonly Plugin[];
  readonly train?: Partial<BatchSource>;
}

/** Plans a config text on a stub model with the freeze policy and the conflict checker, as the cli would. */
export async function planYaml(text: string, options: PlanYamlOptions = {}) {
  const preset =
    options.preset === undefined ? [] : settingsOfYaml(options.preset, { origin: "preset", file: "preset.yaml" });
  const settings: readonly Setting[] = [...preset, ...settingsOfYaml(text)].filter(({ path }) => path !== "");
  const section = (key: string) => settings.filter(({ path }) => path.split(".")[0] === key);
  const values = camel(merge(parse(options.preset ?? ""), parse(text))) as Record<string, unknown>;
  const trainer = new Trainer({
    model: options.model ?? stubModel(),
    training: (values["training"] ?? {}) as TrainingOptions,
    settings,
    plugins: [
      freezePolicy(values["freeze"] as FreezePolicyOptions | undefined, section("freeze")),
      conflictChecker(values["checks"] as ConflictCheckerOptions | undefined, section("checks")),
      ...(options.plugins ?? []),
    ],
    ...(options.train === undefined
      ? {}
      : {
          data: {
            train: {
              name: "train",
              sampleCount: 64,
              augmentations: [],
              batches: () => {
                throw new Error("not read");
              },
              close: () => Promise.resolve(),
              ...options.train,
            },
          },
        }),
  });
  return { trainer, result: await trainer.plan() };
}

/** A plugin that does nothing but claim. */
export function claimingPlugin(
  name: string,
  claims: Claims,
  settings: readonly Setting[] = settingsOf(name, undefined),
): Plugin {
  return { name, apiVersion: 1, claims, settings, apply: () => undefined };
}

function merge(base: unknown, over: unknown): unknown {
  if (over === null || over === undefined) return base ?? {};
  if (typeof over !== "object" || Array.isArray(over) || typeof base !== "object" || base === null) return over;
  const entries = Object.entries(over).map(
    ([key, value]) => [key, merge((base as Record<string, unknown>)[key], value)] as const,
  );
  return { ...base, ...Object.fromEntries(entries) };
}

/** Keys in camel case but below `components` and `rules`, where they are data. */
function camel(value: unknown, parent?: string): unknown {
  if (Array.isArray(value)) return value.map((item) => camel(item));
  if (value === null || typeof value !== "object") return value;
  const isData = parent === "components" || parent === "rules";
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const name = isData ? key : key.replaceAll(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      return [name, camel(inner, isData ? undefined : name)];
    }),
  );
}
