import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { halfCheckpoints, resultOf, runChild, runIn } from "./support/process.mjs";

export const about =
  "Runs write to a disk that fills (a small tmpfs), or beyond a limit of file sizes where none can be mounted.";
export const count = 20;
export const timeoutMs = 600_000;

const KINDS = ["plain", "lora"];

export async function setUp(folder) {
  const results = new Map();
  const wanted = (kind) => {
    if (!results.has(kind)) results.set(kind, whole(kind, join(folder, `whole-${kind}`)));
    return results.get(kind);
  };
  const place = await mkdtemp(join(tmpdir(), "thaw-disk-"));
  const canMount = mount(place, 64);
  if (canMount) unmount(place);
  await rm(place, { recursive: true });
  return { wanted, canMount };
}

async function whole(kind, output) {
  const { code, err } = await runChild({ kind, output });
  if (code !== 0) throw new Error(`the run with room failed: ${err}`);
  return resultOf(await runIn(output));
}

const mount = (place, kilobytes, how = []) =>
  spawnSync("mount", [
    ...how,
    "-t",
    "tmpfs",
    "-o",
    `${how.length > 0 ? "remount," : ""}size=${kilobytes}k`,
    "tmpfs",
    place,
  ]).status === 0;
const unmount = (place) => spawnSync("umount", [place]);

export async function attempt({ wanted, canMount }, { random, index, folder }) {
  const kind = KINDS[index % KINDS.length];
  const disk = join(folder, "disk");
  await mkdir(disk);
  const kilobytes = 4 + random.below(500);
  if (canMount && !mount(disk, kilobytes)) throw new Error("the tmpfs could not be mounted");
  try {
    // bash counts in blocks of 1024 bytes
    const wrap = canMount
      ? undefined
      : (command) => ["bash", "-c", `ulimit -f ${kilobytes}; exec "$@"`, "bash", ...command];
    const output = join(disk, "runs");
    const first = await runChild({ kind, output }, wrap === undefined ? {} : { wrap });
    const what = `${kind} with ${kilobytes} kB: ${first.last?.message ?? first.err}`;
    if (first.code !== 0 && first.code !== 1) return { outcome: "crashed", note: what };
    if (canMount) mount(disk, 100_000, ["-o", "remount"]);
    const run = await runIn(output);
    if (run !== undefined && (await halfCheckpoints(run)).length > 0)
      return { outcome: "silent", note: `a half checkpoint, ${what}` };
    if (first.code === 1) {
      if (!first.events.some(({ event }) => event === "step")) return { outcome: "survived" };
      const { saved } = first.last;
      if (saved === undefined) return { outcome: "lost", note: what };
      if (saved.belongsTo !== undefined) await bring(saved);
      const rest = await runChild({ kind, output, resume: run });
      if (rest.code !== 0) return { outcome: "lost", note: `${what}; then ${rest.last?.message ?? rest.err}` };
    }
    return (await resultOf(run)) === (await wanted(kind))
      ? { outcome: "survived" }
      : { outcome: "silent", note: `another result, ${what}` };
  } finally {
    if (canMount) unmount(disk);
  }
}

/** What the message says: the checkpoint goes where it belongs. */
async function bring({ folder, belongsTo }) {
  await mkdir(dirname(belongsTo), { recursive: true });
  const moved = spawnSync("mv", [folder, belongsTo]);
  if (moved.status !== 0) await rename(folder, belongsTo);
  await rm(dirname(folder), { recursive: true, force: true });
}
