import { metricText } from "../run/metric-words.js";
import { stepsOf, sumsOf, workOf, type RunData, type RunStatus } from "../run/run-data.js";
import { measuredOf, winnersOf } from "../run/measured.js";
import { html, type Html } from "./html.js";
import { bytesText, countText, durationText, lastPart, numberText, timeText } from "./text.js";

/** How a run stands, in words. */
export const STATUS_TEXT: Readonly<Record<RunStatus, string>> = {
  running: "Running",
  finished: "Finished",
  interrupted: "Stopped before its end",
  failed: "Failed",
  lost: "Ended without a word",
};

/** State, and the numbers that a reader looks for first. */
export function overviewSection(run: RunData): Html {
  const { done, total } = stepsOf(run);
  const started = run.log.find(({ event }) => event === "started");
  const facts = [
    total > 0 ? `${countText(done)} of ${countText(total)} steps` : undefined,
    run.summary === undefined ? undefined : `ended: ${run.summary.stopReason}`,
    started === undefined ? undefined : timeText(started.time),
  ].filter((fact) => fact !== undefined);
  return html`<p class="status ${run.status}">
      <b>${STATUS_TEXT[run.status]}</b> <span class="soft">${facts.join(" · ")}</span>
    </p>
    ${
      run.status === "running"
        ? html`<progress max="${Math.max(1, total)}" value="${done}" aria-label="Steps">${done} of ${total}</progress>`
        : html``
    }
    ${endWord(run)}
    <div class="cards">
      ${cardsOf(run).map(([value, label]) => html`<div class="card"><b>${value}</b><span>${label}</span></div>`)}
    </div>`;
}

function endWord({ log, status }: RunData): Html {
  const last = log.findLast(({ event }) => event === "failed" || event === "started");
  if (status === "failed" && last?.event === "failed")
    return html`<div class="finding error">
      <p><b>${last.code ?? "It failed"}</b> ${last.message}</p>
    </div>`;
  if (status !== "lost") return html``;
  return html`<div class="finding warning">
    <p>
      Its process is gone and said nothing: it was killed, or the machine went off. What was measured until then is
      below.
    </p>
  </div>`;
}

type Card = readonly [value: string, label: string];

function cardsOf(run: RunData): readonly Card[] {
  return [
    ...scoreCard(run),
    ...bestCard(run),
    ...lossCard(run),
    ...planCard(run),
    ...speedCard(run),
    ...comparedCard(run),
  ];
}

function scoreCard(run: RunData): readonly Card[] {
  const score = measuredOf(run).find(({ metric }) => metric !== "loss");
  if (score === undefined) return [];
  const { name, metric, first, firstStep, last, lastStep, baselines } = score;
  const [winner] = winnersOf(score);
  const beside =
    winner === undefined
      ? baselines.length === 0
        ? ""
        : "; above every baseline"
      : `; a baseline, ${winner.name}, has ${numberText(winner.value)}`;
  const was = firstStep === lastStep ? "" : `, was ${numberText(first)}`;
  return [[String(Number(last.toPrecision(3))), `${metricText(metric)} of ${name}${was}${beside}`]];
}

/** The best checkpoint; the name of its folder, with the run's where it is another one's. */
function bestCard({ summary, folder: own }: RunData): readonly Card[] {
  if (summary?.best === undefined) return [];
  const { metric, evaluation, value, step, folder } = summary.best;
  const parts = folder?.split(/[\\/]/) ?? [];
  const isOwn = parts.includes(lastPart(own ?? ""));
  const place = parts.slice(parts.at(-1) === "final" || isOwn ? -1 : -3).join("/");
  return [
    [
      String(Number(value.toPrecision(3))),
      `best ${metricText(metric)} of ${evaluation}, after ${countText(step)} steps${place === "" ? "" : ` (${place})`}`,
    ],
  ];
}

function lossCard({ metrics }: RunData): readonly Card[] {
  const steps = metrics.filter((line) => line.event === "step");
  const [first, last] = [steps[0], steps.at(-1)];
  return first === undefined || last === undefined
    ? []
    : [[String(Number(last.loss.toPrecision(4))), `training loss, was ${numberText(first.loss)}`]];
}

function planCard({ plan }: RunData): readonly Card[] {
  if (plan === undefined || plan.graph.length === 0) return [];
  const { parameterCount: all, trainedCount: trained } = sumsOf(plan);
  return [[`${((100 * trained) / Math.max(1, all)).toFixed(1)}%`, `of ${countText(all)} parameters train`]];
}

function speedCard(run: RunData): readonly Card[] {
  const { steps, trainingMs, tokens, peakBytes } = workOf(run);
  if (steps.length === 0) return [];
  const peak = Math.max(run.summary?.peakTensorBytes ?? 0, peakBytes);
  return [
    [
      durationText(trainingMs),
      `in steps, ${countText(Math.round((1000 * tokens) / Math.max(1, trainingMs)))} tokens/s`,
    ],
    ...(peak > 0 ? [[bytesText(peak), "in tensors at most"] as const] : []),
  ];
}

function comparedCard({ comparison }: RunData): readonly Card[] {
  if (comparison === undefined) return [];
  const factor = comparison.allTrainable.stepMs / Math.max(1e-9, comparison.frozen.stepMs);
  return factor >= 1
    ? [[`${factor.toFixed(1)}x`, "faster per step than training everything"]]
    : [[`${(1 / factor).toFixed(1)}x`, "slower per step than training everything"]];
}
