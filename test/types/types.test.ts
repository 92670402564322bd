import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("compiles every type test: what must fail fails, what must not does not", async () => {
  await mkdir(join(root, ".cache"), { recursive: true });
  const folder = await mkdtemp(join(root, ".cache", "types-"));
  try {
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: { noEmit: true, composite: false, declaration: false, declarationMap: false, rootDir: root },
      include: ["packages/*/src/**/*.test-d.ts", "examples/*/src/**/*.test-d.ts", "test/**/*.test-d.ts"].map((pattern) => join(root, pattern)),
    }));
    const output = await new Promise<string>((resolve) => execFile(join(root, "node_modules/.bin/tsc"), ["-p", folder], (_, stdout) => resolve(stdout)));
    expect(output).toBe("");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
