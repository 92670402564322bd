import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SEARCH_PLACES } from "@thaw/config";
import { loadConfig } from "../config/load-config.js";
import { cannotWriteConfig, outputTaken } from "../errors.js";
import { gatherAnswers, type GivenAnswers } from "../init/answers.js";
import { configText } from "../init/config-text.js";
import { terminalQuestions, type Questions } from "../init/questions.js";
import { checkData } from "../planning/check-data.js";
import { shellWord } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";
import { check } from "./check.js";

/** Options of `thaw init`. */
export interface InitOptions extends GivenAnswers {
  readonly output: string;
  readonly yes?: boolean;
}

const INTERRUPTED = 130;

/**
 * Writes a first config, and checks it. Asks for what was not given where a person types; elsewhere, and with `yes`,
 * takes what it would suggest. Returns what `check` of the new config does, 130 where the person leaves.
 * @throws THAW_CLI_OUTPUT_TAKEN, THAW_CLI_OPTION, THAW_CLI_CANNOT_WRITE; what a given model or data set throws
 */
export async function init(options: InitOptions, terminal: Terminal, asked?: Questions): Promise<number> {
  const { output } = options;
  const taken = otherConfig(output);
  if (taken !== undefined) throw outputTaken(taken);
  const { registry } = await loadConfig(null, { requires: "nothing" });
  const questions = options.yes === true ? undefined : (asked ?? (await ownQuestions(terminal)));
  const answers = await gatherAnswers(options, registry.all("formats"), questions);
  if (answers === undefined) {
    terminal.err("Nothing was written.");
    return INTERRUPTED;
  }
  // Another process may have written it meanwhile
  await writeFile(output, configText(answers, output), { flag: "wx" }).catch((cause: unknown) => {
    throw (cause as NodeJS.ErrnoException).code === "EEXIST" ? outputTaken(output) : cannotWriteConfig(output, cause);
  });
  questions?.end(`These are the values of ${output}; change what you like.`);
  terminal.out(`Wrote ${output}.`);
  const code = await check(output, { set: [] }, terminal, { all: false, check: checkData });
  if (code !== 0) return code;
  const named = isDiscovered(output) ? "" : ` ${shellWord(output)}`;
  terminal.out("");
  terminal.out(`Next: thaw plan${named} shows what trains and why, thaw train${named} trains.`);
  return code;
}

/** Asks where a person types and sees. */
async function ownQuestions(terminal: Terminal): Promise<Questions | undefined> {
  if (terminal.input.isTTY !== true || !terminal.isInteractive) return undefined;
  return terminalQuestions({ input: process.stdin, output: process.stderr, width: terminal.width });
}

/** True for a file that commands find by themselves from here. */
function isDiscovered(output: string): boolean {
  return SEARCH_PLACES.includes(basename(output)) && dirname(resolve(output)) === process.cwd();
}

/** What is in the way: the file itself, or one that commands would take instead of it, or it instead of that. */
function otherConfig(output: string): string | undefined {
  if (existsSync(output)) return output;
  if (!SEARCH_PLACES.includes(basename(output))) return undefined;
  const folder = dirname(output);
  const rivals = SEARCH_PLACES.filter((name) => name !== "package.json").map((name) => join(folder, name));
  return rivals.find((path) => existsSync(path));
}
