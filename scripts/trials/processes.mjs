import { spawn, spawnSync } from "node:child_process";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Processes of one machine train together, by the engines that are there (`mpi` where `mpirun` is), each attempt with
 * a number of them and a number of micro-batches; then one process trains the same.
 */
export const count = 6;
export const timeoutMs = 180_000;

const command = fileURLToPath(new URL("../../packages/cli/bin/thaw.js", import.meta.url));
const golden = fileURLToPath(new URL("../../test/fixtures/goldens/llava", import.meta.url));
/** Losses of float32 that were summed in another order. */
const TOLERANCE = 1e-4;

export async function setUp(folder) {
  for (const image of ["image0.png", "image1.png"]) await cp(join(golden, image), join(folder, image));
  const captions = ["a cat", "a very red disc", "green", "two boats", "no", "a long way to the sea", "blue"];
  const rows = captions.map((caption, index) => ({ image: `image${index % 2}.png`, caption, question: "" }));
  await writeFile(join(folder, "train.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  await writeFile(
    join(folder, "thaw.config.yaml"),
    `model: ${golden}
data: { train: ./train.jsonl, workers: 0 }
training: { learning_rate: 0.05, max_steps: 4 }
backend: wasm
seed: 1
`,
  );
  const hasMpi = spawnSync("mpirun", ["--version"]).status === 0;
  return { folder, engines: hasMpi ? ["mpi", "tcp"] : ["tcp"] };
}

export async function attempt({ folder: work, engines }, { random, index, folder }) {
  // Each engine in its turn, so that few attempts try all
  const engine = engines[index % engines.length];
  const size = random.pick([2, 3]);
  const accumulated = random.pick([1, 2]);
  const freeze = random.pick(["train_mm_proj_only=true", "freeze_language_model=false"]);
  const what = `${size} processes by ${engine}, ${accumulated} micro-batches each, ${freeze}`;
  const settings = (name, samples, steps) => [
    "train",
    join(work, "thaw.config.yaml"),
    "--quiet",
    "--log-level",
    "error",
    ...[
      `freeze.${freeze}`,
      `output=${join(folder, name)}`,
      `training.micro_batch_size=${samples}`,
      `training.gradient_accumulation_steps=${steps}`,
    ].flatMap((setting) => ["--set", setting]),
  ];
  const many = settings("many", 1, accumulated);
  const started =
    engine === "mpi"
      ? await run("mpirun", ["--allow-run-as-root", "--oversubscribe", "-n", size, process.execPath, command, ...many])
      : await run(process.execPath, [command, ...many, "--processes", size]);
  if (started.code !== 0) return { outcome: "crashed", note: `${what}: ${started.errors}` };
  const alone = await run(process.execPath, [command, ...settings("one", size, accumulated)]);
  if (alone.code !== 0) return { outcome: "crashed", note: `one process: ${alone.errors}` };
  const [ours, theirs] = await Promise.all(["many", "one"].map((name) => lossesOf(join(folder, name))));
  const isEqual =
    ours.length === theirs.length && ours.every((loss, step) => Math.abs(loss - theirs[step]) < TOLERANCE);
  return { outcome: isEqual ? "survived" : "silent", note: `${what}: losses ${ours}, alone ${theirs}` };
}

async function lossesOf(output) {
  const runs = await readdir(output);
  if (runs.length !== 1) throw new Error(`${output} has ${runs.length} runs`);
  const lines = (await readFile(join(output, runs[0], "metrics.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) => JSON.parse(line).loss);
}

function run(program, parameters) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters.map(String), { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.on("data", (chunk) => (errors += chunk));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, errors: errors.slice(-600) }));
  });
}
