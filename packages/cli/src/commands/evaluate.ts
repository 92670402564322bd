import { openSource, type CaptionEvaluation, type ConceptFilter, type DataSource, type Processor } from "@thaw/data";
import type { CaptionRecord } from "../record/record.js";
import { openProcessor } from "@thaw/models";
import { modelFolder, openConfiguredSource, sessionTrainer } from "../running/build-run.js";
import { captionResult, measureCaptions } from "../running/caption-evaluator.js";
import { evaluationSources, sourceName } from "../config/data-section.js";
import { noEvaluationData } from "../errors.js";
import { watchInterrupts } from "../running/interrupt.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import { openConfiguredModel } from "../planning/plan-run.js";
import { createProgress, silentProgress } from "../terminal/progress.js";
import { sampleLines, scoreLines } from "../render/captions.js";
import { openTarget, type Target } from "../running/run-folder.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw evaluate`. */
export interface EvaluateOptions {
  readonly data?: string;
  readonly baselineData?: string;
  readonly concepts?: Exclude<ConceptFilter, "known">;
  readonly limit?: number;
  readonly batchSize?: number;
  readonly maxNewTokens?: number;
  readonly backend?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel: LogLevel;
}

/**
 * Measures captions of a run or a checkpoint on a data set, beside both baselines. Returns 130 where Ctrl-C stopped it.
 */
export async function evaluate(path: string, options: EvaluateOptions, terminal: Terminal): Promise<number> {
  const target = await openTarget(path, options.backend === undefined ? {} : { backend: options.backend });
  if (options.data === undefined && Object.keys(evaluationSources(target.config.data)).length === 0)
    throw noEvaluationData(path);
  const progress = options.quiet === true ? silentProgress() : await createProgress(terminal);
  const logger = await createLogger(options.logLevel, {
    isJson: options.json === true,
    beforeLine: () => progress.clear(),
  });
  const interrupts = watchInterrupts(terminal, () => {}, "Stopping; another Ctrl-C ends at once.");
  const opened: DataSource[] = [];
  try {
    const processor = await openProcessor(modelFolder(target.config));
    const sources = await openSources(target, processor, options.data, opened);
    const training = await openTraining(target, processor, options.baselineData);
    if (training !== undefined) opened.push(training);
    const session = await sessionTrainer(target.config, await openConfiguredModel(target.config), logger).open();
    try {
      if (target.trained !== undefined) await session.loadParameters(target.trained);
      const { evaluationBatchSize, maxNewTokens } = target.config.data;
      for (const source of sources) {
        const evaluation = await measureCaptions(session, {
          source,
          baselines: training !== undefined,
          label: `captions of ${source.name}`,
          progress,
          isStopping: interrupts.isInterrupted,
          batchSize: options.batchSize ?? evaluationBatchSize,
          maxNewTokens: options.maxNewTokens ?? maxNewTokens,
          ...(training === undefined ? {} : { training }),
          ...(options.concepts === undefined ? {} : { concepts: options.concepts }),
          ...(options.limit === undefined ? {} : { limit: options.limit }),
        });
        if (evaluation === undefined) return interrupts.exitCode();
        const { baselines } = evaluation;
        const record = { name: source.name, after: captionResult(evaluation, 0), baselines, pictures: {} };
        if (options.json === true) terminal.out(jsonLine(evaluation, options.data === undefined ? source.name : ""));
        else printScores(record, terminal);
      }
      return 0;
    } finally {
      await session.close();
    }
  } finally {
    progress.end();
    interrupts.stop();
    for (const source of opened) await source.close();
  }
}

/** The data set that was asked for, or the run's own evaluation sets; each is added to `opened` once it is. */
async function openSources(
  { config }: Target,
  processor: Processor,
  given: string | undefined,
  opened: DataSource[],
): Promise<readonly DataSource[]> {
  if (given !== undefined) {
    const name = sourceName(given);
    opened.push(await openSource(given, { processor, baseFolder: process.cwd(), role: "evaluation", name }));
  } else
    for (const [name, setting] of Object.entries(evaluationSources(config.data)))
      opened.push(await openConfiguredSource(config, processor, "evaluation", setting, name));
  return [...opened];
}

/** Scores as one line of JSON; `name` tells several sets apart. */
function jsonLine({ exactMatch, tokenF1, samples, baselines }: CaptionEvaluation, name: string): string {
  return JSON.stringify({ ...(name === "" ? {} : { name }), exactMatch, tokenF1, samples, baselines });
}

function printScores(record: CaptionRecord, terminal: Terminal): void {
  for (const line of [...scoreLines([record], terminal), "", ...sampleLines(record, terminal)]) terminal.out(line);
}

/** The training set that baselines come from: the one given, or the run's own. */
async function openTraining(
  { config }: Target,
  processor: Processor,
  given: string | undefined,
): Promise<DataSource | undefined> {
  if (given !== undefined)
    return openSource(given, { processor, baseFolder: process.cwd(), role: "train", name: "train" });
  const { train } = config.data;
  return train === undefined ? undefined : openConfiguredSource(config, processor, "train", train, "train");
}
