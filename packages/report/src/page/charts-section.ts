import { resumedAt, type RunData } from "../run/run-data.js";
import { chartsOf, type Chart } from "../run/series.js";
import { chartSvg, colourOf } from "./chart-svg.js";
import { dataBlock, html, table, type Html } from "./html.js";
import { countText, numberText } from "./text.js";

/** Rows of a chart's table at most. */
const ROWS = 40;

/**
 * Every chart of a run: a picture, its values under the pointer where scripts run, and a table beneath. `isLive`:
 * scripts draw it, no picture is made for those without.
 */
export async function chartsSection(run: Pick<RunData, "metrics" | "log">, isLive: boolean): Promise<Html> {
  const charts = chartsOf(run.metrics, resumedAt(run));
  if (charts.length === 0) return html``;
  const figures = (isOfPlugin: boolean): Promise<readonly Html[]> =>
    Promise.all(
      charts.filter((chart) => (chart.isOfPlugin === true) === isOfPlugin).map((chart) => figure(chart, isLive)),
    );
  const [own, others] = [await figures(false), await figures(true)];
  return html`<h2>Curves</h2>
    <div class="charts">${own}</div>
    ${
      others.length === 0
        ? html``
        : html`<details id="plugin-curves">
            <summary>What plugins measured: ${others.length} curves</summary>
            <div class="charts">${others}</div>
          </details>`
    }`;
}

async function figure(chart: Chart, isLive: boolean): Promise<Html> {
  const { id, title, lines, marks, note } = chart;
  const notes = [
    note,
    marks.length === 0 ? undefined : `Upright lines: resumed after step ${marks.map(countText).join(", ")}.`,
  ].filter((text) => text !== undefined);
  const isWide = id === "loss";
  const legend = lines.map(
    ({ name, look }, index) =>
      html`<span
        ><i class="${look ?? "line"}" style="--curve: var(--curve-${colourOf(lines, index) + 1})"></i>${name}</span
      >`,
  );
  const data = {
    ...chart,
    lines: lines.map((line) => ({ ...line, values: line.values.map(short) })),
    colours: lines.map((_, index) => colourOf(lines, index) + 1),
  };
  return html`<figure class="chart${isWide ? " wide" : ""}" id="chart-${id}" data-chart>
    ${dataBlock(data)}
    <figcaption>
      <h3>${title}</h3>
      ${notes.map((text) => html`<p class="soft">${text}</p>`)}
    </figcaption>
    <div class="plot" role="img" aria-label="${said(chart)}">${isLive ? html`` : await chartSvg(chart, isWide)}</div>
    <p class="legend">${legend}</p>
    <details id="values-${id}">
      <summary>Values<span class="hidden"> of ${title}</span></summary>
      ${values(chart)}
    </details>
  </figure>`;
}

/** What a chart shows, in a sentence. */
function said({ title, lines, steps }: Chart): string {
  const ends = lines
    .filter(({ look }) => look !== "faint")
    .map(({ name, values: all }) => {
      const known = all.filter((value) => value !== null);
      return `${name} from ${numberText(known[0])} to ${numberText(known.at(-1))}`;
    });
  return `${title} over steps ${steps[0] ?? 0} to ${steps.at(-1) ?? 0}: ${ends.join(", ")}.`;
}

function values({ steps, lines, title }: Chart): Html {
  const every = Math.max(1, Math.ceil(steps.length / ROWS));
  const rows = steps.flatMap((step, index) =>
    (steps.length - 1 - index) % every === 0 ||
    lines.some(({ look, values: all }) => look === "points" && all[index] !== null)
      ? [[countText(step), ...lines.map(({ values: all }) => numberText(all[index]))]]
      : [],
  );
  return table(
    `Values of ${title}`,
    ["step", ...lines.map(({ name }) => name)].map((name) => ({ title: name, isNumber: true })),
    rows,
  );
}

/** Six digits are more than a screen shows. */
function short(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(6));
}
