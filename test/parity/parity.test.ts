import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { openSafetensors } from "@thaw/safetensors";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { isHere } from "../support/backends.js";
import { compareFolder } from "./parity.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LLAVA = "test/fixtures/goldens/llava";
const GOLDENS = "test/fixtures/goldens";
const folders = readdirSync(join(root, GOLDENS), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => `${GOLDENS}/${name}`)
  .concat("test/fixtures/llava_options");
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

/** Dawn finds an adapter of the processor in what Debian's Chromium brings, where no card is. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (isHere("webgpu") && existsSync(SWIFTSHADER))
  it("WebGPU computes what transformers computes, to the end of every run", () => {
    process.env["VK_ICD_FILENAMES"] ??= SWIFTSHADER;
    const { status, lines } = command(LLAVA, "--backend", "webgpu");
    expect(lines.filter((line) => !line.startsWith("pass"))).toEqual([]);
    expect({ status, areAll: lines.length > 80 }).toEqual({ status: 0, areAll: true });
  });

/** Folders that are compared on the plain processor too: those that are quick there. All are by `npm run parity`. */
const ON_CPU = ["llava", "llava_options", "lfm2_vl", "voxtral"];
const backendsOf = (folder: string): readonly string[] =>
  ON_CPU.some((name) => folder.endsWith(`/${name}`)) ? ["wasm", "cpu"] : ["wasm"];

describe.each(folders.flatMap((folder) => backendsOf(folder).map((backend) => ({ folder, backend }))))(
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
      const facts = JSON.parse(await readFile(join(root, folder, "golden.json"), "utf8")) as {
        greedy?: object;
        multi?: { text?: object };
      };
      const hasMulti = facts.multi?.text !== undefined;
      expect(compared).toEqual([
        names.includes("in.pixel_values") ? "pixel_values" : "input_features",
        "prompt_ids",
        "labels",
        ...(hasMulti ? ["multi/labels"] : []),
        ...names.filter((name) => /^out\.(?:image|audio)_features$/u.test(name)).map((name) => name.slice(4)),
        ...names.filter((name) => name.startsWith("out.deepstack_features.")).map((name) => name.slice(4)),
        "logits",
        "loss",
        "grad_norm",
        ...names.filter((name) => name.startsWith("grad.")),
        ...(facts.greedy === undefined ? [] : ["greedy"]),
        ...(hasMulti ? ["multi/logits", "multi/loss"] : []),
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
    const { status, lines, errors } = command(unknown, wrong, "--json");
    expect([status, errors]).toEqual([1, ""]);
    const failed = lines
      .map((line) => JSON.parse(line) as { folder: string; quantity: string; maxError?: number; pass: boolean })
      .filter(({ pass }) => !pass);
    expect(failed[0]).toEqual({
      folder: unknown,
      quantity: "open",
      pass: false,
      error: expect.stringMatching(/^THAW_[A-Z_]+: .*unheard_of.*llava/u) as string,
    });
    expect(failed.slice(1).map(({ quantity }) => quantity)).toEqual(["loss", "projector/losses"]);
    expect(failed[2]!.maxError).toBe(Number.MAX_VALUE);
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
