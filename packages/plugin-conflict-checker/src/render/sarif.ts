import type { Finding, RuleInfo, Setting } from "@thaw/core";

/** What the log says about the tool. */
export interface SarifOptions {
  readonly toolVersion: string;
  /** Files below it are named relative to it, as code review wants. No slash at the end. */
  readonly folder: string;
  /** Prefix of a rule's page, e.g. `https://example.org/docs/rules/`; absent: no links. */
  readonly docsUrl?: string;
}

/**
 * Findings as a SARIF 2.1.0 log (OASIS, sarif-v2.1.0-os), for code review. The first setting with a file is a result's
 * place, the others are related places. `rules`: every rule of the run; findings of unlisted rules are described by
 * their id.
 */
export function sarifLog(
  findings: readonly Finding[],
  rules: readonly RuleInfo[],
  options: SarifOptions,
): Readonly<Record<string, unknown>> {
  const byId = new Map<string, RuleInfo>();
  for (const rule of rules) byId.set(rule.id, { ...rule, docs: rule.docs ?? byId.get(rule.id)?.docs });
  for (const { rule } of findings)
    if (!byId.has(rule)) byId.set(rule, { id: rule, defaultSeverity: "error", summary: rule });
  const ids = [...byId.keys()];
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "thaw",
            version: options.toolVersion,
            rules: [...byId.values()].map(({ id, defaultSeverity, summary, docs }) => ({
              id,
              shortDescription: { text: summary },
              ...(docs === undefined ? {} : { help: { text: docs, markdown: docs } }),
              ...(options.docsUrl === undefined ? {} : { helpUri: `${options.docsUrl}${id}.md` }),
              defaultConfiguration: { level: defaultSeverity },
            })),
          },
        },
        originalUriBaseIds: { CONFIG: { uri: `${fileUri(options.folder)}/` } },
        results: findings.map(({ rule, severity, message, fix, settings }) => {
          const places = settings
            .filter(({ file }) => file !== undefined)
            .map((setting) => location(setting, options.folder));
          return {
            ruleId: rule,
            ruleIndex: ids.indexOf(rule),
            level: severity,
            message: { text: fix === "" ? message : `${message} ${fix}` },
            ...(places.length === 0 ? {} : { locations: [places[0]] }),
            ...(places.length < 2
              ? {}
              : { relatedLocations: places.slice(1).map((place, index) => ({ id: index + 1, ...place })) }),
          };
        }),
      },
    ],
  };
}

function location({ path, value, file, line }: Setting, folder: string) {
  const isInside = file!.startsWith(`${folder}/`);
  return {
    physicalLocation: {
      artifactLocation: isInside
        ? { uri: encodePath(file!.slice(folder.length + 1)), uriBaseId: "CONFIG" }
        : { uri: fileUri(file!) },
      ...(line === undefined ? {} : { region: { startLine: line } }),
    },
    message: { text: `${path}: ${JSON.stringify(value) ?? "code"}` },
  };
}

function fileUri(path: string): string {
  return path.startsWith("/") ? `file://${encodePath(path)}` : encodePath(path);
}

function encodePath(path: string): string {
  return path.split(/[\\/]/).map(encodeURIComponent).join("/");
}
