/**
 * The pages of docs/rules, from the rules that the built-in plugins hand in (needs a build): `README.md` and one page a
 * rule. Parts of a rule that several plugins hold are one page. Throws for a rule without docs.
 */
import { Trainer } from "@thaw/core";
import conflictChecker, { CONFIG_RULE, rulesOf } from "@thaw/plugin-conflict-checker";
import freezePolicy from "@thaw/plugin-freeze-policy";
import lora from "@thaw/plugin-lora";
import projectorOnly from "@thaw/plugin-projector-only";
import tokenRows from "@thaw/plugin-token-rows";

export function rulesPages() {
  const plugins = [freezePolicy(), lora(), tokenRows(), conflictChecker(), projectorOnly()];
  const rules = new Map();
  for (const rule of [CONFIG_RULE, ...rulesOf(new Trainer({ model: {}, plugins }))]) {
    const known = rules.get(rule.id);
    rules.set(rule.id, { ...rule, docs: known?.docs ?? rule.docs, summary: known?.summary ?? rule.summary });
  }
  const sorted = [...rules.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
  const missing = sorted.filter(({ docs }) => docs === undefined).map(({ id }) => id);
  if (missing.length > 0) throw new Error(`Rules without docs: ${missing.join(", ")}.`);
  return new Map([
    ["docs/rules/README.md", indexPage(sorted)],
    ...sorted.map((rule) => [`docs/rules/${rule.id}.md`, rulePage(rule)]),
  ]);
}

const GENERATED =
  "<!-- Generated from the rules' sources by `node scripts/docs.mjs`. Edit `docs` of the rule there. -->";

function indexPage(rules) {
  const rows = rules.map(
    ({ id, defaultSeverity, summary }) => `| [\`${id}\`](${id}.md) | ${defaultSeverity} | ${summary} |`,
  );
  return `# Rules

${GENERATED}

What \`thaw check\` (and every run, before it reads a weight) finds.
Severities are set in the config: \`checks: { rules: { missing-checkpointing: off } }\` with \`off\`, \`note\`,
\`warning\` or \`error\`. A setting of a default never contradicts the user; two explicit settings do.
[Freezing](../freezing.md) has the precedence of settings.

| rule | severity | what it finds |
| --- | --- | --- |
${rows.join("\n")}
`;
}

function rulePage({ id, defaultSeverity, summary, docs }) {
  return `# ${id}

${GENERATED}

${summary} Severity: **${defaultSeverity}**, unless \`checks: { rules: { ${id}: ... } }\` changes it.

${docs.trimEnd()}
`;
}
