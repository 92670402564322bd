import type { Chart, Line } from "../run/series.js";
import { trusted, type Html } from "./html.js";
import { numberText } from "./text.js";

/** The page has so many colours for curves. */
const CURVES = 6;
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 2", "12 4"];

/**
 * A chart as one inline SVG, for pages without scripts and for print; colours come from the page's style, so they
 * follow light and dark. Lines differ by dashes too. `isWide`: it has the page's whole width, else half of it.
 */
export async function chartSvg({ steps, lines, label, marks, isLogarithmic }: Chart, isWide: boolean): Promise<Html> {
  const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<html><body></body></html>");
  const drawn = lines.flatMap((line, index) => {
    const data = line.values.flatMap((value, at) =>
      value === null || (isLogarithmic === true && value <= 0) ? [] : [{ step: steps[at]!, value }],
    );
    const colour = colourOf(lines, index);
    const stroke = `var(--curve-${colour + 1})`;
    const style = {
      stroke,
      strokeWidth: line.look === "faint" ? 1 : 1.8,
      strokeOpacity: line.look === "faint" ? 0.35 : 1,
      strokeDasharray: line.look === "level" ? "4 4" : DASHES[colour]!,
    };
    return [
      Plot.lineY(data, { x: "step", y: "value", ...style }),
      ...(line.look === "points" || data.length <= 12
        ? [Plot.dot(data, { x: "step", y: "value", fill: stroke, r: 3 })]
        : []),
    ];
  });
  const plot = Plot.plot({
    document: document as never,
    width: isWide ? 1100 : 540,
    height: isWide ? 300 : 230,
    marginLeft: 56,
    marginTop: 28,
    marginBottom: 36,
    x: { label: "step" },
    y: {
      label,
      grid: true,
      nice: true,
      ...(isLogarithmic === true ? { type: "log" as const, tickFormat: logarithmicTick } : {}),
    },
    style: { background: "none", color: "currentColor", fontSize: "12px" },
    marks: [Plot.ruleX(marks, { stroke: "currentColor", strokeDasharray: "2 3" }), ...drawn],
  });
  // The figure around it says in words what it shows
  plot.setAttribute("aria-hidden", "true");
  for (const labelled of plot.querySelectorAll("[aria-label]")) labelled.removeAttribute("aria-label");
  return trusted(withShortNumbers(plot.outerHTML));
}

/** Coordinates with one decimal: a screen shows no more. Texts stay as they are. */
function withShortNumbers(svg: string): string {
  return svg.replaceAll(/ (?:d|transform|[xy][12]?|c[xy])="[^"]*"/g, (attribute) =>
    attribute.replaceAll(/\d+\.\d{2,}/g, (digits) => String(Number(Number(digits).toFixed(1)))),
  );
}

/** Of the many ticks of a logarithmic axis those at 1, 2 and 5 are named. */
function logarithmicTick(value: number): string {
  const first = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
  return [1, 2, 5].includes(first) ? numberText(value) : "";
}

/** A smoothed line has the colour of the faint one behind it. */
export function colourOf(lines: readonly Line[], index: number): number {
  const faint = lines.slice(0, index).filter(({ look }) => look === "faint").length;
  return (index - faint) % CURVES;
}
