import type { AfterStepContext, EvaluatedContext } from "../api/contexts.js";
import { ThawError } from "@thaw/contracts";
import type { SavedState } from "../api/summary.js";
import type { FailedEvent } from "./run-event.js";
import type { EvaluatedEvent, StepEvent } from "./metrics-line.js";

/** A step's event. `metrics`: what plugins measured. */
export function stepEvent(context: AfterStepContext, metrics: Readonly<Record<string, number>> = {}): StepEvent {
  const { step, epoch, loss, gradientNorm, learningRates, supervisedTokens, tokens, durationMs } = context;
  const { gradientNorms, updateRatios, times, peakBytes } = context;
  const numbers = { epoch, loss, gradientNorm, learningRates, supervisedTokens, tokens, durationMs };
  return {
    event: "step",
    step: step + 1,
    ...numbers,
    gradientNorms,
    ...(updateRatios === undefined ? {} : { updateRatios }),
    times,
    peakBytes,
    ...(Object.keys(metrics).length > 0 ? { metrics } : {}),
  };
}

/** An evaluation's event. */
export function evaluatedEvent({ step, epoch, name, metrics, lower, durationMs }: EvaluatedContext): EvaluatedEvent {
  return { event: "evaluated", step, epoch, name, metrics, ...(lower === undefined ? {} : { lower }), durationMs };
}

/** The event of a run that failed after `step` steps. */
export function failedEvent(
  error: unknown,
  step: number,
  { saved }: { readonly saved?: SavedState } = {},
): FailedEvent {
  return {
    event: "failed",
    step,
    ...(error instanceof ThawError ? { code: error.code } : {}),
    message: error instanceof Error ? error.message : String(error),
    ...(saved === undefined ? {} : { saved }),
  };
}
