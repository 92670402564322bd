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

/** A part of the page: the id of the element that holds it, and its name for the contents. */
interface Part {
  readonly id: string;
  readonly name?: string;
  readonly make: (run: RunData, isLive: boolean) => Html | Promise<Html>;
}

const PARTS: readonly Part[] = [
  { id: "overview", make: overviewSection },
  { id: "findings", name: "Findings", make: findingsSection },
  { id: "model", name: "Model", make: modelSection },
  { id: "evaluations", name: "Evaluations", make: evaluationsSection },
  { id: "curves", name: "Curves", make: chartsSection },
  { id: "time", name: "Time", make: timeSection },
  { id: "proof", name: "Savings and proof", make: proofSection },
  { id: "samples", name: "Samples", make: samplesSection },
  { id: "environment", name: "Made with", make: environmentSection },
];

/** The report of a run folder as one HTML document. @throws THAW_REPORT_NOT_A_RUN */
export async function renderReport(runFolder: string): Promise<string> {
  return pageText(await readRun(runFolder), false);
}

/** The same page of a run that goes on: its scripts ask the server that it came from for what is new. */
export function renderLivePage(run: RunData): Promise<string> {
  return pageText(run, true);
}

/** Parts of a live page by the id of the element that holds each; `name` and `contents` are its head's. */
export async function livePartsOf(run: RunData): Promise<ReadonlyMap<string, string>> {
  const parts = await partsOf(run, true);
  return new Map([
    ["name", html`${run.name}`.html],
    ["contents", contents(parts).html],
    ...parts.map(({ id, text }) => [id, text] as const),
  ]);
}

/**
 * The whole page without outside resources. It can be read without scripts; these add values under the pointer, other
 * orders of the samples, and what is new.
 */
async function pageText(run: RunData, isLive: boolean): Promise<string> {
  const parts = await partsOf(run, isLive);
  const page = html`<!doctype html>
    <html lang="en" ${isLive ? html`data-live` : html``}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        ${isLive ? html`<noscript><meta http-equiv="refresh" content="5" /></noscript>` : html``}
        <title>${run.name} - ${STATUS_TEXT[run.status]} - Thaw</title>
        <style>
          ${trusted(plotFile("uPlot.min.css"))} ${trusted(ownFile("page.css"))}
        </style>
      </head>
      <body>
        <header>
          <h1 id="name">${run.name}</h1>
          <nav id="contents" aria-label="Contents">${contents(parts)}</nav>
          ${
            isLive
              ? html`<div class="live">
                  <p id="news" role="status">This page shows the run as it goes.</p>
                  <button id="stop" type="button">Stop after this step</button>
                </div>`
              : html``
          }
        </header>
        <main>${parts.map(({ id, text }) => html`<section id="${id}">${trusted(text)}</section> `)}</main>
        <script>
          ${trusted(plotFile("uPlot.iife.min.js"))};
          ${trusted(ownFile("page.js"))};
        </script>
      </body>
    </html> `;
  return page.html;
}

interface MadePart {
  readonly id: string;
  readonly name: string | undefined;
  readonly text: string;
}

function partsOf(run: RunData, isLive: boolean): Promise<readonly MadePart[]> {
  return Promise.all(PARTS.map(async ({ id, name, make }) => ({ id, name, text: (await make(run, isLive)).html })));
}

function contents(parts: readonly MadePart[]): Html {
  const linked = parts.filter(({ name, text }) => name !== undefined && text !== "");
  return html`${linked.map(({ id, name }) => html`<a href="#${id}">${name}</a> `)}`;
}

function plotFile(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), "utf8");
}

/** A file of the package's folder `client`, which browsers run as it is. */
function ownFile(name: string): string {
  return readFileSync(new URL(`../../client/${name}`, import.meta.url), "utf8");
}
