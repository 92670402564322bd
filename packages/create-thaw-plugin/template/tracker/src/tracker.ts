import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineTracker } from "@thaw/core";
import { z } from "zod";

const schema = z.strictObject({
  type: z.literal("my-plugin").describe("losses.txt in the tracker's folder: a step and its loss in each line."),
  every: z.number().int().positive().default(1).describe("Steps between two lines."),
});

// What compilers and editors know of it, in configs and in programs.
declare module "@thaw/core" {
  interface ProvidedTrackers {
    "my-plugin": z.input<typeof schema>;
  }
}

/** Writes the losses down. A run does not wait for a tracker, and what a tracker throws is a warning of the run. */
export const tracker = defineTracker({
  type: "my-plugin",
  summary: "A text file of all losses.",
  schema,
  async make({ every }, { folder, step: start }) {
    await mkdir(folder, { recursive: true });
    const file = join(folder, "losses.txt");
    // A run that goes on makes later steps again: what was told of them is taken back.
    const before = await readFile(file, "utf8").catch(() => "");
    const kept = before.split("\n").filter((line) => line !== "" && Number.parseInt(line, 10) <= start);
    await writeFile(file, kept.map((line) => `${line}\n`).join(""));
    return {
      async record(event) {
        if (event.event === "step" && event.step % every === 0) await appendFile(file, `${event.step} ${event.loss}\n`);
      },
    };
  },
});
