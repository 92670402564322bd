import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Share of linear over hosts, a curve for each of what trains, as one SVG file that stands alone, on white. */
export function ranksSvg(curves) {
  const { document } = parseHTML("<html><body></body></html>");
  const dots = curves.flatMap(({ name, points }) => points.map(([hosts, share]) => ({ name, hosts, share })));
  const figure = Plot.plot({
    document,
    width: 560,
    height: 300,
    marginLeft: 50,
    marginTop: 34,
    marginRight: 90,
    marginBottom: 40,
    x: { label: "hosts", type: "log", base: 2, ticks: [1, 2, 4, 8, 16, 32, 64], tickFormat: String },
    y: { label: "share of linear", grid: true, domain: [0, 1] },
    color: { domain: curves.map(({ name }) => name), range: ["#4269d0", "#c2571a", "#3a7d44"] },
    style: { background: "white", color: "#222", fontSize: "12px", fontFamily: "sans-serif" },
    marks: [
      Plot.ruleY([0.9], { stroke: "#999", strokeDasharray: "4 4" }),
      Plot.line(dots, { x: "hosts", y: "share", stroke: "name" }),
      Plot.dot(dots, { x: "hosts", y: "share", fill: "name", r: 3 }),
      Plot.text(
        dots.filter(({ hosts }) => hosts === 64),
        { x: "hosts", y: "share", text: "name", fill: "name", textAnchor: "start", dx: 8 },
      ),
      Plot.text(["Simulated: a measured step and a measured link"], {
        frameAnchor: "top",
        dy: -22,
        fontWeight: "bold",
      }),
    ],
  });
  return `${figure.outerHTML.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`;
}
