/**
 * `npm run roundtrip -- --python <python> [<golden folder>...] [--json]`: what Thaw writes, read by
 * transformers and PEFT. Opens each golden folder (default: all of the project), saves it to a temporary one, and lets
 * transformers load that; trains adapters of all its linear layers and its projector whole, and lets PEFT load these
 * over the golden folder. A key that is missing, unexpected or of another shape fails, and so do logits that differ:
 * from the golden's, or from those that Thaw computes with the adapter that it reads back. Two lines per folder. Exit 1
 * if one fails.
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
/** How far an adapter must have moved them, or the comparison says nothing. */
const LEAST_MOVED = 0.01;

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
const packages = ["models", "backend-gpu", "plugin-freeze-policy", "plugin-lora"].map((name) => `packages/${name}`);
const built = spawnSync("npx", ["--no-install", "tsc", "-b", ...packages], { cwd: root, stdio: ["ignore", 2, 2] });
if (built.status !== 0) process.exit(built.status ?? 1);
const { openModel } = await import("@thaw/models");
const { writeAdapter } = await import("../test/families/adapters.mjs");

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
  const { folder, kind, error, maxError, moved = Infinity, layers, ...keys } = found;
  const isMoved = moved >= LEAST_MOVED;
  const pass = error === undefined && maxError <= TOLERANCE && isMoved && Object.keys(keys).length === 0;
  if (!pass) failures += 1;
  const apart = error ?? `${maxError.toExponential(2)} of ${TOLERANCE.toExponential(2)}`;
  const wrong = Object.keys(keys).length > 0 ? `  ${JSON.stringify(keys)}` : "";
  const what = layers === undefined ? kind : `${kind} of ${layers} layers${isMoved ? "" : " that changes nothing"}`;
  const text = `${pass ? "pass" : "FAIL"}  ${folder}  ${what}  ${apart}${wrong}`;
  process.stdout.write(`${json ? JSON.stringify({ ...found, pass }) : text}\n`);
}

try {
  const given = [];
  for (const [index, golden] of folders.entries()) {
    const own = { golden };
    for (const [kind, make] of [
      ["written", write],
      ["adapter", writeAdapter],
    ]) {
      const target = join(holder, `${index}-${basename(golden)}-${kind}`);
      try {
        await make(golden, target);
        own[kind] = target;
      } catch (error) {
        const reason = error.code === undefined ? error.stack : `${error.code}: ${error.message}`;
        tell({ folder: golden, kind, error: reason });
      }
    }
    given.push(own);
  }
  const wanted = given.reduce((sum, { written, adapter }) => sum + (written ? 1 : 0) + (adapter ? 1 : 0), 0);
  const { stdout, status } = spawnSync(python, [join(root, "scripts/roundtrip.py")], {
    input: JSON.stringify(given),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 2 ** 26,
  });
  const lines = (stdout ?? "").split("\n").filter((line) => line !== "");
  for (const line of lines) tell(JSON.parse(line));
  if (status !== 0 || lines.length !== wanted) {
    process.stderr.write(`${python} ended with ${status} after ${lines.length} of ${wanted} comparisons.\n`);
    failures += 1;
  }
} finally {
  await rm(holder, { recursive: true, force: true });
}
process.exitCode = failures > 0 ? 1 : 0;
