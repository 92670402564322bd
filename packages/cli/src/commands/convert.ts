import { convertForeign } from "@thaw/config";
import { existsSync, writeFileSync } from "node:fs";
import { notForeign, outputTaken } from "../errors.js";
import { readForeignFile } from "../planning/plan-foreign.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw convert`. */
export interface ConvertOptions {
  readonly output?: string;
}

/**
 * Prints (or writes) the Thaw config that means what another tool's config does. @throws THAW_CLI_NOT_FOREIGN,
 * THAW_CLI_OUTPUT_TAKEN
 */
export function convert(path: string, options: ConvertOptions, terminal: Terminal): number {
  const foreign = readForeignFile(path);
  if (foreign === undefined) throw notForeign(path, existsSync(path));
  const text = convertForeign(foreign);
  for (const { message } of foreign.findings) terminal.err(message);
  if (options.output === undefined) terminal.out(text.trimEnd());
  else {
    if (existsSync(options.output)) throw outputTaken(options.output);
    writeFileSync(options.output, text);
    terminal.err(`Wrote ${options.output}. Add data.train, then try "thaw check ${options.output}".`);
  }
  return 0;
}
