// @ts-check
import { encodeConversation } from "@thaw/data";
import { openGolden, placed } from "../parity/golden.mjs";

/** @typedef {Awaited<ReturnType<typeof openGolden>>} Golden */

/**
 * A sample without padding, with its pictures or clips.
 * @typedef {{ readonly id: string, readonly tokenIds: Int32Array, readonly labels: Int32Array, readonly items:
 * readonly import("@thaw/contracts").MediaItem[] }} Row
 */

/** Tokens at an end. */
const UNLEARNT = 2;

/**
 * Samples of every kind that a golden folder can give: two of one picture or clip each, one of two in a turn with a
 * second turn behind it, one of text alone, and both kinds again with an end that is not learnt.
 * @param {Golden} golden
 * @returns {readonly Row[]}
 */
export function raggedRows(golden) {
  const [first, second] = rowsOf(golden.batch, "golden");
  const [both, text] = golden.multi === undefined ? prefixedRows(golden) : rowsOf(golden.multi, "multi");
  if (first === undefined || second === undefined || both === undefined || text === undefined)
    throw new Error(`${golden.folder} has not the four samples that a golden has.`);
  return [withUnlearntEnd(first), text, both, second, first, withUnlearntEnd(text)];
}

/**
 * @param {import("@thaw/contracts").Batch} batch
 * @param {string} name
 * @returns {Row[]}
 */
function rowsOf({ tokenIds, labels, attentionMask, batchSize, tokenCount, media }, name) {
  return Array.from({ length: batchSize }, (_, sample) => {
    const at = sample * tokenCount;
    const length = attentionMask.subarray(at, at + tokenCount).reduce((sum, seen) => sum + seen, 0);
    return {
      id: `${name} ${sample}`,
      tokenIds: tokenIds.slice(at, at + length),
      labels: labels.slice(at, at + length),
      items: media.filter((item) => item.sample === sample),
    };
  });
}

/**
 * For a folder without conversations (PaliGemma): both pictures before one prefix, and a prefix alone.
 * @param {Golden} golden
 * @returns {Row[]}
 */
function prefixedRows({ folder, processor, items, facts }) {
  return [items, []].map((shown, row) => {
    const { prefix, suffix } = facts.text[row];
    const pictures = shown.map(() => ({ type: /** @type {const} */ ("image") }));
    const question = { type: /** @type {const} */ ("text"), text: prefix.replaceAll("<image>", "") };
    const { tokenIds, labels } = encodeConversation(
      processor,
      [
        { role: "user", content: [...pictures, question] },
        { role: "assistant", content: [{ type: "text", text: suffix }] },
      ],
      { plans: shown.map(({ plan }) => plan), origin: `${folder} sample ${row}`, endToken: "template" },
    );
    const ids = Int32Array.from(tokenIds);
    return { id: `prefix ${row}`, tokenIds: ids, labels: Int32Array.from(labels), items: placed(shown, ids, 0) };
  });
}

/**
 * @param {Row} row
 * @returns {Row}
 */
function withUnlearntEnd({ id, tokenIds, labels, items }) {
  const end = labels.length - UNLEARNT;
  return {
    id: `${id}, its end not learnt`,
    tokenIds,
    labels: labels.map((label, at) => (at < end ? label : -100)),
    items,
  };
}

/**
 * Rows in a batch, padded on the right or on the left.
 * @param {readonly Row[]} rows
 * @param {"right" | "left"} [padding]
 * @returns {import("@thaw/contracts").Batch}
 */
export function batchOf(rows, padding = "right") {
  const tokenCount = Math.max(...rows.map(({ tokenIds }) => tokenIds.length));
  const size = rows.length * tokenCount;
  const [tokenIds, attentionMask] = [new Int32Array(size), new Int32Array(size)];
  const labels = new Int32Array(size).fill(-100);
  const starts = rows.map((row) => (padding === "right" ? 0 : tokenCount - row.tokenIds.length));
  for (const [index, row] of rows.entries()) {
    const at = index * tokenCount + /** @type {number} */ (starts[index]);
    tokenIds.set(row.tokenIds, at);
    labels.set(row.labels, at);
    attentionMask.fill(1, at, at + row.tokenIds.length);
  }
  return {
    tokenIds,
    attentionMask,
    labels,
    batchSize: rows.length,
    tokenCount,
    segmentOutputs: {},
    samples: rows.map(({ id }) => ({ id })),
    media: rows.flatMap(({ items }, sample) =>
      items.map((item) => ({
        ...item,
        sample,
        columns: item.columns.map((column) => column + /** @type {number} */ (starts[sample])),
      })),
    ),
  };
}

/**
 * The rows in their order in every epoch, in batches of the size that is asked for.
 * @param {readonly Row[]} rows
 * @returns {import("@thaw/contracts").BatchSource}
 */
export function rowSource(rows) {
  return {
    name: "ragged",
    sampleCount: rows.length,
    augmentations: [],
    async *batches({ microBatchSize, skip = 0 }) {
      for (let start = skip * microBatchSize; start < rows.length; start += microBatchSize)
        yield batchOf(rows.slice(start, start + microBatchSize));
    },
    close: async () => undefined,
  };
}

/**
 * A row with pictures or clips that no other row has: their values halved.
 * @param {Row} row
 * @returns {Row}
 */
export function withUnseenItems(row) {
  const items = row.items.map((item) => ({
    ...item,
    contentKey: `${item.contentKey} halved`,
    load: async () =>
      Object.fromEntries(
        Object.entries(await item.load()).map(([name, values]) => [name, values.map((value) => value / 2)]),
      ),
  }));
  return { ...row, id: `${row.id}, unseen`, items };
}
