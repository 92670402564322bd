import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startHub, type HubServer, type ServedRepository } from "../../../hub/test-support/hub-server.js";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const LLAVA = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
const README = bytes("---\nlicense: mit\n---\n");
const MODEL: ServedRepository = { files: { ...filesOf(LLAVA, /^(?!golden|image)/), "README.md": README } };
const RUN = {
  freeze: { train_mm_proj_only: true },
  training: { max_steps: 1, micro_batch_size: 2, save_every_steps: 1 },
  data: { workers: 0, captions: false },
  backend: "cpu",
  seed: 1,
};

let hub: HubServer;
let work: WorkFolder;
const before = { ...process.env };

beforeAll(async () => {
  const rows = [0, 1].map((at) => JSON.stringify({ image: `image${at}.png`, caption: `a picture ${at}` }));
  const pictures = filesOf(LLAVA, /^image/);
  hub = await startHub({
    "models/org/llava": { files: { ...MODEL.files, "modeling.py": bytes("x"), "pytorch_model.bin": bytes("x") } },
    "datasets/org/pics": {
      files: { ...pictures, "train.jsonl": bytes(`${rows.join("\n")}\n`), "load.py": bytes("x") },
    },
    "datasets/org/llava": { files: { ...pictures, "train.jsonl": bytes(`${rows.join("\n")}\n`) } },
    "models/org/gated": { ...MODEL, access: "gated" },
  });
});
afterAll(() => hub.close());
beforeEach(() => {
  work = enterWorkFolder("thaw-hub-");
  hub.seen.length = 0;
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HOME: join(work.path, "hf"), HF_HUB_OFFLINE: "" });
});
afterEach(() => {
  work.leave();
  process.env = { ...before };
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function filesOf(folder: string, names: RegExp): Record<string, Uint8Array> {
  return Object.fromEntries(
    readdirSync(folder)
      .filter((name) => names.test(name))
      .map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]),
  );
}

function write(config: object): void {
  writeFileSync("thaw.config.json", JSON.stringify({ ...RUN, ...config }));
}

const served = (): readonly string[] => hub.seen.flatMap(({ range, place }) => (place === "hub" ? [] : (range ?? [])));

describe("a model that is named on the hub", () => {
  it("is planned and checked by its headers, and what training would fetch is told", async () => {
    write({ model: "org/llava" });
    const plan = await thaw("plan");
    expect(plan).toMatchObject({ code: 0, err: "" });
    expect(plan.out).toMatch(/multi_modal_projector\s+2,368\s+trainable\s+trained/);
    expect(served()).toEqual(["bytes=0-131071"]);
    const check = await thaw("check", "--json");
    const { findings } = JSON.parse(check.out) as { findings: readonly { severity: string; message: string }[] };
    expect(findings.map(({ severity }) => severity)).toEqual(["note"]);
    expect(findings[0]!.message).toMatch(
      /^Training fetches 1 file of org\/llava from the hub first, 328 kB, into .*hub; \d of/,
    );
    expect((await thaw("why", "multi_modal_projector")).out).toContain("train_mm_proj_only");
  });

  it.each([
    ["org/none", "error", /knows no org\/none/],
    ["org/llava@v2", "error", /no revision "v2"/],
    ["org/gated", "error", /Accept it there/],
    ["hub:org/llava/part", "error", /A model is all of its repository/],
  ])("%s is a finding: %s", async (model, severity, message) => {
    write({ model });
    const { code, out } = await thaw("check", "--json");
    const { findings } = JSON.parse(out) as { findings: readonly { severity: string; message: string }[] };
    expect([code, findings.map((one) => one.severity)]).toEqual([severity === "error" ? 1 : 0, [severity]]);
    expect(findings[0]!.message).toMatch(message);
  });

  it("is a note where the hub is not reached, and an error when it is to be trained", async () => {
    process.env["HF_ENDPOINT"] = "http://127.0.0.1:9";
    write({ model: "org/llava", data: { ...RUN.data, train: "hub:org/pics/train.jsonl" } });
    const { code, out } = await thaw("check");
    expect(code).toBe(0);
    expect(out).toContain("What needs a checkpoint was not checked. The hub cannot be reached");
    expect(out).toContain("What needs its data was not checked.");
    process.env["HF_HUB_OFFLINE"] = "1";
    const train = await thaw("train");
    expect(train.code).toBe(1);
    expect(train.err).toMatch(/org\/llava is not in the cache, and HF_HUB_OFFLINE is set/);
  });

  it("is a folder where one is there", async () => {
    mkdirSync("org");
    write({ model: "org/llava" });
    expect((await thaw("check")).out).toContain(join(work.path, "org", "llava"));
    expect(hub.seen).toEqual([]);
  });

  it("of another tool's config is checked by its headers", async () => {
    writeFileSync("lf.yaml", "model_name_or_path: org/llava\nfinetuning_type: freeze\nfreeze_trainable_layers: 40\n");
    const { out } = await thaw("check", "lf.yaml", "--json");
    expect(out).toMatch(/freeze_trainable_layers.*2/);
    expect(served()).toEqual(["bytes=0-131071"]);
    const converted = await thaw("convert", "lf.yaml");
    expect(converted.out).toContain("model: org/llava");
  });
});

describe("training", () => {
  it("fetches model and data before it begins, pins their commits, and goes on without a network", async () => {
    const data = { ...RUN.data, train: "hub:org/pics", evaluation: "hub:org/pics" };
    write({
      model: "org/llava",
      data: {
        ...data,
        train: { type: "captions", path: "hub:org/pics/train.jsonl", images: "hub:org/pics" },
        evaluation: { type: "captions", path: "hub:org/pics/train.jsonl", images: "hub:org/pics" },
      },
    });
    const trained = await thaw("train", "--quiet");
    expect(trained).toMatchObject({ code: 0 });
    const run = join("runs", readdirSync("runs")[0]!);
    const saved = JSON.parse(readFileSync(join(run, "config.json"), "utf8")) as {
      model: string;
      data: { train: { path: string; images: string } };
    };
    expect(saved.model).toMatch(/^hub:org\/llava@[0-9a-f]{40}$/);
    expect(saved.data.train.path).toMatch(/^hub:org\/pics@[0-9a-f]{40}\/train\.jsonl$/);
    expect(
      readdirSync(join("hf", "hub"))
        .filter((name) => name !== ".locks")
        .sort(),
    ).toEqual(["datasets--org--pics", "models--org--llava"]);
    expect(hub.seen.some(({ url }) => /\.(py|bin)$/.test(url))).toBe(false);
    hub.seen.length = 0;
    const went = await thaw(
      "train",
      "--quiet",
      "--resume",
      run,
      "--set",
      "training.max_steps=2",
      "--accept-plan-change",
    );
    expect(went).toMatchObject({ code: 0, err: "" });
    const said = await thaw(
      "caption",
      join(LLAVA, "image0.png"),
      "--model",
      run,
      "--backend",
      "cpu",
      "--max-new-tokens",
      "1",
    );
    expect(said).toMatchObject({ code: 0, err: "" });
    const measured = await thaw("evaluate", run, "--quiet", "--json", "--max-new-tokens", "1", "--backend", "cpu");
    expect(measured).toMatchObject({ code: 0 });
    expect(hub.seen).toEqual([]);

    // What was trained is pushed: with a card, as a whole model or as its adapters
    process.env["HF_TOKEN"] = "hf_member";
    const dry = await thaw("push", run, "org/mine", "--dry-run", "--backend", "cpu");
    expect(dry).toMatchObject({ code: 0, err: "" });
    expect(dry.out).toMatch(/README\.md[^]*\n  config\.json[^]*model\.safetensors {2}\d+ kB[^]*Nothing was pushed/);
    expect(hub.commits).toEqual([]);
    const card = readFileSync("model-card.md", "utf8");
    expect(card).toMatch(
      /^---\nbase_model: org\/llava\nbase_model_relation: finetune\nlicense: mit\ndatasets:\n {2}- org\/pics\n/,
    );
    for (const text of [
      "| multi_modal_projector | train | 2,368 |",
      "1 steps",
      "bit for bit",
      "npx thaw train",
      "thaw: 0.",
    ])
      expect(card).toContain(text);
    expect(card).not.toContain(work.path);
    expect(await thaw("push", run, "org/mine", "--private", "--backend", "cpu")).toMatchObject({ code: 0 });
    expect(hub.created).toMatchObject([{ name: "mine", organization: "org", visibility: "private", type: "model" }]);
    expect(Math.max(...[...hub.uploads.values()].map(({ length }) => length))).toBeGreaterThan(300_000);
    mkdirSync(join(run, "final", "adapter"));
    for (const name of ["adapter_config.json", "adapter_model.safetensors", "notes.txt"])
      writeFileSync(join(run, "final", "adapter", name), "{}");
    expect(await thaw("push", run, "org/mine", "--revision", "lora")).toMatchObject({ code: 0 });
    const pushed = hub.commits.at(-1)! as {
      branch: string;
      lines: readonly { value: { path?: string; content?: string } }[];
    };
    expect(pushed.branch).toBe("lora");
    expect(pushed.lines.flatMap(({ value }) => value.path ?? [])).toEqual([
      "README.md",
      "adapter_config.json",
      "adapter_model.safetensors",
    ]);
    const text = Buffer.from(pushed.lines[1]!.value.content!, "base64").toString();
    expect(text).toContain("library_name: peft");
  });

  it("takes a model and a data set of one name each for what it is", async () => {
    const train = { type: "captions", path: "hub:org/llava/train.jsonl", images: "hub:org/llava" };
    write({ model: "org/llava", data: { ...RUN.data, train } });
    expect(await thaw("train", "--quiet")).toMatchObject({ code: 0 });
    expect((await thaw("plan")).out).toMatch(/multi_modal_projector\s+2,368\s+trainable/);
  });

  it("of a plan that is refused fetches no weight", async () => {
    write({
      model: "org/llava",
      freeze: { freeze_all: true, freezeit: 1 },
      data: { ...RUN.data, train: "hub:org/pics" },
    });
    expect((await thaw("train", "--quiet")).code).toBe(1);
    expect(hub.seen.filter(({ url }) => url.endsWith("model.safetensors")).map(({ range }) => range)).toEqual([
      "bytes=0-131071",
    ]);
  });
});

it("captions and chats with a model by its name, with lines for a progress bar", async () => {
  const args = ["--backend", "cpu", "--max-new-tokens", "1"];
  const said = await thaw("caption", join(LLAVA, "image0.png"), "--model", "org/llava", ...args);
  expect(said.code).toBe(0);
  expect(said.err).toMatch(/fetching org\/llava 3\d\d kB\/3\d\d kB/);
  const measured = await thaw(
    "evaluate",
    "org/llava",
    "--data",
    "{ type: captions, path: hub:org/pics/train.jsonl, images: hub:org/pics }",
    "--quiet",
    ...args,
  );
  expect(measured).toMatchObject({ code: 0 });
});
