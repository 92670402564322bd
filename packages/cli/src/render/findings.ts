import { relative } from "node:path";
import type { Finding, Setting } from "@thaw/core";
import type { Colors } from "../terminal/terminal.js";
import { wrap } from "./text.js";

/** Findings for people: what is wrong, where each setting stands, the smallest fix. Errors come first. */
export function findingLines(
  findings: readonly Finding[],
  options: { readonly colors: Colors; readonly folder: string; readonly width: number },
): readonly string[] {
  const order = ["error", "warning", "note"];
  return [...findings]
    .sort((left, right) => order.indexOf(left.severity) - order.indexOf(right.severity))
    .flatMap((finding, index) => [...(index === 0 ? [] : [""]), ...oneFinding(finding, options)]);
}

/** The checker's verdict in one line. */
export function verdictLine(findings: readonly Finding[], colors: Colors): string {
  const count = (severity: string): number => findings.filter((finding) => finding.severity === severity).length;
  const parts = [
    ...counted(count("error"), "error"),
    ...counted(count("warning"), "warning"),
    ...counted(count("note"), "note"),
  ];
  if (parts.length === 0) return colors.green("Checker: no conflicts.");
  const text = `Checker: ${parts.join(", ")}.`;
  return count("error") > 0 ? colors.red(text) : count("warning") > 0 ? colors.yellow(text) : text;
}

function counted(count: number, word: string): readonly string[] {
  return count === 0 ? [] : [`${count} ${word}${count === 1 ? "" : "s"}`];
}

function oneFinding(
  finding: Finding,
  options: { readonly colors: Colors; readonly folder: string; readonly width: number },
): readonly string[] {
  const { colors } = options;
  const paint =
    finding.severity === "error" ? colors.red : finding.severity === "warning" ? colors.yellow : colors.cyan;
  // A finding of the rule `config` names its place, column included, in its message.
  const places =
    finding.rule === "config" || finding.rule === "aliases-disagree"
      ? []
      : finding.settings.map((setting) => settingPlace(setting, options.folder));
  return [
    `${paint(finding.severity)} ${colors.bold(finding.rule)}`,
    ...messageLines(finding.message, options.width - 2).map((line) => `  ${line}`),
    ...places.flatMap((place) => wrap(`at ${place}`, options.width - 2).map((line) => colors.dim(`  ${line}`))),
    ...wrap(`fix: ${finding.fix}`, options.width - 2).map((line) => `  ${colors.green(line)}`),
  ];
}

/** A message's first line wrapped; what follows it is a table, whose lines stay as they are. */
function messageLines(message: string, width: number): readonly string[] {
  const [first, ...table] = message.split("\n");
  return [...wrap(first!, width), ...table];
}

/** `freeze.train_mm_proj_only: true (thaw.config.yaml:3, explicit)`. */
export function settingPlace(setting: Setting, folder: string): string {
  const file = setting.file === undefined ? undefined : nearName(setting.file, folder);
  const place = file === undefined ? "" : `${file}${setting.line === undefined ? "" : `:${setting.line}`}, `;
  const value = setting.value === undefined ? "" : `: ${JSON.stringify(setting.value) ?? "code"}`;
  return `${setting.path}${value} (${place}${setting.origin})`;
}

function nearName(file: string, folder: string): string {
  const near = relative(folder, file);
  return near.startsWith("..") ? file : near;
}
