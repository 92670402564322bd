import type { Readable, Writable } from "node:stream";
import { wrap } from "../render/text.js";

/** One answer that can be chosen. */
export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}

/** What asks a person; undefined where they leave. */
export interface Questions {
  choose(message: string, choices: readonly Choice[]): Promise<string | undefined>;
  write(message: string, placeholder: string): Promise<string | undefined>;
  /** Tells something between questions: what was read, or what is wrong with an answer. */
  tell(text: string, kind: "step" | "error"): void;
  /** The last that is told. */
  end(text: string): void;
}

/** Columns that the guide left of each line takes. */
const GUIDE = 4;

/** Asks on a terminal. */
export async function terminalQuestions({
  width,
  ...streams
}: {
  readonly input: Readable;
  readonly output: Writable;
  /** Columns. */
  readonly width: number;
}): Promise<Questions> {
  const { isCancel, log, outro, select, text } = await import("@clack/prompts");
  return {
    async choose(message, choices) {
      const answer = await select({ ...streams, message, options: choices.map((choice) => ({ ...choice })) });
      return isCancel(answer) ? undefined : answer;
    },
    async write(message, placeholder) {
      const validate = (value: string | undefined): string | undefined =>
        (value ?? "").trim() === "" ? "Write a path or a name." : undefined;
      const answer = await text({ ...streams, message, placeholder, validate });
      return isCancel(answer) ? undefined : answer.trim();
    },
    tell: (line, kind) => log[kind](wrap(line, width - GUIDE).join("\n"), streams),
    end: (line) => outro(line, streams),
  };
}
