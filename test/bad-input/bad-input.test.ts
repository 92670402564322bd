import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Workspace, type Outcome } from "./thaw.js";

const FULL_DISK = fileURLToPath(new URL("./full-disk.mjs", import.meta.url));
const caption = (image: unknown, text = "a cat"): string => JSON.stringify({ image, caption: text });

let work: Workspace;
beforeEach(() => void (work = new Workspace()));
afterEach(() => work.remove());

/** A refusal: code 1, the error's code, words of the message, no stack, no result, no run folder. */
function expectRefused(outcome: Outcome, code: string, ...words: readonly string[]): void {
  expect(outcome.stderr).toContain(code);
  for (const word of words) expect(outcome.stderr).toContain(word);
  expect(outcome.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(outcome.code).toBe(1);
  expect(work.runs()).toEqual([]);
}

describe("data", () => {
  it("names the line of a missing image before anything is trained", async () => {
    work.write("train.jsonl", [caption("image0.png"), caption("gone.png")].join("\n"));
    expectRefused(await work.run(["train"]), "THAW_DATA_IMAGE_MISSING", "gone.png", "train.jsonl:2");
  });

  it("names the sample of a broken image, and leaves no run of zero steps", async () => {
    work.write("broken.png", "this is not a picture");
    work.write("train.jsonl", [caption("broken.png"), caption("broken.png")].join("\n"));
    expectRefused(await work.run(["train"]), "THAW_DATA_IMAGE_BROKEN", "broken.png", "train.jsonl:");
  });

  it("names the line of a sample without an image", async () => {
    work.write("train.jsonl", [caption("image0.png"), JSON.stringify({ caption: "a cat" })].join("\n"));
    expectRefused(await work.run(["train"]), "THAW_DATA_", "train.jsonl:2", "image");
  });

  it("names a caption that is longer than the context, with both lengths", async () => {
    work.write("train.jsonl", [caption("image0.png"), caption("image1.png", "a cat on a mat ".repeat(40))].join("\n"));
    work.config("", "max_steps: 3, micro_batch_size: 2, max_length: 64");
    expectRefused(await work.run(["train"]), "THAW_DATA_TOO_LONG", "train.jsonl:2", "64");
  });

  it("knows the model's own context where no length is given", async () => {
    work.write("train.jsonl", [caption("image0.png"), caption("image1.png", "a cat on a mat ".repeat(400))].join("\n"));
    expectRefused(await work.run(["train"]), "THAW_DATA_TOO_LONG", "train.jsonl:2");
  });

  it("names the line of JSON that cannot be read", async () => {
    work.write("train.jsonl", [caption("image0.png"), "{ half"].join("\n"));
    expectRefused(await work.run(["train"]), "THAW_DATA_FILE_MALFORMED", "train.jsonl:2");
  });
});

describe("config", () => {
  it("reports an unknown key and a wrong type at once, with places and near names", async () => {
    work.config("outptu: ./x\n", "max_steps: many, micro_batch_size: 2");
    const outcome = await work.run(["train"]);
    expect(outcome.stderr).toContain(
      "Unknown key outptu at the top level (thaw.config.yaml:7:1). The nearest known key is output.",
    );
    expect(outcome.stderr).toMatch(
      /training\.max_steps is "many" \(a text\), but a number is expected\s+\(thaw\.config\.yaml:4:24\)/,
    );
    expect(outcome.code).toBe(1);
    expect(work.runs()).toEqual([]);
  });

  it("gives the same as findings of the rule config to scripts", async () => {
    work.config("outptu: ./x\n");
    const { code, stdout } = await work.run(["check", "--json"]);
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as { findings: unknown[] }).findings).toEqual([
      {
        rule: "config",
        severity: "error",
        message: expect.stringContaining("outptu") as string,
        fix: "Write output.",
        settings: [
          { path: "outptu", value: "./x", origin: "explicit", file: join(work.folder, "thaw.config.yaml"), line: 7 },
        ],
      },
    ]);
  });

  it("refuses contradictory freeze settings before data is opened", async () => {
    work.write("train.jsonl", "not even JSON");
    work.write(
      "thaw.config.yaml",
      "model: ./model\ndata: { train: ./train.jsonl }\nfreeze: { train_mm_proj_only: true, freeze_vision_tower: " +
        "false }\ntraining: { max_steps: 3 }\nbackend: wasm\n",
    );
    const outcome = await work.run(["train"]);
    expect(outcome.stderr).toContain("shortcut-contradicts-flag");
    expect(outcome.stderr).not.toContain("THAW_DATA");
    expect(outcome.code).toBe(1);
  });

  it("tells wrong use of the command line by code 2", async () => {
    for (const args of [["trian"], ["train", "--nope"], ["plan", "--at-step", "x"], ["evaluate"]]) {
      const { code, stderr, stdout } = await work.run(args);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).not.toBe("");
    }
  });
});

describe("checkpoint", () => {
  it("names a missing tensor", async () => {
    await work.tensors({ "multi_modal_projector.linear_2.bias": undefined });
    const outcome = await work.run(["train"]);
    expect(outcome.stderr).toMatch(/multi_modal_projector\.linear_2\.bias/);
    expect(outcome.code).toBe(1);
    expect(work.runs()).toEqual([]);
  });

  it("names a misshaped tensor with both shapes", async () => {
    await work.tensors({ "multi_modal_projector.linear_2.bias": [16] });
    const outcome = await work.run(["train"]);
    expect(outcome.stderr).toMatch(/multi_modal_projector\.linear_2\.bias[\s\S]*16[\s\S]*32/);
    expect(outcome.code).toBe(1);
  });

  it("says what is wrong with a path that is not a model, run or image", async () => {
    expectRefused(
      await work.run(["evaluate", "nowhere", "--data", "iconify:twemoji"]),
      "THAW_CLI_NOT_A_RUN",
      "nowhere",
    );
    expectRefused(
      await work.run(["caption", "gone.png", "--model", "model", "--backend", "cpu"]),
      "THAW_DATA_IMAGE_MISSING",
      "gone.png",
    );
  });
});

describe("disk and interruption", () => {
  it("refuses an output folder that cannot be made", async () => {
    work.write("file", "");
    work.config("output: ./file/runs\n");
    const { code, stderr } = await work.run(["train"]);
    expect(stderr).toContain("THAW_CORE_RUN_FOLDER_UNWRITABLE");
    expect(code).toBe(1);
  });

  it("leaves whole files only when the disk fills up", async () => {
    work.config("", "max_steps: 6, micro_batch_size: 2, save_every_steps: 2");
    const { code, stderr } = await work.run(["train"], { preload: FULL_DISK, env: { FULL_DISK_BYTES: "60000" } });
    expect(stderr).toContain("no space left on device");
    expect(code).toBe(1);
    const [run] = work.runs();
    const files = run === undefined ? [] : work.files(run);
    expect(files.filter((file) => /tmp|partial|~/.test(file))).toEqual([]);
    for (const folder of new Set(
      files.filter((file) => file.startsWith("checkpoints/")).map((file) => file.split("/")[1]),
    )) {
      expect(
        files.filter((file) => file.startsWith(`checkpoints/${folder}/`)).map((file) => file.split("/")[2]),
      ).toEqual(["optimizer.safetensors", "state.json", "trained.safetensors"]);
    }
  });

  it("stops cleanly at Ctrl-C, and goes on to the same result", async () => {
    const training = "max_steps: 12, micro_batch_size: 2, learning_rate: 1e-2";
    work.config("", training);
    expect((await work.run(["train", "--quiet"])).code).toBe(0);
    const [whole] = work.runs();
    let isSent = false;
    const stopped = await work.run(["train", "--json"], {
      onOutput: (text, child) => {
        if (isSent || !text.includes('"event":"step"')) return;
        isSent = child.kill("SIGINT");
      },
    });
    expect(stopped.code).toBe(130);
    const resumed = /npx thaw train --resume (\S+)/.exec(stopped.stderr)?.[1] ?? "";
    const folders = new Set(work.files(resumed).flatMap((file) => /^checkpoints\/(step-\d+)\//.exec(file)?.[1] ?? []));
    // The one of the signal, and perhaps that of the end of an epoch of two steps before
    expect(folders.size === 1 || folders.size === 2).toBe(true);
    const { code, stdout } = await work.run(["train", "--resume", resumed]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(`Run: ${resumed}`);
    const final = "final/trained.safetensors";
    expect(
      work
        .read(join(resumed.slice(work.folder.length + 1), final))
        .equals(work.read(join(whole!.slice(work.folder.length + 1), final))),
    ).toBe(true);
  });
});
