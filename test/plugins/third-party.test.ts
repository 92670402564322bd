import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../packages/cli/src/config/load-config.js";
import { planRun } from "../../packages/cli/src/planning/plan-run.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;
beforeAll(async () => {
  // Inside the repository, so that node_modules is found as it is from a user's project.
  await mkdir(join(root, ".cache"), { recursive: true });
  folder = await mkdtemp(join(root, ".cache", "third-party-"));
  await symlink(join(root, "test/fixtures/goldens/llava"), join(folder, "checkpoint"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function plan(text: string) {
  const file = join(folder, "thaw.yaml");
  await writeFile(file, text);
  return planRun(await loadConfig(file, { folder }));
}

const config = (more: string): string => `model: ./checkpoint
plugins: [early-stopping, house-rules]
freeze: { train_mm_proj_only: true }
training:
  max_steps: 4
  learning_rate: 0.02
early_stopping: { evaluation: held, min_delta: 0.1 }
${more}`;

describe("third-party plugins in a config", () => {
  it("are found by their short names; their rules report file and line", async () => {
    const { findings, planned } = await plan(config(""));
    expect(findings.map(({ rule, severity }) => `${severity} ${rule}`)).toEqual(["warning high-rate-without-warmup"]);
    expect(findings[0]!.settings).toEqual([
      expect.objectContaining({
        path: "training.learning_rate",
        value: 0.02,
        file: join(folder, "thaw.yaml"),
        line: 6,
      }),
    ]);
    expect([...planned!.claims.keys()]).toEqual(expect.arrayContaining(["EarlyStoppingPlugin", "HouseRulesPlugin"]));
  });

  it("take severities for their rules like any other", async () => {
    const { findings } = await plan(config("checks: { rules: { high-rate-without-warmup: off } }"));
    expect(findings).toEqual([]);
  });

  it("have their options checked strictly, with the nearest name", async () => {
    const { findings } = await plan(config("").replace("min_delta", "min_dleta"));
    expect(findings.map(({ rule, severity }) => `${severity} ${rule}`)).toContain("error config");
    expect(
      findings.find(({ rule }) => rule === "config")!.message + findings.find(({ rule }) => rule === "config")!.fix,
    ).toMatch(/min_?delta/i);
  });
});
