import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sha256, startHub, type HubServer } from "../test-support/hub-server.js";
import { cardLicense, modelCard, type CardFacts } from "./card.js";
import { pushFiles, type Push } from "./push.js";
import type { HubSettings } from "./settings.js";

const LARGE = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
let hub: HubServer;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-push-"));
  await writeFile(join(folder, "model.safetensors"), LARGE);
  hub = await startHub({});
});
afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

function push(settings: Partial<HubSettings> = {}, changes: Partial<Push> = {}): ReturnType<typeof pushFiles> {
  const file = join(folder, "model.safetensors");
  const files = [
    { path: "README.md", bytes: 6, content: { text: "# card" } },
    { path: "model.safetensors", bytes: LARGE.length, content: { file } },
  ];
  const repository = { type: "model", name: "org/mine" } as const;
  return pushFiles(
    { repository, files, title: "Push", isPrivate: true, ...changes },
    {
      settings: { endpoint: hub.endpoint, cache: folder, isOffline: false, token: "hf_member", ...settings },
      patience: { attempts: 2, pauseMs: 1, longestWaitSeconds: 1 },
    },
  );
}

it("makes the repository, sends large files to LFS once, and commits all, again into what is there", async () => {
  expect(await push()).toEqual({ page: `${hub.endpoint}/org/mine`, commit: "c".repeat(40) });
  expect(hub.created).toMatchObject([{ organization: "org", name: "mine", visibility: "private" }]);
  expect(hub.uploads.get(sha256(LARGE))?.equals(LARGE)).toBe(true);
  const puts = (): number => hub.seen.filter(({ method }) => method === "PUT").length;
  hub.faults.push({ match: /preupload/, status: 503 });
  await push({}, { repository: { type: "model", name: "org/mine", revision: "v2" } });
  expect(puts()).toBe(1);
  expect(hub.seen.filter(({ place }) => place === "storage").map(({ token }) => token)).toEqual([undefined]);
  const [first, second] = hub.commits;
  expect([first!.branch, second!.branch]).toEqual(["main", "v2"]);
  expect(second!.lines).toEqual([
    { key: "header", value: { summary: "Push" } },
    {
      key: "file",
      value: { path: "README.md", encoding: "base64", content: Buffer.from("# card").toString("base64") },
    },
    { key: "lfsFile", value: { path: "model.safetensors", algo: "sha256", size: LARGE.length, oid: sha256(LARGE) } },
  ]);
});

it.each<readonly [string, Partial<HubSettings>, Partial<Push>]>([
  ["THAW_HUB_PUSH_OFFLINE", { isOffline: true }, {}],
  ["THAW_HUB_TOKEN", { token: "hf_other" }, {}],
  ["THAW_HUB_ANSWER", {}, { repository: { type: "model", name: "org/mine", revision: "a".repeat(40) } }],
  ["THAW_HUB_UNREACHABLE", { endpoint: "http://127.0.0.1:9" }, {}],
])("fails with %s", async (code, settings, changes) => {
  await expect(push(settings, changes)).rejects.toMatchObject({ code });
  expect(hub.commits).toEqual([]);
});

const FACTS: CardFacts = {
  name: "org/mine",
  isAdapter: true,
  base: { name: "org/base", isOnHub: true, commit: "f".repeat(40), license: "apache-2.0" },
  modelType: "llava",
  data: { train: [{ name: "org/pics", isOnHub: true }], evaluation: [{ name: "held.jsonl", isOnHub: false }] },
  components: [{ name: "language_model", state: "adapter", parameterCount: 1200, reason: "lora: a | b" }],
  run: {
    steps: 3,
    tokens: 1000,
    firstLoss: 2,
    lastLoss: 1,
    evaluations: { held: { loss: 1.25 } },
    frozenProof: [{ component: "vision_tower", isUnchanged: true }],
  },
  options: { learningRate: "0.001" },
  planHash: "0123456789abcdef",
  versions: { thaw: "0.1.0" },
  command: "npx thaw train x.yaml",
};

it("writes a card whose head the hub reads", () => {
  expect(modelCard(FACTS)).toMatchInlineSnapshot(`
    "---
    base_model: org/base
    base_model_relation: adapter
    license: apache-2.0
    datasets:
      - org/pics
    library_name: peft
    tags:
      - thaw
      - lora
      - llava
    ---

    # mine

    Adapters (PEFT) for [org/base](https://huggingface.co/org/base) at commit \`ffffffffffff\`, trained with Thaw.

    ## Data

    - trained on [org/pics](https://huggingface.co/datasets/org/pics)
    - measured on \`held.jsonl\`, local

    ## What trained

    | component | state | parameters | why |
    | --- | --- | --- | --- |
    | language_model | adapter | 1,200 | lora: a \\| b |

    ## How it was measured

    3 steps, 1,000 tokens, loss 2.0000 to 1.0000.

    | set | measure | value |
    | --- | --- | --- |
    | held | loss | 1.25 |

    Frozen, and bit for bit as in the base after the last step: vision_tower.

    ## Options

    - learningRate: 0.001

    ## Made with

    - thaw: 0.1.0

    Trainability plan: \`0123456789ab\`.

    \`\`\`sh
    npx thaw train x.yaml
    \`\`\`
    "
  `);
  expect(cardLicense(modelCard(FACTS))).toBe("apache-2.0");
  const local = modelCard({ ...FACTS, isAdapter: false, base: { name: "base", isOnHub: false }, components: [] });
  expect(local).not.toContain("base_model");
  expect(local).toContain("Fine-tuned from `base`, a local folder");
  for (const text of ["", "---\nlicense: [\n---\n", "# none"]) expect(cardLicense(text)).toBeUndefined();
});
