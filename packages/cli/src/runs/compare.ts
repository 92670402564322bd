import { countText } from "@thaw/contracts";
import { compareRuns, readMeasured, type Difference, type RunComparison } from "@thaw/report";
import { lossText, table, type Column } from "../render/text.js";
import type { Colors, Terminal } from "../terminal/terminal.js";

/** Options of `thaw compare`. */
export interface CompareOptions {
  readonly json?: boolean;
}

/** Says where the configs, plans, measurements and loss curves of two runs differ. @throws THAW_REPORT_NOT_A_RUN */
export async function compare(
  left: string,
  right: string,
  options: CompareOptions,
  terminal: Terminal,
): Promise<number> {
  const [one, other] = await Promise.all([readMeasured(left), readMeasured(right)]);
  const compared = compareRuns(one, other);
  if (options.json === true) {
    terminal.out(JSON.stringify({ left: one.folder, right: other.folder, ...compared }));
    return 0;
  }
  const names = one.name === other.name ? ([left, right] as const) : ([one.name, other.name] as const);
  for (const line of comparisonText(compared, names, terminal)) terminal.out(line);
  return 0;
}

function comparisonText(
  { config, plan, isSamePlan, metrics, curve, numbers }: RunComparison,
  names: readonly [string, string],
  { colors, width }: { readonly colors: Colors; readonly width: number },
): readonly string[] {
  const rows = (title: string, cells: readonly (readonly string[])[], isNumber = false): readonly string[] =>
    table([{ title }, ...names.map((name): Column => ({ title: name, align: isNumber ? "right" : "left" }))], cells, {
      width,
      dim: colors.dim,
    });
  const texts = (found: readonly Difference<string>[]): readonly (readonly string[])[] =>
    found.map(({ name, left = "not set", right = "not set" }) => [name, left, right]);
  const values = (found: readonly Difference<number>[]): readonly (readonly string[])[] =>
    found.map(({ name, left, right }) => [name, numberText(left), numberText(right)]);
  const sections: (readonly string[])[] = [
    config.length === 0 ? ["The configs are the same."] : [colors.bold("Config"), ...rows("setting", texts(config))],
    isSamePlan
      ? ["The plans are the same."]
      : plan.length === 0
        ? ["The plans differ within components: see thaw plan --diff."]
        : [colors.bold("Plan"), ...rows("component", texts(plan))],
    [colors.bold("Measured"), ...rows("", values([...metrics, ...numbers]), true)],
    curve.steps === 0
      ? ["No step is in both."]
      : curve.differsFrom === undefined
        ? [`The losses of the ${curve.steps} steps that both made are the same.`]
        : [
            colors.bold(`Loss, which differs from step ${curve.differsFrom} on`),
            ...rows(
              "step",
              curve.points.map(({ step, left, right }) => [String(step), lossText(left), lossText(right)]),
              true,
            ),
          ],
  ];
  return sections.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

function numberText(value: number | undefined): string {
  if (value === undefined) return "-";
  return Number.isInteger(value) ? countText(value) : String(Number(value.toPrecision(4)));
}
