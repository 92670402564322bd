import type { Origin, Setting } from "@thaw/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePolicy } from "../../packages/plugin-freeze-policy/src/deciding/policy.js";
import { matchesPattern } from "../../packages/plugin-freeze-policy/src/selecting/pattern.js";
import { STUB_COMPONENTS, stubParameters } from "../support/stub-model.js";

const origin = fc.constantFrom<Origin>("explicit", "preset");
const flag = (path: string) => fc.record({ path: fc.constant(`freeze.${path}`), value: fc.boolean(), origin });
const state = fc.constantFrom<unknown>(
  "frozen",
  "train",
  { match: ["weight"] },
  { last_blocks: 1 },
  { lora: { rank: 4 } },
  { unfreeze_at_step: 3 },
);
const entry = (component: string) =>
  fc.record({ path: fc.constant(`freeze.components.${component}`), value: state, origin });
/** Any number of settings, each key and origin at most once, spelt in two ways. */
const settings = fc
  .tuple(
    fc.uniqueArray(
      fc.oneof(
        ...[
          "freeze_vision_tower",
          "freezeVisionTower",
          "freeze_multi_modal_projector",
          "freeze_language_model",
          "freeze_llm",
          "train_mm_proj_only",
        ].map(flag),
        ...["vision_tower", "multi_modal_projector", "languageModel"].map(entry),
      ),
      { maxLength: 8, selector: ({ path, origin: from }) => `${path} ${from}` },
    ),
  )
  .map(([list]) => list as readonly Setting[]);
const parameters = stubParameters({
  added: ["vision_tower", "multi_modal_projector", "language_model"].map((component) => ({
    name: `${component}.lora_A.weight`,
    shape: [1],
    dtype: "F32",
    component,
  })),
});
const compile = (list: readonly Setting[]) =>
  compilePolicy({ settings: list, components: STUB_COMPONENTS, parameters });

describe("precedence, for random settings", () => {
  it("does not depend on the order of the settings", () => {
    fc.assert(
      fc.property(
        settings.chain((list) =>
          fc.tuple(
            fc.constant(list),
            fc.shuffledSubarray([...list], { minLength: list.length, maxLength: list.length }),
          ),
        ),
        ([list, shuffled]) => {
          const [left, right] = [compile(list), compile(shuffled)];
          expect(right.decisions.map(({ component, state: is }) => `${component} ${is}`)).toEqual(
            left.decisions.map(({ component, state: is }) => `${component} ${is}`),
          );
          const trainable = ({ plan }: typeof left) =>
            plan.phases.map(({ fromStep, entries }) => [
              fromStep,
              ...entries.filter((one) => one.trainable).map(({ name }) => name),
            ]);
          expect(trainable(right)).toEqual(trainable(left));
          const rules = ({ findings }: typeof left) =>
            findings.map(({ rule, severity }) => `${rule} ${severity}`).sort();
          expect(rules(right)).toEqual(rules(left));
        },
      ),
      { numRuns: 400 },
    );
  });

  it("decides every parameter exactly once in every phase, or leaves its component undecided with an error", () => {
    fc.assert(
      fc.property(settings, (list) => {
        const { decisions, plan, findings } = compile(list);
        const decided = decisions.filter(({ state: is }) => is !== "undecided").map(({ component }) => component);
        for (const { entries } of plan.phases) {
          const names = entries.map(({ name }) => name);
          expect(new Set(names).size).toBe(names.length);
          expect([...new Set(entries.map(({ component }) => component))].sort()).toEqual([...decided].sort());
          expect(names).toEqual(
            parameters
              .map(({ name }) => name)
              .filter((name) => decided.some((component) => name.startsWith(`${component}.`))),
          );
        }
        if (decided.length < decisions.length) expect(findings.some(({ severity }) => severity === "error")).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("never lets a preset change what an explicit setting decided", () => {
    fc.assert(
      fc.property(settings, (list) => {
        const own = list.filter((setting) => setting.origin === "explicit");
        const [all, alone] = [compile(list), compile(own)];
        for (const [index, decision] of alone.decisions.entries()) {
          if (decision.settings[0]!.origin === "explicit" && decision.state !== "undecided")
            expect(all.decisions[index]!.state).toBe(decision.state);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe("patterns, for random names", () => {
  const segment = fc.constantFrom("layers", "layer", "1", "10", "mlp", "q_proj");
  const name = fc.array(segment, { minLength: 1, maxLength: 6 });

  it("match exactly the runs of whole segments", () => {
    fc.assert(
      fc.property(name, name, (segments, pattern) => {
        const text = (list: readonly string[]) => `/${list.join("/")}/`;
        expect(matchesPattern(segments.join("."), pattern.join("."))).toBe(text(segments).includes(text(pattern)));
      }),
      { numRuns: 1000 },
    );
  });

  it("take any one segment for a star", () => {
    fc.assert(
      fc.property(name, fc.nat(), (segments, position) => {
        const starred = segments.map((one, index) => (index === position % segments.length ? "*" : one));
        expect(matchesPattern(segments.join("."), starred.join("."))).toBe(true);
        expect(matchesPattern(segments.join("."), [...starred, "*"].join("."))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
