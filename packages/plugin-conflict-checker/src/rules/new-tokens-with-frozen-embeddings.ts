import { everTrained, toSnakeCase, type Finding, type Rule, type RuleContext, type Setting } from "@thaw/core";
import { quotedSetting } from "../settings.js";

/** Keys under which tokens are added, in Thaw and in the configs of others that `thaw check` reads. */
const ADDED_TOKEN_KEYS = ["added_tokens", "add_tokens", "add_special_tokens", "new_special_tokens"];

export const newTokensWithFrozenEmbeddings: Rule<RuleContext> = {
  id: "new-tokens-with-frozen-embeddings",
  defaultSeverity: "warning",
  summary: "Tokens are added, and their embeddings never train.",
  docs: `A new token starts with a random or averaged embedding. Where the embedding table is frozen for the whole
run, the model never learns what the token means. Train the rows of these tokens alone (\`token_rows: { tokens:
[<box>] }\`), the embeddings (\`match: [embed_tokens]\`), or the language model.
`,
  check(context) {
    const setting = context.settings.find(({ path, value, origin }) => {
      const key = toSnakeCase(
        path
          .replace(/\.\d+$/, "")
          .split(".")
          .at(-1) ?? "",
      );
      return origin !== "default" && ADDED_TOKEN_KEYS.includes(key) && !isEmpty(value);
    });
    if (setting === undefined) return [];
    if (context.model.isPlaceholder === true) {
      const entries = context.plan.phases
        .flatMap((phase) => phase.entries)
        .filter(({ component }) => component === "language_model");
      // Rows of single tokens cannot be seen in a plan without names.
      if (
        context.settings.some(({ path, value }) => toSnakeCase(path.split(".")[0]!) === "token_rows" && !isEmpty(value))
      )
        return [];
      // An adapter over it may cover the embeddings; that is not known here.
      const isFrozen =
        entries.length > 0 && entries.every(({ trainable, isAdapted }) => !trainable && isAdapted !== true);
      return isFrozen ? [newTokens(setting, "the language model")] : [];
    }
    const { embeddings } = context.model.text;
    if (embeddings === undefined) return [];
    // What a plugin adds to the embedding's module, as the rows of single tokens, trains it too.
    const module = embeddings.input.replace(/[^.]+$/, "");
    const isTrained = [...everTrained(context.plan.phases)].some((name) => name.startsWith(module));
    return isTrained ? [] : [newTokens(setting, embeddings.input)];
  },
};

function newTokens(setting: Setting, frozen: string): Finding {
  return {
    rule: "new-tokens-with-frozen-embeddings",
    severity: "warning",
    message: `\`${setting.path}\` adds tokens, and ${frozen} is frozen for the whole run, so they never get a meaning.`,
    fix:
      setting.means === undefined && !setting.path.includes(".")
        ? `Train the embeddings or the rows of these tokens, or remove ${quotedSetting(setting)}.`
        : "Train the rows of these tokens with `token_rows: { tokens: [...] }`, or all embeddings with `freeze: " +
          `{ components: { language_model: { match: [embed_tokens] } } }\`, or remove ${quotedSetting(setting)}.`,
    settings: [setting],
  };
}

function isEmpty(value: unknown): boolean {
  return (
    value === null ||
    value === undefined ||
    value === false ||
    value === "" ||
    (Array.isArray(value) && value.length === 0)
  );
}
