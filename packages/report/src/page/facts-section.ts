import { deadGradientLines, type Finding } from "@thaw/core";
import { sumsOf, type RunData, type RunPlan } from "../run/run-data.js";
import { html, table, type Html } from "./html.js";
import { bytesText, countText, durationText, lastPart } from "./text.js";

/** What the checker found, by the plan or the summary. */
export function findingsSection({ plan, summary }: RunData): Html {
  const findings = summary?.findings ?? plan?.findings ?? [];
  const dead = deadGradientLines(summary?.deadGradients ?? []);
  if (plan === undefined) return html``;
  if (findings.length + dead.length === 0)
    return html`<h2>Findings</h2>
      <p class="right">✓ The conflict checker found nothing.</p>`;
  return html`<h2>Findings</h2>
    ${findings.map(finding)} ${dead.map((line) => html`<div class="finding warning"><p>${line}</p></div>`)}`;
}

function finding({ severity, rule, message, fix, settings }: Finding): Html {
  return html`<div class="finding ${severity}">
    <b>${severity} ${rule}</b>
    <p>${code(message)}</p>
    <p class="soft">
      ${settings.map((setting) => html`<code>${setting.path}</code> ${placeText(setting)}<br />`)}Fix: ${code(fix)}
    </p>
  </div>`;
}

/** Where a setting stands: `thaw.config.yaml:7`. */
export function placeText({ origin, file, line }: Finding["settings"][number]): string {
  if (origin === "default") return "default";
  if (file === undefined) return "given in code or by --set";
  const place = `${lastPart(file)}${line === undefined ? "" : `:${line}`}`;
  return origin === "preset" ? `preset ${place}` : place;
}

/** Text whose words between backticks are code. */
function code(text: string): Html {
  return html`${text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`))}`;
}

/** Where the time went: in steps by phase, in evaluations, in checkpoints. */
export function timeSection({ metrics, log }: RunData): Html {
  const sums = new Map<string, number>();
  const add = (name: string, ms: number): void => void sums.set(name, (sums.get(name) ?? 0) + ms);
  for (const line of metrics)
    if (line.event === "step" && line.times !== undefined) {
      const { loadMs, passesMs, updateMs } = line.times;
      add("waiting for data", loadMs);
      add("forward and backward", passesMs);
      add("update", updateMs);
    } else if (line.event === "evaluated") add("evaluation", line.durationMs ?? 0);
  for (const line of log) if (line.event === "checkpoint") add("checkpoints", line.durationMs);
  const all = [...sums.values()].reduce((sum, ms) => sum + ms, 0);
  if (all === 0) return html``;
  const rows = [...sums].toSorted(([, left], [, right]) => right - left);
  return html`<h2>Where the time went</h2>
    ${table(
      "Where the time went",
      [{ title: "phase" }, { title: "time", isNumber: true }, { title: "share" }],
      rows.map(([name, ms]) => [
        name,
        durationText(ms),
        html`<span class="share"
          ><i style="width: ${((70 * ms) / all).toFixed(1)}%"></i>${((100 * ms) / all).toFixed(0)}%</span
        >`,
      ]),
    )}`;
}

/** What freezing saved, what memory and speed were won by, and the proof that frozen means untouched. */
export function proofSection({ summary, comparison, plan }: RunData): Html {
  const saved = [
    ...(comparison === undefined ? [] : [compared(comparison)]),
    ...(plan === undefined ? [] : neverKept(plan)),
  ];
  const lines = [...new Set(summary?.lines)];
  return html`${
    saved.length === 0
      ? html``
      : html`<h2>What freezing saved</h2>
          ${saved}`
  }
  ${
    lines.length === 0
      ? html``
      : html`<h2>Memory and speed</h2>
          <ul>
            ${lines.map((line) => html`<li>${line}</li>`)}
          </ul>`
  }
  ${proof(summary?.frozenProof ?? [])}`;
}

function proof(proofs: NonNullable<RunData["summary"]>["frozenProof"]): Html {
  const shown = proofs.filter(({ parameterCount }) => parameterCount > 0);
  if (shown.length === 0) return html``;
  return html`<h2>Frozen, proven</h2>
    <p class="soft">sha256 over the names and values of what is frozen, before the first and after the last step.</p>
    ${table(
      "Frozen, proven",
      [{ title: "component" }, { title: "tensors", isNumber: true }, { title: "before" }, { title: "after" }],
      shown.map(({ component, parameterCount, before, after, isUnchanged }) => [
        html`<code>${component}</code>`,
        countText(parameterCount),
        hash(before),
        isUnchanged
          ? html`<b class="right">✓ no bit moved</b>`
          : html`<b class="wrong">✗ changed to</b> ${hash(after)}`,
      ]),
    )}`;
}

function hash(text: string): Html {
  return html`<code title="${text}">${text.slice(0, 12)}…</code>`;
}

/** By the plan: what is kept for each parameter that trains is not kept for one that is frozen. */
function neverKept(plan: RunPlan): readonly Html[] {
  const { parameterCount, trainedCount: trained, trainedBytes: bytes } = sumsOf(plan);
  const frozen = parameterCount - trained;
  if (trained === 0 || frozen <= 0) return [];
  return [
    html`<p>
      Gradients and optimizer slots are kept of ${countText(trained)} parameters, ${bytesText(bytes)};
      ${countText(frozen)} frozen ones would have had another ${bytesText((bytes / trained) * frozen)}.
    </p>`,
  ];
}

function compared({ frozen, allTrainable }: NonNullable<RunData["comparison"]>): Html {
  const rows = [["this run", frozen] as const, ["everything trainable", allTrainable] as const];
  return html`${table(
      "What freezing saved",
      [
        { title: "run" },
        { title: "time per step", isNumber: true },
        { title: "peak in tensors", isNumber: true },
        { title: "trained parameters", isNumber: true },
      ],
      rows.map(([name, { stepMs, peakBytes, trainedParameters }]) => [
        name,
        durationText(stepMs),
        bytesText(peakBytes),
        countText(trainedParameters),
      ]),
    )}
    <p class="soft">
      Medians of ${frozen.steps} and ${allTrainable.steps} steps, in one process on the same data; memory with the
      weights.
    </p>`;
}
