import { measuredOf, winnersOf, type Measured } from "../run/measured.js";
import { metricText } from "../run/metric-words.js";
import type { RunData } from "../run/run-data.js";
import { html, table, type Html } from "./html.js";
import { countText, numberText } from "./text.js";

/** The last measurement of each evaluation beside its first and its baselines, and a plain word where one wins. */
export function evaluationsSection(run: Pick<RunData, "metrics">): Html {
  const measured = measuredOf(run);
  if (measured.length === 0) return html``;
  const beaten = measured.filter((one) => winnersOf(one).length > 0);
  const words = [...new Set(beaten.map(({ name }) => name))].map((name) => {
    const metrics = beaten
      .filter((one) => one.name === name)
      .map((one) => {
        const winners = winnersOf(one).map(baselineText).join(", ");
        return `in ${metricText(one.metric)} the model has ${numberText(one.last)}, ${winners}`;
      });
    return html`<div class="finding warning">
      <p><b>A baseline of ${name} is as good or better</b>, and needs no training: ${metrics.join("; ")}.</p>
    </div>`;
  });
  return html`<h2>Evaluations</h2>
    ${words}
    ${table(
      "Evaluations",
      [
        { title: "evaluation" },
        { title: "metric" },
        { title: "first", isNumber: true },
        { title: "last", isNumber: true },
        { title: "baselines" },
      ],
      measured.map((one) => [
        html`<code>${one.name}</code>`,
        metricText(one.metric),
        html`${numberText(one.first)} <span class="soft">at ${countText(one.firstStep)}</span>`,
        html`<b>${numberText(one.last)}</b> <span class="soft">at ${countText(one.lastStep)}</span>`,
        one.baselines.map(baselineText).join(", "),
      ]),
    )}
    ${notScored(run)}`;
}

function baselineText({ name, value }: Measured["baselines"][number]): string {
  return `${name} ${numberText(value)}`;
}

function notScored({ metrics }: Pick<RunData, "metrics">): Html {
  const count = Math.max(
    0,
    ...metrics.map((line) => (line.event === "evaluated" ? (line.metrics["unscored"] ?? 0) : 0)),
  );
  return count === 0
    ? html``
    : html`<p class="soft">
        ${countText(count)} names that the training set does not have at all are counted here, not scored.
      </p>`;
}
