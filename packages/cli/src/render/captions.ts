import { countText } from "@thaw/contracts";
import { metricText } from "@thaw/report";
import { spread, type AnswerPrediction, type Scores } from "@thaw/plugin-captions";
import type { CaptionRecord } from "../record/record.js";
import type { Colors } from "../terminal/terminal.js";
import { scoreText, table } from "./text.js";

/** One line of the score table. */
export interface ScoreRow {
  readonly label: "before" | "after" | "model" | "majority baseline" | "nearest neighbour baseline";
  readonly scores: Scores;
  readonly samples: number;
  readonly isFirst: boolean;
}

/** Before, after and baselines, as far as they were measured. */
export function scoreRows(record: CaptionRecord): readonly ScoreRow[] {
  const samples = (record.after ?? record.before)?.samples ?? 0;
  const all = [
    ["before", record.before?.scores],
    [record.before === undefined ? "model" : "after", record.after?.scores],
    ["majority baseline", record.baselines.majority],
    ["nearest neighbour baseline", record.baselines.nearestNeighbour],
  ] as const;
  return all
    .flatMap(([label, scores]) => (scores === undefined ? [] : [{ label, scores }]))
    .map((row, index) => ({ ...row, samples, isFirst: index === 0 }));
}

/** True if the result after training beats both baselines in the first metric. */
export function isBetter({ after, baselines, better }: CaptionRecord): boolean {
  const [metric, direction] = Object.entries(better)[0] ?? [];
  if (after === undefined || metric === undefined) return false;
  const sign = direction === "lower" ? -1 : 1;
  return [baselines.majority, baselines.nearestNeighbour].every(
    (baseline) => baseline === undefined || sign * after.scores[metric]! > sign * baseline[metric]!,
  );
}

/** Scores for the terminal: a column for each metric that one of the records has. */
export function scoreLines(
  records: readonly CaptionRecord[],
  options: { readonly colors: Colors; readonly width: number },
): readonly string[] {
  const { colors, width } = options;
  const metrics = [...new Set(records.flatMap(({ better }) => Object.keys(better)))];
  const rows = records.flatMap((record) =>
    scoreRows(record).map((row) => {
      const paint = row.scores === record.after?.scores ? (isBetter(record) ? colors.green : colors.yellow) : String;
      return [
        row.isFirst ? record.name : "",
        row.isFirst ? countText(row.samples) : "",
        paint(row.label),
        ...metrics.map((metric) => paint(scoreText(row.scores[metric]))),
      ];
    }),
  );
  if (rows.length === 0) return [];
  const unscored = Math.max(0, ...records.map(({ after, before }) => (after ?? before)?.unscored ?? 0));
  return [
    ...table(
      [
        { title: "evaluation" },
        { title: "samples", align: "right" },
        { title: "" },
        ...metrics.map((metric) => ({ title: metricText(metric), align: "right" as const })),
      ],
      rows,
      { width, dim: colors.dim },
    ),
    ...(unscored === 0
      ? []
      : [
          colors.dim(
            `${countText(unscored)} names that the training set does not have at all are counted here, not scored.`,
          ),
        ]),
  ];
}

/** Captions before and after, for the terminal. */
export function sampleLines(
  record: CaptionRecord,
  options: { readonly colors: Colors; readonly width: number; readonly count?: number },
): readonly string[] {
  const { colors, width, count = 12 } = options;
  const result = record.after ?? record.before;
  if (result === undefined) return [];
  const hasBoth = record.before !== undefined && record.after !== undefined;
  const before = new Map((record.before?.predictions ?? []).map(({ index, prediction }) => [index, prediction]));
  const rows = spread(result.predictions, count).map((answer) => {
    const paint = painter(answer, record, colors);
    return [
      short(answer.reference),
      ...(hasBoth ? [colors.dim(short(before.get(answer.index) ?? "-"))] : []),
      paint(short(answer.prediction)),
    ];
  });
  return table(
    [
      { title: `sample (${record.name})` },
      ...(hasBoth ? [{ title: "before" }, { title: "after" }] : [{ title: "model" }]),
    ],
    rows,
    { width, dim: colors.dim },
  );
}

/** Green for right, red for wrong, yellow between; plain where scores are not shares of 1. */
function painter(
  { scores }: AnswerPrediction,
  { better }: Pick<CaptionRecord, "better">,
  colors: Colors,
): (text: string) => string {
  const [metric, score] = Object.entries(scores)[0] ?? [];
  if (metric === undefined || score === undefined || score > 1 || better[metric] === "lower") return String;
  return score >= 0.999 ? colors.green : score === 0 ? colors.red : colors.yellow;
}

function short(text: string): string {
  const shown = text === "" ? "(nothing)" : text.replace(/\s+/g, " ").replace(/[\p{C}\uFFFD]/gu, "·");
  return shown.length > 34 ? `${shown.slice(0, 33)}…` : shown;
}
