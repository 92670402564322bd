import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { readRun } from "../run/read-run.js";
import type { RunData } from "../run/run-data.js";
import { chartsSection } from "./charts-section.js";
import { environmentSection } from "./environment-section.js";
import { evaluationsSection } from "./evaluations-section.js";
import { findingsSection, proofSection, timeSection } from "./facts-section.js";
import { html, trusted, type Html } from "./html.js";
import { modelSection } from "./model-section.js";
import { overviewSection, STATUS_TEXT } from "./overview-section.js";
import { samplesSection } from "./samples-section.js";

/** Parts of the page by the id of the element that holds them, with their names for the page's contents. */
const PARTS: readonly (readonly [id: string, name: string, make: (run: RunData) => Html | Promise<Html>])[] = [
  ["overview", "", overviewSection],
  ["findings", "Findings", findingsSection],
  ["model", "Model", modelSection],
  ["evaluations", "Evaluations", evaluationsSection],
  ["curves", "Curves", (run) => chartsSection(run)],
  ["time", "Time", timeSection],
  ["proof", "Savings and proof", proofSection],
  ["samples", "Samples", samplesSection],
  ["environment", "Made with", environmentSection],
];

/**
 * The whole page as one HTML document without outside resources. It can be read without scripts; these add values
 * under the pointer and other orders of the samples.
 */
export async function renderPage(run: RunData): Promise<string> {
  const parts = await Promise.all(PARTS.map(async ([id, name, make]) => ({ id, name, part: (await make(run)).html })));
  const linked = parts.filter(({ name, part }) => name !== "" && part !== "");
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${run.name} - ${STATUS_TEXT[run.status]} - Thaw</title>
        <style>
          ${trusted(plotFile("uPlot.min.css"))} ${trusted(ownFile("page.css"))}
        </style>
      </head>
      <body>
        <header>
          <h1>${run.name}</h1>
          <nav aria-label="Contents">${linked.map(({ id, name }) => html`<a href="#${id}">${name}</a> `)}</nav>
        </header>
        <main>${parts.map(({ id, part }) => html`<section id="${id}">${trusted(part)}</section> `)}</main>
        <script>
          ${trusted(plotFile("uPlot.iife.min.js"))};
          ${trusted(ownFile("page.js"))};
        </script>
      </body>
    </html> `;
  return page.html;
}

/** The report of a run folder as one HTML document. @throws THAW_REPORT_NOT_A_RUN */
export async function renderReport(runFolder: string): Promise<string> {
  return renderPage(await readRun(runFolder));
}

function plotFile(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), "utf8");
}

/** A file of the package's folder `client`, which browsers run as it is. */
function ownFile(name: string): string {
  return readFileSync(new URL(`../../client/${name}`, import.meta.url), "utf8");
}
