import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorCodes, errorSources, errorsPage } from "../../scripts/docs/errors-page.mjs";
import { root } from "./blocks.js";

const sources = errorSources() as ReadonlyMap<string, string>;
const codes: readonly string[] = errorCodes(sources).map(({ code }: { readonly code: string }) => code);

/** Names that look like codes and are none: environment variables, the word for an error without code, a prefix. */
const NO_CODES = ["THAW_DATA", "THAW_DEBUG", "THAW_TOKEN", "THAW_UNEXPECTED"];

function sourceFiles(): readonly { readonly path: string; readonly text: string }[] {
  const files = readdirSync(join(root, "packages"), { recursive: true, encoding: "utf8" });
  return files
    .filter((path) => /^[^/]+\/src\/.*(?<!\.test)\.ts$/.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, "packages", path), "utf8") }));
}

describe("docs/errors.md", () => {
  it("is what the packages' errors.ts say", () => {
    expect(readFileSync(join(root, "docs/errors.md"), "utf8"), "run node scripts/docs.mjs").toBe(errorsPage(sources));
  });

  it("cannot be made for an error without doc block, or for a code of two packages", () => {
    const make = 'export function wrong() {\n  return new ThawError("THAW_X_WRONG", "It is wrong.");\n}\n';
    expect(() => errorsPage(new Map([["@thaw/x", make]]))).toThrow(
      "wrong in the errors.ts of @thaw/x has no doc block.",
    );
    const told = `/** Wrong. */\n${make}`;
    expect(() =>
      errorsPage(
        new Map([
          ["@thaw/x", told],
          ["@thaw/y", told],
        ]),
      ),
    ).toThrow("The code THAW_X_WRONG is used by @thaw/x and @thaw/y.");
  });
});

describe("error codes", () => {
  it("are those that sources name, and no other", () => {
    const unknown = sourceFiles().flatMap(({ path, text }) =>
      [...text.matchAll(/THAW_[A-Z0-9_]*[A-Z0-9](_?\*)?/g)]
        .map(([name]) => name)
        .filter(
          (name) =>
            !NO_CODES.includes(name) &&
            !(name.endsWith("*")
              ? codes.some((code) => code.startsWith(name.replace(/_?\*$/, "")))
              : codes.includes(name)),
        )
        .map((name) => `${path}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it("are made in errors.ts alone", () => {
    const elsewhere = sourceFiles()
      .filter(({ path, text }) => !/\/errors(\.ts$|\/)/.test(path) && /new (Thaw|Autograd)Error\(/.test(text))
      .map(({ path }) => path);
    expect(elsewhere).toEqual([]);
  });
});
