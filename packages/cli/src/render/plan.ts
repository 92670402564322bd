import { bytesText, countText } from "@thaw/contracts";
import { planMemory, planReport, type PlannedContext } from "@thaw/core";
import type { Colors } from "../terminal/terminal.js";
import { table, wrap } from "./text.js";

/** The trainability plan for people: one row per component, then what the words mean. */
export function planLines(
  planned: PlannedContext,
  options: { readonly colors: Colors; readonly width: number; readonly step?: number },
): readonly string[] {
  const { colors, width, step = 0 } = options;
  const memory = planMemory(planned, step);
  const report = planReport(planned, step);
  const paint: Record<string, (text: string) => string> = {
    train: colors.green,
    partial: colors.yellow,
    adapter: colors.yellow,
    frozen: colors.cyan,
    undecided: colors.red,
  };
  const rows = report.components.map(({ name, state, flows, parameterCount, reason }) => {
    const bytes = memory.get(name);
    return [
      name,
      countText(parameterCount),
      (paint[state] ?? String)(state === "train" ? "trainable" : state),
      flows.join(", ") || "-",
      bytesText((bytes?.parameterBytes ?? 0) + (bytes?.trainedBytes ?? 0)),
      reason,
    ];
  });
  const trained = [...memory.values()].reduce((sum, { trainedCount }) => sum + trainedCount, 0);
  const all = report.components.reduce((sum, component) => sum + component.parameterCount, 0);
  const starts = planned.plan.phases.map(({ fromStep }) => fromStep);
  return [
    ...table(
      [
        { title: "component" },
        { title: "parameters", align: "right" },
        { title: "state" },
        { title: "flow" },
        { title: "memory", align: "right" },
        { title: "reason" },
      ],
      rows,
      { width, dim: colors.dim },
    ),
    ...wrap(
      `${countText(trained)} of ${countText(all)} parameters train ` +
        `(${((100 * trained) / Math.max(1, all)).toFixed(1)}%). Memory: weights, and of what trains the gradient ` +
        `and ${planned.optimizer.keeps}.`,
      width,
    ).map(colors.dim),
    ...wrap(
      "Flow: prefix runs unrecorded and can be cached; through passes gradients on and keeps only what those " +
        "need; trained.",
      width,
    ).map(colors.dim),
    ...(starts.length > 1
      ? wrap(`The plan has phases, from steps ${starts.join(", ")}; this is step ${step}.`, width).map(colors.dim)
      : []),
    colors.dim(`Plan ${report.hash.slice(0, 12)}`),
  ];
}
