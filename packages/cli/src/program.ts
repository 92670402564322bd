import { Command, Option } from "commander";
import type { BackendBenchOptions, BackendInstallOptions } from "./commands/backend.js";
import type { CaptionOptions } from "./commands/caption.js";
import type { ChatOptions } from "./commands/chat.js";
import type { CheckOptions } from "./commands/check.js";
import type { ConvertOptions } from "./commands/convert.js";
import type { ConfigOptions } from "./commands/config.js";
import type { EvaluateOptions } from "./commands/evaluate.js";
import type { ExportOptions } from "./commands/export.js";
import type { PlanOptions } from "./commands/plan.js";
import type { TrainOptions } from "./commands/train.js";
import type { WhyOptions } from "./commands/why.js";
import { badOption } from "./errors.js";
import {
  BACKEND_HELP,
  CAPTION_HELP,
  CHAT_HELP,
  CHECK_HELP,
  CONFIG_HELP,
  CONVERT_HELP,
  EVALUATE_HELP,
  EXPORT_HELP,
  PLAN_HELP,
  TOP_HELP,
  TRAIN_HELP,
  WHY_HELP,
} from "./terminal/help.js";
import { planningCommands } from "./fast.js";
import { LOG_LEVELS } from "./terminal/log.js";
import type { Terminal } from "./terminal/terminal.js";
import { ownVersion } from "./version.js";

/** Where a command leaves the exit code. */
export interface Outcome {
  code: number;
  /** Printed below an error. */
  readonly advice: string[];
}

const TRUST_HELP = "let the run's own config name code: plugins, configs in code, libraries";
const SET_HELP = "override one value, as YAML: --set training.epochs=3 (repeatable)";

/** The command line. Each command's code is loaded when it runs, so that `check` and `plan` start fast. */
export function createProgram(terminal: Terminal, outcome: Outcome): Command {
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
    .addHelpText("after", TOP_HELP);
  // Subcommands inherit exitOverride and output.
  const add = (usage: string, description: string, help: string): Command =>
    program
      .command(usage)
      .description(description)
      .option("--debug", "show stacks of errors")
      .addHelpText("after", help);
  const withSet = (command: Command): Command => command.option("--set <key=value>", SET_HELP, collect, []);
  const withDecoding = (command: Command): Command =>
    command
      .option(
        "--temperature <t>",
        "draw tokens, more evenly the higher; the likeliest ones without it",
        bounded("--temperature", 0),
      )
      .option("--top-k <n>", "draw among so many of the likeliest tokens", count("--top-k"))
      .option("--top-p <p>", "draw among the fewest tokens that make this probability", bounded("--top-p", 0, 1))
      .option("--seed <n>", "the same seed draws the same tokens", count("--seed", 0))
      .option(
        "--repetition-penalty <p>",
        "above 1, tokens that are there already are less likely",
        bounded("--repetition-penalty", 0.01),
      );
  const logLevel = (): Option =>
    new Option("--log-level <level>", "how much to log on standard error").choices(LOG_LEVELS).default("info");

  withSet(add("train [config]", "train as the config says", TRAIN_HELP))
    .option("--resume <run>", "continue a run that was stopped: its folder, or one checkpoint folder in it")
    .option("--trust", TRUST_HELP)
    .option("--accept-plan-change", "resume although the trainability plan differs")
    .option("--accept-data-change", "resume although samples, tokenizer or chat template are not what they were")
    .option(
      "--compare-all-trainable [steps]",
      "afterwards measure what freezing saved, by a few steps with everything trainable",
    )
    .option("--processes <n>", "train with so many processes of this machine")
    .addOption(new Option("--engine <name>", "what sums their gradients").choices(["tcp", "mpi", "nccl"]))
    .option("--wait <seconds>", "how long processes wait for each other at the start; 60 without it")
    .option("--json", "one JSON object a line on standard output")
    .option("--quiet", "no progress bar")
    .addOption(logLevel())
    .action(async (config: string | undefined, options: TrainOptions) => {
      outcome.code = await (
        await import("./commands/train.js")
      ).train(config, options, terminal, (line) => outcome.advice.push(line));
    });
  add("evaluate <run-or-checkpoint>", "measure captions: token F1 and exact match beside two baselines", EVALUATE_HELP)
    .option(
      "--data <set>",
      "iconify:<set>, a file, or a mapping as in data.evaluation; the run's own evaluation sets without it",
    )
    .option("--images <folder>", "where the images of --data lie; beside the file without it")
    .option("--baseline-data <set>", "training set for the baselines, where the run does not know it")
    .addOption(
      new Option(
        "--concepts <which>",
        "which concepts are scored; without it seen and unseen ones that the training set has",
      ).choices(["seen", "unseen", "all"]),
    )
    .option("--limit <n>", "the first n samples only", count("--limit"))
    .option("--batch-size <n>", "samples answered at once", count("--batch-size"))
    .option("--max-new-tokens <n>", "longest answer", count("--max-new-tokens"))
    .option("--backend <name>", "auto, gpu, webgpu, native, wasm or cpu")
    .option("--trust", TRUST_HELP)
    .option("--json", "the numbers as one JSON object on standard output")
    .option("--quiet", "no progress bar")
    .addOption(logLevel())
    .action(async (target: string, options: EvaluateOptions) => {
      outcome.code = await (await import("./commands/evaluate.js")).evaluate(target, options, terminal);
    });
  withSet(add("plan [config]", "show what would train and why, without reading a weight", PLAN_HELP))
    .option("--at-step <n>", "the plan as it stands at that step", count("--at-step", 0))
    .option("--diff <config>", "what changes from that config's plan to this one")
    .option("--json", "the plan as one JSON object on standard output")
    .action(async (config: string | undefined, options: PlanOptions) => {
      outcome.code = await (await planningCommands(config, options.set)).plan(config, options, terminal);
    });
  withSet(add("check [config]", "report everything that is wrong or contradictory in a config", CHECK_HELP))
    .option("--fix", "edit what has one safe fix, in the config's YAML and JSON files")
    .option("--json", "the findings as one JSON object on standard output")
    .option("--sarif", "the findings as a SARIF 2.1.0 log on standard output, for code review")
    .action(async (config: string | undefined, options: CheckOptions) => {
      outcome.code = await (await planningCommands(config, options.set)).check(config, options, terminal);
    });
  withSet(
    add(
      "why <parameter|component|setting>",
      "say which setting decided, where it stands, and what it overrides",
      WHY_HELP,
    ),
  )
    .option("--config <config>", "the config; without it, it is searched for")
    .option("--json", "the answer as one JSON object on standard output")
    .action(async (target: string, options: WhyOptions) => {
      outcome.code = await (await planningCommands(options.config, options.set)).why(target, options, terminal);
    });
  add("convert <config>", "turn a LLaMA-Factory config or ms-swift arguments into a Thaw config", CONVERT_HELP)
    .option("--output <file>", "write it there; on standard output without it")
    .action(async (config: string, options: ConvertOptions) => {
      outcome.code = (await import("./commands/convert.js")).convert(config, options, terminal);
    });
  withDecoding(add("caption <file...>", "write captions for pictures and sounds", CAPTION_HELP))
    .requiredOption("--model <run-or-checkpoint>", "a run folder or a checkpoint")
    .option("--prompt <text>", "what to ask; the model's own prompt without it")
    .option("--max-new-tokens <n>", "longest answer", count("--max-new-tokens"))
    .option("--backend <name>", "auto, gpu, webgpu, native, wasm or cpu")
    .option("--trust", TRUST_HELP)
    .option("--json", "one JSON object per line on standard output")
    .addOption(logLevel().default("warn"))
    .action(async (images: string[], options: CaptionOptions) => {
      outcome.code = await (await import("./commands/caption.js")).caption(images, options, terminal);
    });
  withDecoding(add("chat", "talk with a model about pictures and sounds, over several turns", CHAT_HELP))
    .requiredOption("--model <run-or-checkpoint>", "a run folder or a checkpoint")
    .option("--system <text>", "what is said before all else")
    .option("--image <path>", "a picture that the first question shows (repeatable)", collect, [])
    .option("--audio <path>", "a sound that the first question shows (repeatable)", collect, [])
    .option("--max-new-tokens <n>", "longest answer", count("--max-new-tokens"), 512)
    .option("--backend <name>", "auto, gpu, webgpu, native, wasm or cpu")
    .option("--trust", TRUST_HELP)
    .option("--json", "one JSON object per answer on standard output")
    .addOption(logLevel().default("warn"))
    .action(async (options: ChatOptions) => {
      outcome.code = await (await import("./commands/chat.js")).chat(options, terminal);
    });
  add(
    "export <run-or-checkpoint> <folder>",
    "write a trained model as a Hugging Face checkpoint, adapters merged",
    EXPORT_HELP,
  )
    .option("--adapter", "the adapters alone, in PEFT's layout")
    .addOption(new Option("--dtype <dtype>", "of the weights").choices(["f32", "bf16"]).default("f32"))
    .option("--overwrite", "replace a model that the folder holds already")
    .option("--backend <name>", "auto, gpu, webgpu, native, wasm or cpu")
    .option("--trust", TRUST_HELP)
    .option("--json", "one JSON object on standard output")
    .addOption(logLevel().default("warn"))
    .action(async (target: string, folder: string, options: ExportOptions) => {
      outcome.code = await (await import("./commands/export.js")).exportRun(target, folder, options, terminal);
    });
  withSet(add("config [config]", "show the config with the origin of every value, or its schema", CONFIG_HELP))
    .option("--print", "every value with its origin (the default)")
    .option("--schema", "the JSON schema (draft-07) for editors, installed plugins included")
    .option("--json", "values and origins as one JSON object")
    .action(async (config: string | undefined, options: ConfigOptions) => {
      outcome.code = await (await import("./commands/config.js")).showConfig(config, options, terminal);
    });
  const backend = add("backend", "get, remove and measure TensorFlow's library", BACKEND_HELP).helpCommand(false);
  backend
    .command("install")
    .description("make the native backend, or with --cuda the one for NVIDIA GPUs")
    .option("--cuda", "the build for NVIDIA GPUs")
    .option("--uninstall", "remove it")
    .option("--wheel <file>", "a wheel that you fetched, where there is no network")
    .option("--compiler <command>", "instead of g++, c++ or clang++")
    .option("--cuda-libraries <folder...>", "more folders in which CUDA's libraries are looked for")
    .option("--cache <folder>", "instead of the user's cache folder")
    .option("--quiet", "no progress bar")
    .action(async (options: BackendInstallOptions) => {
      outcome.code = await (await import("./commands/backend.js")).install(options, terminal);
    });
  backend
    .command("bench")
    .description("measure a backend: matrix products, cost of an operation, uploads")
    .option("--backend <name>", "auto, gpu, webgpu, native, wasm or cpu")
    .option("--tensor-float-32", "on GPUs: products with 10 bits of mantissa")
    .option("--cache <folder>", "instead of the user's cache folder")
    .option("--json", "as one JSON object on standard output")
    .action(async (options: BackendBenchOptions) => {
      outcome.code = await (await import("./commands/backend.js")).bench(options, terminal);
    });
  add("doctor", "say which backends are here, which one would run, and what would be faster", "")
    .option("--json", "as one JSON object on standard output")
    .action(async (options: { readonly json?: boolean }) => {
      outcome.code = await (await import("./commands/doctor.js")).doctor(options, terminal);
    });
  return program;
}

function collect(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}

function bounded(option: string, least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= most) return value;
    throw badOption(option, text, most === Infinity ? `a number from ${least}` : `a number from ${least} to ${most}`);
  };
}

function count(option: string, least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < least)
      throw badOption(option, text, `a whole number from ${least}`);
    return value;
  };
}
