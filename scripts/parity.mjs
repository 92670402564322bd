/**
 * `npm run parity -- <golden folder>... [--backend wasm] [--json]`: compares golden folders with what Thaw computes.
 * One line per comparison, `{ folder, quantity, maxError, tolerance, pass }` with `--json`; a folder that cannot be
 * compared is a line too, `{ folder, quantity: "open", pass: false, error }`, and the others still run. Exit 1 if one
 * fails.
 */
import { writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const usage =
  "npm run parity -- <golden folder>... [--backend auto|wasm|cpu|native|webgpu|gpu] [--json] [--page (writes " +
  "docs/families.md)]";
const root = fileURLToPath(new URL("..", import.meta.url));

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        backend: { type: "string", default: "wasm" },
        json: { type: "boolean", default: false },
        page: { type: "boolean", default: false },
      },
    });
    if (positionals.length > 0) return { folders: positionals, ...values };
    process.stderr.write(`No golden folder is named. In npm run parity. Write ${usage}.\n`);
  } catch (error) {
    process.stderr.write(`${error.message} In npm run parity. Write ${usage}.\n`);
  }
  return process.exit(2);
}

const { folders, backend, json, page } = readArguments();
const built = spawnSync(
  "npx",
  ["--no-install", "tsc", "-b", "packages/models", "packages/core", "packages/backend-gpu"],
  { cwd: root, stdio: ["ignore", 2, 2] },
);
if (built.status !== 0) process.exit(built.status ?? 1);

const { compareFolder } = await import("../test/parity/parity.mjs");
const { toText } = await import("../test/parity/compare.mjs");
// A reader that leaves early (`| head`) takes nothing from the verdict, which is the exit code.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
});
let failures = 0;
const lines = [];
for (const folder of folders) {
  try {
    for await (const comparison of compareFolder(folder, backend)) {
      if (!comparison.pass) failures += 1;
      lines.push(comparison);
      process.stdout.write(`${json ? JSON.stringify(comparison) : toText(comparison)}\n`);
    }
  } catch (error) {
    failures += 1;
    const reason = error.code === undefined ? error.stack : `${error.code}: ${error.message}`;
    const failed = { folder, quantity: "open", pass: false, error: reason };
    lines.push(failed);
    process.stdout.write(`${json ? JSON.stringify(failed) : `FAIL  ${folder}  open  ${reason}`}\n`);
  }
}
if (page) {
  const { familiesPage } = await import("./families-page.mjs");
  writeFileSync(new URL("../docs/families.md", import.meta.url), familiesPage(lines));
}
process.exitCode = failures > 0 ? 1 : 0;
