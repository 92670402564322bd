import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../../report/test-support/sample-run.js";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

let work: WorkFolder;
beforeEach(() => {
  work = enterWorkFolder("thaw-runs-");
  writeSampleRun("runs/first");
  writeSampleRun("runs/second", { resumedAt: 120, score: 0.4 });
  writeSampleRun("runs/broken", { status: "failed", steps: 30 });
  writeSampleRun("runs/staged/1-align", { status: "interrupted", steps: 100 });
  const stages = ["align", "instruct"].map((name, index) => ({ name, folder: `${index + 1}-${name}`, config: {} }));
  writeFileSync("runs/staged/stages.json", JSON.stringify({ stages }));
  mkdirSync("runs/notes");
});
afterEach(() => work.leave());

describe("commands that look at runs", () => {
  it("write the report of a run in any state, and of each stage that has begun", async () => {
    const { code, out } = await thaw("report", "runs/broken");
    expect({ code, out: out.trim() }).toEqual({ code: 0, out: join(work.path, "runs/broken/report.html") });
    const staged = await thaw("report", "runs/staged", "--json");
    expect(JSON.parse(staged.out)).toEqual({ report: join(work.path, "runs/staged/1-align/report.html") });
    expect(existsSync("runs/staged/1-align/report.html")).toBe(true);
    expect(await thaw("report", "runs/notes")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/notes is not a run: it has no plan\.json\..*\[THAW_REPORT_NOT_A_RUN\]/) as string,
    });
  });

  it("list runs with status, steps, loss, time, data, plan and metric", async () => {
    const { out } = await thaw("runs");
    expect(out).toMatch(/^run +status +steps +loss +time +data +plan +metric\n/);
    expect(out).toMatch(/first +finished +200 +\d\.\d+ +48 s +noto +5f2d1c0e +0\.250 tokenF1 of captions\/twemoji\n/);
    expect(out).toMatch(/broken +failed +30 of 200 +/);
    expect(out).toMatch(/staged\/1-align +interrupted +100 of 200 /);
    const listed = (await thaw("runs", "runs", "--json")).out.trim().split("\n");
    expect(listed.map((line) => (JSON.parse(line) as { name: string }).name).toSorted()).toEqual([
      "broken",
      "first",
      "second",
      "staged/1-align",
    ]);
    expect((await thaw("runs", "runs/notes")).out).toBe("There is no run in runs/notes.");
    expect((await thaw("runs", "absent")).err).toContain("THAW_REPORT_NO_RUNS");
  });

  it("show where configs, plans, measurements and curves of two runs differ", async () => {
    const { out } = await thaw("compare", "runs/first", "runs/second");
    expect(out).toMatch(/setting +first +second\n─.*\ntraining\.learningRate +0\.01 +0\.005\n/);
    expect(out).toContain("The plans differ within components: see thaw plan --diff.");
    expect(out).toMatch(/captions\/twemoji tokenF1 +0\.25 +0\.4\n/);
    expect(out).toContain("The losses of the 200 steps that both made are the same.");
    const { out: json } = await thaw("compare", "runs/first", "runs/first", "--json");
    expect(JSON.parse(json)).toMatchObject({ config: [], plan: [], isSamePlan: true, curve: { steps: 200 } });
    expect(JSON.parse(json)).not.toHaveProperty("curve.differsFrom");
  });
});
