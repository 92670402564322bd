import { CORE_PROVIDER, Registry, trackersSchemaOf, trainingSchemaOf } from "@thaw/core";
import { z } from "zod";
import type { ConfigOptions } from "./option-types.js";

/** A path relative to the file that names it; made absolute when the config is resolved. */
const path = z.string().min(1).meta({ format: "path" });
const folder = z.string().min(1).meta({
  format: "model",
  description: "A Hugging Face checkpoint: its folder, or its name on the hub (org/name, org/name@revision).",
});
const modelSchema = z.union([
  folder,
  z.strictObject({
    path: folder,
    initialize: z
      .union([z.literal("all"), z.array(z.string())])
      .optional()
      .describe("Components whose parameters start from fresh random values instead of the checkpoint's."),
    components: z
      .record(z.string(), z.array(z.string()).min(1))
      .optional()
      .describe("Component to name prefixes, for model types that Thaw has no table for."),
    ignored: z.array(z.string()).optional().describe("Name prefixes in the files that are not parameters."),
    startFrom: path.optional().meta({
      format: "path",
      description: "A finished run's folder or a safetensors file, whose parameters replace the checkpoint's.",
    }),
  }),
]);

/** What a run folder says of where its config came from. */
export const savedSchema = z.looseObject({
  file: z.string().optional(),
  stage: z.string().optional(),
  hasCode: z.boolean().optional(),
  overrides: z.array(z.string()).optional(),
  settings: z
    .array(
      z.looseObject({
        path: z.string(),
        origin: z.enum(["explicit", "preset", "default"]),
        file: z.string().optional(),
        line: z.number().optional(),
      }),
    )
    .optional(),
});

/**
 * The top-level keys that neither a plugin nor the host (`data`) owns. Strict; sections are checked by their own
 * schemas.
 */
export const configSchema = configSchemaOf(new Registry([CORE_PROVIDER]));

/** The same for a config whose plugins provide this. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types
export function configSchemaOf(registry: Registry) {
  return z
    .strictObject({
      model: modelSchema.describe(
        "The Hugging Face checkpoint that is trained: its folder, its name on the hub, or a mapping with its path.",
      ),
      training: trainingSchemaOf({ optimizers: registry.all("optimizers"), schedules: registry.all("schedules") })
        .prefault({})
        .describe("How it is trained."),
      trackers: trackersSchemaOf(registry.all("trackers"))
        .default([])
        .describe("Who is told of the run while it goes on, each with its own options; see the page on trackers."),
      output: path.default("./runs").meta({ format: "path", description: "Folder that run folders are made in." }),
      runName: z
        .string()
        .regex(/^[\w.-]+$/, "letters, digits, dot, dash and underscore only")
        .default("run")
        .describe("First part of the run folder's name."),
      seed: z
        .number()
        .int()
        .nonnegative()
        .default(0)
        .describe("Of the sample order, of dropout and of new parameters."),
      plugins: z
        .array(z.unknown())
        .default([])
        .describe("Names, paths (from this file), or plugin objects in TypeScript."),
      extends: z
        .union([z.string(), z.array(z.string())])
        .optional()
        .describe("Paths (as if written here) or packages (presets) that this config builds on."),
      stages: z
        .array(
          z.looseObject({
            name: z.string().describe("What the stage's folder, messages and --set stages.NAME.key=value call it."),
          }),
        )
        .optional()
        .describe(
          "Runs one after the other, each with what all before it trained; a stage holds what differs from the " +
            "rest of the config.",
        ),
      $schema: z
        .string()
        .optional()
        .describe("Path of the JSON schema, for editors: what thaw config --schema prints."),
      $saved: z
        .looseObject({})
        .superRefine((value, context) => {
          for (const { path, message } of savedSchema.safeParse(value).error?.issues ?? [])
            context.addIssue({ code: "custom", path, message });
        })
        .optional()
        .describe("Written into run folders: where the settings came from."),
    })
    .meta({ title: "Thaw config" });
}

/** Sections of the host and of plugins, by config key; packages that bring some add theirs by declaration merging. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface ConfigSections {}

/** What a config says outside of sections, camelCase, defaults filled in. */
export type ResolvedValues = Omit<
  z.output<typeof configSchema>,
  "extends" | "plugins" | "stages" | "$schema" | "$saved"
>;

/** A config as users write it in TypeScript. */
export type ThawConfig = ConfigOptions & ConfigSections & { readonly [section: string]: unknown };

/** Types a `thaw.config.ts`; returns what it is given. */
export function defineConfig(config: ThawConfig): ThawConfig {
  return config;
}
