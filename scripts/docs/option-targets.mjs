/** Which types of options are made of which schemas, into which files; see option-types.mjs. Paths are in packages/. */
import { z } from "zod";
import { trackersSchemaOf } from "../../packages/core/dist/index.js";
import { COMMON_OPTIONS } from "../../packages/data/dist/formats/options.js";

/** A plugin's own section. */
const section = (name, types) => ({
  schemas: `${name}/dist/options.js`,
  file: `${name}/src/option-types.ts`,
  types,
});

/**
 * `types`: schemas by the type's name. `keys`: keys whose type has a name of its own, or stands in another file.
 * `provides`: the module whose provided options these are, for what a plugin's package brings.
 */
export const TARGETS = [
  section("plugin-freeze-policy", { FreezePolicyOptions: "freezeSchema" }),
  section("plugin-lora", { LoraSectionOptions: "loraSectionSchema" }),
  section("plugin-token-rows", { TokenRowsOptions: "tokenRowsSchema" }),
  section("plugin-projector-only", { ProjectorOnlyOptions: "projectorOnlySchema" }),
  section("plugin-conflict-checker", { ConflictCheckerOptions: "checksSchema" }),
  section("backend-gpu", { BackendOptions: "backendOptionsSchema" }),
  {
    schemas: "core/dist/api/options.js",
    file: "core/src/api/generated/option-types.ts",
    types: { TrainingOptions: "trainingSchema" },
    keys: {
      components: { name: "ComponentTraining" },
      stopWhen: { name: "StopWhenOptions" },
      keep: { name: "KeepOptions" },
    },
  },
  {
    schemas: "data/dist/index.js",
    file: "data/src/formats/generated/option-types.ts",
    types: {
      CommonOptions: () => z.strictObject(COMMON_OPTIONS).describe("What every data set may have."),
      DataSetOptions: ({ sourceSchemaOf, BUILT_IN_FORMATS }) => sourceSchemaOf(BUILT_IN_FORMATS),
    },
    keys: { augment: { name: "AugmentOptions" } },
  },
  {
    schemas: "plugin-captions/dist/index.js",
    file: "plugin-captions/src/choosing/option-types.ts",
    types: { MetricChoice: ({ metricsSchemaOf, METRICS }) => metricsSchemaOf(METRICS).element.options[1] },
    provides: "@thaw/core",
  },
  {
    schemas: "plugin-trackers/dist/plugin.js",
    file: "plugin-trackers/src/option-types.ts",
    types: { TrackerChoice: ({ trackers }) => trackersSchemaOf(trackers().provides.trackers).element },
    provides: "@thaw/core",
  },
  {
    schemas: "cli/dist/config/data-section.js",
    file: "cli/src/config/option-types.ts",
    types: { DataSectionOptions: "dataSectionSchema" },
    keys: {
      split: { name: "SplitOptions" },
      metrics: { name: "MetricOptions", type: "MetricOptions[]", from: "@thaw/plugin-captions" },
    },
  },
  {
    schemas: "config/dist/checking/schema.js",
    file: "config/src/checking/option-types.ts",
    types: { ConfigOptions: "configSchema" },
    keys: {
      model: { name: "ModelOptions" },
      stages: { name: "StageOptions" },
      $saved: { name: "SavedConfig" },
      training: { name: "TrainingOptions", from: "@thaw/core" },
      trackers: { name: "ConfiguredTracker", type: "ConfiguredTracker[]", from: "../resolving/secrets.js" },
    },
  },
];

/**
 * Unions by `type`: the ends of their members' names, the interface that plugins add their own types to, and what these
 * may have in common.
 */
export const UNIONS = {
  ScheduleOptions: {
    about: "A schedule of the learning rate, of Thaw's own or of a plugin's.",
    suffix: "Schedule",
    provided: "ProvidedSchedules",
  },
  OptimizerOptions: {
    about: "An optimizer, of Thaw's own or of a plugin's.",
    suffix: "Optimizer",
    provided: "ProvidedOptimizers",
  },
  DataSetOptions: {
    about: "A data set of one of Thaw's own formats or of a plugin's.",
    suffix: "Set",
    provided: "ProvidedFormats",
    common: "CommonOptions",
  },
  MetricChoice: { suffix: "Metric", provided: "ProvidedMetrics" },
  TrackerChoice: { suffix: "Tracker", provided: "ProvidedTrackers" },
};

/** Shapes with a title: the type that they are, and where it is declared if not in the file that needs it. */
export const DECLARED_ELSEWHERE = {
  Schedule: { name: "ScheduleOptions" },
  Optimizer: { name: "OptimizerOptions" },
  "Data source": { name: "SourceOptions", from: "@thaw/data" },
  "One of several data sources": { name: "MixedSource", from: "@thaw/data" },
  "Evaluation set": { name: "EvaluationSetOptions", from: "./evaluation-set.js" },
};
