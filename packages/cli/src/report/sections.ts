import { bytesText, countText } from "@thaw/contracts";
import {
  deadGradientLines,
  planMemory,
  planReport,
  type DeadGradient,
  type Finding,
  type PlannedContext,
} from "@thaw/core";
import type { Answer, CaptionRecord, RunRecord, Saving, Scores } from "../record/record.js";
import { settingPlace } from "../render/findings.js";
import { isBetter, pickAnswers, scoreRows } from "../render/captions.js";
import { durationText, lossText, scoreText } from "../render/text.js";
import { html, type Html } from "./html.js";

/** The headline numbers. */
export function cardsSection(record: RunRecord): Html {
  const { summary } = record;
  const best = record.captions[0];
  const cards: (readonly [string, string])[] = [];
  if (best?.after !== undefined)
    cards.push([scoreText(best.after.tokenF1), `token F1 on ${best.name}, was ${scoreText(best.before?.tokenF1)}`]);
  if (summary !== undefined) {
    cards.push([lossText(summary.lastLoss), `loss, was ${lossText(summary.firstLoss)}`]);
    const trained = summary.components.reduce((sum, component) => sum + component.trainable, 0);
    const all = trained + summary.components.reduce((sum, component) => sum + component.frozen, 0);
    cards.push([`${((100 * trained) / Math.max(1, all)).toFixed(1)}%`, `of ${countText(all)} parameters trained`]);
    cards.push([
      durationText(summary.durationMs),
      `${countText(summary.steps)} steps on ${record.backend ?? "the backend"}`,
    ]);
  }
  if (record.saving !== undefined)
    cards.push([`${savingFactor(record.saving).toFixed(1)}x`, "faster per step than training everything"]);
  return html`<div class="cards">
    ${cards.map(([value, label]) => html`<div class="card"><b>${value}</b><span>${label}</span></div>`)}
  </div>`;
}

/** The trainability plan. */
export function planSection(planned: PlannedContext): Html {
  const report = planReport(planned);
  const memory = planMemory(planned);
  const rows = report.components.map(({ name, parameterCount, state, flows, reason }) => {
    const bytes = memory.get(name);
    const word = state === "train" ? "trainable" : state;
    return html`<tr>
      <td class="name"><code>${name}</code></td>
      <td class="number">${countText(parameterCount)}</td>
      <td class="state ${state}">${word}</td>
      <td>${flows.join(", ")}</td>
      <td class="number">${bytesText((bytes?.parameterBytes ?? 0) + (bytes?.trainedBytes ?? 0))}</td>
      <td>${reason}</td>
    </tr>`;
  });
  return html`<h2>Trainability plan</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>component</th>
            <th class="number">parameters</th>
            <th>state</th>
            <th>gradient flow</th>
            <th class="number">memory</th>
            <th>reason</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <p class="soft">
      Memory: weights, and of what trains the gradient and ${planned.optimizer.keeps}. Plan
      <code>${report.hash}</code>
    </p>`;
}

/** The checker's findings. */
export function findingsSection(findings: readonly Finding[], folder: string): Html {
  if (findings.length === 0)
    return html`<h2>Conflict checker</h2>
      <p class="right">No conflicts.</p>`;
  const items = findings.map(
    (finding) =>
      html`<div class="finding ${finding.severity}">
        <b>${finding.severity} ${finding.rule}</b>
        <p>${finding.message}</p>
        <p class="soft">
          ${finding.settings.map((setting) => html`<code>${settingPlace(setting, folder)}</code><br />`)}Fix:
          ${finding.fix}
        </p>
      </div>`,
  );
  return html`<h2>Conflict checker</h2>
    ${items}`;
}

/** Trained parameters that got no gradient. */
export function deadSection(found: readonly DeadGradient[]): Html {
  if (found.length === 0) return html``;
  return html`<h2>Trained without gradient</h2>
    ${deadGradientLines(found).map((line) => html`<div class="finding warning"><p>${line}</p></div>`)}`;
}

/** Scores before and after, beside the baselines. */
export function scoresSection(captions: readonly CaptionRecord[]): Html {
  const measured = captions.filter(({ after, before }) => after !== undefined || before !== undefined);
  if (measured.length === 0) return html``;
  const rows = measured.flatMap((record) =>
    scoreRows(record).map(({ scores, isFirst, label, samples }) => {
      const best = scores === record.after && isBetter(record) ? html` class="best"` : undefined;
      const numbers = [scoreText(scores.tokenF1), scoreText(scores.exactMatch), isFirst ? countText(samples) : ""];
      return html`<tr${best}><td>${isFirst ? record.name : ""}</td><td>${label}</td>${numbers.map(
        (number) => html`<td class="number">${number}</td>`,
      )}</tr>`;
    }),
  );
  const notScored = Math.max(0, ...measured.map(({ after, before }) => (after ?? before)?.notScored ?? 0));
  const remark =
    notScored === 0
      ? html``
      : html`<p class="soft">
          ${countText(notScored)} names that the training set does not have at all are counted here, not scored.
        </p>`;
  return html`<h2>Captions, measured</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>evaluation</th>
            <th></th>
            <th class="number">token F1</th>
            <th class="number">exact match</th>
            <th class="number">samples</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    ${remark}`;
}

/** Pictures with their captions before and after. */
export function gallerySection(captions: readonly CaptionRecord[]): Html {
  const galleries = captions
    .filter(({ after, before }) => (after ?? before) !== undefined)
    .map((record) => {
      const before = new Map((record.before?.answers ?? []).map((answer) => [answer.index, answer]));
      const hasAfter = record.after !== undefined;
      const shown = pickAnswers((record.after ?? record.before)!.answers, 24).filter(
        ({ index }) => record.pictures[index] !== undefined,
      );
      return html`<h2>Pictures: ${record.name}</h2>
        <div class="gallery">
          ${shown.map((answer) => picture(record, answer, hasAfter ? before.get(answer.index) : undefined))}
        </div>`;
    });
  return html`${galleries}`;
}

function picture(record: CaptionRecord, answer: Answer, before: Answer | undefined): Html {
  const mark = answer.tokenF1 >= 0.999 ? "right" : answer.tokenF1 === 0 ? "wrong" : "partial";
  const earlier =
    before === undefined
      ? html``
      : html`<dt>before</dt>
          <dd class="soft">${before.answer || "(nothing)"}</dd>`;
  return html`<figure>
    <img alt="${answer.reference}" src="${record.pictures[answer.index]}" />
    <dl>
      <dt>name</dt>
      <dd>${answer.reference}</dd>
      ${earlier}
      <dt>${record.after === undefined ? "before" : "after"}</dt>
      <dd class="${mark}">${answer.answer || "(nothing)"}</dd>
    </dl>
  </figure>`;
}

/** Fingerprints of what was frozen, before and after. */
export function proofSection(record: RunRecord): Html {
  const proofs = record.summary?.frozenProof ?? [];
  if (proofs.length === 0) return html``;
  const rows = proofs.map(
    (proof) =>
      html`<tr>
        <td class="name"><code>${proof.component}</code></td>
        <td class="number">${countText(proof.parameterCount)}</td>
        <td><code>${proof.before}</code></td>
        <td class="${proof.isUnchanged ? "right" : "wrong"}">
          ${proof.isUnchanged ? "unchanged" : `now ${proof.after}`}
        </td>
      </tr>`,
  );
  return html`<h2>Frozen, proven</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>component</th>
            <th class="number">tensors</th>
            <th>sha256 before the first step</th>
            <th>after the last</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>`;
}

/** What freezing saved. */
export function savingSection(saving: Saving | undefined, lines: readonly string[]): Html {
  const measured =
    saving === undefined
      ? html``
      : html`<div class="scroll">
            <table>
              <thead>
                <tr>
                  <th></th>
                  <th class="number">time per step</th>
                  <th class="number">peak tensor memory</th>
                  <th class="number">trained parameters</th>
                </tr>
              </thead>
              <tbody>
                ${(
                  [
                    ["as planned", saving.frozen],
                    ["all trainable", saving.allTrainable],
                  ] as const
                ).map(
                  ([label, side]) =>
                    html`<tr>
                      <td>${label}</td>
                      <td class="number">${durationText(side.stepMs)}</td>
                      <td class="number">${bytesText(side.peakBytes)}</td>
                      <td class="number">${countText(side.trainedParameters)}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </div>
          <p class="soft">
            Medians of ${saving.frozen.steps} and ${saving.allTrainable.steps} steps, in one process on the same data;
            memory with the weights.
          </p>`;
  if (saving === undefined && lines.length === 0) return html``;
  return html`<h2>What freezing saved</h2>
    ${measured}${lines.map((line) => html`<p>${line}</p>`)}`;
}

/** How many times faster a step is than with everything trainable. */
export function savingFactor(saving: Saving): number {
  return saving.allTrainable.stepMs / Math.max(1e-9, saving.frozen.stepMs);
}

export type { Scores };
