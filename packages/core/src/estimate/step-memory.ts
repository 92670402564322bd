import { FLOAT32_BYTES, type Batch } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import type { Phase } from "../model/phase.js";
import { countTokens } from "../model/supervision.js";
import { keptFor, matrixWidths } from "../plan/activation-bytes.js";
import { planMemory } from "../plan/plan-report.js";
import { innermost } from "../segments/segments.js";
import { segmentRows } from "../segments/segment-rows.js";

/** Bytes in tensors at the fullest moment of a step, estimated from shapes. */
export interface StepMemory {
  /** What stays: parameters in the forms in which they are kept, and of what trains gradients and optimizer slots. */
  readonly residentBytes: number;
  /** What comes and goes: activations that are kept for backward, and what the largest block computes with. */
  readonly passingBytes: number;
  /** Both together. */
  readonly totalBytes: number;
}

/** The phase of the plan and the micro-batch that an estimate is for. */
export interface StepMemoryInput {
  readonly phase: Pick<Phase, "plan" | "flows">;
  readonly batch: Pick<Batch, "attentionMask" | "media">;
  /** Blocks that are computed again in backward: they keep their inputs, and one of them at a time its activations. */
  readonly recomputed: ReadonlySet<string>;
}

/**
 * What a step of a micro-batch needs, from shapes alone. Beside the peak of a step on WASM it is 0.88 to 1.23 times as
 * much (LLaVA of two million parameters, with each component trained, all, adapters, or blocks computed again); on
 * native, which computes attention in one kernel, up to 1.7 times. What does not depend on the micro-batch is looked up
 * once: this is asked for each one.
 */
export function stepMemoryOf(planned: PlannedContext): (input: StepMemoryInput) => StepMemory {
  const widthOf = matrixWidths(planned);
  const blocks = innermost(planned.model.segments).map((segment) => ({ name: segment.name, width: widthOf(segment) }));
  const inputBytes = FLOAT32_BYTES * planned.model.text.hiddenSize;
  const resident = new Map<number, number>();
  const residentAt = (step: number): number => {
    const known = resident.get(step) ?? residentBytesAt(planned, step);
    resident.set(step, known);
    return known;
  };
  return ({ phase: { plan, flows }, batch, recomputed }) => {
    const rowsOf = segmentRows(planned, batch.media, countTokens(batch));
    let [kept, oneAgain, work] = [0, 0, 0];
    for (const { name, width } of blocks) {
      const rows = rowsOf(name);
      const bytes = keptFor(width, flows.get(name), rows);
      work = Math.max(work, FLOAT32_BYTES * width * rows);
      kept += recomputed.has(name) ? inputBytes * rows : bytes;
      if (recomputed.has(name)) oneAgain = Math.max(oneAgain, bytes);
    }
    const residentBytes = residentAt(plan.fromStep);
    const passingBytes = kept + oneAgain + work;
    return { residentBytes, passingBytes, totalBytes: residentBytes + passingBytes };
  };
}

/** Of parameters as they are kept, and of what trains from that step on. */
function residentBytesAt(planned: PlannedContext, step: number): number {
  return [...planMemory(planned, step).values()].reduce(
    (sum, { parameterBytes, trainedBytes }) => sum + parameterBytes + trainedBytes,
    0,
  );
}
