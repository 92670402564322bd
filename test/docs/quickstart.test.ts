import { getBackend, memory, setBackend } from "@tensorflow/tfjs-core";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { codeBlocks, compileBlocks, root } from "./blocks.js";

const run = promisify(execFile);
vi.setConfig({ testTimeout: 300_000 });
const blocks = codeBlocks(await readFile(join(root, "docs/quickstart.md"), "utf8"));
const shells = blocks.filter(({ language }) => language === "sh");
const program = blocks.filter(({ language, tags }) => language === "ts" && tags.includes("run"));
const files = blocks.flatMap((block) =>
  block.tags.filter((tag) => tag.startsWith("file=")).map((tag) => ({ path: tag.slice("file=".length), block })),
);
const SHORT_START =
  "training.max_steps=3 training.micro_batch_size=8 data.evaluation=null " +
  "data.train={type:iconify,set:noto,limit:16} output=RUNS";

/** Lies where the repository's root would: what the page names by path is linked into it. */
let workspace = "";

beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), "thaw-quickstart-page-"));
  for (const name of ["examples", "test", "node_modules"]) await symlink(join(root, name), join(workspace, name));
  for (const { path, block } of files) {
    await mkdir(join(workspace, dirname(path)), { recursive: true });
    await writeFile(join(workspace, path), block.code);
  }
});
afterAll(() => rm(workspace, { recursive: true, force: true }));

/** The block as the page has it, but that `npm start`, which would train for minutes, is told to take a few steps. */
function shellText(code: string): string {
  const settings = SHORT_START.replace("RUNS", join(workspace, "runs"))
    .split(" ")
    .map((setting) => `--set '${setting.replaceAll(":", ": ")}'`)
    .join(" ");
  return code.replace(/^npm start$/m, `npm start --prefix ${root} -- ${settings}`);
}

describe("docs/quickstart.md", () => {
  it("has only blocks that are run, or files that those read", () => {
    expect(
      blocks
        .filter(
          (block) => !shells.includes(block) && !program.includes(block) && !files.some((file) => file.block === block),
        )
        .map(({ line }) => line),
    ).toEqual([]);
    expect(shells).toHaveLength(4);
    expect(program).toHaveLength(1);
  });

  it.each(shells.map((block) => [block.line, block.code] as const))("runs the commands of line %i", async (_, code) => {
    const { stdout } = await run("bash", ["-euc", shellText(code)], {
      cwd: workspace,
      env: { ...process.env, NO_COLOR: "1" },
    });
    // What each block ends with: the run, or what to do next
    expect(stdout).toMatch(/Run: |^Run |^Next: /m);
  });

  it("runs the program", async () => {
    const { urls, remove } = await compileBlocks("quickstart", program);
    await import("@tensorflow/tfjs-backend-cpu");
    await setBackend("cpu");
    const [before, backend] = [memory().numTensors, getBackend()];
    try {
      await import(/* @vite-ignore */ urls[0]!);
      expect(memory().numTensors).toBe(before);
    } finally {
      await setBackend(backend);
      await remove();
    }
  });
});
