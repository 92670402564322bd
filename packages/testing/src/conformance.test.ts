import "@tensorflow/tfjs-backend-cpu";
import { dispose, mul, scalar, setBackend, type Tensor } from "@tensorflow/tfjs-core";
import { API_VERSION, type Plugin, type Trainer } from "@thaw/core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  conformance,
  recordLifecycle,
  runDifference,
  runTiny,
  tinySource,
  tinyTrainerOptions,
  watchPlugin,
} from "./index.js";

beforeAll(async () => {
  await setBackend("cpu");
});

const NAME = "TestPlugin";
const plugin = (apply: (trainer: Trainer) => void, more: Partial<Plugin> = {}): Plugin => ({
  name: NAME,
  apiVersion: API_VERSION,
  apply,
  ...more,
});

/** Names of the checks that a plugin does not pass, with what was said. */
async function failures(make: () => Plugin): Promise<Record<string, string>> {
  const failed: Record<string, string> = {};
  for (const { name, run } of conformance(make)) await run().catch((error: Error) => (failed[name] = error.message));
  return failed;
}

const kept: Tensor[] = [];
const shared = { count: 0 };
const taps = "only taps in apply, under its own name";
const claims = "claims everything that it changes";
const scaleProjector = (trainer: Trainer, factor: () => number): void => {
  trainer.hooks.gradients.tap(
    NAME,
    (gradients) =>
      new Map(
        [...gradients].map(([name, gradient]) => [name, name.startsWith("multi") ? mul(gradient, factor()) : gradient]),
      ),
  );
};

describe("conformance", () => {
  it("passes a plugin that only watches", async () => {
    expect(await failures(() => plugin((trainer) => trainer.hooks.afterStep.tap(NAME, () => undefined)))).toEqual({});
  });

  it("passes a plugin that claims what it changes and saves what it remembers", async () => {
    expect(
      await failures(() =>
        plugin(
          (trainer) => {
            let steps = 0;
            trainer.hooks.afterStep.tap(NAME, () => void (steps += 1));
            scaleProjector(trainer, () => 1 + steps / 10);
            trainer.hooks.checkpoint.tap(NAME, (state) => ({ ...state, [NAME]: steps }));
            trainer.hooks.restored.tap(NAME, (state) => void (steps = state[NAME] as number));
          },
          { claims: { writes: ["gradients"] } },
        ),
      ),
    ).toEqual({});
  });

  it.each<[string, () => Plugin, string, string]>([
    [
      "a name that is empty",
      () => plugin(() => undefined, { name: "" }),
      "has a name and the current API version",
      "The plugin's name is empty.",
    ],
    ["tensors made in apply", () => plugin(() => void kept.push(scalar(1))), taps, "apply made 1 tensors."],
    [
      "a promise returned from apply",
      () => plugin((() => Promise.resolve()) as () => void),
      taps,
      "apply returns something",
    ],
    [
      "a timer started in apply",
      () => plugin(() => void setTimeout(() => undefined, 100)),
      taps,
      "apply started 1 timers",
    ],
    [
      "a hook called in apply",
      () => plugin((trainer) => trainer.hooks.collectMetrics.call({ add: () => undefined }, {} as never)),
      taps,
      "apply called the hooks collectMetrics.",
    ],
    [
      "taps under another name",
      () => plugin((trainer) => trainer.hooks.afterStep.tap("Other", () => undefined)),
      taps,
      "Taps are named Other (afterStep).",
    ],
    [
      "taps placed by before",
      () => plugin((trainer) => trainer.hooks.afterStep.tap({ name: NAME, before: "Other" }, () => undefined)),
      taps,
      'Taps on afterStep use "before".',
    ],
    [
      "gradients changed without a claim",
      () => plugin((trainer) => scaleProjector(trainer, () => 2)),
      claims,
      "It changes gradients without claiming so.",
    ],
    [
      "a batch changed without a claim",
      () => plugin((trainer) => trainer.hooks.batch.tap(NAME, (batch) => ({ ...batch, samples: [] }))),
      claims,
      "It changes batch without",
    ],
    [
      "the plan changed without a claim",
      () =>
        plugin((trainer) =>
          trainer.hooks.plan.tap(NAME, (plan) => ({
            phases: plan.phases.map((phase) => ({
              ...phase,
              entries: phase.entries.map((entry) => ({ ...entry, trainable: entry.component === "language_model" })),
            })),
          })),
        ),
      claims,
      "It changes plan without",
    ],
    [
      "another plugin's checkpoint state",
      () => plugin((trainer) => trainer.hooks.checkpoint.tap(NAME, (state) => ({ ...state, Other: 1 }))),
      claims,
      "It writes the checkpoint state of Other.",
    ],
    [
      "a leak",
      () => plugin((trainer) => trainer.hooks.afterStep.tap(NAME, () => void kept.push(scalar(1)))),
      "leaks no tensor",
      "In a run with TestPlugin.",
    ],
    [
      "state shared by trainers",
      () =>
        plugin(
          (trainer) => {
            trainer.hooks.afterStep.tap(NAME, () => void (shared.count += 1));
            scaleProjector(trainer, () => 1 + shared.count / 10);
          },
          { claims: { writes: ["gradients"] } },
        ),
      "serves two trainers with one instance",
      "Two trainers that share it differ",
    ],
    [
      "state that a checkpoint does not hold",
      () =>
        plugin(
          (trainer) => {
            let steps = 0;
            trainer.hooks.afterStep.tap(NAME, () => void (steps += 1));
            scaleProjector(trainer, () => 1 + steps);
          },
          { claims: { writes: ["gradients"] } },
        ),
      "resumes as if it had never stopped",
      "A resumed run differs",
    ],
  ])("finds %s", async (_, make, check, message) => {
    const { run } = conformance(make).find(({ name }) => name === check)!;
    await expect(run()).rejects.toThrow(message);
    dispose(kept);
    kept.length = 0;
  });
});

describe("watchPlugin", () => {
  it("sees which segment outputs are set, and keeps class instances whole", async () => {
    class Cache implements Plugin {
      readonly name = NAME;
      readonly apiVersion = API_VERSION;
      #count = 0;
      get count(): number {
        return this.#count;
      }
      apply(trainer: Trainer): void {
        trainer.hooks.batch.tapPromise(NAME, async (batch, { runSegment }) => {
          this.#count += 1;
          return { ...batch, segmentOutputs: { vision_tower: await runSegment("vision_tower", batch.media) } };
        });
      }
    }
    const cache = new Cache();
    const { plugin: watched, watch } = watchPlugin(cache);
    const plain = await runTiny(tinyTrainerOptions());
    const run = await runTiny(tinyTrainerOptions({ plugins: [watched] }));
    expect([...watch.writes]).toEqual(["segmentOutputs:vision_tower"]);
    expect(watch.taps).toEqual([{ hook: "batch", name: NAME, method: "tapPromise", before: undefined }]);
    expect(cache.count).toBeGreaterThan(0);
    // The tower trains here, so a substituted output takes its gradient away: the runs must differ.
    expect(runDifference(plain, run)).toBeGreaterThan(0);
  });
});

describe("recordLifecycle", () => {
  it("records every call in order, with payloads, and changes nothing", async () => {
    const plain = await runTiny(tinyTrainerOptions());
    let recorder!: ReturnType<typeof recordLifecycle>;
    const run = await runTiny(
      tinyTrainerOptions({
        data: { train: tinySource({ sampleCount: 7 }) },
        plugins: [plugin((trainer) => void (recorder = recordLifecycle(trainer)))],
        training: { evaluateEverySteps: undefined },
      }),
    );
    expect(runDifference(plain, run)).toBe(0);
    const planning = [
      "parameters",
      "plan",
      "parameterGroups",
      "rules",
      "collectIssues",
      "findings",
      "planned",
      "initialize",
      "beforeRun",
    ] as const;
    expect(recorder.names.filter((name) => planning.some((known) => known === name))).toEqual(planning);
    expect(recorder.sequence()).toContain("batch");
    expect(recorder.names.at(-1)).toBe("shutdown");
    expect(recorder.calls.find(({ name }) => name === "afterStep")!.payload[0]).toMatchObject({ step: 0 });
    recorder.clear();
    expect(recorder.names).toEqual([]);
  });
});
