import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GOLDEN_LLAVA } from "../../test-support/processor.js";
import { bounded } from "./bounded.js";
import { compileChatTemplate } from "./chat-template.js";
import { loadTokenizer } from "./tokenizer.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-bounded-"));
});
afterEach(() => rm(folder, { recursive: true }));

const backtrack = (): boolean => /^(a+)+$/.test(`${"a".repeat(80)}b`);

describe("bounded", () => {
  it("ends a regular expression that takes for ever, and names the innermost file", () => {
    expect(() => bounded("sample", () => bounded("tokenizer.json", backtrack), 200)).toThrow(
      expect.objectContaining({
        code: "THAW_DATA_TOO_SLOW",
        details: { file: "tokenizer.json", limitMs: 200 },
      }) as Error,
    );
    expect(bounded("next", () => 3)).toBe(3);
  });

  it("passes on what is thrown inside, and counts nested calls as one", () => {
    const own = new Error("own");
    expect(() =>
      bounded("a", () =>
        bounded("b", () => {
          throw own;
        }),
      ),
    ).toThrow(own);
    expect(bounded("a", () => bounded("b", () => 1) + bounded("c", () => 2))).toBe(3);
  });
});

it("ends a tokenizer's regular expression, by the tokenizer's name", async () => {
  await cp(GOLDEN_LLAVA, folder, { recursive: true });
  const file = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8")) as Record<string, unknown>;
  file["pre_tokenizer"] = { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated", invert: false };
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(file));
  const tokenizer = await loadTokenizer(folder);
  expect(() => tokenizer.encode(`${"a".repeat(80)}b`)).toThrow(
    expect.objectContaining({ code: "THAW_DATA_TOO_SLOW" }) as Error,
  );
});

it.each([
  [
    "normalizer",
    { type: "Sequence", normalizers: Array(30).fill({ type: "Replace", pattern: { String: "a" }, content: "aa" }) },
  ],
  ["normalizer", { type: "Replace", pattern: { Regex: "" }, content: "x".repeat(1e6) }],
  ["decoder", { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "" }, content: "y".repeat(100) }] }],
])("refuses a tokenizer whose %s makes texts grow without bound", async (part, value) => {
  await cp(GOLDEN_LLAVA, folder, { recursive: true });
  const file = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8")) as Record<string, unknown>;
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify({ ...file, [part]: value }));
  await expect(loadTokenizer(folder)).rejects.toMatchObject({
    code: "THAW_DATA_TOKENIZER",
    message: expect.stringContaining(`The ${part} of the tokenizer`) as string,
  });
});

it.each([
  ["{% for i in range(1000000000) %}{% endfor %}", /range\(\) has more than/],
  [
    "{% for i in range(5000) %}{% for j in range(5000) %}{{ j }}{% endfor %}{% endfor %}",
    /more than 200000 steps|more than 10 seconds/,
  ],
  ["{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}", /a list of more/],
  ["{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}", /a text of more/],
  ["{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", /./],
])("bounds a template: %s", (text, reason) => {
  const special = { named: {} };
  expect(() =>
    compileChatTemplate(text, { source: "chat_template.jinja", special, placeholders: {} }).render([
      { role: "user", content: [{ type: "text", text: "x" }] },
    ]),
  ).toThrow(
    expect.objectContaining({
      code: expect.stringMatching(/^THAW_DATA_(TEMPLATE|TOO_SLOW)$/) as string,
      message: expect.stringMatching(reason) as string,
    }) as Error,
  );
});

it("gives templates the names that the library gives", () => {
  const template = compileChatTemplate(
    "{{ range(1, 6, 2) | list }} {{ range(2) | list }} {{ none is none }} {{ True and not False }}" +
      " {{ strftime_now('%Y') | length }} {{ messages[0].role }}",
    { source: "t", special: { named: {} }, placeholders: {} },
  );
  expect(template.render([{ role: "user", content: [{ type: "text", text: "x" }] }])).toBe(
    "[1, 3, 5] [0, 1] true true 4 user",
  );
});
