// @ts-check
import { engine } from "@tensorflow/tfjs-core";
import { backendGpu } from "@thaw/backend-gpu";
import { Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import { judged } from "../parity/compare.mjs";
import { batchOf, raggedRows } from "./rows.mjs";

/** @typedef {import("./rows.mjs").Row} Row */

/** Of every answer. */
const TOKENS = 6;

/**
 * Answers to unequal prompts (pictures or clips, none, several turns): all in one batch, padded on either side, against
 * each alone, and with what layers remember against a full pass for each token. Counts ids that differ.
 * @param {import("./rows.mjs").Golden} golden
 * @param {string} backend
 * @returns {AsyncGenerator<import("../parity/compare.mjs").Comparison>}
 */
export async function* compareGeneration(golden, backend) {
  const { folder } = golden;
  const prompts = raggedRows(golden).slice(0, 4).map(promptOf);
  const before = engine().state.numTensors;
  const session = await new Trainer({
    model: await openModel(folder),
    plugins: [backendGpu(/** @type {never} */ (backend))],
  }).open();
  try {
    const write = (
      /** @type {readonly Row[]} */ rows,
      tokens = TOKENS,
      padding = /** @type {"right" | "left"} */ ("right"),
    ) => session.generate(batchOf(rows, padding), { maxNewTokens: tokens });
    const together = await write(prompts);
    /** @type {number[][]} */
    const alone = [];
    for (const prompt of prompts) alone.push(...(await write([prompt])));
    yield judged(folder, "generation/in one batch", different(together, alone), 0);
    yield judged(folder, "generation/padded on the left", different(await write(prompts, TOKENS, "left"), alone), 0);
    /** @type {number[][]} */
    const passes = [];
    for (const [index, ids] of alone.entries()) {
      /** @type {number[]} */
      const again = [];
      // A written placeholder is a word; in a prompt it would stand for an item.
      const words = ids.findIndex((id) => golden.items.some(({ plan }) => plan.tokenId === id)) + 1 || ids.length;
      for (const at of ids.slice(0, words).keys())
        again.push(...(await write([continued(/** @type {Row} */ (prompts[index]), ids.slice(0, at))], 1)).flat());
      passes.push(again);
    }
    yield judged(
      folder,
      "generation/full passes",
      different(
        passes,
        alone.map((ids, row) => ids.slice(0, passes[row]?.length)),
      ),
      0,
    );
  } finally {
    await session.close();
  }
  yield judged(folder, "generation/tensors left", engine().state.numTensors - before, 0);
}

/**
 * All before the last answer.
 * @param {Row} row
 * @returns {Row}
 */
function promptOf({ labels, tokenIds, ...row }) {
  const isLearnt = [...labels].map((label) => label !== -100);
  const end = isLearnt.lastIndexOf(false, isLearnt.lastIndexOf(true)) + 1;
  return { ...row, tokenIds: tokenIds.slice(0, end), labels: new Int32Array(end).fill(-100) };
}

/**
 * @param {Row} row
 * @param {readonly number[]} ids
 * @returns {Row}
 */
function continued(row, ids) {
  const tokenIds = Int32Array.from([...row.tokenIds, ...ids]);
  return { ...row, tokenIds, labels: new Int32Array(tokenIds.length).fill(-100) };
}

/**
 * @param {readonly (readonly number[])[]} one
 * @param {readonly (readonly number[])[]} other
 */
function different(one, other) {
  const rows = other.map((ids, row) => {
    const length = Math.max(ids.length, one[row]?.length ?? 0);
    return Array.from({ length }, (_, at) => ids[at] !== one[row]?.[at]).filter(Boolean).length;
  });
  return rows.reduce((sum, count) => sum + count, 0);
}
