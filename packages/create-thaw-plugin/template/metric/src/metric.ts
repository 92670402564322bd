import type { MetricFactory } from "@thaw/core";
import { z } from "zod";

const schema = z.strictObject({
  words: z.number().int().positive().default(1).describe("How many words have to be the same."),
});

type MetricOptions = z.output<typeof schema>;

// What compilers and editors know of it, in configs and in programs.
declare module "@thaw/core" {
  interface ProvidedMetrics {
    "my-plugin": { type: "my-plugin" } & z.input<typeof schema>;
  }
}

const firstWords = (text: string, count: number): string =>
  text.trim().toLowerCase().split(/\s+/).slice(0, count).join(" ");

/** Share of answers that begin as one of their references does. */
export const metric: MetricFactory<MetricOptions> = {
  type: "my-plugin",
  summary: "Share of answers that begin as a reference does.",
  better: "higher",
  schema,
  make: ({ words }) => ({
    reads: "answers",
    score(answers) {
      const each = answers.map(({ answer, references }) =>
        references.some((reference) => firstWords(reference, words) === firstWords(answer, words)) ? 1 : 0,
      );
      return { value: each.reduce<number>((sum, one) => sum + one, 0) / Math.max(1, each.length), each };
    },
  }),
};
