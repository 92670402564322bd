import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const workspaces = ["packages", "examples", "test"].flatMap((folder) =>
  execFileSync("git", ["ls-files", `${folder}/*/package.json`], { cwd: root, encoding: "utf8" })
    .trim()
    .split("\n")
    .map(dirname),
);
const scriptsOf = (folder: string): Readonly<Record<string, string>> =>
  (JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as { scripts?: Record<string, string> })
    .scripts ?? {};

/** Test files that `vitest list` names there, from the root of the listing. */
const listed = (folder: string, ...words: readonly string[]): readonly string[] =>
  execFileSync("npx", ["--no-install", "vitest", "list", "--filesOnly", ...words], {
    cwd: join(root, folder),
    encoding: "utf8",
  })
    .trim()
    .split("\n")
    // A line begins with the name of the project in the repository's own config.
    .map((line) => line.trim().replace(/^\[\w+\] /u, ""));
const everywhere = listed(".");

describe("every workspace", () => {
  it.each(workspaces.filter((folder) => scriptsOf(folder)["test"] !== undefined))(
    "runs its own tests by its own script: %s",
    (folder) => {
      const script = scriptsOf(folder)["test"];
      // A workspace that people copy has a vitest.config.ts of its own, so that paths begin there.
      const isCopied = existsSync(join(root, folder, "vitest.config.ts"));
      expect(script).toBe(isCopied ? "vitest run" : `vitest run --root ../.. ${folder}/`);
      const files = isCopied
        ? listed(folder).map((file) => `${folder}/${file}`)
        : everywhere.filter((file) => file.includes(`${folder}/`));
      const own = execFileSync("git", ["ls-files", `${folder}/*.test.ts`], { cwd: root, encoding: "utf8" });
      expect(files.toSorted()).toEqual(own.trim().split("\n").toSorted());
    },
  );

  it("that has tests has a script for them", () => {
    const without = workspaces.filter((folder) => scriptsOf(folder)["test"] === undefined);
    const own = execFileSync("git", ["ls-files", ...without.map((folder) => `${folder}/*.test.ts`)], { cwd: root });
    expect(own.toString()).toBe("");
  });
});
