import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withoutSecrets } from "@thaw/contracts";
import type { RunRecord } from "../record/record.js";
import { reportUnwritable } from "../errors.js";
import { durationText } from "../render/text.js";
import { curveSvg, type Curve } from "./curve.js";
import { html, trusted, type Html } from "./html.js";
import {
  cardsSection,
  deadSection,
  findingsSection,
  gallerySection,
  planSection,
  proofSection,
  savingSection,
  scoresSection,
} from "./sections.js";
import { STYLES } from "./styles.js";

/**
 * The whole report as one HTML document without outside resources. `folder`: where paths of settings are shown from.
 */
export async function renderReport(record: RunRecord, folder: string): Promise<string> {
  const curves: Curve[] = [
    { name: "training", points: record.steps.map(({ step, loss }) => ({ step, value: loss })) },
    ...Object.entries(record.losses).map(([name, points]) => ({ name, points })),
  ].filter(({ points }) => points.length > 0);
  const chart = curves.some(({ points }) => points.length > 1)
    ? lossSection(await curveSvg(curves, "loss per supervised token"), curves)
    : html``;
  const { summary, planned } = record;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${record.title} - Thaw</title>
        <style>
          ${trusted(STYLES)}
        </style>
      </head>
      <body>
        <main>
          <h1>${record.title}</h1>
          <p class="soft">${subtitle(record)}</p>
          ${cardsSection(record)} ${planned === undefined ? html`` : planSection(planned)}
          ${findingsSection(summary?.findings ?? planned?.findings ?? [], folder)} ${chart}
          ${scoresSection(record.captions)} ${gallerySection(record.captions)}
          ${deadSection(summary?.deadGradients ?? [])} ${proofSection(record)}
          ${savingSection(record.saving, summary?.lines ?? [])}
        </main>
      </body>
    </html> `;
  return page.html;
}

/**
 * Writes the report into the run folder, whole or not at all; returns its path. `@throws THAW_CLI_REPORT_UNWRITABLE`.
 */
export async function writeReport(record: RunRecord, runFolder: string, folder: string): Promise<string> {
  const file = join(runFolder, "report.html");
  const temporary = join(runFolder, `.report-${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, withoutSecrets(await renderReport(record, folder)));
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw reportUnwritable(file, cause);
  }
  return file;
}

function subtitle(record: RunRecord): string {
  const parts = [
    record.startedAt.toISOString().slice(0, 16).replace("T", " ") + " UTC",
    record.model,
    record.backend === undefined ? undefined : `backend ${record.backend}`,
    record.summary === undefined
      ? undefined
      : `${record.summary.steps} steps in ${durationText(record.summary.durationMs)}, ended: ` +
        `${record.summary.stopReason}`,
  ];
  return parts.filter((part) => part !== undefined).join(" · ");
}

function lossSection(svg: Html, curves: readonly Curve[]): Html {
  const legend = curves.map(
    ({ name }, index) => html`<span><i style="background: var(--curve-${(index % 4) + 1})"></i>${name}</span>`,
  );
  return html`<h2>Loss</h2>
    <figure class="scroll">
      <div class="plot">${svg}</div>
      <figcaption class="legend">${legend}</figcaption>
    </figure>`;
}
