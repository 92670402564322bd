import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GOLDEN_LLAVA } from "../../test-support/processor.js";
import { loadTokenizer } from "./tokenizer.js";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const fixtures = JSON.parse(await readFile(new URL("../../fixtures/tokens.json", import.meta.url), "utf8")) as Record<
  string,
  { text: string; ids: number[]; decoded: string }[]
>;

describe.each(Object.entries(fixtures))("loadTokenizer of %s", (file, texts) => {
  it("writes and reads the ids of Hugging Face's Rust tokenizers", async () => {
    const tokenizer = await loadTokenizer(dirname(join(root, file)));
    for (const { text, ids, decoded } of texts) {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
      expect({ text, decoded: tokenizer.decode(ids) }).toEqual({ text, decoded: decoded.trim() });
    }
  });
});

describe("loadTokenizer", () => {
  it("knows special tokens and ids", async () => {
    const tokenizer = await loadTokenizer(GOLDEN_LLAVA);
    expect(tokenizer.special).toMatchObject({ bos: "<s>", eos: "</s>", pad: "<pad>" });
    expect([tokenizer.idOf("<image>"), tokenizer.tokenOf(332), tokenizer.idOf("no such token")]).toEqual([
      332,
      "<image>",
      undefined,
    ]);
    expect(tokenizer.vocabularySize).toBe(333);
  });

  it("refuses a folder without a tokenizer, and a broken file", async () => {
    await expect(loadTokenizer(tmpdir())).rejects.toMatchObject({ code: "THAW_DATA_TOKENIZER" });
    const folder = await mkdtemp(join(tmpdir(), "thaw-tokenizer-"));
    try {
      await writeFile(join(folder, "tokenizer.json"), "{");
      await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: "THAW_DATA_FILE_MALFORMED" });
      await writeFile(join(folder, "tokenizer.json"), "{}");
      await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: "THAW_DATA_TOKENIZER" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each([
    ["decoder", { type: "Sequence", decoders: [{ type: "Replace", content: " " }] }, "has a Replace without pattern"],
    ["normalizer", { type: "Replace", pattern: {}, content: " " }, "has a Replace without pattern"],
    ["pre_tokenizer", { type: "Split", pattern: "x", behavior: "Isolated" }, "has a Split without pattern"],
    ["post_processor", { type: "Sequence" }, "has a Sequence without a list of parts"],
    ["post_processor", { type: "TemplateProcessing", single: 3 }, "has a TemplateProcessing without single"],
    ["normalizer", { type: "Prepend" }, "has a Prepend without prepend"],
    ["added_tokens", [{}], "lacks what its type needs"],
  ])("names the part that lacks something: %s %j", async (part, broken, lack) => {
    const folder = await mkdtemp(join(tmpdir(), "thaw-tokenizer-"));
    try {
      const file = JSON.parse(await readFile(join(GOLDEN_LLAVA, "tokenizer.json"), "utf8")) as object;
      await writeFile(join(folder, "tokenizer.json"), JSON.stringify({ ...file, [part]: broken }));
      const error = await loadTokenizer(folder).then(
        (tokenizer) => tokenizer.encode("a cat"),
        (cause: unknown) => cause as Error,
      );
      expect(error).toMatchObject({
        code: "THAW_DATA_TOKENIZER",
        message: expect.stringContaining(lack) as string,
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("adds tokens that only tokenizer_config.json declares", async () => {
    const folder = await mkdtemp(join(tmpdir(), "thaw-tokenizer-"));
    try {
      await cp(join(GOLDEN_LLAVA, "tokenizer.json"), join(folder, "tokenizer.json"));
      await writeFile(
        join(folder, "tokenizer_config.json"),
        JSON.stringify({
          image_token: "<picture>",
          added_tokens_decoder: { 333: { content: "<picture>", special: true } },
        }),
      );
      const tokenizer = await loadTokenizer(folder);
      expect([tokenizer.special.image, tokenizer.idOf("<picture>"), tokenizer.encode("<picture>")]).toEqual([
        "<picture>",
        333,
        [333],
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each([[null], [1.5]])("names a token whose id is %s", async (id) => {
    const folder = await mkdtemp(join(tmpdir(), "thaw-tokenizer-"));
    try {
      const file = JSON.parse(await readFile(join(GOLDEN_LLAVA, "tokenizer.json"), "utf8")) as {
        model: { vocab: Record<string, unknown> };
      };
      for (const token of Object.keys(file.model.vocab)) file.model.vocab[token] = id;
      await writeFile(join(folder, "tokenizer.json"), JSON.stringify(file));
      const tokenizer = await loadTokenizer(folder);
      expect(() => tokenizer.encode("a disc")).toThrow(
        expect.objectContaining({
          code: "THAW_DATA_TOKENIZER",
          message: expect.stringContaining("gives the id") as string,
        }) as Error,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
