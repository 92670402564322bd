import { ThawError } from "@thaw/core";
import { openMedia, type DataSource } from "@thaw/data";
import { openConfiguredProcessor } from "../running/build-run.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import { decodingOf, type DecodingFlags } from "../running/decoding.js";
import { openSession } from "../running/open-run.js";
import { openTarget } from "../running/run-folder.js";
import { errorLine, type Terminal } from "../terminal/terminal.js";

/** Options of `thaw caption`. */
export interface CaptionOptions extends DecodingFlags {
  readonly model: string;
  readonly prompt?: string;
  readonly maxNewTokens?: number;
  readonly backend?: string;
  /** The run may name code. */
  readonly trust?: boolean;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

/**
 * Writes one caption per picture or sound, in the order given; those that cannot be used are named on standard error,
 * and the others get theirs. Returns 1 where there are such. `@throws THAW_DATA_IMAGE_*`, `THAW_DATA_AUDIO_*` where
 * none can be used
 */
export async function caption(given: readonly string[], options: CaptionOptions, terminal: Terminal): Promise<number> {
  const logger = await createLogger(options.logLevel, { isJson: options.json === true });
  const target = await openTarget(options.model, { ...options, terminal });
  const processor = await openConfiguredProcessor(target.config);
  const { files, source } = await openUsable(
    given,
    {
      processor,
      baseFolder: process.cwd(),
      ...(options.prompt === undefined ? {} : { prompt: options.prompt }),
    },
    terminal,
  );
  try {
    const { session } = await openSession(target, logger);
    try {
      for await (const batch of source.prompts({ microBatchSize: 8 })) {
        const answers = await session.generate(batch, {
          maxNewTokens: options.maxNewTokens ?? target.config.data.maxNewTokens,
          ...decodingOf(options),
        });
        for (const [row, index] of batch.indices.entries()) {
          const file = files[index]!;
          const text = processor.tokenizer.decode(answers[row] ?? []);
          terminal.out(
            options.json === true
              ? JSON.stringify({ [(await source.samples.read(index)).media[0]!.modality]: file, caption: text })
              : given.length === 1
                ? text
                : `${file}: ${text}`,
          );
        }
      }
      return files.length < given.length ? 1 : 0;
    } finally {
      await session.close();
    }
  } finally {
    await source.close();
  }
}

/**
 * Opens all files, or where that fails those that can be opened by themselves, and says what is wrong with others.
 */
async function openUsable(
  given: readonly string[],
  context: Parameters<typeof openMedia>[1],
  terminal: Terminal,
): Promise<{ readonly files: readonly string[]; readonly source: DataSource }> {
  try {
    return { files: given, source: await openMedia(given, context) };
  } catch (error) {
    if (given.length === 1 || !(error instanceof ThawError)) throw error;
  }
  const files: string[] = [];
  for (const file of given)
    try {
      await (await openMedia([file], context)).close();
      files.push(file);
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      terminal.err(errorLine(error, terminal));
    }
  return { files, source: await openMedia(files, context) };
}
