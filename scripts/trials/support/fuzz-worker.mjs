/** Reads damaged files in a thread that can be ended: `{ name, seed, folder }` in, `{ outcome, note }` out. */
import { copyFile } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { ThawError } from "../../../packages/contracts/dist/index.js";
import { mutate } from "./mutate.mjs";
import { layOut, parsers } from "./parsers.mjs";
import { randomOf } from "./random.mjs";

/** Longest message that a person reads. */
const MAX_MESSAGE = 5000;
const known = await parsers();

async function judge({ name, seed, folder }) {
  const parser = known[name];
  await layOut(folder, parser, mutate(parser.bytes, randomOf(seed)), copyFile);
  try {
    await parser.read(folder);
    return { outcome: "survived" };
  } catch (error) {
    const isOwn = error instanceof ThawError || (parser.isPlain === true && !isBug(error));
    if (error?.message?.startsWith("accepted, but")) return { outcome: "silent", note: error.message };
    if (!isOwn) return { outcome: "crashed", note: error?.stack ?? String(error) };
    const { length } = error.message;
    return length <= MAX_MESSAGE
      ? { outcome: "survived" }
      : { outcome: "crashed", note: `a message of ${length}: ${error.message.slice(0, 300)}` };
  }
}

function isBug(error) {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}

parentPort.on("message", (given) => {
  void judge(given).then((result) => parentPort.postMessage(result));
});
parentPort.postMessage({ names: Object.keys(known) });
