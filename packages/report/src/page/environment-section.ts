import { toCamelCase } from "@thaw/core";
import type { RunChange, RunData } from "../run/run-data.js";
import { placeText } from "./facts-section.js";
import { html, table, type Html } from "./html.js";
import { countText, lastPart, timeText } from "./text.js";

/** Lines of what happened that are shown, the last ones. */
const HAPPENED = 60;

/** What it was made with and how to make it again: machine, versions, seed, data, config, command, history. */
export function environmentSection(run: RunData): Html {
  const { log, config, folder, name } = run;
  const starts = log.filter((line) => line.event === "started");
  const { command, ...environment } = starts[0]?.environment ?? {};
  const facts = Object.entries({
    backend: starts.at(-1)?.backend,
    ...environment,
    seed: config.values.get("seed"),
  }).filter((fact): fact is [string, string] => fact[1] !== undefined);
  return html`<h2>Made with</h2>
    <dl class="commands">
      ${
        command === undefined
          ? html``
          : html`<dt>Repeat it${config.file === undefined ? "" : `, beside ${lastPart(config.file)}`}</dt>
              <dd><code class="command">${command}</code></dd>`
      }
      ${
        folder === undefined
          ? html``
          : html`<dt>Make this page again</dt>
              <dd><code class="command">npx thaw report ${name}</code></dd>`
      }
    </dl>
    <dl class="facts">
      ${facts.map(
        ([key, value]) =>
          html`<dt>${key}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${history(run)} ${configTable(run)}`;
}

function history({ log, changes }: Pick<RunData, "log" | "changes">): Html {
  const starts = log.filter(({ event }) => event === "started").length;
  const events = log.filter(({ event }) => event !== "started" || starts > 1);
  if (events.length === 0) return html``;
  return html`<h3>What happened</h3>
    <ol class="log">
      ${events
        .slice(-HAPPENED)
        .map(
          (line) =>
            html`<li>
              <span class="soft">${timeText(line.time)}, step ${countText(line.step)}</span> ${logText(line, changes)}
            </li>`,
        )}
    </ol>`;
}

function logText(line: RunData["log"][number], changes: readonly RunChange[]): string {
  switch (line.event) {
    case "started": {
      if (line.resumedFrom === undefined) return "started";
      const change = changes.find(({ step }) => step === line.step);
      const others = [...(change?.isPlanChanged === true ? ["another plan"] : []), ...(change?.values ?? [])];
      const changed = others.length === 0 ? "" : `, with ${others.join("; ")}`;
      return `resumed from ${lastPart(line.resumedFrom)}${changed}`;
    }
    case "checkpoint":
      return `checkpoint ${lastPart(line.folder)}`;
    case "warning":
      return `warning: ${line.text}`;
    case "done":
      return line.isInterrupted ? `stopped: ${line.stopReason}` : `finished: ${line.stopReason}`;
    case "failed":
      return `failed: ${line.message}`;
  }
}

function configTable({ config: { values, settings, file } }: Pick<RunData, "config">): Html {
  const places = new Map(settings.map((setting) => [toCamelCase(setting.path), placeText(setting)]));
  const isNamed = settings.length > 0;
  const placeOf = (path: string): string => {
    for (let at = toCamelCase(path); at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("."))))
      if (places.has(at)) return places.get(at)!;
    return "default";
  };
  return html`<details id="config">
    <summary>Config${file === undefined ? "" : ` (${lastPart(file)})`}, ${countText(values.size)} values</summary>
    ${table(
      "Config",
      [{ title: "setting" }, { title: "value" }, ...(isNamed ? [{ title: "where it stands" }] : [])],
      [...values].map(([path, value]) => [
        html`<code>${path}</code>`,
        html`<code>${value}</code>`,
        ...(isNamed ? [placeOf(path)] : []),
      ]),
    )}
  </details>`;
}
