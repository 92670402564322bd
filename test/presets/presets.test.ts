import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../packages/cli/src/config/load-config.js";
import { planRun } from "../../packages/cli/src/planning/plan-run.js";
import { planConfig } from "../../packages/cli/src/planning/plan-stages.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
// In the repository, where a config finds the package as one of an installed Thaw does.
const folder = join(root, ".cache", "presets", String(process.pid));
const TRAINS: Readonly<Record<string, readonly string[]>> = {
  "llava-1.5-stage-1": ["multi_modal_projector"],
  "llava-1.5-stage-2": ["language_model", "multi_modal_projector"],
  "llama-factory": ["language_model"],
  "internvl2.5-stage-1": ["multi_modal_projector"],
  "internvl2.5-stage-1.5": ["multi_modal_projector", "vision_tower"],
  "internvl2.5-stage-2": ["language_model", "multi_modal_projector", "vision_tower"],
  "qwen-vl-kit": ["language_model"],
  nanovlm: ["language_model", "multi_modal_projector", "vision_tower"],
};
/** Presets of several stages: what each stage is, by name. */
const STAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "llava-1.5": { align: "llava-1.5-stage-1", instruct: "llava-1.5-stage-2" },
  "internvl2.5": { "warm-up": "internvl2.5-stage-1", tower: "internvl2.5-stage-1.5", instruct: "internvl2.5-stage-2" },
};

beforeAll(async () => {
  await mkdir(folder, { recursive: true });
  await symlink(join(root, "test/fixtures/goldens/llava"), join(folder, "checkpoint"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function planned(preset: string, more = "") {
  const file = join(folder, `${preset}.yaml`);
  await writeFile(file, `extends: "@thaw/presets/${preset}"\nmodel: ./checkpoint\n${more}`);
  const config = await loadConfig(file, { folder });
  const { planned: plan, findings } = await planRun(config);
  const trained = new Set(
    plan?.plan.phases[0]!.entries.filter(({ trainable }) => trainable).map(({ component }) => component),
  );
  return { config, findings, groups: plan?.groups ?? [], trained: [...trained].sort() };
}

describe("@thaw/presets", () => {
  it("lists every preset here and in its README, each with its source", () => {
    const names = readdirSync(join(root, "packages/presets/presets")).map((name) => name.replace(/\.yaml$/, ""));
    expect(names.sort()).toEqual([...Object.keys(TRAINS), ...Object.keys(STAGES)].sort());
    const readme = readFileSync(join(root, "packages/presets/README.md"), "utf8");
    for (const name of names) {
      expect(readme).toContain(`\`@thaw/presets/${name}\``);
      expect(readFileSync(join(root, "packages/presets/presets", `${name}.yaml`), "utf8")).toMatch(
        /^# Source: \S+\/\S+, .*commit [0-9a-f]{7}/m,
      );
    }
  });

  it.each(Object.entries(TRAINS))("%s trains what its source trains, without an error", async (preset, trains) => {
    const { trained, findings, config } = await planned(preset);
    expect(trained).toEqual(trains);
    // The last layer of the small model's tower is unused, so training the tower warns of dead parameters.
    expect(findings.filter(({ severity, rule }) => severity === "error" || rule !== "dead-parameter")).toEqual([]);
    expect(
      config.settings
        .filter(({ path }) => path.startsWith("freeze."))
        .every(({ origin, line }) => origin === "preset" && line !== undefined),
    ).toBe(true);
  });

  it.each(Object.entries(STAGES))(
    "%s has the stages of its source, to which data can be added",
    async (preset, stages) => {
      const file = join(folder, `${preset}.yaml`);
      const last = Object.keys(stages).at(-1)!;
      await writeFile(
        file,
        `extends: "@thaw/presets/${preset}"\nmodel: ./checkpoint\nstages: { ${last}: { data: { train: ` +
          "./own.jsonl } } }\n",
      );
      const { runs, findings } = await planConfig(await loadConfig(file, { folder }));
      expect(findings.filter(({ rule }) => rule !== "dead-parameter")).toEqual([]);
      const trained = runs.map(({ name, planning }) => [
        name,
        [
          ...new Set(
            planning
              .planned!.plan.phases[0]!.entries.filter(({ trainable }) => trainable)
              .map(({ component }) => component),
          ),
        ].sort(),
      ]);
      expect(Object.fromEntries(trained)).toEqual(
        Object.fromEntries(Object.entries(stages).map(([name, one]) => [name, TRAINS[one]])),
      );
      expect(runs.at(-1)!.config.data.train).toBe(join(folder, "own.jsonl"));
    },
  );

  it("gives the projector of nanoVLM its own rate", async () => {
    const { groups } = await planned("nanovlm");
    expect(Object.fromEntries(groups.map(({ name, learningRate }) => [name, learningRate]))).toEqual({
      vision_tower: 5e-5,
      multi_modal_projector: 0.00512,
      language_model: 5e-5,
    });
  });

  it("gives way to what the user writes, also under another key", async () => {
    const { trained, findings } = await planned("llava-1.5-stage-2", "freeze: { train_mm_proj_only: true }\n");
    expect(trained).toEqual(["multi_modal_projector"]);
    expect(findings).toEqual([]);
    const own = await planned("llava-1.5-stage-1", "freeze: { freeze_llm: false }\n");
    expect(own.trained).toEqual(["language_model", "multi_modal_projector"]);
  });

  it("warns where a preset's rate is for a component that the user froze", async () => {
    const { findings } = await planned(
      "nanovlm",
      "freeze: { freeze_multi_modal_projector: true, freeze_vision_tower: true }\n",
    );
    expect(findings.map(({ rule, severity }) => `${rule} ${severity}`)).toEqual([
      "setting-for-frozen-component warning",
    ]);
  });
});
