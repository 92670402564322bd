// @ts-check
import { encodeConversation, encodePrompt } from "@thaw/data";
import { judged, maxDifference } from "./compare.mjs";

/** By modality, the golden's name of the input and how far it may be off: goldens/README.md, section Tolerances. */
const VALUES = {
  image: { name: "pixel_values", tolerance: 1e-5 },
  audio: { name: "input_features", tolerance: 1e-4 },
};

/**
 * What the processor makes of the golden's files and messages: values, ids and labels.
 * @param {import("./runs.mjs").Golden} golden
 * @returns {AsyncGenerator<import("./compare.mjs").Comparison>}
 */
export async function* compareInputs(golden) {
  const { folder, items, media: files } = golden;
  for (const [modality, { name, tolerance }] of Object.entries(VALUES)) {
    const own = items.filter((item) => item.modality === modality);
    const worst = own.flatMap(({ made, values }) =>
      Object.keys(values).map((input) => maxDifference(made[input], /** @type {Float32Array} */ (values[input]))),
    );
    if (own.length > 0) yield judged(folder, name, Math.max(...worst), tolerance);
  }
  yield judged(folder, "prompt_ids", differentPrompts(golden, golden.batch, files), 0);
  yield judged(folder, "labels", differentRows(golden, golden.batch, golden.facts.text, files), 0);
  if (golden.multi === undefined) return;
  const { text, media } = golden.facts.multi;
  yield judged(folder, "multi/labels", differentRows(golden, golden.multi, text, media), 0);
}

/**
 * Ids of prompts that differ.
 * @param {import("./runs.mjs").Golden} golden
 * @param {import("@thaw/contracts").Batch} batch
 * @param {readonly (readonly string[])[]} files
 */
function differentPrompts(golden, batch, files) {
  return golden.facts.text.reduce(
    (/** @type {number} */ total, /** @type {Conversation} */ text, /** @type {number} */ row) =>
      total +
      different(
        encodePrompt(golden.processor, messagesOf(text), optionsOf(golden, files, row)).tokenIds,
        promptOf(batch, row),
      ),
    0,
  );
}

/**
 * Ids and labels of whole conversations that differ.
 * @param {import("./runs.mjs").Golden} golden
 * @param {import("@thaw/contracts").Batch} batch
 * @param {readonly Conversation[]} texts
 * @param {readonly (readonly string[])[]} files
 */
function differentRows(golden, batch, texts, files) {
  return texts.reduce((total, text, row) => {
    const options = { ...optionsOf(golden, files, row), endToken: /** @type {const} */ ("template") };
    const encoded = encodeConversation(golden.processor, messagesOf(text), options);
    return (
      total +
      different(encoded.tokenIds, rowOf(batch, batch.tokenIds, row)) +
      different(encoded.labels, rowOf(batch, batch.labels, row))
    );
  }, 0);
}

/**
 * A conversation, or a prefix with pictures at its beginning and a suffix (PaliGemma).
 * @typedef {{ readonly messages: import("@thaw/data").Message[] }
 * | { readonly prefix: string, readonly suffix: string }} Conversation
 */

/**
 * @param {Conversation} text
 * @returns {import("@thaw/data").Message[]}
 */
function messagesOf(text) {
  if ("messages" in text) return text.messages;
  const [, pictures = "", question = ""] = /^((?:<image>)*)(.*)$/su.exec(text.prefix) ?? [];
  const images = Array.from({ length: pictures.length / "<image>".length }, () => ({
    type: /** @type {const} */ ("image"),
  }));
  return [
    { role: "user", content: [...images, { type: "text", text: question }] },
    { role: "assistant", content: [{ type: "text", text: text.suffix }] },
  ];
}

/**
 * @param {import("./runs.mjs").Golden} golden
 * @param {readonly (readonly string[])[]} files
 * @param {number} row
 */
function optionsOf({ folder, items }, files, row) {
  const plans = (files[row] ?? []).map((file) => {
    const { plan } = /** @type {import("./media.mjs").GoldenItem} */ (items.find((item) => item.file === file));
    return plan;
  });
  return { plans, origin: `${folder} sample ${row}` };
}

/**
 * A row without its padding.
 * @param {import("@thaw/contracts").Batch} batch
 * @param {Int32Array} values
 * @param {number} row
 */
function rowOf({ attentionMask, tokenCount }, values, row) {
  const at = row * tokenCount;
  return values.subarray(at, at + tokenCount).filter((_, column) => attentionMask[at + column] === 1);
}

/**
 * Ids of a row before its first supervised token.
 * @param {import("@thaw/contracts").Batch} batch
 * @param {number} row
 */
export function promptOf(batch, row) {
  const labels = rowOf(batch, batch.labels, row);
  return rowOf(batch, batch.tokenIds, row).subarray(
    0,
    labels.findIndex((label) => label !== -100),
  );
}

/**
 * How many ids differ; all that one side has more count.
 * @param {ArrayLike<number>} got
 * @param {ArrayLike<number>} wanted
 */
function different(got, wanted) {
  const length = Math.max(got.length, wanted.length);
  return Array.from({ length }, (_, index) => got[index] !== wanted[index]).filter(Boolean).length;
}
