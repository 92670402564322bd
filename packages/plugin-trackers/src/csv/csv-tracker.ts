import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import { eventNumbers, makeFolders, readMetrics, type MetricsLine, type Tracker, type TrackerMaking } from "@thaw/core";

const FIRST_COLUMNS = ["event", "step", "epoch"] as const;

/**
 * `metrics.csv`: what `metrics.jsonl` of the run folder says, a row per line, a column per number. Where a number comes
 * that had no column yet the table is written anew.
 */
export async function csvTracker({ facts, folder, step }: TrackerMaking): Promise<Tracker> {
  await makeFolders(folder);
  const path = join(folder, "metrics.csv");
  const columns = new Set<string>(FIRST_COLUMNS);
  let rows = 0;
  const write = async (lines: readonly MetricsLine[]): Promise<void> => {
    for (const line of lines) for (const name of Object.keys(cellsOf(line))) columns.add(name);
    await writeFile(path, stringify([[...columns], ...lines.map((line) => rowOf(line, columns))]));
    rows = lines.length;
  };
  await write(await readMetrics(facts.runFolder!, step));
  return {
    async record(event) {
      if (event.event !== "step" && event.event !== "evaluated" && event.event !== "baseline") return;
      if (Object.keys(cellsOf(event)).some((name) => !columns.has(name)))
        // The run may be further by now: later lines have their own call
        await write((await readMetrics(facts.runFolder!, event.step)).slice(0, rows + 1));
      else {
        await appendFile(path, stringify([rowOf(event, columns)]));
        rows += 1;
      }
    },
  };
}

function cellsOf(line: MetricsLine): Readonly<Record<string, string | number>> {
  const { event, step } = line;
  return { event, step, ...("epoch" in line ? { epoch: line.epoch } : {}), ...eventNumbers(line) };
}

/** Numbers as JavaScript writes them, which is exact; NaN and Infinity by name. */
function rowOf(line: MetricsLine, columns: ReadonlySet<string>): readonly string[] {
  const cells = cellsOf(line);
  return [...columns].map((name) => (cells[name] === undefined ? "" : String(cells[name])));
}
