import type { PlannedContext } from "../api/contexts.js";
import type { TrainerParts } from "./trainer-parts.js";

/** The plugin that answered a bail hook: those after it were not asked. */
export function lastCalled(watch: TrainerParts["watch"], hook: string): string | undefined {
  return watch.describe().findLast((tap) => tap.hook === hook && tap.callCount > 0)?.plugin;
}

/** What a report on parameters without gradient names: segments, owners, and plugins that could be the cause. */
export function deadGradientFacts({ watch }: TrainerParts, { model, owners }: PlannedContext) {
  const taps = watch.describe();
  const pluginsOf = (hook: string): readonly string[] => [
    ...new Set(taps.filter((tap) => tap.hook === hook).map(({ plugin }) => plugin)),
  ];
  return {
    segments: model.segments,
    deadParameters: model.deadParameters,
    owners,
    plugins: { scope: pluginsOf("scope"), loss: pluginsOf("loss"), gradients: pluginsOf("gradients") },
  };
}
