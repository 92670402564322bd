import {
  outermost,
  type Finding,
  type Plan,
  type PlanPhase,
  type Rule,
  type RuleContext,
  type Setting,
} from "@thaw/core";
import type { ResolvedProjectorOnlyOptions } from "./options.js";

/** Share of samples without image above which a run that trains the projector alone wastes its time. */
export const TEXT_ONLY_LIMIT = 0.25;

const CACHE_KEY = "projectorOnly.featureCache";

const TRAINABLE_TOWER_DOCS = `Kept features are right only while the segment that makes them is frozen. \`auto\` uses
the cache exactly then.

\`\`\`yaml config expects=cache-with-trainable-tower
freeze:
  components:
    vision_tower: { match: [layers.0] }
projector_only: { feature_cache: on }
\`\`\`

Where the tower is unfrozen by a schedule, the cache is used until then and this is a note that says at which step it
is dropped.
`;

const OTHERS_TRAINED_DOCS = `\`required: true\` says that the run is meant to train the projector alone: with it, a
changed flag cannot silently turn a cheap run into an expensive one.

\`\`\`yaml config expects=projector-only-with-others-trained
freeze:
  freeze_multi_modal_projector: false
projector_only: { required: true }
\`\`\`

\`\`\`yaml config expects=none
freeze:
  train_mm_proj_only: true
projector_only: { required: true }
\`\`\`
`;

/** The rules about this plugin's own options, for the conflict checker. */
export function projectorOnlyRules(
  options: ResolvedProjectorOnlyOptions,
  settings: readonly Setting[],
): Rule<RuleContext>[] {
  const cacheSettings = settingsNamed(settings, "featurecache");
  const isCacheOn = options.featureCache.mode === "on";
  return [
    {
      id: "cache-with-trainable-tower",
      defaultSeverity: "error",
      summary: "A feature cache against a tower that trains.",
      docs: TRAINABLE_TOWER_DOCS,
      check: (context) => (isCacheOn ? trainableTower(context, cacheSettings) : []),
    },
    {
      id: "cache-with-random-augmentation",
      defaultSeverity: "error",
      summary: "A feature cache against random crop, flip or colour.",
      docs:
        "A random change makes a new image each time, so no feature is ever asked for twice. `featureCache: auto` " +
        "leaves the cache off while training then. With `augment.views` each image has so many fixed pictures, " +
        "whose features are kept.",
      check: (context) => (isCacheOn ? randomAugmentation(context, cacheSettings) : []),
    },
    {
      id: "projector-only-with-others-trained",
      defaultSeverity: "error",
      summary: "`projectorOnly.required` while something else trains.",
      docs: OTHERS_TRAINED_DOCS,
      check: (context) => (options.required ? othersTrained(context, settingsNamed(settings, "required")) : []),
    },
    {
      id: "projector-only-without-images",
      defaultSeverity: "warning",
      summary: "Only the projector trains, but many samples have no image.",
      docs: "A sample without image gives the projector no gradient: its forward pass is for nothing.",
      check: (context) => withoutImages(context),
    },
  ];
}

/** Settings whose key, spelt in either case, is or lies below `name` (lower case, no underscore). */
function settingsNamed(settings: readonly Setting[], name: string): readonly Setting[] {
  return settings.filter(({ path }) => path.toLowerCase().replace(/_/g, "").split(".").includes(name));
}

/** The setting as the user spelt it, or as documented where they did not write it. */
function spelled(settings: readonly Setting[], otherwise: string): string {
  return settings[0]?.path ?? otherwise;
}

/** Components with a trained parameter among `names` (all if absent) in a phase. */
function trainedComponents(phase: PlanPhase, names?: ReadonlySet<string>): string[] {
  const trained = phase.entries.filter((entry) => entry.trainable && (names === undefined || names.has(entry.name)));
  return [...new Set(trained.map((entry) => entry.component))];
}

function reasonSettings(phase: PlanPhase, components: readonly string[]): readonly Setting[] {
  const settings = phase.entries
    .filter((entry) => entry.trainable && components.includes(entry.component))
    .flatMap((entry) => entry.reason.settings);
  return [
    ...new Map(
      settings.map((setting) => [JSON.stringify([setting.path, setting.file, setting.line]), setting]),
    ).values(),
  ];
}

function trainableTower(context: RuleContext, cacheSettings: readonly Setting[]): Finding[] {
  const findings: Finding[] = [];
  const readers = context.model.segments.filter((segment) => segment.reads.length > 0 && segment.after.length === 0);
  for (const segment of outermost(readers)) {
    const names = new Set(segment.parameters);
    const index = context.plan.phases.findIndex((phase) => trainedComponents(phase, names).length > 0);
    if (index < 0) continue;
    const phase = context.plan.phases[index]!;
    const settings = [...cacheSettings, ...reasonSettings(phase, trainedComponents(phase, names))];
    findings.push(
      index === 0
        ? {
            rule: "cache-with-trainable-tower",
            severity: "error",
            message: `The feature cache is on, but ${segment.name} trains, so its features change with every step.`,
            fix: `Set ${spelled(cacheSettings, CACHE_KEY)} to auto, or freeze ${segment.name}.`,
            settings,
          }
        : {
            rule: "cache-with-trainable-tower",
            severity: "note",
            message:
              `The feature cache of ${segment.name} is dropped at step ${phase.fromStep}, ` +
              "where it begins to train.",
            fix: "Nothing needs to change.",
            settings,
          },
    );
  }
  return findings;
}

function randomAugmentation(context: RuleContext, settings: readonly Setting[]): Finding[] {
  const augmented = [...context.sources].filter(
    ([, source]) => source.augmentations.length > 0 && source.views === undefined,
  );
  return augmented.map(([name, source]) => ({
    rule: "cache-with-random-augmentation",
    severity: "error",
    message:
      `The feature cache is on, but the images of ${name} change at random (${source.augmentations.join(", ")}), ` +
      "so no feature is asked for twice.",
    fix:
      `Set ${spelled(settings, CACHE_KEY)} to auto or off, give augment.views (fixed pictures of each image), or ` +
      "take the augmentation out.",
    settings,
  }));
}

const isProjector = (component: string): boolean => /(^|_)projector$/.test(component);

function allTrained(plan: Plan): string[] {
  return [...new Set(plan.phases.flatMap((phase) => trainedComponents(phase)))];
}

function othersTrained(context: RuleContext, requiredSettings: readonly Setting[]): Finding[] {
  const others = allTrained(context.plan).filter((component) => !isProjector(component));
  if (others.length === 0) return [];
  const settings = [...requiredSettings, ...context.plan.phases.flatMap((phase) => reasonSettings(phase, others))];
  return [
    {
      rule: "projector-only-with-others-trained",
      severity: "error",
      message:
        `Only the projector may train (${spelled(requiredSettings, "projectorOnly.required")}: true), but ` +
        `${others.join(" and ")} ${others.length === 1 ? "trains" : "train"} too.`,
      fix: `Freeze ${others.join(" and ")}, or set ${spelled(requiredSettings, "projectorOnly.required")} to false.`,
      settings,
    },
  ];
}

function withoutImages(context: RuleContext): Finding[] {
  const share = context.sources.get("train")?.textOnlyShare ?? 0;
  const trained = allTrained(context.plan);
  if (share <= TEXT_ONLY_LIMIT || trained.length === 0 || !trained.every(isProjector)) return [];
  return [
    {
      rule: "projector-only-without-images",
      severity: share === 1 ? "error" : "warning",
      message:
        `Only the projector trains, but ${Math.round(100 * share)}% of the training samples have no image, so they ` +
        "teach it nothing.",
      fix: "Take samples without image out of the training set.",
      settings: [],
    },
  ];
}
