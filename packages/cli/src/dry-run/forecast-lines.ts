import { bytesText, countText, durationText } from "@thaw/contracts";
import { wrap } from "../render/text.js";
import type { Colors } from "../terminal/terminal.js";
import type { Forecast, Trial } from "./forecast.js";

/** What a trial says of a run, for people: what was measured, and what follows from it. */
export function forecastLines(
  { backend, startMs, newMs, seenMs, estimatedStepBytes, residentBytes }: Trial,
  { stepMs, stepsMs, evaluations, totalMs }: Forecast,
  totalSteps: number,
  { colors, width }: { readonly colors: Colors; readonly width: number },
): readonly string[] {
  const tried = newMs.length + seenMs.length;
  const again = seenMs.length === 0 ? "" : `, ${seenMs.length} of them on samples that were seen before`;
  const measured =
    `Measured: ${tried} real steps on ${backend}${again}, and some samples of each evaluation. Memory is that of the ` +
    "first step, for the largest of these micro-batches. Nothing was written; checkpoints are not in the time.";
  const rows: readonly (readonly [string, string, string])[] = [
    [
      "memory",
      bytesText(estimatedStepBytes),
      `in tensors; ${bytesText(residentBytes)} of it weights, gradients, slots`,
    ],
    ["a step", durationText(stepMs), `the mean of ${countText(totalSteps)}`],
    ["start", durationText(startMs), "data, weights"],
    ["steps", durationText(stepsMs), `${countText(totalSteps)} of them`],
    ...evaluations.map(({ name, times, ms }): readonly [string, string, string] => [
      name,
      durationText(ms),
      `evaluated ${times} ${times === 1 ? "time" : "times"}`,
    ]),
    ["whole run", durationText(totalMs), "about"],
  ];
  const names = Math.max(...rows.map(([name]) => name.length));
  const values = Math.max(...rows.map(([, value]) => value.length));
  return [
    colors.bold("This run on this machine, estimated"),
    ...rows.map(([name, value, note]) => `${name.padEnd(names)}  ${value.padStart(values)}  ${colors.dim(note)}`),
    ...wrap(measured, width).map((line) => colors.dim(line)),
  ];
}
