import type { Finding } from "@thaw/core";
import { expect, it } from "vitest";
import { findingsReport } from "./json.js";
import { sarifLog } from "./sarif.js";

const finding: Finding = {
  rule: "shortcut-contradicts-flag",
  severity: "error",
  message: "They contradict.",
  fix: "Remove one.",
  settings: [
    { path: "freeze.train_mm_proj_only", value: true, origin: "explicit", file: "/work/my project/thaw.yaml", line: 2 },
    { path: "freeze.freeze_llm", value: false, origin: "explicit", file: "/elsewhere/base.yaml", line: 7 },
    { path: "freeze.freezeLlm", value: false, origin: "explicit" },
  ],
};

it("reports findings with the documented keys, in order", () => {
  const report = findingsReport([finding]);
  expect(Object.keys(report.findings[0]!)).toEqual(["rule", "severity", "message", "fix", "settings"]);
  expect(JSON.parse(JSON.stringify(report.findings[0]!.settings[2]))).toEqual({
    path: "freeze.freezeLlm",
    value: false,
    origin: "explicit",
  });
});

it("writes a SARIF 2.1.0 log with places relative to the folder", () => {
  const log = sarifLog(
    [finding, { ...finding, rule: "unlisted", settings: [] }],
    [{ id: "shortcut-contradicts-flag", defaultSeverity: "error", summary: "One against the other.", docs: "Why." }],
    { toolVersion: "0.1.0", folder: "/work/my project" },
  );
  const [run] = log["runs"] as [
    { tool: { driver: { rules: { id: string }[] } }; originalUriBaseIds: unknown; results: Record<string, unknown>[] },
  ];
  expect(log["version"]).toBe("2.1.0");
  expect(run.tool.driver.rules.map(({ id }) => id)).toEqual(["shortcut-contradicts-flag", "unlisted"]);
  expect(run.originalUriBaseIds).toEqual({ CONFIG: { uri: "file:///work/my%20project/" } });
  expect(run.results[0]).toMatchObject({
    ruleId: "shortcut-contradicts-flag",
    ruleIndex: 0,
    level: "error",
    message: { text: "They contradict. Remove one." },
    locations: [
      { physicalLocation: { artifactLocation: { uri: "thaw.yaml", uriBaseId: "CONFIG" }, region: { startLine: 2 } } },
    ],
    relatedLocations: [
      {
        id: 1,
        physicalLocation: { artifactLocation: { uri: "file:///elsewhere/base.yaml" }, region: { startLine: 7 } },
      },
    ],
  });
  expect(run.results[1]).not.toHaveProperty("locations");
});
