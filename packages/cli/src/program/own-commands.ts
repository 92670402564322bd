import type { Command } from "@thaw/core";
import type { CaptionOptions } from "../commands/caption.js";
import type { ChatOptions } from "../commands/chat.js";
import type { CheckOptions } from "../commands/check.js";
import type { EvaluateOptions } from "../commands/evaluate.js";
import type { ExportOptions } from "../commands/export.js";
import type { PlanOptions } from "../commands/plan.js";
import type { PushOptions } from "../commands/push.js";
import type { TrackOptions } from "../commands/track.js";
import type { TrainOptions } from "../commands/train.js";
import type { WhyOptions } from "../commands/why.js";
import { planningCommands } from "../fast.js";
import * as help from "../terminal/help.js";
import type { HostContext, OwnCommand } from "./context.js";
import { RUN_COMMANDS } from "./run-commands.js";
import { completions, config, convert, init } from "./setup-commands.js";
import { BACKEND, count, DECODING, logLevel, MAX_NEW_TOKENS, QUIET, SET, TRUST } from "./flags.js";

const train: Command<TrainOptions, HostContext> = {
  name: "train",
  arguments: "[config]",
  summary: "train as the config says",
  help: help.TRAIN_HELP,
  options: [
    SET,
    { flags: "--resume <run>", summary: "continue a run that was stopped: its folder, or one checkpoint folder in it" },
    TRUST,
    { flags: "--accept-plan-change", summary: "resume although the trainability plan differs" },
    {
      flags: "--accept-data-change",
      summary: "resume although samples, tokenizer or chat template are not what they were",
    },
    {
      flags: "--compare-all-trainable [steps]",
      summary: "afterwards measure what freezing saved, by a few steps with everything trainable",
    },
    { flags: "--live", summary: "serve a page on this machine that shows the run as it goes, and can stop it" },
    { flags: "--processes <n>", summary: "train with so many processes of this machine" },
    { flags: "--engine <name>", summary: "what sums their gradients", choices: ["tcp", "mpi", "nccl"] },
    { flags: "--wait <seconds>", summary: "how long processes wait for each other at the start; 60 without it" },
    { flags: "--json", summary: "one JSON object a line on standard output" },
    QUIET,
    logLevel("info"),
  ],
  async load() {
    const { train: run } = await import("../commands/train.js");
    return (line, { terminal, advise }) => run(line.arguments[0], line.options, terminal, advise);
  },
};

const evaluate: Command<EvaluateOptions, HostContext> = {
  name: "evaluate",
  arguments: "<run-or-checkpoint>",
  summary: "measure captions: token F1 and exact match beside two baselines",
  help: help.EVALUATE_HELP,
  options: [
    {
      flags: "--data <set>",
      summary: "iconify:<set>, a file, or a mapping as in data.evaluation; the run's own evaluation sets without it",
    },
    { flags: "--images <folder>", summary: "where the images of --data lie; beside the file without it" },
    { flags: "--baseline-data <set>", summary: "training set for the baselines, where the run does not know it" },
    {
      flags: "--concepts <which>",
      summary: "which concepts are scored; without it seen and unseen ones that the training set has",
      choices: ["seen", "unseen", "all"],
    },
    { flags: "--limit <n>", summary: "the first n samples only", parse: count("--limit") },
    { flags: "--batch-size <n>", summary: "samples answered at once", parse: count("--batch-size") },
    MAX_NEW_TOKENS,
    BACKEND,
    TRUST,
    { flags: "--json", summary: "the numbers as one JSON object on standard output" },
    QUIET,
    logLevel("info"),
  ],
  async load() {
    const { evaluate: run } = await import("../commands/evaluate.js");
    return (line, { terminal }) => run(line.arguments[0]!, line.options, terminal);
  },
};

const plan: Command<PlanOptions, HostContext> = {
  name: "plan",
  arguments: "[config]",
  summary: "show what would train and why, without reading a weight",
  help: help.PLAN_HELP,
  options: [
    SET,
    { flags: "--at-step <n>", summary: "the plan as it stands at that step", parse: count("--at-step", 0) },
    { flags: "--diff <config>", summary: "what changes from that config's plan to this one" },
    { flags: "--dry-run", summary: "train some real steps without writing; estimate memory and time of the whole run" },
    { flags: "--json", summary: "the plan as one JSON object on standard output" },
  ],
  load: () =>
    Promise.resolve(async ({ arguments: [config], options }, { terminal }) => {
      if (options.dryRun === true) {
        const { dryRun } = await import("../dry-run/dry-run.js");
        return dryRun(config, options, terminal);
      }
      return (await planningCommands(config, options.set)).plan(config, options, terminal);
    }),
};

const check: Command<CheckOptions, HostContext> = {
  name: "check",
  arguments: "[config]",
  summary: "report everything that is wrong or contradictory in a config",
  help: help.CHECK_HELP,
  options: [
    SET,
    { flags: "--data", summary: "encode every sample of the data sets, and look at each picture's and sound's header" },
    { flags: "--fix", summary: "edit what has one safe fix, in the config's YAML and JSON files" },
    { flags: "--json", summary: "the findings as one JSON object on standard output" },
    { flags: "--sarif", summary: "the findings as a SARIF 2.1.0 log on standard output, for code review" },
  ],
  load: () =>
    Promise.resolve(async ({ arguments: [config], options }, { terminal }) => {
      const all = options.data === true;
      // What encodes samples is not part of the planning bundle
      const commands = all ? await import("../planning/planning.js") : await planningCommands(config, options.set);
      const { checkData } = await import("../planning/check-data.js");
      return commands.check(config, options, terminal, { all, check: checkData });
    }),
};

const why: Command<WhyOptions, HostContext> = {
  name: "why",
  arguments: "<parameter|component|setting>",
  summary: "say which setting decided, where it stands, and what it overrides",
  help: help.WHY_HELP,
  options: [
    SET,
    { flags: "--config <config>", summary: "the config; without it, it is searched for" },
    { flags: "--json", summary: "the answer as one JSON object on standard output" },
  ],
  load: () =>
    Promise.resolve(async ({ arguments: [target], options }, { terminal }) =>
      (await planningCommands(options.config, options.set)).why(target!, options, terminal),
    ),
};

const caption: Command<CaptionOptions, HostContext> = {
  name: "caption",
  arguments: "<file...>",
  summary: "write captions for pictures and sounds",
  help: help.CAPTION_HELP,
  options: [
    ...DECODING,
    { flags: "--model <run-or-checkpoint>", summary: "a run folder or a checkpoint", isRequired: true },
    { flags: "--prompt <text>", summary: "what to ask; the model's own prompt without it" },
    MAX_NEW_TOKENS,
    BACKEND,
    TRUST,
    { flags: "--json", summary: "one JSON object per line on standard output" },
    logLevel("warn"),
  ],
  async load() {
    const { caption: run } = await import("../commands/caption.js");
    return (line, { terminal }) => run(line.arguments, line.options, terminal);
  },
};

const chat: Command<ChatOptions, HostContext> = {
  name: "chat",
  summary: "talk with a model about pictures and sounds, over several turns",
  help: help.CHAT_HELP,
  options: [
    ...DECODING,
    { flags: "--model <run-or-checkpoint>", summary: "a run folder or a checkpoint", isRequired: true },
    { flags: "--system <text>", summary: "what is said before all else" },
    { flags: "--image <path>", summary: "a picture that the first question shows (repeatable)", isList: true },
    { flags: "--audio <path>", summary: "a sound that the first question shows (repeatable)", isList: true },
    { ...MAX_NEW_TOKENS, default: 512 },
    BACKEND,
    TRUST,
    { flags: "--json", summary: "one JSON object per answer on standard output" },
    logLevel("warn"),
  ],
  async load() {
    const { chat: run } = await import("../commands/chat.js");
    return (line, { terminal }) => run(line.options, terminal);
  },
};

const exportRun: Command<ExportOptions, HostContext> = {
  name: "export",
  arguments: "<run-or-checkpoint> <folder>",
  summary: "write a trained model as a Hugging Face checkpoint, adapters merged",
  help: help.EXPORT_HELP,
  options: [
    { flags: "--dtype <dtype>", summary: "of the weights", choices: ["f32", "bf16"], default: "f32" },
    { flags: "--overwrite", summary: "replace a model that the folder holds already" },
    BACKEND,
    TRUST,
    { flags: "--json", summary: "one JSON object on standard output" },
    logLevel("warn"),
  ],
  async load() {
    const { exportRun: run } = await import("../commands/export.js");
    return ({ arguments: [target, folder], options }, { terminal }) => run(target!, folder!, options, terminal);
  },
};

const push: Command<PushOptions, HostContext> = {
  name: "push",
  arguments: "<run-or-folder> <org/name>",
  summary: "put a trained model or its adapters on the Hugging Face hub, with a model card",
  help: help.PUSH_HELP,
  options: [
    { flags: "--private", summary: "shown to members alone, where the repository is made for it" },
    { flags: "--revision <branch>", summary: "the branch to push to; main without it" },
    { flags: "--dry-run", summary: "write the card, list the files, and push nothing" },
    { flags: "--dtype <dtype>", summary: "of the weights of a whole model", choices: ["f32", "bf16"], default: "f32" },
    BACKEND,
    TRUST,
    QUIET,
    { flags: "--json", summary: "one JSON object on standard output" },
  ],
  async load() {
    const { push: run } = await import("../commands/push.js");
    return ({ arguments: [target, name], options }, { terminal }) => run(target!, name!, options, terminal);
  },
};

const track: Command<TrackOptions, HostContext> = {
  name: "track",
  arguments: "<run>",
  summary: "send what a run's trackers wrote down because nobody took it",
  help: help.TRACK_HELP,
  options: [TRUST, { flags: "--json", summary: "one JSON object on standard output" }, logLevel("info")],
  async load() {
    const { track: run } = await import("../commands/track.js");
    return (line, { terminal }) => run(line.arguments[0]!, line.options, terminal);
  },
};

/** The commands of the command line itself, in the order of `thaw --help`. Each one's code is loaded when it runs. */
export const OWN_COMMANDS: readonly OwnCommand[] = [
  init,
  train,
  evaluate,
  plan,
  check,
  why,
  convert,
  caption,
  chat,
  exportRun,
  push,
  track,
  ...RUN_COMMANDS,
  config,
  ...completions,
];
