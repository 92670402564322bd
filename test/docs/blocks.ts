import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

/**
 * A fenced block of a page. The info string says what the test does with it: `ts run` (type-checked and run), `yaml
 * config` (checked as a config), `sh` (run), `LANGUAGE from=PATH` (equal to that file; `node scripts/docs.mjs` puts it
 * there), `text` (shown output).
 */
export interface CodeBlock {
  readonly language: string;
  /** Words of the info string after the language. */
  readonly tags: readonly string[];
  /** The path of `from=`, without the region. */
  readonly from?: string;
  readonly code: string;
  /** Of the fence, from 1. */
  readonly line: number;
}

/** All fenced blocks of a Markdown page, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open:
    | { readonly fence: string; readonly info: string; readonly line: number; readonly lines: string[] }
    | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^(`{3,})(.*)$/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1]!, info: fence[2]!.trim(), line: index + 1, lines: [] };
    } else if (line.trim() === open.fence) {
      const [language = "", ...tags] = open.info.split(/\s+/);
      const from = tags
        .find((tag) => tag.startsWith("from="))
        ?.slice("from=".length)
        .split("#")[0];
      blocks.push({
        language,
        tags,
        ...(from !== undefined && { from }),
        code: `${open.lines.join("\n")}\n`,
        line: open.line,
      });
      open = undefined;
    } else open.lines.push(line);
  }
  if (open !== undefined) throw new Error(`The block that begins in line ${open.line} has no end.`);
  return blocks;
}

/**
 * Writes TypeScript blocks into the repository (where packages resolve; the folder is ignored by git), checks their
 * types, and gives the module's URL for each: importing it runs the block.
 */
export async function compileBlocks(
  name: string,
  blocks: readonly CodeBlock[],
): Promise<{ readonly urls: readonly string[]; readonly remove: () => Promise<void> }> {
  const folder = join(root, ".cache", "docs", `${name}-${process.pid}`);
  await mkdir(folder, { recursive: true });
  const files = await Promise.all(
    blocks.map(async (block) => {
      const file = join(folder, `line-${block.line}.ts`);
      await writeFile(file, `${block.code}\nexport {};\n`);
      return file;
    }),
  );
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: { noEmit: true, composite: false, declaration: false, declarationMap: false, rootDir: root },
      files,
    }),
  );
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await run(join(root, "node_modules/.bin/tsc"), ["-p", folder], { cwd: root });
  } catch (error) {
    await remove();
    throw new Error(
      `Blocks of ${name} do not compile (the file's name has the line of the ` +
        `fence):\n${(error as { stdout?: string }).stdout ?? String(error)}`,
    );
  }
  return { urls: files.map((file) => pathToFileURL(file).href), remove };
}
