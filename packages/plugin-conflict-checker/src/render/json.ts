import type { Finding } from "@thaw/core";

/** What `thaw check --json` prints. */
export interface FindingsReport {
  readonly findings: readonly Finding[];
}

/** Findings as plain data, in the documented order of keys; settings given in code have neither file nor line. */
export function findingsReport(findings: readonly Finding[]): FindingsReport {
  return {
    findings: findings.map(({ rule, severity, message, fix, settings }) => ({
      rule,
      severity,
      message,
      fix,
      settings: settings.map(({ path, value, origin, file, line }) => ({
        path,
        value,
        origin,
        ...(file === undefined ? {} : { file }),
        ...(line === undefined ? {} : { line }),
      })),
    })),
  };
}
