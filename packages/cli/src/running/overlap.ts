import type { Logger } from "@thaw/core";
import { countText } from "@thaw/contracts";
import type { DataSource, ImageReference, Sample } from "@thaw/data";

/** Says of which evaluation sets pictures (or, without any, questions) are in the training set too. */
export function warnOfOverlap(
  train: DataSource | undefined,
  evaluation: Readonly<Record<string, DataSource>>,
  logger: Logger,
): void {
  if (train === undefined) return;
  const known = new Set(train.samples.map(keyOf));
  for (const [name, { samples }] of Object.entries(evaluation)) {
    const count = samples.filter((sample) => known.has(keyOf(sample))).length;
    if (count > 0)
      logger.warn(
        { name, count, samples: samples.length },
        `${countText(count)} of ${countText(samples.length)} samples of the evaluation set ${name} are in the training ` +
          "set too: its scores say how much was remembered.",
      );
  }
}

function keyOf({ images, messages }: Sample): string {
  return images.length > 0 ? images.map(imageKey).join("\n") : JSON.stringify(messages);
}

function imageKey(image: ImageReference): string {
  if (image.kind === "file") return image.path;
  return image.kind === "svg" ? image.svg : Buffer.from(image.bytes).toString("base64");
}
