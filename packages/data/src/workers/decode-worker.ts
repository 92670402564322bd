import { move, transferableSymbol, valueSymbol } from "piscina";
import sharp from "sharp";
import { type DecodeTask, runDecodeTask } from "./decode-task.js";

// Several workers decode at once: one libvips thread each.
sharp.concurrency(1);

/** Entry of a decode worker: runs a task and moves the values to the caller without a copy. */
export default async function decode(task: DecodeTask): Promise<unknown> {
  const reply = await runDecodeTask(task);
  const buffers = reply.ok ? Object.values(reply.inputs).map(({ buffer }) => buffer) : [];
  return move({ [transferableSymbol]: [...new Set(buffers)], [valueSymbol]: reply } as never);
}
