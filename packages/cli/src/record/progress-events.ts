import { tokensPerSecond, type RunEvent } from "@thaw/core";
import type { Progress } from "../terminal/progress.js";
import type { RunRecord } from "./record.js";

/** The progress bar as a subscriber of a run's events. */
export function progressEvents(record: Pick<RunRecord, "isBarTaken">, progress: Progress): (event: RunEvent) => void {
  return (event) => {
    if (event.event === "step") {
      const { step, loss, learningRates, peakBytes } = event;
      const memory = peakBytes === undefined ? {} : { peakBytes };
      progress.step(step, { loss, tokensPerSecond: tokensPerSecond(event), learningRates, ...memory });
    } else if (event.event === "evaluated") record.isBarTaken = true;
    else if (event.event === "done" || event.event === "failed") progress.end();
  };
}
