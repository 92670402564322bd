import type { RunCachesReport } from "../cache/run-caches.js";
import { bytesText } from "@thaw/core";

/** What the run's summary says about the caches; nothing if none was used. */
export function cacheLines(report: RunCachesReport): string[] {
  const notes = report.notes.map((note) => `Feature cache: ${note}`);
  const count = report.hits + report.misses;
  if (count === 0) return notes;
  const disk = report.diskBytes > 0 ? ` and ${bytesText(report.diskBytes)} on disk` : "";
  const place = `${bytesText(report.memoryBytes)} in memory${disk}`;
  const saved = report.savedMs >= 1000 ? `${(report.savedMs / 1000).toFixed(1)} s` : `${Math.round(report.savedMs)} ms`;
  const released =
    report.releasedBytes > 0
      ? [
          `Released: ${bytesText(report.releasedBytes)} of parameters that no image needed any ` +
            `more${timesRead(report.restoreCount)}.`,
        ]
      : [];
  return [
    `Feature cache: ${report.segments.join(", ")} ran for ${report.misses} of ${count} images (${place}), which ` +
      `saved about ${saved}.`,
    ...released,
    ...notes,
  ];
}

function timesRead(count: number): string {
  return count === 0 ? "" : `, after ${count === 1 ? "one return" : `${count} returns`} for new images`;
}
