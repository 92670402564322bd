import { bytesText, countText, durationText } from "@thaw/contracts";
import { deadGradientLines, type BestSummary } from "@thaw/core";
import { metricText, type Comparison } from "@thaw/report";
import type { RunRecord } from "../record/record.js";
import type { Colors } from "../terminal/terminal.js";
import { sampleLines, scoreLines } from "./captions.js";
import { chartLines } from "./chart.js";
import { lossText } from "./text.js";

/** What a run did, for people: loss, captions beside the baselines, samples, the frozen proof, what freezing saved. */
export function summaryLines(
  record: RunRecord,
  options: { readonly colors: Colors; readonly width: number },
): readonly string[] {
  const { colors, width } = options;
  const { summary } = record;
  const sections: (readonly string[])[] = [];
  const add = (title: string, lines: readonly string[]): void =>
    void (lines.length > 0 && sections.push([colors.bold(title), ...lines]));
  if (summary !== undefined) {
    const speed = (1000 * summary.tokens) / Math.max(1, summary.trainingMs);
    sections.push([
      `${countText(summary.steps)} steps in ${durationText(summary.durationMs)} on ` +
        `${record.backend ?? "the backend"} (training alone ${durationText(summary.trainingMs)}, ` +
        `${countText(speed)} tokens/s); ended: ${summary.stopReason}.`,
    ]);
  }
  const lossTitle =
    summary === undefined
      ? "Loss"
      : `Loss: ${lossText(summary.firstLoss)} at the first step, ${lossText(summary.lastLoss)} at the last`;
  add(
    lossTitle,
    chartLines(
      record.steps.map(({ step, loss }) => ({ step, value: loss })),
      { width: Math.min(width, 90) },
    ),
  );
  add("Captions", scoreLines(record.captions, options));
  add("Best checkpoint", bestLines(summary?.best));
  const written = record.captions.filter(({ before, after }) => ((after ?? before)?.predictions.length ?? 0) > 0);
  const first = written.find(({ after }) => after !== undefined) ?? written[0];
  if (first !== undefined) add("Samples, spread evenly over the set", sampleLines(first, options));
  add("Trained without gradient", deadGradientLines(summary?.deadGradients ?? []));
  add("Frozen, proven", proofLines(record, colors));
  add("What freezing saved", record.saving === undefined ? [] : comparisonLines(record.saving, colors));
  add("Memory and speed", summary?.lines ?? []);
  return sections.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

/** What was best, after how many steps, and where it lies. */
export function bestLines(best: BestSummary | undefined): readonly string[] {
  if (best === undefined) return [];
  const { metric, evaluation, value, step, folder } = best;
  const where = folder === undefined ? "" : `: ${folder}`;
  return [`${metricText(metric)} of ${evaluation} is ${lossText(value)} after step ${countText(step)}${where}`];
}

/** One line per component: fingerprints before the first and after the last step. */
export function proofLines(record: RunRecord, colors: Colors): readonly string[] {
  const proofs = record.summary?.frozenProof ?? [];
  const width = Math.max(0, ...proofs.map(({ component }) => component.length));
  return proofs.map(({ component, parameterCount, before, after, isUnchanged }) => {
    const verdict = isUnchanged ? colors.green("no bit moved") : colors.red(`CHANGED to ${after.slice(0, 12)}`);
    return (
      `${component.padEnd(width)}  ${countText(parameterCount)} ${parameterCount === 1 ? "tensor " : "tensors"}  ` +
      `sha256 ${before.slice(0, 12)}…  ${verdict}`
    );
  });
}

/** The measured comparison. */
export function comparisonLines({ frozen, allTrainable }: Comparison, colors: Colors): readonly string[] {
  const faster = allTrainable.stepMs / Math.max(1e-9, frozen.stepMs);
  const smaller = allTrainable.peakBytes / Math.max(1, frozen.peakBytes);
  return [
    `time per step: ${durationText(frozen.stepMs)} instead of ${durationText(allTrainable.stepMs)}, ` +
      `${colors.green(`${faster.toFixed(1)}x faster`)}`,
    `peak in tensors: ${bytesText(frozen.peakBytes)} instead of ${bytesText(allTrainable.peakBytes)}, ` +
      `${colors.green(`${smaller.toFixed(1)}x less`)}`,
    colors.dim(
      `(medians of ${frozen.steps} and ${allTrainable.steps} steps; ${countText(frozen.trainedParameters)} ` +
        `against ${countText(allTrainable.trainedParameters)} trained parameters, same data, same process)`,
    ),
  ];
}
