/**
 * Reads damaged files in a thread that can be ended: `{ name, seed, first, count, folder, now }` in; out `found`, a
 * list of `{ index, outcome, note }` of what did not survive, or `broken` where what is right is refused. `now[0]` is
 * the input that is being read.
 */
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parentPort } from "node:worker_threads";
import { expect, judgeError } from "./expect.mjs";
import { mutate } from "./mutate.mjs";
import { parsers } from "./parsers.mjs";
import { randomOf } from "./random.mjs";

/** What one file may take beyond what the process had at any time before. */
const MEMORY_KB = 400 * 1024;
const known = await parsers();
process.on("warning", () => {});

const nameOf = ({ name }, index) => (typeof name === "string" ? name : name(index));

/** The folder that a parser reads, with the others of it as they are. It must accept what is right. */
async function layOut(folder, name) {
  const parser = known[name];
  await mkdir(folder, { recursive: true });
  for (const link of parser.links)
    await (typeof link === "string"
      ? copyFile(link, join(folder, basename(link)))
      : writeFile(join(folder, link[0]), link[1]));
  const file = nameOf(parser, "");
  await writeFile(join(folder, file), parser.bytes);
  expect((await parser.read(folder, file)) !== false, "what is right is refused");
  await rm(join(folder, file));
}

async function judge(parser, folder, { seed, index }) {
  const random = randomOf(seed);
  const damaged = mutate(parser.bytes, random);
  const file = nameOf(parser, index);
  await writeFile(join(folder, file), parser.repair?.(damaged, random) ?? damaged);
  const before = process.resourceUsage().maxRSS;
  try {
    await parser.read(folder, file);
  } catch (error) {
    try {
      judgeError(error, parser.isPlain);
    } catch (wrong) {
      const isSilent = wrong?.message?.startsWith("accepted, but");
      return {
        outcome: isSilent ? "silent" : "crashed",
        note: isSilent ? wrong.message : (wrong?.stack ?? `${wrong}`),
      };
    }
  } finally {
    if (file !== parser.name) await rm(join(folder, file), { force: true });
  }
  const grown = process.resourceUsage().maxRSS - before;
  return grown > MEMORY_KB ? { outcome: "crashed", note: `it took ${Math.round(grown / 1024)} MB` } : undefined;
}

async function judgeAll({ name, seed, first, count, folder, now }) {
  const own = join(folder, name.replaceAll(" ", "-"));
  await layOut(own, name);
  const found = [];
  for (let index = first; index < first + count; index++) {
    now[0] = index;
    const one = await judge(known[name], own, { seed: `${name} ${seed} ${index}`, index });
    if (one !== undefined) found.push({ index, ...one });
  }
  await rm(own, { recursive: true });
  return found;
}

parentPort.on("message", (given) => {
  void judgeAll(given).then(
    (found) => parentPort.postMessage({ found }),
    (error) => parentPort.postMessage({ broken: `${given.name}: ${error.stack}` }),
  );
});
parentPort.postMessage({ names: Object.keys(known) });
