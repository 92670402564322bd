import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  chosenTrackers,
  CORE_PROVIDER,
  Registry,
  silentLogger,
  type EventImage,
  type Evaluator,
  type Plugin,
  type ResolvedTracker,
  type TrackerOptions,
  type TrainerOptions,
} from "@thaw/core";
import type { ConformanceCheck } from "../conformance.js";
import { notConforming } from "../errors.js";
import { onlyFolder, withTempFolder } from "../temp-folder.js";
import { runDifference, runTiny, tinyTrainerOptions, type TinyRun } from "../training-run.js";

/** One pixel. */
const PICTURE: EventImage = {
  type: "image/png",
  bytes: Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  ),
};

/** Tells of everything that a run can tell of. */
const teller: Evaluator = {
  name: "told",
  evaluate: async (_session, { record, step }) => {
    await record({ event: "baseline", step, name: "told", baseline: "always", metrics: { score: 0.5 } });
    await record({ event: "warning", step, text: "Look here." });
    const [texts, numbers] = [{ question: "a?", answer: "b" }, { score: 0 }];
    await record({ event: "sample", step, name: "told", index: 0, id: "it", texts, numbers, images: [PICTURE] });
    return { score: 0.25 };
  },
};

/** A run that was tracked, with what it warned of beside what the evaluator says. */
interface TrackedRun extends TinyRun {
  readonly warnings: readonly string[];
  /** What lies in the run folder, by name. */
  readonly files: readonly string[];
}

/**
 * What every tracker has to keep, on real runs of the tiny model. `make` gives the plugin that provides it, `options`
 * are what a config would say of it. A TensorFlow.js backend must be current.
 */
export function trackerConformance(make: () => Plugin, options: TrackerOptions): readonly ConformanceCheck[] {
  const { type } = options as ResolvedTracker;
  const run = async (output: string, more: Partial<TrainerOptions> = {}, stopAfter?: number): Promise<TrackedRun> => {
    const warnings: string[] = [];
    const warn = (...given: readonly unknown[]): void => void warnings.push(String(given.at(-1)));
    const given = { output, plugins: [make()], evaluators: [teller], logger: { ...silentLogger, warn }, ...more };
    const result = await runTiny(tinyTrainerOptions(given), stopAfter);
    return { ...result, warnings, files: (await readdir(await onlyFolder(output))).toSorted() };
  };
  const check = (name: string, look: (fails: Fails) => Promise<void> | void): ConformanceCheck => ({
    name,
    run: async () => {
      await look((found, advice) => {
        throw notConforming(name, type, found, advice);
      });
    },
  });
  return [
    check("has a summary, and refuses options that it does not know", (fails) => {
      const registry = new Registry([CORE_PROVIDER, make()]);
      const [chosen] = chosenTrackers([options], registry);
      if (chosen!.factory.summary === "") fails("Its summary is empty.", "Say in one sentence what it does.");
      if (chosen!.factory.schema.safeParse({ ...(options as ResolvedTracker), noSuchOption: 1 }).success)
        fails("It takes an option that it does not know.", "Make its schema with z.strictObject.");
    }),
    check("leaves the run as it is, also when it goes on after a stop", (fails) =>
      withTempFolder(async (holder) => {
        const [bare, tracked, stopped] = ["bare", "tracked", "stopped"].map((name) => join(holder, name));
        const without = await run(bare!);
        const whole = await run(tracked!, { trackers: [options] });
        judge(runDifference(without, whole), whole, fails);
        const first = await run(stopped!, { trackers: [options] }, 2);
        const resume = { from: await onlyFolder(stopped!) };
        const rest = await run(stopped!, { trackers: [options], resume });
        judge(runDifference(whole, { ...rest, losses: [...first.losses, ...rest.losses] }), rest, fails);
        const others = whole.files.filter((name) => !without.files.includes(name) && name !== "trackers");
        if (others.length > 0)
          fails(`It writes ${others.join(", ")} into the run folder.`, "Write below the folder that make is given.");
      }),
    ),
    check("does not end a run whose folder it cannot write", (fails) =>
      withTempFolder(async (holder) => {
        const output = join(holder, "runs");
        const plugin: Plugin = {
          name: "FolderTaker",
          apiVersion: 1,
          apply({ hooks }) {
            hooks.initialize.tapPromise("FolderTaker", async ({ runFolder }) => {
              // Where the tracker would make its own
              await mkdir(join(runFolder!, "trackers"));
              await writeFile(join(runFolder!, "trackers", type), "");
            });
          },
        };
        const { steps, warnings } = await run(output, { plugins: [make(), plugin], trackers: [options] });
        if (steps !== 6) fails(`The run ended after ${steps} steps.`, "Throw where something cannot be written.");
        if (!warnings.some((text) => text.includes(type)))
          fails("It says nothing where it cannot write.", "Throw where something cannot be written.");
      }),
    ),
  ];
}

type Fails = (found: string, advice: string) => never;

function judge(difference: number, { warnings }: TrackedRun, fails: Fails): void {
  if (difference > 0)
    fails(`The run differs from one without it, by ${difference}.`, "Only look at what it is told of.");
  const own = warnings.filter((text) => text !== "Look here." && text.includes("racker"));
  if (own.length > 0) fails(`It fails: ${own[0]}`, "Handle every event.");
}
