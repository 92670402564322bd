import type { GenerationOptions } from "@thaw/contracts";
import { openImages } from "@thaw/data";
import { openProcessor } from "@thaw/models";
import { modelFolder, sessionTrainer } from "../running/build-run.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import { openConfiguredModel } from "../planning/plan-run.js";
import { openTarget } from "../running/run-folder.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw caption`. */
export interface CaptionOptions {
  readonly model: string;
  readonly prompt?: string;
  readonly maxNewTokens?: number;
  /** With one of these tokens are drawn, without them the likeliest are taken. */
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly backend?: string;
  /** The run may name code. */
  readonly trust?: boolean;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

/**
 * Writes one caption per image, in the order given. `@throws THAW_DATA_IMAGE_*` naming the file, before anything is
 * written about it.
 */
export async function caption(images: readonly string[], options: CaptionOptions, terminal: Terminal): Promise<number> {
  const logger = await createLogger(options.logLevel, { isJson: options.json === true });
  const target = await openTarget(options.model, options);
  const processor = await openProcessor(modelFolder(target.config));
  const source = await openImages(images, {
    processor,
    baseFolder: process.cwd(),
    ...(options.prompt === undefined ? {} : { prompt: options.prompt }),
  });
  try {
    const session = await sessionTrainer(target.config, await openConfiguredModel(target.config), logger).open();
    try {
      if (target.trained !== undefined) await session.loadParameters(target.trained);
      for await (const batch of source.prompts({ microBatchSize: 8 })) {
        const answers = await session.generate(batch, {
          maxNewTokens: options.maxNewTokens ?? target.config.data.maxNewTokens,
          ...samplingOf(options),
        });
        batch.indices.forEach((index, row) => {
          const image = images[index]!;
          const text = processor.tokenizer.decode(answers[row] ?? []);
          terminal.out(
            options.json === true
              ? JSON.stringify({ image, caption: text })
              : images.length === 1
                ? text
                : `${image}: ${text}`,
          );
        });
      }
      return 0;
    } finally {
      await session.close();
    }
  } finally {
    await source.close();
  }
}

function samplingOf({ temperature, topK, topP, seed }: CaptionOptions): Pick<GenerationOptions, "sampling"> {
  if (temperature === undefined && topK === undefined && topP === undefined && seed === undefined) return {};
  return { sampling: { temperature, topK, topP, seed } };
}
