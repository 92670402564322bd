import { readdir } from "node:fs/promises";
import { keepSecret } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { TrainerOptions } from "../api/trainer-options.js";
import { API_VERSION } from "../api/plugin.js";
import { silentLogger } from "../api/logger.js";
import { useToyOutput } from "../toy/toy-output.js";
import { runToy, tapped, toyTrainer } from "../toy/toy-trainer.js";
import { histogramOf } from "./histogram.js";
import type { TrackerOptions } from "./options.js";
import { RunTrackers } from "./run-trackers.js";
import { defineTracker, type StepHistograms, type Tracker, type TrackerFactory } from "./tracker.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

/** A tracker of the type `mine`, and what was told of the runs that name it. */
declare module "@thaw/core" {
  interface ProvidedTrackers {
    mine: { type: "mine"; word?: string };
  }
}

function mine(tracker: Partial<Tracker> = {}, every?: number) {
  const told: string[] = [];
  const seen: StepHistograms[] = [];
  const factory = defineTracker({
    type: "mine",
    summary: "Remembers.",
    schema: z.strictObject({ type: z.literal("mine"), word: z.string().default("none") }),
    make: ({ word }, { folder, step, facts }) => {
      told.push(`made ${word} ${folder.split("/").at(-1)} @${step} ${JSON.stringify(facts.config)}`);
      return {
        record: (event) => void told.push(`${event.event}@${event.step}${"text" in event ? ` ${event.text}` : ""}`),
        histograms: (histograms) => void seen.push(histograms),
        close: () => void told.push("closed"),
        ...tracker,
      };
    },
    ...(every === undefined ? {} : { histogramsEverySteps: () => every }),
  });
  const provider = { name: "Mine", apiVersion: API_VERSION, provides: { trackers: [factory as TrackerFactory] } };
  return { told, seen, factory: factory as TrackerFactory, plugins: [provider] };
}

/** Options of a run of two steps, with what it warns of. */
function short(more: Partial<TrainerOptions>) {
  const warnings: string[] = [];
  const warn = (...given: readonly unknown[]): void => void warnings.push(String(given.at(-1)));
  const options: Partial<TrainerOptions> = {
    output,
    config: {},
    logger: { ...silentLogger, warn },
    training: { maxSteps: 2 },
    ...more,
  };
  return { options, warnings };
}

describe("trackers", () => {
  it("are told of every event in order, each under its own name, and of the end of a run that fails", async () => {
    const { told, plugins } = mine();
    const trackers: TrackerOptions[] = [{ type: "mine", word: "one" }, { type: "mine" }];
    await toyTrainer({ ...short({ plugins, trackers }).options, output }).run();
    const events = ["started@0", "step@1", "step@2", "done@2", "closed"];
    expect(told.slice(0, 2)).toEqual(["made one mine @0 {}", "made none mine-2 @0 {}"]);
    for (const parity of [0, 1]) expect(told.slice(2).filter((_, index) => index % 2 === parity)).toEqual(events);
    told.length = 0;
    const bad = tapped("Bad", ({ hooks }) => {
      hooks.afterStep.tap("Bad", () => {
        throw new Error("no");
      });
    });
    const failing = short({ plugins: [...plugins, bad], trackers: [{ type: "mine" }] }).options;
    await expect(toyTrainer(failing).run()).rejects.toThrow("no");
    expect(told.slice(-2)).toEqual(["failed@0", "closed"]);
  });

  it("are told which steps are made again when a run goes on", async () => {
    const { told, plugins } = mine();
    const { options } = short({ plugins, trackers: [{ type: "mine" }] });
    const stopped = toyTrainer(options);
    stopped.hooks.afterStep.tap("Stop", () => stopped.stop("enough"));
    const { runFolder } = await stopped.run();
    await toyTrainer({ ...options, resume: { from: runFolder! } }).run();
    expect(told.filter((line) => /^(made|started|step)/.test(line))).toEqual([
      "made none mine @0 {}",
      "started@0",
      "step@1",
      "made none mine @1 {}",
      "started@1",
      "step@2",
    ]);
  });

  const throws = (): never => {
    throw new Error("broken.");
  };
  it.each<[string, Partial<Tracker>, RegExp[]]>([
    ["record", { record: throws }, [/^The tracker mine failed: broken\. The run goes on\.$/, /failed \d times/]],
    ["record, later", { record: () => Promise.reject(new Error("late")) }, [/mine failed: late/, /failed \d times/]],
    ["histograms", { histograms: throws }, [/mine failed: broken/, /failed 2 times/]],
    ["close", { close: throws }, [/mine failed: broken/]],
  ])("that fail in %s are named in a warning, and leave the run as it is", async (_, tracker, expected) => {
    const bare = await runToy(short({}).options);
    const { plugins } = mine(tracker, 1);
    const { options, warnings } = short({ plugins, trackers: [{ type: "mine" }] });
    const tracked = await runToy(options);
    expect(warnings).toEqual(expected.map((text) => expect.stringMatching(text)));
    expect([tracked.losses, tracked.parameters]).toEqual([bare.losses, bare.parameters]);
  });

  it("that cannot begin, or do not answer, are left behind", async () => {
    const { factory } = mine();
    const warnings: string[] = [];
    const logger = {
      ...silentLogger,
      warn: (...given: readonly unknown[]) => void warnings.push(String(given.at(-1))),
    };
    const facts = { runFolder: output, config: {} } as never;
    const chosen = (make: TrackerFactory["make"]) => [
      { name: "mine", factory: { ...factory, make }, options: { type: "mine" } },
    ];
    const never = new RunTrackers(
      chosen(() => ({ record: () => new Promise(() => {}) })),
      { facts, step: 0, logger },
      5,
    );
    await never.open();
    await never.record({ event: "warning", step: 0, text: "" });
    await never.close();
    const dead = new RunTrackers(chosen(throws), { facts, step: 0, logger });
    await dead.open();
    await dead.record({ event: "warning", step: 0, text: "" });
    await dead.close();
    expect(warnings).toEqual([
      "The tracker mine did not answer for 0.005 s and is told of nothing more.",
      "The tracker mine could not begin: broken.",
    ]);
  });

  it("never see the value of a secret", async () => {
    keepSecret("swordfish-4711", "FISH");
    const { told, plugins } = mine();
    const { options } = short({ plugins, trackers: [{ type: "mine" }], config: { key: "swordfish-4711" } });
    const trainer = toyTrainer(options);
    trainer.hooks.afterStep.tap("Tell", ({ step }) => {
      if (step === 0) trainer.logger.warn("It is swordfish-4711.");
    });
    await trainer.run();
    expect(told).toContain("warning@0 It is {env: FISH}.");
    expect(told[0]).toContain("{env: FISH}");
    expect(told.join()).not.toContain("swordfish");
  });

  it("get histograms of gradients and weights of what trains, at the steps that they ask for", async () => {
    const { seen, plugins } = mine({}, 2);
    await runToy({ ...short({ plugins, trackers: [{ type: "mine" }] }).options, training: { maxSteps: 3 } });
    expect(seen.map(({ step }) => step)).toEqual([2]);
    const { gradients, weights } = seen[0]!;
    expect(Object.keys(gradients)).toEqual(Object.keys(weights));
    for (const histogram of [...Object.values(gradients), ...Object.values(weights)])
      expect(histogram.counts.reduce((sum, one) => sum + one, 0)).toBe(histogram.count);
    expect(Object.values(gradients).some(({ sumOfSquares }) => sumOfSquares > 0)).toBe(true);
  });

  it.each([
    [[{ type: "mine", wrod: 1 }], "THAW_CORE_TRACKERS_INVALID"],
    [[{ type: "yours" }], "THAW_CORE_TRACKERS_INVALID"],
  ])("are refused by name: %j", (given, code) => {
    const trackers = given as TrackerOptions[];
    expect(() => toyTrainer({ output, trackers, plugins: mine().plugins })).toThrow(expect.objectContaining({ code }));
    expect(() => toyTrainer({ output, trackers })).toThrow(expect.objectContaining({ code }));
  });

  it("need a run folder", async () => {
    const run = toyTrainer({ trackers: [{ type: "mine" }], plugins: mine().plugins }).run();
    await expect(run).rejects.toMatchObject({ code: "THAW_CORE_OPTION_MISSING" });
    expect(await readdir(output)).toEqual([]);
  });
});

describe("histogramOf", () => {
  it.each([
    [[0, 1, 2, 64], 2, { min: 0, max: 128, count: 4, sum: 134, sumOfSquares: 16404 }],
    [[3, 3], 1, { min: 3, max: 3, count: 2, edges: [3, 3], counts: [2] }],
    [[Number.NaN, Infinity], 1, { count: 0, counts: [0] }],
  ])("counts %j times %d", (values, factor, expected) => {
    expect(histogramOf(values, factor)).toMatchObject(expected);
  });

  it("puts the greatest value into the last range and others by their size", () => {
    const { counts, edges } = histogramOf([0, 1, 2, 64]);
    expect([counts[0], counts[1], counts[2], counts[63]]).toEqual([1, 1, 1, 1]);
    expect(edges).toHaveLength(65);
  });
});
