/**
 * Data: how long a set of 1,000,000 samples takes to open and how much memory, and how many pictures per second two
 * workers decode, resize and normalise; with a python that has torch and Pillow, a DataLoader with two workers on the
 * same files beside it.
 *
 * npm run bench -- data [--samples 1000000] [--pictures 400] [--python <python with torch and Pillow>]
 */
import { execFileSync, fork } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const builds = ["data", "models"];

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
/** Pixels of a picture of the second part: a photo as sets for instruction tuning have them. */
const PHOTO = { width: 640, height: 480 };
const PICTURES_OF_THE_LARGE_SET = 50;

/** One line on opening, one on pictures. */
export async function* run({ arguments: given, log }) {
  const { values } = parseArgs({
    args: given,
    options: {
      samples: { type: "string", default: "1000000" },
      pictures: { type: "string", default: "400" },
      python: { type: "string" },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "thaw-bench-data-"));
  try {
    const names = await writePictures(folder, Number(values.pictures));
    log(`wrote ${names.length} pictures`);
    const large = await writeSamples(join(folder, "large.jsonl"), Number(values.samples), (index) => [
      names[index % Math.min(names.length, PICTURES_OF_THE_LARGE_SET)],
    ]);
    log(`wrote ${values.samples} samples, ${Math.round(large / 1e6)} MB`);
    yield { part: "open", samples: Number(values.samples), ...(await thaw("open", join(folder, "large.jsonl"))) };
    await writeSamples(join(folder, "pictures.jsonl"), names.length, (index) => [names[index]]);
    const ours = await thaw("pictures", join(folder, "pictures.jsonl"));
    const theirs = values.python === undefined ? {} : peer(values.python, folder, names);
    const ratio = theirs.peerPerSecond === undefined ? {} : { ratio: round(ours.perSecond / theirs.peerPerSecond) };
    yield { part: "pictures", pictures: names.length, ...ours, ...theirs, ...ratio };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Noise over a gradient: as hard to decode as a photo. */
async function writePictures(folder, count) {
  const sharp = (await import("sharp")).default;
  const { width, height } = PHOTO;
  const names = [];
  for (let index = 0; index < count; index += 1) {
    const data = Buffer.alloc(width * height * 3);
    for (let at = 0; at < data.length; at += 1) data[at] = (at / (width * 3)) * 0.4 + ((at * 7919 + index * 31) % 61);
    names.push(`${index}.jpg`);
    await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 85 })
      .toFile(join(folder, names[index]));
  }
  return names;
}

/** Returns how many bytes were written. */
async function writeSamples(path, count, imagesOf) {
  const stream = createWriteStream(path);
  let bytes = 0;
  for (let index = 0; index < count; index += 1) {
    const conversations = [
      { from: "human", value: `<image>\nWhat is to be seen in picture ${index}, and what else could one say of it?` },
      { from: "gpt", value: `A gradient with some noise, and the number ${index}, which nobody will find in it.` },
    ];
    const line = `${JSON.stringify({ id: `s${index}`, images: imagesOf(index), conversations })}\n`;
    bytes += line.length;
    if (!stream.write(line)) await new Promise((done) => stream.once("drain", done));
  }
  await new Promise((done) => stream.end(done));
  return bytes;
}

/** Runs a part in a process of its own, so that its memory is its own. */
function thaw(part, path) {
  return new Promise((done, failed) => {
    const child = fork(here("support/data-thaw.mjs"), [part, path], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.once("message", done);
    child.once("exit", (code) => code !== 0 && failed(new Error(`The part ${part} ended with ${code}.`)));
  });
}

function peer(python, folder, names) {
  return JSON.parse(execFileSync(python, [here("peer_data.py"), folder, String(names.length)], { encoding: "utf8" }));
}

const round = (value) => Math.round(value * 100) / 100;
