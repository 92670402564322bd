import { elementCount } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import { planReport } from "../plan/plan-report.js";
import type { RunSummary } from "../api/summary.js";
import type { SummaryParts } from "./run-part.js";
import type { LoopEnd } from "../training/train-loop.js";

/** What a summary is made of. */
export interface SummaryInput extends SummaryParts {
  readonly planned: PlannedContext;
  readonly runFolder: string | undefined;
  readonly steps: number;
  readonly epochs: number;
  readonly end: LoopEnd;
}

/** The summary of a run; plugins add to `lines` and `numbers`. Counts are of the phase that held last. */
export function summarize({
  planned,
  runFolder,
  steps,
  epochs,
  end,
  totals,
  frozenProof,
  deadGradients,
  evaluations,
  best,
  lines,
  numbers,
}: SummaryInput): RunSummary {
  const report = planReport(planned, Math.max(0, steps - 1));
  const sizes = new Map(planned.parameters.map(({ name, shape }) => [name, elementCount(shape)]));
  const components = report.components.map(({ name, flows, parameterCount }) => {
    const trainable = report.parameters
      .filter((entry) => entry.component === name && entry.trainable)
      .reduce((sum, entry) => sum + (sizes.get(entry.name) ?? 0), 0);
    return { name, trainable, frozen: parameterCount - trainable, flows };
  });
  return {
    ...(runFolder === undefined ? {} : { runFolder }),
    steps,
    epochs,
    stopReason: end.reason,
    isInterrupted: end.isInterrupted,
    ...totals,
    components,
    frozenProof,
    findings: planned.findings,
    deadGradients,
    evaluations,
    ...(best === undefined ? {} : { best }),
    lines: [...lines],
    numbers: { ...numbers },
  };
}
