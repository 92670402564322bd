import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { thaw } from "../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../test-support/work-folder.js";
import { sourceName } from "./config/data-section.js";
import { eventWriter } from "./record/events.js";
import { errorText } from "./main.js";
import { openTarget } from "./running/run-folder.js";
import { median } from "./running/saving.js";
import { memoryTerminal } from "./terminal/terminal.js";

const checkpoint = fileURLToPath(new URL("../../../test/fixtures/goldens/llava", import.meta.url));
let work: WorkFolder;

beforeEach(() => {
  work = enterWorkFolder("thaw-cli-");
  writeFileSync("thaw.config.yaml", `model: ${checkpoint}\nfreeze:\n  train_mm_proj_only: true\n`);
});
afterEach(() => work.leave());

describe("plan and check", () => {
  it("print the plan and no finding", async () => {
    const { code, out, err } = await thaw("plan");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/vision_tower\s+38,704\s+frozen\s+prefix/);
    expect(out).toMatch(/multi_modal_projector\s+2,368\s+trainable\s+trained/);
    expect(out).toContain("Checker: no conflicts.");
  });

  it("give scripts the documented shapes alone", async () => {
    const planned = JSON.parse((await thaw("plan", "--json", "--at-step", "3")).out) as {
      hash: string;
      components: unknown[];
      parameters: Record<string, unknown>[];
    };
    expect(Object.keys(planned)).toEqual(["hash", "components", "parameters"]);
    expect(planned.components[1]).toEqual({
      name: "multi_modal_projector",
      state: "train",
      flows: ["trained"],
      parameterCount: 2368,
      reason: expect.stringContaining("train_mm_proj_only") as string,
    });
    expect(planned.parameters[0]).toEqual({
      name: expect.any(String) as string,
      component: expect.any(String) as string,
      trainable: expect.any(Boolean) as boolean,
      group: expect.any(String) as string,
      reason: expect.any(String) as string,
    });
    expect(JSON.parse((await thaw("check", "--json")).out)).toEqual({ findings: [] });
  });

  it("take a config's path, and --set on top of it", async () => {
    mkdirSync("deep");
    writeFileSync("deep/mine.yaml", `model: ${checkpoint}\n`);
    const { code, out } = await thaw(
      "plan",
      "deep/mine.yaml",
      "--set",
      "freeze.freeze_language_model=true",
      "--set",
      "freeze.freeze_multi_modal_projector=false",
    );
    expect(code).toBe(0);
    expect(out).toMatch(/language_model\s+38,560\s+frozen/);
  });

  it("end with 1 for an error finding, which names both sides", async () => {
    const { code, out } = await thaw("check", "--set", "freeze.freeze_vision_tower=false");
    expect(code).toBe(1);
    expect(out).toContain("shortcut-contradicts-flag");
    expect(out).toContain("thaw.config.yaml:3");
  });
});

describe("config", () => {
  it("prints every value with its origin", async () => {
    const { code, out } = await thaw("config", "--set", "seed=7");
    expect(code).toBe(0);
    expect(out).toMatch(/freeze\.train_mm_proj_only: true\s+# thaw\.config\.yaml:3/);
    expect(out).toMatch(/seed: 7\s+# --set or program/);
    expect(out).toMatch(/training\.microBatchSize: 8\s+# default/);
  });

  it("prints a schema with the sections of all plugins, also without a config", async () => {
    rmSync("thaw.config.yaml");
    const schema = JSON.parse((await thaw("config", "--schema")).out) as {
      properties: Record<string, { properties?: Record<string, unknown> }>;
    };
    for (const key of ["model", "data", "training", "freeze", "checks", "projectorOnly", "projector_only", "backend"])
      expect(schema.properties).toHaveProperty(key);
    expect(schema.properties["freeze"]?.properties).toHaveProperty("train_mm_proj_only");
  });
});

describe("a config in TypeScript", () => {
  it("imports defineConfig from a folder that has not installed Thaw", async () => {
    rmSync("thaw.config.yaml");
    writeFileSync(
      "thaw.config.ts",
      `import { defineConfig } from "@thaw/cli";\nexport default defineConfig({\n  model: ` +
        `${JSON.stringify(checkpoint)},\n  freeze: { trainMmProjOnly: true, freezeVisionTower: false },\n});\n`,
    );
    const { code, out } = await thaw("check");
    expect(code).toBe(1);
    expect(out).toContain("freeze.freezeVisionTower: false (thaw.config.ts:4, explicit)");
  });
});

describe("usage", () => {
  it("shows help with examples and fails with 2 on what it does not know", async () => {
    const help = await thaw("--help");
    expect([help.code, help.err]).toEqual([0, ""]);
    expect(help.out).toContain("thaw train --resume");
    const trainHelp = (await thaw("train", "--help")).out;
    expect(trainHelp).toContain("Ctrl-C");
    expect(trainHelp).not.toContain("[]");
    const unknown = await thaw("chekc");
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain("Did you mean check?");
    expect((await thaw("plan", "--at-step", "soon")).code).toBe(2);
  });

  it("prints errors in three parts with their code, and stacks only on demand", async () => {
    const { code, err } = await thaw("check", "gone.yaml");
    expect(code).toBe(1);
    expect(err).toMatch(
      /^error The config cannot be read: .* At .*gone\.yaml\. Check the path .*\[THAW_CONFIG_UNREADABLE\]$/,
    );
    expect((await thaw("check", "gone.yaml", "--debug")).err).toContain("caused by");
    const bug = errorText(new TypeError("x is undefined"), memoryTerminal(), false);
    expect(bug).toContain("--debug");
    expect(bug).not.toContain("at ");
  });
});

describe("parts", () => {
  it("names evaluation sets after what they hold", () => {
    expect(["iconify:twemoji", "/x/test.jsonl"].map((name) => sourceName(name))).toEqual(["twemoji", "test"]);
    expect(sourceName({ type: "iconify", set: "noto", concepts: "unseen", background: "#ffffff" })).toBe("noto-unseen");
  });
  it("takes the middle time", () => expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2]));
  it("writes events as lines of JSON, and none when they are off", () => {
    const terminal = memoryTerminal();
    eventWriter(terminal, true).write("step", { step: 1, loss: Number.NaN });
    eventWriter(terminal, false).write("step", { step: 2 });
    expect(terminal.outText()).toBe('{"event":"step","step":1,"loss":"NaN"}');
  });
  it("tells runs from checkpoints", async () => {
    expect(await openTarget(checkpoint, { backend: "cpu" })).toMatchObject({ kind: "checkpoint", folder: checkpoint });
    mkdirSync("run/checkpoints/step-2", { recursive: true });
    await expect(openTarget("run")).rejects.toMatchObject({ code: "THAW_CLI_NOT_A_RUN" });
    writeFileSync("run/plan.json", "{}");
    await expect(openTarget("run")).rejects.toMatchObject({ code: "THAW_CLI_RUN_NOT_FINISHED" });
    writeFileSync("run/config.json", JSON.stringify({ model: checkpoint }));
    writeFileSync("run/checkpoints/step-2/trained.safetensors", "");
    expect(await openTarget("run/checkpoints/step-2")).toMatchObject({
      kind: "run",
      folder: join(work.path, "run"),
      trained: join(work.path, "run/checkpoints/step-2/trained.safetensors"),
    });
  });
});
