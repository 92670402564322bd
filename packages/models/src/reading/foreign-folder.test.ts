import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openModel } from "../open/open-model.js";
import { openProcessor } from "../open/open-processor.js";

const golden = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-foreign-"));
  cpSync(golden, join(folder, "model"), { recursive: true });
  writeFileSync(join(folder, "secret.json"), "{}");
});
afterEach(() => rmSync(folder, { recursive: true }));

const model = (): string => join(folder, "model");

it.each(["config.json", "generation_config.json"])("refuses a link out of the folder as %s", async (name) => {
  rmSync(join(model(), name), { force: true });
  symlinkSync("../secret.json", join(model(), name));
  await expect(openModel(model())).rejects.toMatchObject({
    code: "THAW_CHECKPOINT_UNREADABLE",
    message: expect.stringContaining("a link to ../secret.json, outside of its folder") as string,
  });
});

it.each(["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "processor_config.json"])(
  "refuses a link out of the folder as %s",
  async (name) => {
    rmSync(join(model(), name), { force: true });
    symlinkSync("../secret.json", join(model(), name));
    await expect(openProcessor(model())).rejects.toThrow(/a link to \.\.\/secret\.json, outside of its folder/);
  },
);

it("carries nothing along that a link points to", async () => {
  symlinkSync("../secret.json", join(model(), "merges.txt"));
  const opened = await openModel(model());
  const save = opened.save(join(folder, "out"), () => Promise.reject(new Error("no value is asked for")));
  await expect(save).rejects.toThrow(/merges\.txt: it is a link to \.\.\/secret\.json/);
  expect(existsSync(join(folder, "out"))).toBe(false);
});

it("looks at no code that a model brings, and reads no pickle", async () => {
  const config = JSON.parse(readFileSync(join(model(), "config.json"), "utf8")) as object;
  const remote = { auto_map: { AutoModel: "evil.Model" }, trust_remote_code: true };
  writeFileSync(join(model(), "config.json"), JSON.stringify({ ...config, ...remote }));
  writeFileSync(join(model(), "evil.py"), "raise SystemExit");
  expect((await openModel(model())).modelType).toBe("llava");
  rmSync(join(model(), "model.safetensors"), { force: true });
  writeFileSync(join(model(), "pytorch_model.bin"), "cos\nsystem\n(S'touch PWNED'\ntR.");
  await expect(openModel(model())).rejects.toThrow(/a pickle, which runs code when it is read/);
});

it.each(["../secret.safetensors", "/etc/passwd", "a/b.safetensors", ".."])(
  "reads no shard beside the folder: %s",
  async (shard) => {
    rmSync(join(model(), "model.safetensors"), { force: true });
    writeFileSync(join(model(), "model.safetensors.index.json"), JSON.stringify({ weight_map: { w: shard } }));
    await expect(openModel(model())).rejects.toMatchObject({ code: "THAW_SAFETENSORS_MALFORMED" });
  },
);

it.each([
  ["text_config", "num_hidden_layers", 10_000_000],
  ["vision_config", "num_hidden_layers", 10_000_000],
  ["vision_config", "hidden_size", 1e15],
])("refuses %s.%s of %d at once, before a name is made of it", async (part, key, value) => {
  const file = join(model(), "config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, unknown>>;
  config[part]![key] = value;
  writeFileSync(file, JSON.stringify(config));
  await expect(openModel(model())).rejects.toMatchObject({ code: "THAW_CHECKPOINT_CONFIG" });
});
