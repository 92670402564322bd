/** A part of `npm run bench -- data` in a process of its own: `open` or `pictures`, and a file of conversations. */
import { fileURLToPath } from "node:url";
import { openSource } from "@thaw/data";
import { openProcessor } from "@thaw/models";

const [part, path] = process.argv.slice(2);
const SIDE = 336;
const round = (value) => Math.round(value * 10) / 10;

const processor = await processorOf();
const before = process.memoryUsage().rss;
const started = performance.now();
const source = await openSource(
  { type: "conversations", path },
  { processor, baseFolder: "/", role: "train", workers: 2 },
);
const openSeconds = (performance.now() - started) / 1000;
const result = part === "open" ? await openResult() : await picturesResult();
await source.close();
process.send(result, () => process.disconnect());

/** Llava-1.5's processor of the golden checkpoint, at its real size of pictures. */
async function processorOf() {
  const golden = await openProcessor(fileURLToPath(new URL("../../fixtures/goldens/llava", import.meta.url)));
  const { image } = golden.media;
  const size = { height: SIDE, width: SIDE };
  const options = { ...image.worker.options, resize: { shortestEdge: SIDE }, crop: size, size };
  return { ...golden, media: { image: { ...image, worker: { ...image.worker, options } } } };
}

/** The first batch, one far behind, and the memory at its highest. */
async function openResult() {
  const epoch = { epoch: 0, seed: 1, microBatchSize: 8, shuffle: true };
  const timed = async (skip) => {
    const start = performance.now();
    for await (const batch of source.batches({ ...epoch, skip })) {
      if (batch.batchSize !== 8) throw new Error("a batch is too small");
      return round(performance.now() - start);
    }
  };
  const firstBatchMs = await timed(0);
  const resumedBatchMs = await timed(Math.floor((source.sampleCount / 8) * 0.9));
  const highest = process.resourceUsage().maxRSS * 1024;
  const memory = { memoryMb: Math.round((highest - before) / 1e6), importedMb: Math.round(before / 1e6) };
  return { openSeconds: round(openSeconds), ...memory, firstBatchMs, resumedBatchMs, looked: source.lookedAt.samples };
}

/** Pictures per second of a second pass, once the threads run. */
async function picturesResult() {
  let count = 0;
  let start = 0;
  for (const epoch of [0, 1]) {
    start = performance.now();
    count = 0;
    for await (const { media } of source.batches({ epoch, seed: 1, microBatchSize: 8, shuffle: true }))
      for (const values of await Promise.all(media.map((item) => item.load()))) count += Object.keys(values).length;
  }
  return { perSecond: round(count / ((performance.now() - start) / 1000)) };
}
