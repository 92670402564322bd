import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { KIND_PARTS, type KindParts } from "./kinds.js";
import { createPlugin, KINDS, main } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "thaw-create-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ readonly code: number; readonly text: string }> {
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  return { code: await main(args, { out: say, err: say }), text: lines.join("\n") };
}

describe("npm create thaw-plugin", () => {
  it.each(KINDS)("writes a plugin of the kind %s, under its own name everywhere", async (kind) => {
    const created = await createPlugin(join(folder, kind, "thaw-plugin-count-words"), kind);
    const texts = created.files.map((path) => readFileSync(join(created.folder, path), "utf8"));
    expect(texts.join("\n")).not.toMatch(/my-?_?plugin|THE_VERSION_OF_THAW|the rest of the config/i);
    expect(created.files).toEqual(expect.arrayContaining([".gitignore", "README.md", "package.json", "src/index.ts"]));
    const index = texts[created.files.indexOf("src/index.ts")]!;
    const { importLine, definitionLine, applyLine }: KindParts = KIND_PARTS[kind];
    for (const line of [importLine, definitionLine, applyLine]) if (line !== undefined) expect(index).toContain(line);
    expect(index).toContain("name: PLUGIN_NAME");
    expect(index).toContain('"CountWordsPlugin"');
    expect(index).toContain('configKey: "countWords"');
  });

  it("asks for the versions that Thaw itself is built with", () => {
    const read = (path: string) => JSON.parse(readFileSync(join(import.meta.dirname, path), "utf8")) as Manifest;
    const { dependencies, devDependencies, peerDependencies } = read("../template/common/_package.json");
    const wanted = { ...dependencies, ...devDependencies, ...peerDependencies };
    const own = { ...read("../../core/package.json").dependencies, ...read("../../../package.json").devDependencies };
    for (const [name, range] of Object.entries(wanted))
      if (!name.startsWith("@thaw/"))
        expect([name, range.replace("^", "")]).toEqual([name, own[name]?.replace("^", "")]);
  });

  it("says what it wrote, and how it is called", async () => {
    const { code, text } = await run(join(folder, "said"), "--kind", "metric");
    expect([code, text]).toEqual([0, expect.stringMatching(/Wrote 9 files into .*said[\s\S]*npm test/)]);
    expect((await run("--help")).text).toMatch(/hooks[\s\S]*command/);
  });

  it.each([
    ["a name that no config could write", ["My_Plugin"], /"My_Plugin" is not a name of a plugin/],
    ["a kind that is not one", ["a", "--kind", "metrics"], /There is no kind "metrics".*metric/],
    ["an option that it does not have", ["a", "--sort", "x"], /--sort/],
    ["two folders", ["a", "b"], /One folder is expected, not 2/],
  ])("refuses %s, and writes nothing", async (_, args, message) => {
    const before = readdirSync(folder);
    expect(await run(...args)).toEqual({ code: 2, text: expect.stringMatching(message) as string });
    expect(readdirSync(folder)).toEqual(before);
  });

  it("leaves what is in a folder alone", async () => {
    const full = join(folder, "full");
    mkdirSync(full);
    writeFileSync(join(full, "mine.txt"), "mine");
    expect(await run(full)).toEqual({ code: 2, text: expect.stringContaining("The folder is not empty.") as string });
    expect(readdirSync(full)).toEqual(["mine.txt"]);
  });
});

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}
