import { convertForeign } from "@thaw/config";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { notForeign, outputTaken } from "../errors.js";
import { readForeignFile } from "../planning/plan-foreign.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw convert`. */
export interface ConvertOptions {
  readonly output?: string;
}

/**
 * Prints (or writes) the Thaw config that means what another tool's config does. Exit code 1 where something in it
 * could not be read, or is for something that Thaw does not do (then nothing is written).
 * @throws THAW_CLI_NOT_FOREIGN, THAW_CLI_OUTPUT_TAKEN
 */
export function convert(path: string, options: ConvertOptions, terminal: Terminal): number {
  const { output } = options;
  const foreign = readForeignFile(path);
  if (foreign === undefined) throw notForeign(path, existsSync(path));
  for (const { message, fix } of foreign.findings) terminal.err(`${message} ${fix}`);
  if (foreign.isRefused) return 1;
  if (output !== undefined && existsSync(output)) throw outputTaken(output);
  const text = convertForeign(foreign, (given, setting) => pathFrom(output, given, setting));
  if (output === undefined) terminal.out(text.trimEnd());
  else {
    writeFileSync(output, text);
    terminal.err(`Wrote ${output}. Add data.train, then try "thaw check ${output}".`);
  }
  const { length } = foreign.dropped;
  if (length > 0) terminal.err(`${length === 1 ? "1 key was" : `${length} keys were`} not carried over: see its end.`);
  return foreign.findings.some(({ severity }) => severity === "error") ? 1 : 0;
}

/** A path that was meant from here, as a config in the output's folder writes it; a model's name on a hub stays. */
function pathFrom(output: string | undefined, given: string, setting: string): string {
  const isName = setting === "model" && !existsSync(given);
  if (output === undefined || isAbsolute(given) || isName) return given;
  const path = relative(dirname(resolve(output)), resolve(given)).replaceAll("\\", "/");
  return path.startsWith(".") ? path : `./${path}`;
}
