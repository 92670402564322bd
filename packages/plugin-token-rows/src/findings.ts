import type { Finding, RuleInfo, Setting } from "@thaw/core";

export const TOKEN_ROWS_AND_FULL: RuleInfo = {
  id: "token-rows-and-full",
  defaultSeverity: "error",
  summary: "Rows of single tokens are to train in an embedding that trains as a whole.",
  docs: `\`token_rows\` trains the rows of some tokens and keeps the rest of the embedding as it is. Where the
embedding trains anyway, in the whole run or a part of it, the two would write the same rows.

\`\`\`yaml config expects=token-rows-and-full
freeze: { freeze_llm: false }
token_rows: { tokens: [<image>] }
\`\`\`

Keep the embedding frozen, or remove \`token_rows\`:

\`\`\`yaml config expects=none
freeze: { freeze_llm: true }
token_rows: { tokens: [<image>] }
\`\`\`
`,
};

/** The matrix trains whole. */
export function rowsAndFull(matrix: string, settings: readonly Setting[], trainedBy: readonly Setting[]): Finding {
  return {
    rule: TOKEN_ROWS_AND_FULL.id,
    severity: "error",
    settings: [...settings.slice(0, 1), ...trainedBy.slice(0, 1)],
    message: `${keyOf(settings)} trains single rows of ${matrix}, and the whole of it trains as well.`,
    fix: `Remove ${keyOf(settings)}, or freeze the embedding.`,
  };
}

/** A token that the tokenizer does not have. */
export function tokenUnknown(token: string, nearest: readonly string[], settings: readonly Setting[]): Finding {
  const near =
    nearest.length === 0
      ? "Add it to the tokenizer first, or correct its name."
      : `Write one of ${nearest.map((name) => `\`${name}\``).join(", ")}, or add it to the tokenizer first.`;
  return unmatched(`\`${token}\` in ${keyOf(settings)} is not a token of this model.`, near, settings);
}

/** An id behind the last row. */
export function idUnknown(id: number, count: number, settings: readonly Setting[]): Finding {
  return unmatched(
    `${id} in ${keyOf(settings)} is not a row of the embedding, which has ${count}.`,
    `Use ids from 0 to ${count - 1}, or make the embedding larger first.`,
    settings,
  );
}

/** Names without a tokenizer to look them up in. */
export function tokenizerMissing(source: string, settings: readonly Setting[]): Finding {
  return unmatched(
    `${keyOf(settings)} names tokens, and there is no tokenizer.json in ${source} that can be read.`,
    "Give the tokens by id.",
    settings,
  );
}

/** The model does not say which matrix has a row per token. */
export function embeddingMissing(source: string, settings: readonly Setting[]): Finding {
  return unmatched(
    `${keyOf(settings)} trains rows of the embedding, and ${source} does not say which matrix it is.`,
    `Remove ${keyOf(settings)}, and train the language model in another way.`,
    settings,
  );
}

/** The section as the user spells it. */
function keyOf([setting]: readonly Setting[]): string {
  return setting?.path.split(".")[0] ?? "token_rows";
}

function unmatched(message: string, fix: string, settings: readonly Setting[]): Finding {
  return { rule: "selector-matches-nothing", severity: "error", message, fix, settings: settings.slice(0, 1) };
}
