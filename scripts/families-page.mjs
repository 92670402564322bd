/**
 * The page docs/families.md, of what `npm run parity -- --page test/fixtures/goldens/*` measured: per family how far
 * Thaw is from transformers, what people have of it, and what it takes to train one.
 */
import { readFileSync } from "node:fs";
import { knownFamilies } from "@thaw/models";

/** Columns of the table, by the quantities that they sum up. */
const COLUMNS = [
  ["features", /^(?:image_features|audio_features|deepstack_features\..+)$/u],
  ["logits", /^logits$/u],
  ["loss", /^loss$/u],
  ["gradients", /^(?:grad_norm|grad\..+)$/u],
  ["runs", /^projector(?:_and_language_model)?\//u],
  ["pixels or mel", /^(?:pixel_values|input_features)$/u],
  ["prompt", /^(?:prompt_ids|labels)$/u],
  ["greedy", /^greedy$/u],
  ["multi", /^multi\//u],
];

const HEAD = `# Model families

<!-- Measured and written by \`npm run parity -- --page test/fixtures/goldens/*\`; do not edit. -->

Which checkpoints open, train, generate and save back, and how far their numbers are from Hugging Face transformers.
[Freezing](freezing.md) says what their components are; [add a family](add-a-family.md) how another one is made.

## Beside transformers

Every family has a small model with random weights, made by transformers 5 in float32 with its outputs, every gradient
and two training runs of five steps (\`test/fixtures/goldens\`). Numbers are the largest error of each quantity on the
WASM backend; for gradients and runs, of the one that is nearest to its limit. The limits: 1e-4 for features, logits,
losses and mel frames, a thousandth of a tensor's largest value for its gradient, 1e-5 for pixels, no difference at all
for ids and written tokens. \`multi\`: a batch of a conversation with two pictures in one turn and a second turn beside
one of text alone.
On the native backend all 26 folders pass too (2026-11-27, \`npm run parity -- --backend native\`).
`;

/** @param {number} value */
const numberText = (value) => (value === 0 ? "0" : value.toExponential(0));

/**
 * @param {readonly { folder: string, quantity: string, maxError?: number, tolerance?: number, pass: boolean }[]} lines
 */
export function familiesPage(lines) {
  const folders = [...new Set(lines.map(({ folder }) => folder))];
  const rows = folders.map((folder) => {
    const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
    const own = lines.filter((line) => line.folder === folder);
    const cells = COLUMNS.map(([, pattern]) => {
      const found = own.filter(({ quantity }) => pattern.test(quantity));
      if (found.length === 0) return own.some(({ quantity }) => quantity === "open") ? "**open**" : "";
      const worst = found.reduce((most, line) =>
        line.maxError / (line.tolerance || 1) > most.maxError / (most.tolerance || 1) ? line : most,
      );
      return worst.pass ? numberText(worst.maxError) : `**${numberText(worst.maxError)}**`;
    });
    return `| \`${config.model_type}\` | ${folder.split("/").filter(Boolean).at(-1)} | ${cells.join(" | ")} |`;
  });
  const { families, note } = JSON.parse(readFileSync(new URL("families.json", import.meta.url), "utf8"));
  const missing = knownFamilies().filter((type) => families[type] === undefined);
  if (missing.length > 0) throw new Error(`scripts/families.json says nothing of ${missing.join(", ")}.`);
  return [
    HEAD,
    `| type | folder | ${COLUMNS.map(([name]) => name).join(" | ")} |`,
    `| --- | --- | ${COLUMNS.map(() => "---").join(" | ")} |`,
    ...rows,
    "",
    "## What people have, and what it takes",
    "",
    note.join("\n"),
    "",
    "| type | published checkpoints | parts | smallest: projector alone | LoRA | everything |",
    "| --- | --- | --- | --- | --- | --- |",
    ...knownFamilies().map((type) => familyRow(type, families[type])),
    "",
  ].join("\n");
}

/**
 * @param {string} type
 * @param {{ checkpoints: string, parts: string, smallest: number }} family `smallest`: billions of parameters
 */
function familyRow(type, { checkpoints, parts, smallest }) {
  const gigabytes = (perParameter) => `${Math.max(1, Math.round(smallest * perParameter))} GB`;
  return `| \`${type}\` | ${checkpoints} | ${parts} | ${gigabytes(2.6)} | ${gigabytes(3)} | ${gigabytes(18)} |`;
}
