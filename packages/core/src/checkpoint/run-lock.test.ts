import "@tensorflow/tfjs-backend-cpu";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runToy, toyTrainer } from "../toy/toy-trainer.js";
import { isRunHeld, LOCK_FILE, lockRun } from "./run-lock.js";

let tensors = 0;
let output: string;
beforeAll(async () => {
  await tf.setBackend("cpu");
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
  output = mkdtempSync(join(tmpdir(), "thaw-lock-"));
});
afterEach(() => {
  rmSync(output, { recursive: true, force: true });
  expect(tf.memory().numTensors).toBe(tensors);
});

function lockText(): { readonly pid: number; readonly host: string; readonly start?: string } {
  return JSON.parse(readFileSync(join(output, LOCK_FILE), "utf8")) as { pid: number; host: string };
}

describe("the lock of a run folder", () => {
  it("is one process's, until it is released", async () => {
    const release = await lockRun(output);
    expect(lockText()).toMatchObject({ pid: process.pid, host: hostname() });
    await expect(lockRun(output)).rejects.toMatchObject({
      code: "THAW_CORE_RUN_LOCKED",
      message: expect.stringContaining(`The process ${process.pid} on ${hostname()}`) as string,
    });
    await release();
    expect(readdirSync(output)).toEqual([]);
    await (
      await lockRun(output)
    )();
  });

  it("of a process that lives is kept, and of one that is gone taken over", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    writeFileSync(join(output, LOCK_FILE), JSON.stringify({ pid: child.pid, host: hostname() }));
    await expect(lockRun(output)).rejects.toMatchObject({ code: "THAW_CORE_RUN_LOCKED" });
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("exit", resolve));
    await (
      await lockRun(output)
    )();
    const gone = spawnSync(process.execPath, ["-e", "process.stdout.write(String(process.pid))"]);
    for (const text of [
      JSON.stringify({ pid: Number(gone.stdout), host: hostname() }),
      // The same number in another life of the container or machine
      JSON.stringify({ pid: process.pid, host: hostname(), start: "1-other" }),
      "",
      "half",
    ]) {
      writeFileSync(join(output, LOCK_FILE), text);
      expect(await isRunHeld(output)).toBe(false);
      const release = await lockRun(output);
      expect(lockText().pid).toBe(process.pid);
      expect(await isRunHeld(output)).toBe(true);
      await release();
    }
    writeFileSync(join(output, LOCK_FILE), JSON.stringify({ pid: 1, host: "elsewhere" }));
    await expect(lockRun(output)).rejects.toThrow(/1 on elsewhere.*remove the file run\.lock/);
    expect(await isRunHeld(output)).toBe(true);
  });

  it("is taken by one of many that ask at once", async () => {
    writeFileSync(join(output, LOCK_FILE), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }));
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => lockRun(output)));
    const taken = asked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(taken).toHaveLength(1);
    await taken[0]!();
  });

  it("removes what a killed process was writing, and nothing else", async () => {
    mkdirSync(join(output, "checkpoints", "step-5.77.tmp"), { recursive: true });
    mkdirSync(join(output, "checkpoints", "step-4"));
    mkdirSync(join(output, "final.1.tmp"));
    for (const name of [".plan.json.0a-1b.tmp", "notes.tmp", "plan.json"]) writeFileSync(join(output, name), "");
    await (
      await lockRun(output)
    )();
    expect(readdirSync(output).toSorted()).toEqual(["checkpoints", "notes.tmp", "plan.json"]);
    expect(readdirSync(join(output, "checkpoints"))).toEqual(["step-4"]);
  });

  it.each(["metrics.jsonl", "checkpoints"])("refuses a link to elsewhere in place of %s", async (name) => {
    symlinkSync(tmpdir(), join(output, name));
    await expect(lockRun(output)).rejects.toMatchObject({
      code: "THAW_CORE_RUN_FOLDER_LINKED",
      message: expect.stringContaining(name) as string,
    });
    rmSync(join(output, name));
    symlinkSync("inside", join(output, name));
    await expect(lockRun(output)).rejects.toMatchObject({ code: "THAW_CORE_RUN_FOLDER_LINKED" });
    writeFileSync(join(output, "inside"), "");
    await (
      await lockRun(output)
    )();
  });
});

describe("a run", () => {
  it("holds its folder while it trains, and frees it at its end, also after a failure", async () => {
    const options = { output, training: { maxSteps: 2, saveEverySteps: 1 } };
    const trainer = toyTrainer(options);
    let folder = "";
    trainer.hooks.afterStep.tapPromise("Second", async ({ runFolder }) => {
      folder = runFolder!;
      expect(readdirSync(folder)).toContain(LOCK_FILE);
      await expect(lockRun(folder)).rejects.toMatchObject({ code: "THAW_CORE_RUN_LOCKED" });
    });
    await trainer.run();
    expect(readdirSync(folder)).not.toContain(LOCK_FILE);
    const failing = toyTrainer({ ...options, training: { ...options.training, maxSteps: 4 } });
    failing.hooks.afterStep.tapPromise("Failing", async ({ runFolder, step }) => {
      folder = runFolder!;
      if (step === 1) throw new Error("no");
      await Promise.resolve();
    });
    await expect(failing.run()).rejects.toThrow("no");
    expect(readdirSync(folder)).not.toContain(LOCK_FILE);
    await runToy({ ...options, training: { ...options.training, maxSteps: 4 }, resume: { from: folder } });
  });
});
