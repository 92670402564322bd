import { bytesText, countText, durationText } from "@thaw/contracts";
import type { AfterStepContext, PlannedContext } from "../api/contexts.js";
import { phaseAt } from "../plan/plan.js";
import type { RunPart } from "../run/run-part.js";
import { stepMemoryOf, type StepMemory, type StepMemoryInput } from "./step-memory.js";
import { StepTimes } from "./step-times.js";

/** One phase's memory: what was estimated from shapes, and what a real step told of it. */
interface PhaseMemory {
  /** The largest micro-batch so far. */
  largest: StepMemory;
  /** Bytes beside what stays that the first step took, over what shapes say of it. */
  factor?: number;
}

/**
 * Puts a run's estimates beside what it measured, in its summary: the most memory of a step, and the time of all. What
 * stays in memory (weights, gradients, optimizer slots) is counted. What a step takes beside it depends on the backend:
 * the first step of a phase tells by how much it differs from what shapes say, and shapes say how much more a larger
 * micro-batch takes. Time is that of the first steps of each stretch.
 */
export class Estimates implements RunPart {
  readonly #planned: PlannedContext;
  readonly #memoryOf: ReturnType<typeof stepMemoryOf>;
  readonly #times = new StepTimes();
  readonly #phases = new Map<number, PhaseMemory>();
  readonly #views: number;
  #peakBytes = 0;
  #firstEpoch: number | undefined;

  constructor(planned: PlannedContext) {
    this.#planned = planned;
    this.#memoryOf = stepMemoryOf(planned);
    this.#views = planned.sources.get("train")?.views ?? 1;
  }

  /**
   * Told of every micro-batch before its forward pass, and of the blocks that are computed again in backward; returns
   * those.
   */
  see(
    phase: StepMemoryInput["phase"],
    batch: StepMemoryInput["batch"],
    recomputed: ReadonlySet<string>,
  ): ReadonlySet<string> {
    const memory = this.#memoryOf({ phase, batch, recomputed });
    const known = this.#phases.get(phase.plan.fromStep);
    if (known === undefined) this.#phases.set(phase.plan.fromStep, { largest: memory });
    else if (memory.totalBytes > known.largest.totalBytes) known.largest = memory;
    return recomputed;
  }

  afterStep({ step, epoch, durationMs, peakBytes }: AfterStepContext): void {
    this.#firstEpoch ??= epoch;
    const { fromStep } = phaseAt(this.#planned.plan, step);
    this.#times.add(durationMs, { phaseStep: fromStep, isNew: epoch - this.#firstEpoch < this.#views });
    this.#peakBytes = Math.max(this.#peakBytes, peakBytes);
    const memory = this.#phases.get(fromStep);
    if (memory === undefined) return;
    const { residentBytes, passingBytes } = memory.largest;
    memory.factor ??= Math.max(0, peakBytes - residentBytes) / Math.max(1, passingBytes);
  }

  summary(): { readonly lines: readonly string[]; readonly numbers: Readonly<Record<string, number>> } {
    return { lines: this.lines, numbers: this.numbers };
  }

  /** Absent where no step was made. */
  get numbers(): Readonly<Record<string, number>> {
    const { steps, toldBy, estimatedMs, measuredMs } = this.#times;
    const memory = this.#memory;
    if (memory === undefined || steps === 0) return {};
    return {
      ...memory,
      stepPeakBytes: this.#peakBytes,
      estimatedStepsMs: estimatedMs,
      stepsMs: measuredMs,
      tellingSteps: toldBy,
    };
  }

  get lines(): readonly string[] {
    const { steps, toldBy, estimatedMs, measuredMs } = this.#times;
    const memory = this.#memory;
    if (memory === undefined || steps === 0) return [];
    return [
      `Memory of a step: ${bytesText(memory.estimatedStepBytes)} in tensors by the first step and the largest ` +
        `micro-batch, ${bytesText(this.#peakBytes)} measured.`,
      ...(steps === toldBy
        ? []
        : [
            `Time of ${countText(steps)} steps: ${durationText(estimatedMs)} by ${countText(toldBy)} of them, ` +
              `${durationText(measuredMs)} measured.`,
          ]),
    ];
  }

  /** Of the phase that needs the most. */
  get #memory(): { readonly estimatedStepBytes: number; readonly residentBytes: number } | undefined {
    const all = [...this.#phases.values()].map(({ largest: { residentBytes, passingBytes }, factor = 1 }) => ({
      estimatedStepBytes: residentBytes + factor * passingBytes,
      residentBytes,
    }));
    return all.sort((left, right) => right.estimatedStepBytes - left.estimatedStepBytes)[0];
  }
}
