import asciichart from "asciichart";

/** One point of a curve. */
export interface Point {
  readonly step: number;
  readonly value: number;
}

/**
 * A loss curve for the terminal, `height` rows high and at most `width` columns wide; empty for fewer than two points.
 */
export function chartLines(
  points: readonly Point[],
  options: { readonly width: number; readonly height?: number },
): readonly string[] {
  const finite = points.filter(({ value }) => Number.isFinite(value));
  if (finite.length < 2) return [];
  const columns = Math.max(10, Math.min(options.width - 12, finite.length));
  const plot = asciichart.plot(
    resample(
      finite.map(({ value }) => value),
      columns,
    ),
    { height: options.height ?? 10, format: (value: number) => value.toFixed(3).padStart(9) },
  );
  const first = String(finite[0]!.step);
  const last = `step ${finite.at(-1)!.step}`;
  return [
    ...plot.split("\n").map((line) => line.trimEnd()),
    `${" ".repeat(11)}${first}${last.padStart(Math.max(1, columns - first.length))}`,
  ];
}

/** Means of as many equal stretches. */
export function resample(values: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * values.length) / count);
    const stretch = values.slice(from, Math.max(from + 1, Math.floor(((index + 1) * values.length) / count)));
    return stretch.reduce((sum, value) => sum + value, 0) / stretch.length;
  });
}
