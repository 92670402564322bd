// @ts-check
import { openModel } from "@thaw/models";
import { judged } from "./compare.mjs";
import { placed } from "./golden.mjs";
import { promptOf } from "./inputs.mjs";

/** Where the best logit is nearer than this to the second one, float32 programs may differ (goldens/README.md). */
const SMALL_MARGIN = 1e-3;

/**
 * What is written behind the golden's prompts: each alone, then all in one batch.
 * @param {import("./runs.mjs").Golden} golden
 * @param {import("@thaw/core").Session} session
 * @returns {Promise<import("./compare.mjs").Comparison>}
 */
export async function compareWritten(golden, session) {
  const { folder, facts, batch } = golden;
  /** Tokens that end an answer: Thaw hands them on to nobody, transformers does. */
  const ends = new Set((await openModel(folder)).text.eosTokenIds);
  const rows = Array.from({ length: batch.batchSize }, (_, row) => row);
  /** @type {number[][]} */
  const alone = [];
  for (const row of rows) alone.push(...(await write(golden, session, [row])));
  const together = await write(golden, session, rows);
  const wrong = rows.map((row) => {
    const ids = /** @type {number[]} */ (facts.greedy.ids[row]).filter((id) => !ends.has(id));
    const margins = /** @type {number[]} */ (facts.greedy.margins[row]);
    const small = margins.findIndex((margin) => margin < SMALL_MARGIN);
    const count = small === -1 ? ids.length : small;
    return [alone, together].map(
      (written) => ids.slice(0, count).filter((id, index) => written[row]?.[index] !== id).length,
    );
  });
  return judged(folder, "greedy", Math.max(...wrong.flat()), 0);
}

/**
 * @param {import("./runs.mjs").Golden} golden
 * @param {import("@thaw/core").Session} session
 * @param {readonly number[]} rows
 */
function write({ batch, items, facts }, session, rows) {
  const prompts = rows.map((row) => promptOf(batch, row));
  const tokenCount = Math.max(...prompts.map(({ length }) => length));
  const size = rows.length * tokenCount;
  const [tokenIds, attentionMask] = [new Int32Array(size), new Int32Array(size)];
  prompts.forEach((prompt, index) => {
    tokenIds.set(prompt, index * tokenCount);
    attentionMask.fill(1, index * tokenCount, index * tokenCount + prompt.length);
  });
  const maxNewTokens = Math.max(...facts.greedy.ids.map((/** @type {number[]} */ ids) => ids.length));
  return session.generate(
    {
      tokenIds,
      attentionMask,
      labels: new Int32Array(size).fill(-100),
      batchSize: rows.length,
      tokenCount,
      media: rows.flatMap((row, index) =>
        placed(
          [/** @type {import("./media.mjs").GoldenItem} */ (items[row])],
          /** @type {Int32Array} */ (prompts[index]),
          index,
        ),
      ),
      segmentOutputs: {},
      samples: rows.map((row) => ({ id: String(row) })),
    },
    { maxNewTokens },
  );
}
