import type { Command } from "@thaw/core";
import type { CompareOptions } from "../runs/compare.js";
import type { ReportOptions } from "../runs/report.js";
import type { RunsOptions } from "../runs/runs.js";
import * as help from "../terminal/help.js";
import type { HostContext, OwnCommand } from "./context.js";

const report: Command<ReportOptions, HostContext> = {
  name: "report",
  arguments: "<run>",
  summary: "write the page that shows a run: finished, stopped, resumed, failed or going on",
  help: help.REPORT_HELP,
  options: [{ flags: "--json", summary: "one JSON object per page on standard output" }],
  async load() {
    const { report: run } = await import("../runs/report.js");
    return (line, { terminal }) => run(line.arguments[0]!, line.options, terminal);
  },
};

const runs: Command<RunsOptions, HostContext> = {
  name: "runs",
  arguments: "[folder]",
  summary: "list the runs in a folder: status, metric, time, data, plan",
  help: help.RUNS_HELP,
  options: [{ flags: "--json", summary: "one JSON object per run on standard output" }],
  async load() {
    const { runs: run } = await import("../runs/runs.js");
    return (line, { terminal }) => run(line.arguments[0] ?? "runs", line.options, terminal);
  },
};

const compare: Command<CompareOptions, HostContext> = {
  name: "compare",
  arguments: "<run> <other-run>",
  summary: "show where the configs, plans and curves of two runs differ",
  help: help.COMPARE_HELP,
  options: [{ flags: "--json", summary: "the differences as one JSON object on standard output" }],
  async load() {
    const { compare: run } = await import("../runs/compare.js");
    return ({ arguments: [left, right], options }, { terminal }) => run(left!, right!, options, terminal);
  },
};

/** Commands that look at runs, in the order of `thaw --help`. */
export const RUN_COMMANDS: readonly OwnCommand[] = [report, runs, compare];
