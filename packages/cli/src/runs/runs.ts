import { basename, relative } from "node:path";
import { countText, durationText } from "@thaw/contracts";
import { listRuns, type ListedRun, type RunStatus } from "@thaw/report";
import { lossText, scoreText, table } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw runs`. */
export interface RunsOptions {
  readonly json?: boolean;
}

/** Lists the runs in a folder, newest first. @throws THAW_REPORT_NO_RUNS */
export async function runs(folder: string, options: RunsOptions, terminal: Terminal): Promise<number> {
  const found = await listRuns(folder);
  if (options.json === true) {
    for (const run of found) terminal.out(JSON.stringify(run));
    return 0;
  }
  if (found.length === 0) {
    terminal.out(`There is no run in ${relative(process.cwd(), folder) || basename(process.cwd())}.`);
    return 0;
  }
  const { colors, width } = terminal;
  const paint = (status: RunStatus): string => (status === "failed" ? colors.red : String)(status);
  const lines = table(
    [
      { title: "run" },
      { title: "status" },
      { title: "steps", align: "right" },
      { title: "loss", align: "right" },
      { title: "time", align: "right" },
      { title: "data" },
      { title: "plan" },
      { title: "metric" },
    ],
    found.map((run) => [
      run.name,
      paint(run.status),
      run.steps === run.totalSteps ? countText(run.steps) : `${countText(run.steps)} of ${countText(run.totalSteps)}`,
      lossText(run.loss),
      durationText(run.trainingMs),
      run.data ?? "-",
      run.planHash.slice(0, 8),
      metricText(run),
    ]),
    { width, dim: colors.dim },
  );
  for (const line of lines) terminal.out(line);
  return 0;
}

function metricText({ metric }: Pick<ListedRun, "metric">): string {
  return metric === undefined ? "-" : `${scoreText(metric.value)} ${metric.name} of ${metric.evaluation}`;
}
