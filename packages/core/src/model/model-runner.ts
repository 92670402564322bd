import { ConstantCache, LayoutCache, Tape } from "@thaw/autograd";
import { outputOffsets, ThawError, itemsOf } from "@thaw/contracts";
import type { Batch, GenerationOptions, LoadedBatch, MediaItem, Model, Rows, Scope } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Backend, BatchContext, PlannedContext, ScopeContext } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import { segmentHasNoOutput } from "../errors/passes.js";
import type { Precision } from "../api/options.js";
import type { BatchLoss } from "../api/session.js";
import { joinHashes, parametersBehind } from "../weights/fingerprint.js";
import { disposeRows, itemsAlone, loadBatch, loadMedia, outputChecker, type PreparedBatch } from "./inputs.js";
import { KeptTensors } from "../weights/kept-tensors.js";
import { ParameterStore, storedTensors } from "../weights/parameter-store.js";
import { formsOf } from "../plan/frozen-forms.js";
import { derivePhase, type Phase } from "./phase.js";
import { releasableParameters, unusedParameters } from "../weights/releasable.js";
import { RunScope, type ScopeRules } from "./scope.js";
import { batchLoss, rowLosses } from "./measured-loss.js";

/** A pass that is under way; `dispose` frees everything it made. */
export interface Pass {
  readonly tape: Tape;
  readonly scope: RunScope;
  /** The scope as plugins changed it: what the model gets. */
  readonly modelScope: Scope;
  dispose(): void;
}

/** What a trainer and its plan say to a runner. */
export interface RunnerInput {
  readonly hooks: TrainerHooks;
  readonly planned: PlannedContext;
  readonly backend: Backend;
  /** True for a session of its own, whose weights never move: all of them may keep layout copies. */
  readonly isStatic: boolean;
  readonly precision: Precision;
}

/**
 * A model with its weights in memory: forward passes, caches, the plan's phase. Training, evaluation and sessions share
 * it.
 */
export class ModelRunner {
  readonly model: Model;
  readonly planned: PlannedContext;
  readonly store: ParameterStore;
  readonly #hooks: TrainerHooks;
  readonly #backend: Backend;
  readonly #isStatic: boolean;
  readonly #precision: Precision;
  readonly #products: Backend["bfloat16"];
  readonly #layouts = new LayoutCache();
  readonly #constants = new ConstantCache();
  readonly #kept: KeptTensors;
  /** Segments whose parameters are freed until a batch needs them. */
  readonly #released = new Set<string>();
  #phase: Phase;

  constructor({ hooks, planned, backend, isStatic, precision }: RunnerInput) {
    this.model = planned.model;
    this.planned = planned;
    this.#products = precision === "bfloat16" ? backend.bfloat16 : undefined;
    const upload = backend.upload === undefined ? {} : { upload: backend.upload };
    this.#kept = new KeptTensors(planned.model.segments, planned.parameters);
    this.store = new ParameterStore(storedTensors(planned), this.#layouts, {
      ...formsOf(planned, this.#products),
      ...upload,
      unused: unusedParameters(planned),
      onReplace: (name) => {
        this.#kept.forget(name);
      },
    });
    this.#precision = precision;
    this.#hooks = hooks;
    this.#backend = backend;
    this.#isStatic = isStatic;
    this.#phase = derivePhase(planned, 0);
    this.#kept.enter(this.#phase.trained);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Bytes of layout copies of frozen weights. */
  get layoutBytes(): number {
    return this.#layouts.bytes;
  }

  /** Enters the phase that holds at a step. Layout copies of what now trains are freed. */
  enterPhase(step: number): Phase {
    this.#phase = derivePhase(this.planned, step);
    this.#kept.enter(this.#phase.trained);
    this.forgetTrainedLayouts();
    return this.#phase;
  }

  /** Frees layout copies of trained weights, which evaluation may have made: they go stale with the next update. */
  forgetTrainedLayouts(): void {
    for (const name of this.#phase.trained) this.#layouts.forget(this.store.get(name));
  }

  /** Passes a batch through the `batch` hook and loads what is still needed. */
  async prepare(batch: Batch, purpose: BatchContext["purpose"], step: number): Promise<PreparedBatch> {
    const changed = await this.#hooks.batch.promise(batch, this.#batchContext(purpose, step));
    const prepared = await loadBatch(changed, this.model.segments, this.model.text.mediaTokens);
    try {
      if (
        this.model.segments.some(
          ({ name, reads }) =>
            this.#released.has(name) && reads.some((input) => prepared.batch.inputs[input] !== undefined),
        )
      )
        await this.#restore();
    } catch (error) {
      prepared.dispose();
      throw error;
    }
    return prepared;
  }

  /** See {@link BatchContext.releaseSegment}. */
  async releaseSegment(name: string): Promise<number> {
    if (this.#released.has(name)) return 0;
    const bytes = await this.store.release(releasableParameters(this.planned, name));
    if (bytes > 0) this.#released.add(name);
    return bytes;
  }

  async #restore(): Promise<void> {
    await this.store.restore();
    this.#released.clear();
  }

  /** Begins a recorded pass; `microBatch` counts within the step. */
  trainingPass(
    batch: Pick<LoadedBatch, "media" | "segmentOutputs" | "samples">,
    checkpointed: ReadonlySet<string>,
    at: { readonly step: number; readonly microBatch: number },
  ): Pass {
    const { trained, flows, stopAfter } = this.#phase;
    const samples = batch.samples.map(({ id }) => id);
    return this.#pass({ trained, flows, checkpointed, stopAfter }, batch, { purpose: "train", samples, ...at });
  }

  /** Cross entropy of the batch as taps of `batch` leave it, without gradient, without label smoothing. */
  loss(batch: Batch, step: number): Promise<BatchLoss> {
    return this.#unrecorded(batch, "evaluate", step, (...pass) => batchLoss(this.model, ...pass));
  }

  /** As `loss`, of each row by itself. */
  losses(batch: Batch, step: number): Promise<readonly BatchLoss[]> {
    return this.#unrecorded(batch, "evaluate", step, (...pass) => rowLosses(this.model, ...pass));
  }

  async generate(batch: Batch, step: number, options: GenerationOptions): Promise<number[][]> {
    return this.#unrecorded(batch, "generate", step, (loaded, scope) => this.model.generate(loaded, scope, options));
  }

  /**
   * One segment alone, unrecorded, on those of the items that it reads; the caller owns its rows. The forward pass is
   * left as soon as the output is there.
   */
  async runSegment(segment: string, media: readonly MediaItem[]): Promise<Rows> {
    const known = this.model.segments.find(({ name }) => name === segment);
    const items = known === undefined ? [] : itemsOf(known, media);
    if (known === undefined || items.length === 0) throw this.#noOutput(segment);
    if (this.#released.size > 0) await this.#restore();
    const inputs = await loadMedia(items, (input) => known.reads.includes(input));
    try {
      return { tensor: this.#runLoadedSegment(segment, items, inputs), offsets: outputOffsets(known, items) };
    } finally {
      disposeRows(inputs);
    }
  }

  /** sha256 over all parameters that the segment's output depends on. */
  async segmentFingerprint(segment: string): Promise<string> {
    const hashes = new Map<string, string>();
    for (const name of parametersBehind(this.model.segments, segment)) hashes.set(name, await this.store.hash(name));
    // What was computed in another precision is not the same.
    if (this.#precision !== "float32") hashes.set("precision", this.#precision);
    return joinHashes(hashes);
  }

  /** Current values of a parameter or buffer of the model, as a checkpoint holds them that loads without plugins. */
  async exportedValues(name: string): Promise<Float32Array> {
    const readParameter = (other: string): Promise<Float32Array> => this.store.read(other);
    const [values, parameter] = [await readParameter(name), this.planned.parameters.find((one) => one.name === name)];
    return parameter === undefined ? values : this.#hooks.exported.promise(values, { parameter, readParameter });
  }

  /** Frees weights and caches. */
  dispose(): void {
    this.store.dispose();
    this.#layouts.dispose();
    this.#constants.dispose();
    this.#kept.dispose();
  }

  #batchContext(purpose: BatchContext["purpose"], step: number): BatchContext {
    return {
      purpose,
      step,
      plan: this.planned.plan,
      flows: new Map(this.#phase.flows),
      segmentFingerprint: (segment) => this.segmentFingerprint(segment),
      runSegment: (segment, media) => this.runSegment(segment, media),
      releaseSegment: (segment) => this.releaseSegment(segment),
    };
  }

  #pass(
    rules: Omit<ScopeRules, "outputs" | "kept">,
    batch: Pick<LoadedBatch, "media" | "segmentOutputs">,
    context: ScopeContext,
  ): Pass {
    const check = outputChecker(this.model.segments, batch.media);
    const [layouts, constants] = [this.#layouts, this.#constants];
    const tape = new Tape({ matmul: this.#backend.matmul, layouts, constants, products: this.#products });
    try {
      const scope = new RunScope(tape, this.store, {
        ...rules,
        outputs: batch.segmentOutputs,
        kept: this.#kept,
        onOutput: (name, output) => {
          check(name, output);
          rules.onOutput?.(name, output);
        },
      });
      const dispose = (): void => {
        tape.dispose();
        this.#kept.endPass();
      };
      return { tape, scope, modelScope: this.#hooks.scope.call(scope, context), dispose };
    } catch (error) {
      tape.dispose();
      throw error;
    }
  }

  #unrecordedPass(
    batch: Pick<LoadedBatch, "media" | "segmentOutputs">,
    context: Pick<ScopeContext, "purpose" | "step">,
    onOutput?: ScopeRules["onOutput"],
  ): Pass {
    return this.#pass(
      { trained: null, flows: this.#phase.flows, checkpointed: new Set(), stopAfter: new Set(), onOutput },
      batch,
      { ...context, microBatch: 0 },
    );
  }

  async #unrecorded<T>(
    batch: Batch,
    purpose: "evaluate" | "generate",
    step: number,
    run: (loaded: PreparedBatch["batch"], scope: Scope) => Promise<T>,
  ): Promise<T> {
    const prepared = await this.prepare(batch, purpose, step);
    let pass: Pass | undefined;
    try {
      pass = this.#unrecordedPass(prepared.batch, { purpose, step });
      return await run(prepared.batch, pass.modelScope);
    } finally {
      pass?.dispose();
      prepared.dispose();
      if (!this.#isStatic) this.forgetTrainedLayouts();
    }
  }

  #runLoadedSegment(segment: string, media: readonly MediaItem[], inputs: LoadedBatch["inputs"]): Tensor {
    const found = new SegmentFound();
    let output: Tensor | undefined;
    const pass = this.#unrecordedPass({ media, segmentOutputs: {} }, { purpose: "segment", step: 0 }, (name, value) => {
      if (name !== segment) return;
      output = tf.keep(tf.clone(value.tensor)); // before the segments around it free their values
      throw found;
    });
    try {
      this.model.forward(itemsAlone(media, inputs), pass.modelScope);
      throw this.#noOutput(segment);
    } catch (error) {
      if (error === found && output !== undefined) return output;
      throw error instanceof ThawError ? error : this.#noOutput(segment, error);
    } finally {
      pass.dispose();
      if (!this.#isStatic) this.forgetTrainedLayouts();
    }
  }

  #noOutput(segment: string, cause?: unknown): ThawError {
    const names = this.model.segments.map(({ name }) => name);
    return segmentHasNoOutput(segment, names, cause);
  }
}

/** Leaves a forward pass whose rest is not wanted; no error. */
class SegmentFound {}
