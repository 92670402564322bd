import { basename } from "node:path";
import { readParameters } from "../checkpoint/read-tensors.js";
import { precisionUnsupported } from "../errors/options.js";
import type { Backend, PlannedContext, RunContext, RunFacts } from "../api/contexts.js";
import type { Precision } from "../api/options.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import type { AddedEvent } from "../stream/run-event.js";
import type { TrainerParts } from "../run/trainer-parts.js";
import { holdBackend } from "./backend.js";
import { MemoryWatch } from "./memory-watch.js";
import { storedTensors } from "../weights/parameter-store.js";
import { ModelRunner } from "./model-runner.js";

/** A model on a backend, with what plugins are told about the run. */
export interface LoadedModel {
  readonly runner: ModelRunner;
  readonly backend: Backend;
  readonly memory: MemoryWatch;
  readonly context: RunContext;
  /** Parameters that `startFrom` gave. */
  readonly started: ReadonlySet<string>;
  dispose(): void;
}

/** What distinguishes a run from a session. */
export interface LoadOptions {
  readonly runFolder?: string;
  readonly totalSteps: number;
  readonly ensemble: Ensemble;
  /** The weights never move. */
  readonly isStatic: boolean;
  /** A checkpoint that is read next holds what `startFrom` gave too. */
  readonly hasCheckpoint?: boolean;
}

/** Picks the backend, then reads the weights. On failure nothing stays. */
export async function loadModel(
  parts: TrainerParts,
  planned: PlannedContext,
  { runFolder, totalSteps, ensemble, isStatic, hasCheckpoint = false }: LoadOptions,
): Promise<LoadedModel> {
  const { hooks, options, training, settings, logger, stream } = parts;
  const { precision } = training;
  const { backend, release } = await holdBackend(() => hooks.resolveBackend.promise({ settings, precision }));
  if (!canRun(backend, precision)) {
    release();
    throw precisionUnsupported(precision, backend);
  }
  logger.debug({ backend: backend.name, precision: training.precision }, `Computing with ${backend.name}.`);
  const memory = new MemoryWatch();
  const startMs = performance.now();
  const runner = new ModelRunner({ hooks, planned, backend, isStatic, precision: training.precision });
  let started: ReadonlySet<string> = new Set();
  const dispose = (): void => {
    runner.dispose();
    memory.close();
    release();
  };
  try {
    await runner.store.load(options.model, storedTensors(planned), options.seed ?? 0);
    if (options.startFrom !== undefined && !hasCheckpoint)
      started = await readParameters(options.startFrom, runner.store);
  } catch (error) {
    dispose();
    throw error;
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(2);
  logger.debug(
    { parameters: planned.parameters.length, source: options.model.source },
    `Read ${planned.parameters.length} parameters of ${options.model.source} in ${seconds} s.`,
  );
  const context: RunContext = Object.freeze({
    ...runFacts(parts, runFolder),
    plan: planned.plan,
    planHash: planned.planHash,
    totalSteps,
    backend,
    ensemble,
    memory: () => memory.lap(),
    readParameter: (name: string) => runner.store.read(name),
    record: (event: AddedEvent) => stream.add(event),
  });
  return { runner, backend, memory, context, started, dispose };
}

/** What a trainer's options say of a run. */
export function runFacts(
  { options, training }: Pick<TrainerParts, "options" | "training">,
  runFolder?: string,
): RunFacts {
  const { runName = "run", seed = 0, model, config } = options;
  return Object.freeze({
    name: runFolder === undefined ? runName : basename(runFolder),
    seed,
    model: model.source,
    config: config ?? { model: model.source, training, seed },
    training,
    ...(runFolder === undefined ? {} : { runFolder }),
  });
}

function canRun({ precisions = [], bfloat16 }: Backend, precision: Precision): boolean {
  return (
    precision === "float32" || (precisions.includes(precision) && (precision !== "bfloat16" || bfloat16 !== undefined))
  );
}
