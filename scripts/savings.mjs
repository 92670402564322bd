/**
 * `npm run savings -- [<golden folder>...] [--backend wasm] [--state <name>]... [--json]`: trains each golden folder
 * (default: all of the project) on ragged batches in every state of its components, with every saving and with none, in
 * batches of one and of two, and compares losses, gradients and parameters; then writes answers to unequal prompts
 * together and alone, and with what layers remember beside full passes. One line per comparison, as `npm run parity`.
 * Exit 1 if one fails.
 */
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const usage =
  "npm run savings -- [<golden folder>...] [--backend auto|wasm|cpu|native|webgpu|gpu] [--state <name>]... [--json]";
const root = fileURLToPath(new URL("..", import.meta.url));
const goldens = "test/fixtures/goldens";

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        backend: { type: "string", default: "wasm" },
        state: { type: "string", multiple: true },
        json: { type: "boolean", default: false },
      },
    });
    return { named: positionals, ...values };
  } catch (error) {
    process.stderr.write(`${error.message} In npm run savings. Write ${usage}.\n`);
    return process.exit(2);
  }
}

const { named, backend, state: asked, json } = readArguments();
const packages = ["models", "backend-gpu", "plugin-freeze-policy", "plugin-lora", "plugin-projector-only"];
const built = spawnSync("npx", ["--no-install", "tsc", "-b", ...packages.map((name) => `packages/${name}`)], {
  cwd: root,
  stdio: ["ignore", 2, 2],
});
if (built.status !== 0) process.exit(built.status ?? 1);

const { openGolden } = await import("../test/parity/golden.mjs");
const { toText } = await import("../test/parity/compare.mjs");
const { compareGeneration } = await import("../test/families/generation.mjs");
const { compareSavings } = await import("../test/families/savings.mjs");
const { STATE_NAMES } = await import("../test/families/states.mjs");
const GENERATION = "generation";
const known = [...STATE_NAMES, GENERATION];
const unknown = asked?.find((name) => !known.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`No state is called "${unknown}". In npm run savings. These are: ${known.join("; ")}.\n`);
  process.exit(2);
}

const all = await readdir(join(root, goldens), { withFileTypes: true });
const folders =
  named.length > 0 ? named : all.filter((entry) => entry.isDirectory()).map(({ name }) => join(root, goldens, name));
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
});
let failures = 0;

function tell(line, text) {
  if (!line.pass) failures += 1;
  process.stdout.write(`${json ? JSON.stringify(line) : text}\n`);
}

async function* compare(folder, name) {
  const golden = await openGolden(folder);
  try {
    if (name === GENERATION) yield* compareGeneration(golden, backend);
    else yield* compareSavings(golden, { backend, state: name, microBatchSizes: [1, 2] });
  } finally {
    await golden.reader.close();
  }
}

for (const folder of folders) {
  for (const name of asked ?? known) {
    try {
      for await (const comparison of compare(folder, name)) tell(comparison, toText(comparison));
    } catch (error) {
      const reason = error.code === undefined ? error.stack : `${error.code}: ${error.message}`;
      tell({ folder, quantity: name, pass: false, error: reason }, `FAIL  ${folder}  ${name}  ${reason}`);
    }
  }
}
process.exitCode = failures > 0 ? 1 : 0;
