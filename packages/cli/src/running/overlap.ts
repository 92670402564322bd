import type { Logger } from "@thaw/core";
import { countText } from "@thaw/contracts";
import type { DataSource } from "@thaw/data";

/** Says of which evaluation sets pictures (or, without any, questions) are in the training set too. */
export function warnOfOverlap(
  train: DataSource | undefined,
  evaluation: Readonly<Record<string, DataSource>>,
  logger: Logger,
): void {
  if (train === undefined) return;
  const known = new Set(train.contents);
  for (const [name, { contents }] of Object.entries(evaluation)) {
    const count = contents.filter((content) => known.has(content)).length;
    if (count > 0)
      logger.warn(
        { name, count, samples: contents.length },
        `${countText(count)} of ${countText(contents.length)} samples of the evaluation set ${name} are in the ` +
          "training set too: its scores say how much was remembered.",
      );
  }
}
