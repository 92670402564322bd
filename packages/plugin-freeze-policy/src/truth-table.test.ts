import { describe, expect, it } from "vitest";
import { STUB_COMPONENTS, stubParameters } from "../../../test/support/stub-model.js";
import { compilePolicy } from "./deciding/policy.js";

/**
 * The written truth table: state and errors of one component, by flag (`-` absent, `T` true, `F` false), shortcut (the
 * same) and `components` entry. A shortcut of false is the same as an absent one. States: F frozen, T train, P partial,
 * A adapter, ? undecided. Errors: sc shortcut-contradicts-flag, ft frozen-and-trained, sf setting-for-frozen-component,
 * af adapter-and-full; n is the note for a setting that repeats the shortcut.
 *
 * entry:                none      frozen     train        partial      lora
 */
const TOWER = `
flag - shortcut -   |    F     |    F     |    T        |    P        |   A
flag - shortcut T   |    F     |    F n   |    ? sc     |    ? sc     |   ? sf
flag T shortcut -   |    F     |    F     |    ? ft     |    ? ft     |   ? sf
flag T shortcut T   |    F n   |    F n n |    ? sc ft n|    ? sc ft n|   ? sf sf n
flag F shortcut -   |    T     |    ? ft  |    T        |    P        |   ? af
flag F shortcut T   |    ? sc  | ? n ft sc|    ? sc sc  |    ? sc sc  |   ? af sf sc
`;
const PROJECTOR = `
flag - shortcut -   |    F     |    F     |    T        |    P        |   A
flag - shortcut T   |    T     |    ? sc  |    T n      |    P        |   ? af
flag T shortcut -   |    F     |    F     |    ? ft     |    ? ft     |   ? sf
flag T shortcut T   |    ? sc  |    ? sc sc |  ? ft n sc|    ? ft sc  |   ? sf af sc
flag F shortcut -   |    T     |    ? ft  |    T        |    P        |   ? af
flag F shortcut T   |    T n   | ? ft sc n|    T n n    |    P n      |   ? af af n
`;
const LANGUAGE_MODEL = TOWER.replace("flag - shortcut -   |    F ", "flag - shortcut -   |    T ");

const TABLES: Readonly<Record<string, string>> = {
  vision_tower: TOWER,
  multi_modal_projector: PROJECTOR,
  language_model: LANGUAGE_MODEL,
};
const FLAG: Readonly<Record<string, string>> = {
  vision_tower: "freeze_vision_tower",
  multi_modal_projector: "freeze_multi_modal_projector",
  language_model: "freeze_language_model",
};
const STATES: Readonly<Record<string, string>> = {
  F: "frozen",
  T: "train",
  P: "partial",
  A: "adapter",
  "?": "undecided",
};
const CODES: Readonly<Record<string, string>> = {
  sc: "shortcut-contradicts-flag error",
  n: "shortcut-contradicts-flag note",
  ft: "frozen-and-trained error",
  sf: "setting-for-frozen-component error",
  af: "adapter-and-full error",
};
const ENTRIES: readonly unknown[] = [undefined, "frozen", "train", { match: ["weight"] }, { lora: { rank: 4 } }];
const VALUES = [undefined, true, false] as const;

/** The cell of the written table. */
function lookUp(
  component: string,
  flag: boolean | undefined,
  shortcut: boolean | undefined,
  entry: number,
): { readonly state: string; readonly findings: readonly string[] } {
  const letter = (value: boolean | undefined) => (value === undefined ? "-" : value ? "T" : "F");
  const head = `flag ${letter(flag)} shortcut ${shortcut === true ? "T" : "-"}`;
  const row = TABLES[component]!.split("\n").find((line) => line.startsWith(head))!;
  const [state, ...codes] = row.split("|")[entry + 1]!.trim().split(/\s+/);
  return { state: STATES[state!]!, findings: codes.map((code) => CODES[code]!) };
}

const components = Object.keys(FLAG);
const parameters = stubParameters({
  added: components.map((component) => ({
    name: `${component}.lora_A.weight`,
    shape: [2, 2],
    dtype: "F32",
    component,
  })),
});
const placed: readonly (readonly [string | undefined, number])[] = [
  [undefined, 0],
  ...components.flatMap((component) => [1, 2, 3, 4].map((entry) => [component, entry] as const)),
];

describe("every combination of flags, shortcut and one components entry", () => {
  for (const [target, entry] of placed) {
    it(
      "agrees with the written table with " +
        `${target === undefined ? "no entry" : `components.${target}: ${JSON.stringify(ENTRIES[entry])}`}`,
      () => {
        for (const tower of VALUES)
          for (const projector of VALUES)
            for (const language of VALUES)
              for (const shortcut of VALUES) {
                const flags = {
                  freeze_vision_tower: tower,
                  freeze_multi_modal_projector: projector,
                  freeze_language_model: language,
                };
                const section: Record<string, unknown> = { ...flags, train_mm_proj_only: shortcut };
                if (target !== undefined) section["components"] = { [target]: ENTRIES[entry] };
                const settings = Object.entries(section).map(([key, value]) => ({
                  path: `freeze.${key}`,
                  value,
                  origin: "explicit" as const,
                }));
                const policy = compilePolicy({ settings, components: STUB_COMPONENTS, parameters });
                const cells = components.map((component) =>
                  lookUp(
                    component,
                    flags[FLAG[component] as keyof typeof flags],
                    shortcut,
                    component === target ? entry : 0,
                  ),
                );
                const states = cells.map(({ state }) => state);
                const expected = cells.flatMap(({ findings }) => findings);
                if (states.every((state) => state === "frozen")) expected.push("nothing-trains error");
                const label = JSON.stringify(section);
                expect(
                  policy.decisions.map(({ state }) => state),
                  label,
                ).toEqual(states);
                expect(policy.findings.map(({ rule, severity }) => `${rule} ${severity}`).sort(), label).toEqual(
                  expected.sort(),
                );
              }
      },
    );
  }
});
