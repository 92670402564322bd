import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { openSafetensors } from "@thaw/safetensors";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { compareFolder } from "./parity.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LLAVA = "test/fixtures/goldens/llava";
const folders = [LLAVA, "test/fixtures/llava_options"];
const made: string[] = [];
beforeAll(() => setBackend("cpu"));
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true });
});

async function copy(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thaw-parity-"));
  made.push(folder);
  await cp(join(root, LLAVA), folder, { recursive: true });
  return folder;
}

function command(...parameters: readonly string[]): {
  readonly status: number | null;
  readonly lines: readonly string[];
  readonly errors: string;
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/parity.mjs", ...parameters], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, lines: stdout.split("\n").filter((line) => line !== ""), errors: stderr };
}

describe.each(folders.flatMap((folder) => ["wasm", "cpu"].map((backend) => ({ folder, backend }))))(
  "$folder on $backend",
  ({ folder, backend }) => {
    it("is what transformers computes: inputs, outputs, gradients and both runs", async () => {
      const before = memory().numTensors;
      const compared: string[] = [];
      for await (const { quantity, maxError, tolerance, pass } of compareFolder(join(root, folder), backend)) {
        compared.push(quantity);
        expect(pass, `${quantity} is off by ${maxError}, allowed are ${tolerance}`).toBe(true);
      }
      const golden = await openSafetensors(join(root, folder, "golden.safetensors"));
      const names = [...golden.entries.keys()];
      await golden.close();
      expect(compared).toEqual([
        "pixel_values",
        "prompt_ids",
        "image_features",
        "logits",
        "loss",
        "grad_norm",
        ...names.filter((name) => name.startsWith("grad.")),
        "projector/losses",
        "projector/grad_norms",
        "projector/loss_after",
        ...names.filter((name) => name.startsWith("end.")).map((name) => `projector/${name}`),
        "projector_and_language_model/losses",
        "projector_and_language_model/grad_norms",
        "projector_and_language_model/loss_after",
      ]);
      expect(memory().numTensors).toBe(before);
    });
  },
);

describe("npm run parity", () => {
  it("prints one object per line and succeeds, wherever the folder lies", async () => {
    const folder = await copy();
    const { status, lines, errors } = command(folder, "--backend", "wasm", "--json");
    expect(errors).toBe("");
    expect(status).toBe(0);
    for (const line of lines)
      expect(JSON.parse(line)).toEqual({
        folder,
        quantity: expect.any(String) as string,
        maxError: expect.any(Number) as number,
        tolerance: expect.any(Number) as number,
        pass: true,
      });
  });

  it("fails where an architecture is unknown or a number is off, and goes on with the rest", async () => {
    const [unknown, wrong] = [await copy(), await copy()];
    await writeFile(join(unknown, "config.json"), '{"model_type":"unheard_of"}');
    const facts = JSON.parse(await readFile(join(wrong, "golden.json"), "utf8")) as {
      loss: number;
      runs: { projector: { losses: number[] } };
    };
    facts.loss += 3e-4;
    facts.runs.projector.losses.pop();
    await writeFile(join(wrong, "golden.json"), JSON.stringify(facts));
    const { status, lines, errors } = command(unknown, wrong);
    expect(status).toBe(1);
    expect(errors).toMatch(new RegExp(`^${unknown}: THAW_[A-Z_]+: .*unheard_of.*llava`));
    const failed = lines.filter((line) => !line.startsWith("pass"));
    expect(failed.map((line) => line.split("  ").at(-1))).toEqual(["loss", "projector/losses"]);
    expect(failed[1]).toContain("1.80e+308");
    expect(lines.length).toBeGreaterThan(60);
  });

  it("explains its use", () => {
    for (const parameters of [[], ["--backwards"]]) {
      const { status, errors } = command(...parameters);
      expect(status).toBe(2);
      expect(errors).toContain("npm run parity -- <golden folder>");
    }
  });
});
