import type { Rule, RuleContext } from "@thaw/core";
import { estimateBytes } from "../memory-estimate.js";
import { settingsUnder, spelledLike } from "../settings.js";

/** `limitBytes`: what tensors may take. */
export function missingCheckpointing(limitBytes: number): Rule<RuleContext> {
  return {
    id: "missing-checkpointing",
    defaultSeverity: "warning",
    summary:
      "The estimated memory is over the limit, and segments that a gradient passes through are not checkpointed.",
    docs: `The estimate counts weights, gradients and optimizer state of what trains, and the activations that the
backward pass needs, for one micro-batch of the longest sample. The limit is \`checks.memory_limit\` (default 4 GiB,
the most that a WASM backend can address). Activation checkpointing keeps the input of each block only and computes
the block again in the backward pass; its default, \`auto\`, does so where memory asks for it.

\`\`\`yaml config expects=missing-checkpointing
freeze: { freeze_multi_modal_projector: false }
training: { max_length: 64, micro_batch_size: 8, activation_checkpointing: off }
checks: { memory_limit: 1MiB }
\`\`\`
`,
    check(context) {
      if (context.training.activationCheckpointing !== "off") return [];
      const estimate = estimateBytes(context);
      if (estimate.totalBytes <= limitBytes || estimate.activationBytes === 0) return [];
      const own = settingsUnder(context.settings, ["training"]).find(
        ({ origin, file, means }) => origin === "explicit" && file !== undefined && means === undefined,
      );
      const settings = settingsUnder(context.settings, ["training"]).filter(({ path }) =>
        /(micro_?batch_?size|max_?length)$/i.test(path),
      );
      return [
        {
          rule: "missing-checkpointing",
          severity: "warning" as const,
          message:
            `About ${megabytes(estimate.totalBytes)} will be needed (${megabytes(estimate.activationBytes)} of it ` +
            `for activations), and the limit is ${megabytes(limitBytes)}.`,
          fix:
            `Set \`${spelledLike(context.settings, "activation_checkpointing")}: auto\` in \`training\`, or make ` +
            "micro-batches smaller.",
          settings,
          ...(own === undefined
            ? {}
            : {
                edit: {
                  action: "set",
                  file: own.file!,
                  path: `training.${spelledLike(context.settings, "activation_checkpointing")}`,
                  value: "auto",
                } as const,
              }),
        },
      ];
    },
  };
}

function megabytes(bytes: number): string {
  const scaled = bytes / 2 ** 20;
  return scaled >= 10240
    ? `${(scaled / 1024).toFixed(0)} GiB`
    : `${scaled < 10 ? scaled.toFixed(1) : scaled.toFixed(0)} MiB`;
}
