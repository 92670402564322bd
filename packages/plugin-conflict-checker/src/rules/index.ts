import type { Rule, RuleContext } from "@thaw/core";
import { batchLargerThanSet } from "./batch-larger-than-set.js";
import { checkpointingWithoutGradient } from "./checkpointing-without-gradient.js";
import { claimsCollide } from "./claims-collide.js";
import { CORE_RULES } from "./core-rules.js";
import { deadParameter } from "./dead-parameter.js";
import { frozenAndTrained } from "./frozen-and-trained.js";
import { largeLearningRate, zeroLearningRate } from "./learning-rates.js";
import { missingCheckpointing } from "./missing-checkpointing.js";
import { modelCannotRun } from "./model-cannot-run.js";
import { newTokensWithFrozenEmbeddings } from "./new-tokens-with-frozen-embeddings.js";
import { settingForFrozenComponent } from "./setting-for-frozen-component.js";
import { cacheWithStochasticTower, frozenInTrainingMode } from "./training-mode.js";
import { unfreezeAfterTheEnd } from "./unfreeze-after-the-end.js";

/** What the rules need besides the run. */
export interface RuleOptions {
  readonly memoryLimitBytes: number;
}

/** The checker's own rules, in the order in which they are documented, and the descriptions of core's. */
export function checkerRules(options: RuleOptions): readonly Rule<RuleContext>[] {
  return [
    ...CORE_RULES,
    frozenAndTrained,
    settingForFrozenComponent,
    zeroLearningRate,
    largeLearningRate,
    batchLargerThanSet,
    cacheWithStochasticTower,
    newTokensWithFrozenEmbeddings,
    checkpointingWithoutGradient,
    missingCheckpointing(options.memoryLimitBytes),
    frozenInTrainingMode,
    unfreezeAfterTheEnd,
    deadParameter,
    claimsCollide,
    modelCannotRun,
  ];
}
