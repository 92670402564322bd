import type { Plugin } from "@thaw/core";

/** What every kind but families has in common, as far as this looks at it. */
interface Entry {
  readonly type?: string;
  readonly name?: string;
  readonly summary?: string;
  readonly schema?: { readonly "~standard": { validate(value: unknown): Issues | Promise<Issues> } };
}
interface Issues {
  readonly issues?: readonly unknown[] | undefined;
}

/** Kinds whose schemas hold `type` too, as a literal. */
const WITH_TYPE = new Set(["optimizers", "schedules", "trackers"]);

/** What is wrong with what a plugin provides, and what to do; undefined where it can be told of in help and docs. */
export function providedFault({
  provides = {},
}: Plugin): { readonly found: string; readonly advice: string } | undefined {
  for (const [kind, entries] of Object.entries(provides) as [string, readonly Entry[]][]) {
    if (kind === "families") continue;
    for (const { type, name, summary = "", schema } of entries) {
      const what = `${type ?? name} of ${kind}`;
      if (summary.trim() === "")
        return { found: `${what} has no summary.`, advice: "Say in one sentence what it is: --help shows it." };
      const given = WITH_TYPE.has(kind) ? { type } : {};
      if (schema !== undefined && issueCount(schema, { ...given, noSuchOption: 1 }) <= issueCount(schema, given))
        return {
          found: `${what} takes an option that it does not know.`,
          advice: "Make its schema with z.strictObject.",
        };
    }
  }
  return undefined;
}

/** How much is wrong with a value; a schema that answers later is wrong as a whole. */
function issueCount(schema: NonNullable<Entry["schema"]>, value: unknown): number {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? 0 : (result.issues?.length ?? 0);
}
