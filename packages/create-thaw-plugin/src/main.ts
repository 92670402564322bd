import { relative } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { CreationRefused, createPlugin, KINDS, type Kind } from "./create.js";
import { KIND_PARTS } from "./kinds.js";

/** Where lines go. */
export interface Output {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

const HELP = [
  "npm create thaw-plugin <folder> -- [--kind <kind>]",
  "",
  "Writes a plugin for Thaw into a new folder: TypeScript, strict options, a hook, tests, a README.",
  "",
  "Kinds:",
  ...KINDS.map((kind) => `  ${kind.padEnd(11)}${KIND_PARTS[kind].summary}`),
].join("\n");

/** Runs the command; gives its exit code: 0 written, 2 called wrongly. */
export async function main(args: readonly string[], { out, err }: Output): Promise<number> {
  try {
    const { folder, kind, isHelp } = readArguments(args);
    if (isHelp) {
      out(HELP);
      return 0;
    }
    const created = await createPlugin(folder ?? (await asked("Folder of the plugin: ")), kindOf(kind ?? "hooks"));
    const path = relative(process.cwd(), created.folder) || ".";
    out(`Wrote ${created.files.length} files into ${path}. Go on with:`);
    out(`  cd ${path}\n  npm install\n  npm test`);
    out("Its README says how a config names it.");
    return 0;
  } catch (error) {
    if (!(error instanceof CreationRefused)) throw error;
    err(error.message);
    return 2;
  }
}

function readArguments(args: readonly string[]): {
  readonly folder: string | undefined;
  readonly kind: string | undefined;
  readonly isHelp: boolean;
} {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { kind: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
    });
    if (positionals.length > 1)
      throw new CreationRefused(`One folder is expected, not ${positionals.length}. On the command line.\n\n${HELP}`);
    return { folder: positionals[0], kind: values.kind, isHelp: values.help };
  } catch (error) {
    if (error instanceof CreationRefused) throw error;
    throw new CreationRefused(`${(error as Error).message.split("\n")[0]} On the command line.\n\n${HELP}`);
  }
}

function kindOf(word: string): Kind {
  const kind = KINDS.find((known) => known === word);
  if (kind !== undefined) return kind;
  throw new CreationRefused(`There is no kind "${word}". In --kind. Write one of: ${KINDS.join(", ")}.`);
}

/** Asks at a terminal; elsewhere the folder has to be given. */
async function asked(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new CreationRefused(`A folder is missing. On the command line.\n\n${HELP}`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}
