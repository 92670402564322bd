import { resolve } from "node:path";
import { toCamelCase, type DatasetFormat } from "@thaw/core";
import { openSource, resolveSource, type DataSource, type Processor, type SourceOptions } from "@thaw/data";
import {
  answerMetrics,
  choiceMetrics,
  chosenMetrics,
  DEFAULT_METRICS,
  lossMetrics,
  measureAnswers,
  measureChoices,
  measureLoss,
  type ChosenMetric,
  type ConceptFilter,
  type Scores,
} from "@thaw/plugin-captions";
import { metricText } from "@thaw/report";
import { parse } from "yaml";
import type { CaptionRecord } from "../record/record.js";
import { openConfiguredProcessor, openConfiguredSource } from "../running/build-run.js";
import { evaluationSources, sourceName, trainingSource, type SourceSetting } from "../config/data-section.js";
import { badOption, noEvaluationData } from "../errors.js";
import { watchInterrupts } from "../processes/interrupt.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import { createProgress, silentProgress } from "../terminal/progress.js";
import { sampleLines, scoreLines } from "../render/captions.js";
import { lossText } from "../render/text.js";
import { fetchedConfig, fetchedSource } from "../hub/fetched-config.js";
import type { HubWatcher } from "../hub/hub-access.js";
import { answersProgress, answersRecord, answersResult } from "../evaluating/evaluators.js";
import { openSession } from "../running/open-run.js";
import { openTarget, type Target } from "../running/run-folder.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw evaluate`. */
export interface EvaluateOptions {
  readonly data?: string;
  readonly images?: string;
  readonly baselineData?: string;
  readonly concepts?: Exclude<ConceptFilter, "known">;
  readonly limit?: number;
  readonly batchSize?: number;
  readonly maxNewTokens?: number;
  readonly backend?: string;
  /** The run may name code. */
  readonly trust?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel: LogLevel;
}

/**
 * Measures captions of a run or a checkpoint on a data set, beside both baselines. Returns 130 where Ctrl-C stopped it.
 */
export async function evaluate(path: string, options: EvaluateOptions, terminal: Terminal): Promise<number> {
  const watcher = { terminal, isQuiet: options.quiet === true };
  const given = await openTarget(path, { ...options, ...watcher });
  if (options.images !== undefined && options.data === undefined)
    throw badOption("--images", options.images, "it together with --data");
  if (options.data === undefined && Object.keys(evaluationSources(given.config)).length === 0)
    throw noEvaluationData(path);
  const isOwnUsed = options.data === undefined || options.baselineData === undefined;
  const target = { ...given, config: isOwnUsed ? await fetchedConfig(given.config, watcher) : given.config };
  const progress = options.quiet === true ? silentProgress() : await createProgress(terminal);
  const logger = await createLogger(options.logLevel, {
    isJson: options.json === true,
    beforeLine: () => progress.clear(),
  });
  const interrupts = watchInterrupts(terminal, () => {}, "Stopping; another Ctrl-C ends at once.");
  const opened: DataSource[] = [];
  try {
    const processor = await openConfiguredProcessor(target.config);
    const sets = await openSets(target, processor, options, opened, watcher);
    const training = await openTraining(target, processor, options.baselineData, watcher);
    if (training !== undefined) opened.push(training);
    const { session } = await openSession(target, logger);
    try {
      const { evaluationBatchSize, maxNewTokens } = target.config.data;
      const isStopping = interrupts.isInterrupted;
      const microBatchSize = options.batchSize ?? evaluationBatchSize;
      for (const { source, metrics } of sets) {
        const common = { source, microBatchSize, isStopping };
        const losses = await measureLoss(session, { ...common, metrics: lossMetrics(metrics) });
        const choices =
          losses === undefined
            ? undefined
            : await measureChoices(session, {
                ...common,
                metrics: choiceMetrics(metrics),
                ...(options.limit === undefined ? {} : { limit: options.limit }),
                onProgress: ({ done, total }) => {
                  if (done === 0) progress.begin(`choices of ${source.name}`, total);
                  progress.advance(done);
                },
              });
        progress.end();
        const answers = answerMetrics(metrics);
        const record = answersRecord(source.name, answers);
        if (choices !== undefined && answers.length > 0) {
          const evaluation = await measureAnswers(session, {
            ...common,
            metrics: answers,
            baselines: training !== undefined,
            onProgress: answersProgress(progress, `captions of ${source.name}`),
            maxNewTokens: options.maxNewTokens ?? maxNewTokens,
            ...(training === undefined ? {} : { training }),
            ...(options.concepts === undefined ? {} : { concepts: options.concepts }),
            ...(options.limit === undefined ? {} : { limit: options.limit }),
          });
          progress.end();
          if (evaluation !== undefined) record.after = answersResult(evaluation, 0);
          if (evaluation !== undefined) record.baselines = evaluation.baselines;
        }
        if (losses === undefined || choices === undefined || isStopping()) return interrupts.exitCode();
        const others = { ...losses, ...choices.scores };
        if (options.json === true)
          terminal.out(jsonLine(record, others, options.data === undefined ? source.name : ""));
        else printScores(record, others, terminal);
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

/** A data set, and what is measured on it. */
interface MeasuredSet {
  readonly source: DataSource;
  readonly metrics: readonly ChosenMetric[];
}

/** The data set that was asked for, or the run's own evaluation sets; each is added to `opened` once it is. */
async function openSets(
  { config }: Target,
  processor: Processor,
  { data, images }: Pick<EvaluateOptions, "data" | "images">,
  opened: DataSource[],
  watcher: HubWatcher,
): Promise<readonly MeasuredSet[]> {
  const usual = (): readonly ChosenMetric[] => chosenMetrics(DEFAULT_METRICS, config.registry.all("metrics"));
  const sets: MeasuredSet[] = [];
  const add = (source: DataSource, metrics: readonly ChosenMetric[]): void => {
    opened.push(source);
    sets.push({ source, metrics: metrics.length === 0 ? usual() : metrics });
  };
  if (data !== undefined) {
    const formats = config.registry.all("formats");
    const metrics = chosenMetrics(config.data.metrics ?? [], config.registry.all("metrics"));
    const given = await givenSource(data, formats, watcher, images);
    const name = sourceName(given, formats);
    const context = { processor, baseFolder: process.cwd(), role: "evaluation", name, formats } as const;
    add(await openSource(given as SourceOptions, context), metrics);
  } else
    for (const [name, setting] of Object.entries(evaluationSources(config)))
      add(await openConfiguredSource(config, processor, "evaluation", setting, name), setting.metrics);
  return sets;
}

/** A data set as the command line names it: short, or as YAML of a mapping; `images` is where its images lie. */
async function givenSource(
  text: string,
  formats: readonly DatasetFormat[],
  watcher: HubWatcher,
  images?: string,
): Promise<SourceSetting> {
  const setting = (text.trimStart().startsWith("{") ? mappingOf(text) : text) as SourceSetting;
  const read = await fetchedSource(setting, formats, watcher);
  if (images === undefined) return read;
  const resolved = await resolveSource(read as SourceOptions, process.cwd(), formats);
  if (resolved.type === "iconify") throw badOption("--images", images, "it for a file of captions or conversations");
  return { ...resolved, images: resolve(images) };
}

function mappingOf(text: string): unknown {
  try {
    const value = parse(text) as Readonly<Record<string, unknown>>;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [toCamelCase(key), entry]));
  } catch (cause) {
    const [line] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw badOption("--data", text, `a name, a path or a YAML mapping (${line})`);
  }
}

/** Scores as one line of JSON, those of losses and choices first; `name` tells several sets apart. */
function jsonLine({ after, baselines }: CaptionRecord, others: Scores, name: string): string {
  const answers = after === undefined ? {} : { ...after.scores, samples: after.samples, baselines };
  return JSON.stringify({ ...(name === "" ? {} : { name }), ...others, ...answers });
}

function printScores(record: CaptionRecord, others: Scores, terminal: Terminal): void {
  for (const [metric, value] of Object.entries(others))
    terminal.out(`${metricText(metric)} of ${record.name}: ${lossText(value)}`);
  for (const line of [...scoreLines([record], terminal), "", ...sampleLines(record, terminal)]) terminal.out(line);
}

/** The training set that baselines come from: the one given, or the run's own. */
async function openTraining(
  { config }: Target,
  processor: Processor,
  given: string | undefined,
  watcher: HubWatcher,
): Promise<DataSource | undefined> {
  const formats = config.registry.all("formats");
  if (given !== undefined) {
    const context = { processor, baseFolder: process.cwd(), role: "train", name: "train", formats } as const;
    return openSource((await givenSource(given, formats, watcher)) as SourceOptions, context);
  }
  const train = trainingSource(config.data);
  return train === undefined ? undefined : openConfiguredSource(config, processor, "train", train, "train");
}
