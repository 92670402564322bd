/**
 * `npm run roundtrip -- --python <python> [<golden folder>...] [--json]`: what Thaw writes, read by
 * transformers. Opens each golden folder (default: all of the project), saves it to a temporary one, and lets
 * transformers load that: a key that is missing, unexpected or of another shape fails, and so do logits that differ
 * from the golden's. One line per folder. Exit 1 if one fails.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const usage = "npm run roundtrip -- --python <python> [<golden folder>...] [--json]";
const root = fileURLToPath(new URL("..", import.meta.url));
const goldens = join(root, "test/fixtures/goldens");
/** How far logits may lie apart: goldens/README.md, section Tolerances. */
const TOLERANCE = 1e-4;

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { python: { type: "string" }, json: { type: "boolean" } },
    });
    if (values.python !== undefined) return { folders: positionals, ...values };
    process.stderr.write(`No python is named whose transformers could read. Write ${usage}.\n`);
  } catch (error) {
    process.stderr.write(`${error.message} In npm run roundtrip. Write ${usage}.\n`);
  }
  return process.exit(2);
}

const { folders: named, python, json = false } = readArguments();
const built = spawnSync("npx", ["--no-install", "tsc", "-b", "packages/models"], {
  cwd: root,
  stdio: ["ignore", 2, 2],
});
if (built.status !== 0) process.exit(built.status ?? 1);
const { openModel } = await import("@thaw/models");

const all = await readdir(goldens, { withFileTypes: true });
const folders =
  named.length > 0 ? named : all.filter((entry) => entry.isDirectory()).map(({ name }) => join(goldens, name));
const holder = await mkdtemp(join(tmpdir(), "thaw-roundtrip-"));
let failures = 0;

/** Saves a folder's model as it is. */
async function write(golden, written) {
  const model = await openModel(golden);
  const values = async (name) => {
    for await (const each of model.load([name])) return each.values;
    throw new Error(`${golden} has no values of ${name}.`);
  };
  await model.save(written, values);
}

/** Writes one verdict. */
function tell(found) {
  const { folder, error, maxError, ...keys } = found;
  const pass = error === undefined && maxError <= TOLERANCE && Object.keys(keys).length === 0;
  if (!pass) failures += 1;
  const apart = error ?? `${maxError.toExponential(2)} of ${TOLERANCE.toExponential(2)}`;
  const wrong = Object.keys(keys).length > 0 ? `  ${JSON.stringify(keys)}` : "";
  const text = `${pass ? "pass" : "FAIL"}  ${folder}  ${apart}${wrong}`;
  process.stdout.write(`${json ? JSON.stringify({ ...found, pass }) : text}\n`);
}

try {
  const pairs = [];
  for (const [index, golden] of folders.entries()) {
    const written = join(holder, `${index}-${basename(golden)}`);
    try {
      await write(golden, written);
      pairs.push({ golden, written });
    } catch (error) {
      tell({ folder: golden, error: error.code === undefined ? error.stack : `${error.code}: ${error.message}` });
    }
  }
  const { stdout, status } = spawnSync(python, [join(root, "scripts/roundtrip.py")], {
    input: JSON.stringify(pairs),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 2 ** 26,
  });
  const lines = (stdout ?? "").split("\n").filter((line) => line !== "");
  for (const line of lines) tell(JSON.parse(line));
  if (status !== 0 || lines.length !== pairs.length) {
    process.stderr.write(`${python} ended with ${status} after ${lines.length} of ${pairs.length} folders.\n`);
    failures += 1;
  }
} finally {
  await rm(holder, { recursive: true, force: true });
}
process.exitCode = failures > 0 ? 1 : 0;
