import { countText } from "@thaw/contracts";
import type { Answer, CaptionRecord, Scores } from "../record/record.js";
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
    ["before", record.before],
    [record.before === undefined ? "model" : "after", record.after],
    ["majority baseline", record.baselines.majority],
    ["nearest neighbour baseline", record.baselines.nearestNeighbour],
  ] as const;
  return all
    .flatMap(([label, scores]) => (scores === undefined ? [] : [{ label, scores }]))
    .map((row, index) => ({ ...row, samples, isFirst: index === 0 }));
}

/** True if the result after training beats both baselines in token F1. */
export function isBetter({ after, baselines }: CaptionRecord): boolean {
  return (
    after !== undefined &&
    [baselines.majority, baselines.nearestNeighbour].every(
      (baseline) => baseline === undefined || after.tokenF1 > baseline.tokenF1,
    )
  );
}

/** Scores for the terminal. */
export function scoreLines(
  records: readonly CaptionRecord[],
  options: { readonly colors: Colors; readonly width: number },
): readonly string[] {
  const { colors, width } = options;
  const rows = records.flatMap((record) =>
    scoreRows(record).map((row) => {
      const paint = row.scores === record.after ? (isBetter(record) ? colors.green : colors.yellow) : String;
      return [
        row.isFirst ? record.name : "",
        row.isFirst ? countText(row.samples) : "",
        paint(row.label),
        paint(scoreText(row.scores.tokenF1)),
        paint(scoreText(row.scores.exactMatch)),
      ];
    }),
  );
  if (rows.length === 0) return [];
  const notScored = Math.max(0, ...records.map(({ after, before }) => (after ?? before)?.notScored ?? 0));
  return [
    ...table(
      [
        { title: "evaluation" },
        { title: "samples", align: "right" },
        { title: "" },
        { title: "token F1", align: "right" },
        { title: "exact match", align: "right" },
      ],
      rows,
      { width, dim: colors.dim },
    ),
    ...(notScored === 0
      ? []
      : [
          colors.dim(
            `${countText(notScored)} names that the training set does not have at all are counted here, not scored.`,
          ),
        ]),
  ];
}

/** A dozen (or `count`) answers spread evenly over the set, so that nobody picks the good ones. */
export function pickAnswers(answers: readonly Answer[], count: number): readonly Answer[] {
  if (answers.length <= count) return answers;
  return Array.from({ length: count }, (_, index) => answers[Math.floor(((index + 0.5) * answers.length) / count)]!);
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
  const before = new Map((record.before?.answers ?? []).map((answer) => [answer.index, answer.answer]));
  const rows = pickAnswers(result.answers, count).map((answer) => {
    const paint = answer.tokenF1 >= 0.999 ? colors.green : answer.tokenF1 === 0 ? colors.red : colors.yellow;
    return [
      short(answer.reference),
      ...(hasBoth ? [colors.dim(short(before.get(answer.index) ?? "-"))] : []),
      paint(short(answer.answer)),
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

function short(text: string): string {
  const shown = text === "" ? "(nothing)" : text.replace(/\s+/g, " ").replace(/[\p{C}\uFFFD]/gu, "·");
  return shown.length > 34 ? `${shown.slice(0, 33)}…` : shown;
}
