import type { Finding, Rule, RuleContext } from "@thaw/core";

export const claimsCollide: Rule<RuleContext> = {
  id: "claims-collide",
  defaultSeverity: "error",
  summary: "Two plugins write what only one of them may write.",
  docs: `A plugin declares in \`claims\` what it writes. A name in its \`exclusive\` list may be written by no other
plugin: two feature caches for one segment, for example, would take turns in replacing each other's output.

Remove one of the two plugins, or switch off the option of one of them that makes the claim.
`,
  check({ claims }) {
    const findings: Finding[] = [];
    const plugins = [...claims];
    for (const [index, [left, first]] of plugins.entries()) {
      for (const [right, second] of plugins.slice(index + 1)) {
        const writes = (claim: typeof first) => new Set([...(claim.writes ?? []), ...(claim.exclusive ?? [])]);
        const names = new Set([
          ...(first.exclusive ?? []).filter((name) => writes(second).has(name)),
          ...(second.exclusive ?? []).filter((name) => writes(first).has(name)),
        ]);
        for (const name of names) {
          findings.push({
            rule: "claims-collide",
            severity: "error",
            message: `The plugins ${left} and ${right} both write ${name}, which only one may write.`,
            fix: `Remove ${left} or ${right}, or switch off the option of one of them that writes ${name}.`,
            settings: [],
          });
        }
      }
    }
    return findings;
  },
};
