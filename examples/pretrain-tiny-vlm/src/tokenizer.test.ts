import { Tokenizer } from "@huggingface/tokenizers";
import { expect, test } from "vitest";
import { encodeBpe } from "./bpe.js";
import { PROMPT, tokenizerConfigJson, tokenizerJson, trainTokenizer, VOCABULARY_SIZE } from "./tokenizer-file.js";

const captions = [
  "dog face",
  "cat face",
  "face with tears of joy",
  "three o clock",
  "red apple",
  "green apple",
  "smiling face with halo",
  "cat",
  "hot dog",
];
const model = trainTokenizer(captions);
const tokenizer = new Tokenizer(tokenizerJson(model), tokenizerConfigJson());

test("the prompt is one token, and specials come first", () => {
  expect(encodeBpe(model, PROMPT)).toHaveLength(1);
  expect([...model.vocabulary.keys()].slice(0, 5)).toEqual(["<unk>", "<s>", "</s>", "<pad>", "<image>"]);
  expect(model.vocabulary.size).toBeLessThanOrEqual(VOCABULARY_SIZE);
});

test("tokenizer.json encodes as training did, and decodes back", () => {
  for (const caption of [...captions, "apple dog", "o clock face"]) {
    const ids = encodeBpe(model, ` ${caption}`);
    expect(tokenizer.encode(` ${caption}`, { add_special_tokens: false }).ids).toEqual(ids);
    expect(tokenizer.decode(ids, { skip_special_tokens: true })).toBe(caption);
  }
});

test("a conversation is image, prompt, caption, end", () => {
  const ids = tokenizer.encode(`<image>${PROMPT} dog face</s>`, { add_special_tokens: false }).ids;
  expect(ids).toEqual([4, ...encodeBpe(model, PROMPT), ...encodeBpe(model, " dog face"), 2]);
});

test("the vocabulary does not depend on the order of the captions", () => {
  expect([...trainTokenizer([...captions].reverse()).vocabulary]).toEqual([...model.vocabulary]);
});
