import type { Rule, RuleContext } from "@thaw/core";
import { quotedSetting, settingsUnder } from "../settings.js";

export const batchLargerThanSet: Rule<RuleContext> = {
  id: "batch-larger-than-set",
  defaultSeverity: "warning",
  summary: "A micro-batch has room for more samples than the training set has.",
  docs: `A micro-batch never holds a sample twice, nor samples of two epochs. Where \`micro_batch_size\` is larger than
the training set, every step sees the whole set and no more, and a learning rate that was chosen for the larger batch
is too high for it. The number of samples is known once the set is opened, so that \`thaw train\` says it.

Lower \`micro_batch_size\` to a part of the set.
`,
  check({ settings, sources, training: { microBatchSize } }) {
    const sampleCount = sources.get("train")?.sampleCount;
    const [given] = settingsUnder(settings, ["training", "micro_batch_size"]);
    if (sampleCount === undefined || given === undefined || microBatchSize <= sampleCount) return [];
    return [
      {
        rule: "batch-larger-than-set",
        severity: "warning",
        message:
          `A micro-batch has room for ${microBatchSize} samples, and the training set has ${sampleCount}: every step ` +
          "sees all of it and no more.",
        fix: `Lower ${quotedSetting(given)} to ${sampleCount} or less.`,
        settings: [given],
      },
    ];
  },
};
