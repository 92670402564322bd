import { expect, it } from "vitest";
import { errorText } from "../main.js";
import { memoryTerminal } from "./terminal.js";
import { visible } from "./visible.js";

it.each([
  ["no\u001b]0;pwned\u0007.png", "no\u241b]0;pwned\u2407.png"],
  ["a\u001b[2J\u001b[1;1Hb", "a\u241b[2J\u241b[1;1Hb"],
  ["\u009b31mred\u009d0;t\u009c", "<U+009B>31mred<U+009D>0;t<U+009C>"],
  ["gnp.\u202eexe\u2069", "gnp.<U+202E>exe<U+2069>"],
  ["over\rwritten\b\u007f", "over\u240dwritten\u2408\u2421"],
  ["\u001b[1;31mred\u001b[0m\tand\nlines \u00e9\u{1f600}", "\u001b[1;31mred\u001b[0m\tand\nlines \u00e9\u{1f600}"],
])("shows %j as %j", (text, shown) => {
  expect(visible(text)).toBe(shown);
});

it("holds for errors that quote foreign names, and for what commands print", () => {
  const terminal = memoryTerminal();
  terminal.err(errorText(new Error("the tensor \u001b]52;c;cm0=\u0007 is not known"), terminal, false));
  terminal.out("caption \u001b[5n");
  for (const control of ["\u001b", "\u0007"])
    expect((terminal.errText() + terminal.outText()).includes(control)).toBe(false);
});
