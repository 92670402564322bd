import { API_VERSION, definePlugin, type Finding, type RuleInfo } from "@thaw/core";
import { describe, expect, it } from "vitest";
import { planYaml } from "../../../test/support/plan-yaml.js";
import { applySeverities, unknownRules } from "./severities.js";

const rule: RuleInfo = { id: "a-rule", defaultSeverity: "error", summary: "A rule." };
const finding = (severity: Finding["severity"]): Finding => ({
  rule: "a-rule",
  severity,
  message: "Wrong.",
  fix: "Right.",
  settings: [],
});
const severities = (list: readonly Finding[]) => list.map(({ severity }) => severity);

describe("applySeverities", () => {
  it("gives a finding the set severity, drops it for off, and leaves other rules alone", () => {
    expect(severities(applySeverities([finding("error")], [rule], { "a-rule": "warning" }))).toEqual(["warning"]);
    expect(applySeverities([finding("error")], [rule], { "a-rule": "off" })).toEqual([]);
    expect(severities(applySeverities([finding("error")], [rule], { other: "off" }))).toEqual(["error"]);
  });

  it("keeps a rule's milder findings mild, unless the set severity is milder still", () => {
    expect(severities(applySeverities([finding("note")], [rule], { "a-rule": "error" }))).toEqual(["note"]);
    expect(severities(applySeverities([finding("warning")], [rule], { "a-rule": "note" }))).toEqual(["note"]);
  });

  it("names the nearest rule for an unknown id", () => {
    const settings = [
      { path: "checks.rules.a-rul", value: "off", origin: "explicit" as const, file: "thaw.yaml", line: 3 },
    ];
    const [found] = unknownRules({ "a-rul": "off" }, ["a-rule", "config"], settings);
    expect(found).toMatchObject({ rule: "config", severity: "error", settings });
    expect(found!.fix).toBe("Write a-rule, or remove `checks.rules.a-rul: off` (thaw.yaml:3).");
  });
});

describe("the checks section", () => {
  it("changes the severity of a finding of the policy, of core and of the checker", async () => {
    const { result } = await planYaml("freeze: { freeze_llm: true }\nchecks: { rules: { nothing-trains: warning } }");
    expect(result.findings.map(({ rule: id, severity }) => `${id} ${severity}`)).toEqual(["nothing-trains warning"]);
  });

  it("reports an unknown rule id with the nearest one", async () => {
    const { result } = await planYaml("checks: { rules: { nothing-train: off } }");
    expect(result.isRefused).toBe(true);
    expect(result.findings[0]).toMatchObject({
      rule: "config",
      settings: [{ path: "checks.rules.nothing-train", line: 1 }],
    });
    expect(result.findings[0]!.fix).toContain("nothing-trains");
  });

  it("accepts a rule that another plugin hands in, and configures it", async () => {
    const third = definePlugin({
      name: "Third",
      apiVersion: API_VERSION,
      apply(trainer) {
        const check = (): readonly Finding[] => [
          { rule: "third-rule", severity: "error", message: "Third.", fix: "Fix.", settings: [] },
        ];
        trainer.hooks.rules.tap("Third", (collector) =>
          collector.add({ id: "third-rule", defaultSeverity: "error", summary: "Third.", check }),
        );
      },
    });
    const { result } = await planYaml("checks: { rules: { third-rule: note } }", { plugins: [third()] });
    expect(result.findings).toEqual([
      { rule: "third-rule", severity: "note", message: "Third.", fix: "Fix.", settings: [] },
    ]);
    expect(result.isRefused).toBe(false);
  });

  it("reports all findings in one go", async () => {
    const { result } = await planYaml(
      "freeze: { freeze_vision_tower: true, freeze_llm: true, freezeLanguageModel: false, components: { " +
        "visionTower: train, audio: frozen } }\ntraining: { components: { multi_modal_projector: { learning_rate: " +
        "1 } } }",
    );
    expect(result.findings.map(({ rule: id }) => id).sort()).toEqual([
      "aliases-disagree",
      "frozen-and-trained",
      "selector-matches-nothing",
      "setting-for-frozen-component",
    ]);
  });
});
