import { trusted, type Html } from "./html.js";

/** A named curve. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

/**
 * Curves over steps as one inline SVG, `640 x 260`; colours come from the page's style, so they follow light and dark.
 */
export async function curveSvg(curves: readonly Curve[], label: string): Promise<Html> {
  const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<html><body></body></html>");
  const shown = curves.filter(({ points }) => points.length > 0);
  const marks = shown.flatMap(({ name, points }, index) => {
    const data = points.map(({ step, value }) => ({ step, value, name }));
    const stroke = `var(--curve-${(index % 4) + 1})`;
    return [
      Plot.lineY(data, { x: "step", y: "value", stroke, strokeWidth: 1.8 }),
      ...(points.length <= 24 ? [Plot.dot(data, { x: "step", y: "value", fill: stroke, r: 3 })] : []),
    ];
  });
  const options = {
    document: document as never,
    width: 640,
    height: 260,
    marginLeft: 52,
    marginTop: 30,
    marginBottom: 36,
    x: { label: "step" },
    y: { label, grid: true, nice: true, zero: false },
    style: { background: "none", color: "currentColor", fontSize: "12px" },
    marks,
  };
  return trusted(Plot.plot(options).outerHTML);
}
