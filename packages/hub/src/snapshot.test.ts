import { existsSync, readFileSync } from "node:fs";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitOfFiles, gitHash, sha256, startHub, type HubServer } from "../test-support/hub-server.js";
import { parseHubName } from "./repository.js";
import type { Patience } from "./request.js";
import { dataFiles, MODEL_FILES } from "./selection.js";
import type { HubSettings } from "./settings.js";
import { fetchSnapshot, findSnapshot, type HubContext } from "./snapshot.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const weights = (seed: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed) % 251);
const SHARDED = {
  "config.json": bytes('{"model_type":"llava"}'),
  "tokenizer.json": bytes("{}"),
  "modeling_x.py": bytes("print('never')"),
  "model.safetensors.index.json": bytes(
    '{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}}',
  ),
  "model-1.safetensors": weights(1, 300_000),
  "model-2.safetensors": weights(2, 5000),
  "pytorch_model.bin": weights(3, 4000),
  "onnx/model.safetensors": weights(4, 4000),
};
const DATA = {
  "README.md": bytes("# data"),
  "load.py": bytes("raise SystemExit"),
  ".gitattributes": bytes("*.parquet filter=lfs"),
  "data/train-00000-of-00001.parquet": weights(5, 9000),
  "data/test-00000-of-00001.parquet": weights(6, 3000),
  "other/ünï code.jsonl": bytes("{}\n"),
};
const QUICK: Patience = { attempts: 3, pauseMs: 1, longestWaitSeconds: 2 };

let hub: HubServer;
let cache: string;
let notes: string[];
let progress: string[];

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "thaw-hub-"));
  hub = await startHub({
    "models/org/sharded": {
      files: SHARDED,
      revisions: { v1: commitOfFiles({ files: SHARDED }), "refs/pr/1": "ab".repeat(20) },
    },
    "models/org/gated": { files: SHARDED, access: "gated" },
    "models/org/private": { files: SHARDED, access: "private" },
    "models/org/pickled": { files: { "config.json": bytes("{}"), "pytorch_model.bin": weights(1, 10) } },
    "models/org/adapter": {
      files: { "adapter_config.json": bytes("{}"), "adapter_model.safetensors": weights(1, 10) },
    },
    "datasets/org/data": { files: DATA },
  });
  [notes, progress] = [[], []];
});
afterEach(async () => {
  await hub.close();
  await rm(cache, { recursive: true });
});

function context(settings: Partial<HubSettings> = {}): HubContext {
  return {
    settings: { endpoint: hub.endpoint, cache, isOffline: false, ...settings },
    patience: QUICK,
    onNote: (text) => void notes.push(text),
    progress: {
      begin: (label, total) => void progress.push(`${label} ${total}`),
      advance: (done) => void progress.push(String(done)),
      end: () => void progress.push("end"),
    },
  };
}

const model = (name: string) => parseHubName(name, "model");
const fetchModel = (name: string, settings: Partial<HubSettings> = {}) =>
  fetchSnapshot(model(name), MODEL_FILES, context(settings));
const contentRequests = () => hub.seen.filter(({ url, place }) => place === "storage" || url.includes("/resolve/"));

describe("a model", () => {
  it("comes in Hugging Face's layout: what is needed of it, and no code", async () => {
    const { folder, commit, missing } = await fetchModel("org/sharded");
    expect(missing).toEqual([]);
    const own = join(cache, "models--org--sharded");
    expect(folder).toBe(join(own, "snapshots", commitOfFiles({ files: SHARDED })));
    expect(readFileSync(join(own, "refs", "main"), "utf8")).toBe(commit);
    const needed = [
      "config.json",
      "model-1.safetensors",
      "model-2.safetensors",
      "model.safetensors.index.json",
      "tokenizer.json",
    ];
    expect((await readdir(folder)).sort()).toEqual(needed);
    for (const path of needed as (keyof typeof SHARDED)[]) {
      const content = SHARDED[path];
      const blob = content.length > hub.lfsFrom ? sha256(content) : gitHash(content);
      expect(await readlink(join(folder, path))).toBe(join("..", "..", "blobs", blob));
      expect(sha256(await readFile(join(folder, path)))).toBe(sha256(content));
    }
    const [label = "", total = ""] = progress[0]!.split(/ (?=\d+$)/);
    expect(label).toBe("fetching org/sharded");
    expect(progress.slice(-2)).toEqual([total, "end"]);
  });

  it("that is here is asked for its revision alone, and for nothing where that is a commit or offline", async () => {
    const { commit } = await fetchModel("org/sharded");
    for (const [name, settings, requests] of [
      ["org/sharded", {}, 1],
      ["org/sharded@v1", {}, 1],
      [`org/sharded@${commit}`, {}, 0],
      ["org/sharded", { isOffline: true }, 0],
      ["org/sharded@v1", { isOffline: true }, 0],
    ] as const) {
      hub.seen.length = 0;
      expect((await fetchModel(name, settings)).commit, name).toBe(commit);
      expect(hub.seen.length, name).toBe(requests);
    }
  });

  it("is taken from the cache where the hub is not reached, with a word about it", async () => {
    const { commit } = await fetchModel("org/sharded");
    hub.faults.push({ match: /revision/, status: 503, times: 99 });
    expect((await fetchModel("org/sharded")).commit).toBe(commit);
    expect(notes.join()).toMatch(/answers 503.*Taking org\/sharded as it is in the cache/);
  });

  it("that another tool put into the cache is found offline", async () => {
    const commit = "12".repeat(20);
    const own = join(cache, "models--org--theirs");
    await mkdir(join(own, "refs"), { recursive: true });
    await mkdir(join(own, "snapshots", commit), { recursive: true });
    await writeFile(join(own, "refs", "main"), commit);
    await expect(fetchModel("org/theirs", { isOffline: true })).rejects.toThrow(/holds no safetensors/);
    await writeFile(join(own, "snapshots", commit, "model.safetensors"), "x");
    expect((await fetchModel("org/theirs", { isOffline: true })).folder).toBe(join(own, "snapshots", commit));
  });

  it("is fetched once by several at the same time", async () => {
    const all = await Promise.all([1, 2, 3].map(() => fetchModel("org/sharded")));
    expect(new Set(all.map(({ folder }) => folder)).size).toBe(1);
    expect(contentRequests().filter(({ place }) => place === "storage").length).toBe(2);
    expect(notes).toContain("Another process fetches org/sharded; waiting for it.");
  });

  it("may be an adapter", async () => {
    expect((await fetchModel("org/adapter")).files.map(({ path }) => path)).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
    ]);
  });
});

describe("a download goes on", () => {
  const big = () => sha256(SHARDED["model-1.safetensors"]);
  it.each([
    ["where the connection breaks in the middle", 3, [{ breakAfter: 70_000 }, { breakAfter: 50_000 }]],
    ["from a server that passes ranges over", 2, [{ breakAfter: 70_000 }, { whole: true }]],
    ["after 429 with a time to wait", 2, [{ status: 429, headers: { "retry-after": "0.01" } }]],
    ["after 503", 2, [{ status: 503 }]],
    ["after wrong bytes, once", 2, [{ wrong: true }]],
  ])("%s", async (_, requests, faults) => {
    for (const fault of faults) hub.faults.push({ match: new RegExp(big()), ...fault });
    const { folder } = await fetchModel("org/sharded");
    expect(sha256(await readFile(join(folder, "model-1.safetensors")))).toBe(sha256(SHARDED["model-1.safetensors"]));
    const ranges = hub.seen.filter(({ url }) => url.includes(big())).map(({ range }) => range);
    expect(ranges.length).toBe(requests);
    if ("breakAfter" in faults[0]!) expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expect(`fetching org/sharded ${progress.at(-2)}`).toBe(progress[0]);
  });

  it("where an earlier try, of whichever tool, left off, also where that was wrong", async () => {
    const blobs = join(cache, "models--org--sharded", "blobs");
    for (const [left, ranges] of [
      [SHARDED["model-1.safetensors"].subarray(0, 100_000), ["bytes=100000-"]],
      [SHARDED["model-1.safetensors"], []],
      [new Uint8Array(100_000), ["bytes=100000-", undefined]],
      [new Uint8Array(400_000), [undefined]],
    ] as const) {
      await rm(join(cache, "models--org--sharded"), { recursive: true, force: true });
      await mkdir(blobs, { recursive: true });
      await writeFile(join(blobs, `${big()}.incomplete`), left);
      hub.seen.length = 0;
      const { folder } = await fetchModel("org/sharded");
      expect(sha256(await readFile(join(folder, "model-1.safetensors")))).toBe(sha256(SHARDED["model-1.safetensors"]));
      expect(
        hub.seen.filter(({ place, url }) => place === "storage" && url.includes(big())).map(({ range }) => range),
      ).toEqual(ranges);
      expect(existsSync(join(blobs, `${big()}.incomplete`))).toBe(false);
    }
  });
});

it("sends the token to the hub, and not to where it redirects", async () => {
  await fetchModel("org/private", { token: "hf_member" });
  for (const { token, place } of hub.seen) expect(token).toBe(place === "hub" ? "Bearer hf_member" : undefined);
});

describe("what goes wrong is told with what to do", () => {
  const member = { token: "hf_member" };
  it.each<readonly [string, Partial<HubSettings>, HubServer["faults"], string, RegExp]>([
    ["org/none", {}, [], "THAW_HUB_UNKNOWN", /knows no org\/none.*set HF_TOKEN/],
    ["org/private", {}, [], "THAW_HUB_UNKNOWN", /shows it to its members alone/],
    ["org/private", { token: "hf_other" }, [], "THAW_HUB_UNKNOWN", /the token must belong/],
    ["org/gated", {}, [], "THAW_HUB_GATED", /\/org\/gated\. Accept it there, and set HF_TOKEN/],
    ["org/gated", { token: "hf_other" }, [], "THAW_HUB_GATED", /with the account of your token/],
    ["org/sharded@v9", member, [], "THAW_HUB_REVISION", /org\/sharded has no revision "v9"/],
    ["org/pickled", {}, [], "THAW_HUB_NOTHING", /has no safetensors.*pytorch_model\.bin/],
    ["org/sharded", member, [{ match: /revision/, status: 401 }], "THAW_HUB_TOKEN", /refuses the token/],
    [
      "org/sharded",
      {},
      [{ match: /tree/, status: 429, headers: { "retry-after": "60" } }],
      "THAW_HUB_BUSY",
      /Try again in 60 seconds/,
    ],
    ["org/sharded", {}, [{ match: /tree/, status: 500, times: 9 }], "THAW_HUB_UNREACHABLE", /it answers 500/],
    ["org/sharded", {}, [{ match: /tree/, status: 418 }], "THAW_HUB_REFUSED", /answers 418: as the test wants it/],
    [
      "org/sharded",
      {},
      [{ match: new RegExp(sha256(SHARDED["model-2.safetensors"])), wrong: true, times: 2 }],
      "THAW_HUB_WRONG_BYTES",
      /model-2\.safetensors came with other bytes/,
    ],
    [
      "org/sharded",
      {},
      [{ match: new RegExp(sha256(SHARDED["model-2.safetensors"])), breakAfter: 0, times: 9 }],
      "THAW_HUB_UNREACHABLE",
      /What was fetched|what was fetched so far is kept/,
    ],
    ["org/sharded", { endpoint: "http://127.0.0.1:9" }, [], "THAW_HUB_UNREACHABLE", /cannot be reached/],
    ["org/sharded", { isOffline: true }, [], "THAW_HUB_OFFLINE", /not in the cache.*HF_HUB_OFFLINE is set/],
    ["org/sharded", { cache: "/dev/null/x" }, [], "THAW_HUB_CACHE", /HF_HUB_CACHE/],
  ])("%s with %j and %j", async (name, settings, faults, code, message) => {
    hub.faults.push(...faults);
    const error = await fetchModel(name, settings).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(message);
  });

  it("a hub that lists what would leave the cache is not believed", async () => {
    hub.repositories.set("models/org/evil", { files: { "../../evil.json": bytes("{}") } });
    await expect(fetchModel("org/evil")).rejects.toMatchObject({ code: "THAW_HUB_ANSWER" });
  });

  it.each(["org", "org/a/b", "a--b/c", "org/..", "org/x.git", "hub:/x", "org/na me", "hub:org/"])(
    "%j is no name",
    (name) => {
      expect(() => parseHubName(name, "model")).toThrow(/does not name a repository|A model is all of/);
    },
  );
});

describe("a data set", () => {
  it("comes whole but for code, or what a path names", async () => {
    const all = await fetchSnapshot(parseHubName("hub:org/data", "dataset"), dataFiles(), context());
    expect(all.files.map(({ path }) => path).sort()).toEqual(
      Object.keys(DATA)
        .filter((path) => path !== "load.py" && path !== ".gitattributes")
        .sort(),
    );
    expect(sha256(await readFile(join(all.folder, "other", "ünï code.jsonl")))).toBe(
      sha256(DATA["other/ünï code.jsonl"]),
    );
    const name = parseHubName("hub:org/data@main/data/test-00000-of-00001.parquet", "dataset");
    const one = await fetchSnapshot(name, dataFiles(name.path), context());
    expect(one.files.length).toBe(1);
    expect((await lstat(one.folder)).isSymbolicLink()).toBe(true);
    const none = parseHubName("hub:org/data/none", "dataset");
    await expect(findSnapshot(none, dataFiles(none.path), context())).rejects.toThrow(/no files of data at none/);
  });
});
