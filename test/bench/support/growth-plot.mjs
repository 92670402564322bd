import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Least squares of `y = offset + slope x`. */
export function fitLine(points) {
  const mean = (pick) => points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [x, y] = [mean(([value]) => value), mean(([, value]) => value)];
  const slope =
    points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0) / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
  return { slope, offset: y - slope * x };
}

const COLORS = ["#4269d0", "#c2571a", "#3a7d44"];

/** Points of several series with the line through each, as one SVG file that stands alone, on white. */
export function growthSvg({ series, title, x, y }) {
  const { document } = parseHTML("<html><body></body></html>");
  const dots = series.flatMap(({ name, points }) => points.map(([at, value]) => ({ name, at, value })));
  const lines = series.flatMap(({ name, points }) => {
    const { slope, offset } = fitLine(points);
    const ends = [points[0][0], points.at(-1)[0]];
    return ends.map((at) => ({ name, at, value: offset + slope * at }));
  });
  const figure = Plot.plot({
    document,
    width: 560,
    height: 300,
    marginLeft: 64,
    marginTop: 34,
    marginRight: 20,
    marginBottom: 40,
    x: { label: x, nice: true, zero: true },
    y: { label: y, grid: true, nice: true, zero: true },
    color: { domain: series.map(({ name }) => name), range: COLORS },
    style: { background: "white", color: "#222", fontSize: "12px", fontFamily: "sans-serif" },
    marks: [
      Plot.line(lines, { x: "at", y: "value", stroke: "name", strokeDasharray: "5 4" }),
      Plot.dot(dots, { x: "at", y: "value", fill: "name", r: 4 }),
      ...series.map(({ name, points }, index) => {
        // In the corner that the lines leave empty.
        const isRising = fitLine(points).slope > 0;
        return Plot.text([name], {
          text: (text) => text,
          frameAnchor: isRising ? "bottom-right" : "bottom-left",
          dx: isRising ? -10 : 10,
          dy: -12 - 18 * (series.length - 1 - index),
          fill: COLORS[index],
          stroke: "white",
          strokeWidth: 4,
          fontSize: 13,
        });
      }),
      Plot.text([title], { frameAnchor: "top", dy: -22, fontWeight: "bold" }),
    ],
  });
  return `${figure.outerHTML.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`;
}
