import type { Problem } from "./survey.js";
import type { DataSource } from "./data-source.js";
import { type OpenContext, openSource } from "./source.js";
import type { MixedSource, SourceOptions } from "../formats/source-schema.js";

/** What reading every sample of a data set told. */
export interface ScanReport {
  readonly samples: number;
  /** Different images and sounds. */
  readonly items: number;
  /** Share of the samples that have none. */
  readonly textOnlyShare: number;
  /** Samples that cannot be used, by name, with the reason; the first of its file first. */
  readonly problems: readonly Problem[];
}

/**
 * Reads and encodes every sample of a data set, however large, and looks at each of its items; with `decode` each is
 * decoded too. Nothing that is wrong with a sample ends it.
 * @throws THAW_DATA_* for what is wrong with the whole: a file that is not there, options that are unknown
 */
export async function scanSource(
  options: SourceOptions | readonly MixedSource[],
  context: OpenContext & {
    readonly decode?: boolean;
    /** Told after every 64 samples that were decoded. */
    readonly onProgress?: (done: number, total: number) => void;
  },
): Promise<ScanReport> {
  const { decode = false, onProgress, ...given } = context;
  const source = await openSource(options, { ...given, skips: true, looksAtAll: true });
  try {
    if (decode) await decodeAll(source, onProgress);
    return {
      samples: source.samples.count,
      items: source.lookedAt?.imageCount ?? 0,
      textOnlyShare: source.textOnlyShare ?? 0,
      problems: source.skipped(),
    };
  } finally {
    await source.close();
  }
}

const AT_A_TIME = 64;

/** A pass over the set in its order: a source that skips decodes each sample once before it gives it. */
async function decodeAll(source: DataSource, onProgress?: (done: number, total: number) => void): Promise<void> {
  const epoch = { epoch: 0, seed: 0, shuffle: false, microBatchSize: AT_A_TIME };
  let done = 0;
  for await (const { batchSize } of source.batches(epoch)) {
    done += batchSize;
    onProgress?.(Math.min(done, source.sampleCount), source.sampleCount);
  }
}
