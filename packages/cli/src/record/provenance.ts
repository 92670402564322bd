import { countText } from "@thaw/contracts";
import type { Parts } from "../running/build-run.js";
import type { TeamOptions } from "../processes/team.js";
import { shellWord } from "../render/text.js";
import { ownVersion } from "../version.js";

/** What a run is started with: the command that repeats it, and Thaw's version. */
export function startFacts(
  config: string | undefined,
  options: TeamOptions & { readonly compareAllTrainable?: string | true },
): Readonly<Record<string, string>> {
  const { set, trust, processes, engine, compareAllTrainable: compared, resume } = options;
  const words = [
    ...(config === undefined ? [] : [config]),
    ...(resume === undefined ? [] : ["--resume", resume]),
    ...set.flatMap((text) => ["--set", text]),
    ...(trust === true ? ["--trust"] : []),
    ...(processes === undefined ? [] : ["--processes", processes]),
    ...(engine === undefined ? [] : ["--engine", engine]),
    ...(compared === undefined ? [] : ["--compare-all-trainable", ...(compared === true ? [] : [compared])]),
  ];
  return { thaw: ownVersion(), command: ["npx thaw train", ...words.map(shellWord)].join(" ") };
}

/** How much data a run has, set by set. */
export function dataFacts({
  train,
  evaluation,
}: Pick<Parts, "train" | "evaluation">): Readonly<Record<string, string>> {
  const samples = (count: number): string => `${countText(count)} ${count === 1 ? "sample" : "samples"}`;
  return {
    ...(train === undefined ? {} : { "training data": samples(train.sampleCount) }),
    ...Object.fromEntries(
      Object.entries(evaluation).map(([name, source]) => [`evaluation ${name}`, samples(source.sampleCount)]),
    ),
  };
}
