import type { Logger } from "@thaw/core";
import { countText } from "@thaw/contracts";
import type { DataSource, Sample, SampleMedia } from "@thaw/data";

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
        `${countText(count)} of ${countText(samples.length)} samples of the evaluation set ${name} are in the ` +
          "training " +
          "set too: its scores say how much was remembered.",
      );
  }
}

function keyOf({ media, messages }: Sample): string {
  return media.length > 0 ? media.map(mediaKey).join("\n") : JSON.stringify(messages);
}

function mediaKey({ source }: SampleMedia): string {
  if (source.kind === "file") return source.path;
  return source.kind === "svg" ? source.svg : Buffer.from(source.bytes).toString("base64");
}
