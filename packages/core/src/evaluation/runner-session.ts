import type { Batch, GenerationOptions, MediaItem, Model, Plan, Rows } from "@thaw/contracts";
import { proveParameters, readParameters } from "../checkpoint/read-tensors.js";
import { explainEvaluation } from "../training/not-finite.js";
import { sessionReadOnly } from "../errors/parameters.js";
import type { Backend, PlannedContext } from "../api/contexts.js";
import type { BatchLoss, Session } from "../api/session.js";
import type { ModelRunner } from "../model/model-runner.js";

/** A session over a runner. With `close` it owns the runner; without, it lends a run's live weights. */
export class RunnerSession implements Session {
  readonly model: Model;
  readonly plan: Plan;
  readonly planned: PlannedContext;
  readonly backend: Backend;
  readonly #runner: ModelRunner;
  readonly #step: () => number;
  readonly #close: (() => Promise<void>) | undefined;

  constructor(runner: ModelRunner, backend: Backend, step: () => number, close?: () => Promise<void>) {
    this.model = runner.model;
    this.plan = runner.planned.plan;
    this.planned = runner.planned;
    this.backend = backend;
    this.#runner = runner;
    this.#step = step;
    this.#close = close;
  }

  async loss(batch: Batch): Promise<BatchLoss> {
    const result = await this.#runner.loss(batch, this.#step());
    if (Number.isFinite(result.lossSum)) return result;
    throw await explainEvaluation(this.#runner, batch, result.lossSum, this.#step());
  }

  async losses(batch: Batch): Promise<readonly BatchLoss[]> {
    const rows = await this.#runner.losses(batch, this.#step());
    const wrong = rows.find(({ lossSum }) => !Number.isFinite(lossSum));
    if (wrong === undefined) return rows;
    throw await explainEvaluation(this.#runner, batch, wrong.lossSum, this.#step());
  }

  generate(batch: Batch, options: GenerationOptions): Promise<number[][]> {
    return this.#runner.generate(batch, this.#step(), options);
  }

  runSegment(segment: string, media: readonly MediaItem[]): Promise<Rows> {
    return this.#runner.runSegment(segment, media);
  }

  readParameter(name: string): Promise<Float32Array> {
    return this.#runner.store.read(name);
  }

  async loadParameters(file: string): Promise<readonly string[]> {
    if (this.#close === undefined) throw sessionReadOnly();
    await proveParameters(file, this.#runner.store);
    return [...(await readParameters(file, this.#runner.store))];
  }

  save(folder: string, options?: Parameters<Session["save"]>[1]): Promise<void> {
    return this.model.save(folder, (name) => this.#runner.exportedValues(name), options);
  }

  async close(): Promise<void> {
    await this.#close?.();
  }
}
