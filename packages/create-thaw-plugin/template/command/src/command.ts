import { readMetrics, ThawError, type Command } from "@thaw/core";

interface CommandOptions {
  readonly last: number;
}

/** `thaw my-plugin <run>`: the best step of a run. `load` may import code that only this command needs. */
export const command: Command<CommandOptions> = {
  name: "my-plugin",
  summary: "say which step of a run had the lowest loss",
  arguments: "<run>",
  options: [{ flags: "--last <n>", summary: "look at the last n steps alone", parse: countOf, default: Infinity }],
  help: "\nExample:\n  thaw my-plugin runs/first --last 100",
  load:
    async () =>
    async ({ arguments: [run], options }, { out }) => {
      const lines = await readMetrics(run!, Infinity);
      const steps = lines.filter((line) => line.event === "step").slice(-options.last);
      const [best] = steps.toSorted((left, right) => left.loss - right.loss);
      if (best === undefined)
        throw new ThawError("MY_PLUGIN_NO_STEPS", `The run has no steps. In ${run!}. Name the folder of a run.`);
      out(`Step ${best.step} had the lowest loss: ${best.loss}.`);
      return 0;
    },
};

function countOf(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new ThawError("MY_PLUGIN_NO_COUNT", `"${text}" is not a count. In --last. Write a whole number from 1 on.`);
}
