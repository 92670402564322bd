import type { Command as CommandData, CommandOption } from "@thaw/core";
import { Command, Help, Option } from "commander";
import { TOP_HELP } from "../terminal/help.js";
import type { Terminal } from "../terminal/terminal.js";
import { ownVersion } from "../version.js";
import { hostContext, type HostContext } from "./context.js";
import { OWN_COMMANDS } from "./own-commands.js";

/** Where a command leaves the exit code. */
export interface Outcome {
  code: number;
  /** Printed below an error. */
  readonly advice: string[];
}

type AnyCommand = CommandData<never, HostContext>;

/**
 * The command line for what was called: its own commands, and where the call is for none of these, or for the list of
 * all, those of plugins. Each command's code is loaded when it runs, so that `check` and `plan` start fast.
 * @throws THAW_CORE_PROVIDED_TWICE
 */
export async function createProgram(args: readonly string[], terminal: Terminal, outcome: Outcome): Promise<Command> {
  const program = new Command("thaw")
    .description("Trains vision-language models of which a part stays frozen.")
    .version(ownVersion(), "-v, --version")
    .option("--debug", "show stacks of errors")
    .helpCommand(false)
    .showHelpAfterError('("thaw --help" lists the commands)')
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .exitOverride()
    .configureHelp({
      // An option that may be given several times starts from an empty list, which is nothing to tell
      optionDescription: (option) =>
        Array.isArray(option.defaultValue) ? option.description : new Help().optionDescription(option),
    })
    .addHelpText("after", TOP_HELP);
  const context = hostContext(terminal, {
    advise: (line) => outcome.advice.push(line),
    commands: () => allCommands(undefined, terminal),
  });
  for (const command of await commandsFor(args, terminal)) addCommand(program, command, context, outcome);
  return program;
}

async function commandsFor(args: readonly string[], terminal: Terminal): Promise<readonly AnyCommand[]> {
  const word = args.find((text) => !text.startsWith("-"));
  const isVersion = args.some((text) => text === "-v" || text === "--version");
  if (isVersion || OWN_COMMANDS.some(({ name }) => name.split(" ")[0] === word)) return OWN_COMMANDS;
  return allCommands(word, terminal);
}

/** With those of plugins: of the built-in ones alone where `word` is one of theirs. */
async function allCommands(word: string | undefined, terminal: Terminal): Promise<readonly AnyCommand[]> {
  const { findCommands, tellMissing } = await import("./plugin-commands.js");
  // The registry knows what plugins' commands are given; ours get the terminal too.
  const own = { name: "Thaw", provides: { commands: OWN_COMMANDS as readonly CommandData[] } };
  const { commands, failure } = await findCommands(own, word);
  if (failure !== undefined) tellMissing(failure, terminal);
  return commands;
}

/** Adds a command under its words; `backend install` stands below `backend`. */
function addCommand(program: Command, command: AnyCommand, context: HostContext, outcome: Outcome): void {
  const words = command.name.split(" ");
  const parent = words.slice(0, -1).reduce((above, word) => wordOf(above, word), program);
  const added = wordOf(parent, words.at(-1)!)
    .description(command.summary)
    .option("--debug", "show stacks of errors")
    .addHelpText("after", command.help ?? "");
  if (command.arguments !== undefined) added.arguments(command.arguments);
  for (const option of command.options ?? []) added.addOption(optionOf(option));
  if (command.load === undefined) return;
  // Commander gives the values of arguments, then the options, then itself.
  added.action(async (...given: unknown[]) => {
    const run = await command.load!();
    const values = given
      .slice(0, -2)
      .flat()
      .filter((value): value is string => typeof value === "string");
    outcome.code = await run({ arguments: values, options: given.at(-2) as never }, context);
  });
}

/** The command of that word, made where there is none; subcommands inherit exits and output. */
function wordOf(parent: Command, word: string): Command {
  return parent.commands.find((known) => known.name() === word) ?? parent.command(word).helpCommand(false);
}

function optionOf({
  flags,
  summary,
  parse,
  choices,
  default: start,
  isRequired = false,
  isList = false,
}: CommandOption) {
  const option = new Option(flags, summary);
  const read = parse ?? ((text: string): unknown => text);
  if (choices !== undefined) option.choices(choices);
  else if (isList) option.argParser((text, before: readonly unknown[]) => [...before, read(text)]);
  else if (parse !== undefined) option.argParser(read);
  if (start !== undefined || isList) option.default(start ?? []);
  return option.makeOptionMandatory(isRequired);
}
