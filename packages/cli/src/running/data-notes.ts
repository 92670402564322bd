import { countText, nameList } from "@thaw/contracts";
import type { Logger } from "@thaw/core";
import type { DataSource } from "@thaw/data";
import type { Parts } from "./build-run.js";

/** Samples of a set that were left out, since they cannot be used. */
export interface LeftOut {
  readonly set: string;
  /** Where each stands, and what is wrong with it. */
  readonly samples: readonly { readonly origin: string; readonly reason: string }[];
}

function sourcesOf({ train, evaluation }: Pick<Parts, "train" | "evaluation">): readonly DataSource[] {
  return [...(train === undefined ? [] : [train]), ...Object.values(evaluation)];
}

/** What `data.on_error: skip` left out so far, set by set. */
export function leftOutOf(parts: Pick<Parts, "train" | "evaluation">): readonly LeftOut[] {
  return sourcesOf(parts).flatMap((source) => {
    const samples = source.skipped().map(({ origin, error }) => ({
      origin,
      reason: error instanceof Error ? error.message : String(error),
    }));
    return samples.length === 0 ? [] : [{ set: source.name, samples }];
  });
}

/** One line per set, for the end of a run. */
export function leftOutLines(leftOut: readonly LeftOut[]): readonly string[] {
  return leftOut.map(
    ({ set, samples }) =>
      `${countText(samples.length)} ${samples.length === 1 ? "sample" : "samples"} of ${set} left out: ` +
      `${nameList(
        samples.map(({ origin }) => origin),
        5,
      )}.`,
  );
}

/** Of sets that are too large to be looked at as a whole how much was, what is left out, and what grouping saves. */
export function tellOfData(parts: Parts, microBatchSize: number, seed: number, logger: Logger): void {
  for (const { name, sampleCount, lookedAt } of sourcesOf(parts))
    if (lookedAt !== undefined && (lookedAt.samples < sampleCount || lookedAt.images < lookedAt.imageCount))
      logger.info(
        { name, sampleCount, ...lookedAt },
        `Looked at ${countText(lookedAt.samples)} of ${countText(sampleCount)} samples of ${name} and at ` +
          `${countText(lookedAt.images)} of ${countText(lookedAt.imageCount)} images and sounds; the others are when ` +
          "their turn comes.",
      );
  for (const { set, samples } of leftOutOf(parts))
    logger.warn({ set, samples }, `${leftOutLines([{ set, samples }])[0]!} The first one: ${samples[0]!.reason}`);
  const padding = parts.train?.padding(microBatchSize, seed);
  if (padding === undefined) return;
  const [grouped, plain] = [padding.grouped, padding.plain].map((share) => `${(100 * share).toFixed(1)}%`);
  logger.info({ ...padding }, `Grouped by length: ${grouped} of the tokens are padding, ${plain} would be without.`);
}
