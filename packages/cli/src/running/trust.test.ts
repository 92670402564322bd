import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";
import { editedConfigLine } from "./edited-config.js";
import { loadRunConfig, loadStageConfigs } from "./run-config.js";
import { openTarget } from "./run-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
const image = join(checkpoint, "image0.png");
let work: WorkFolder;

/** Leaves a file behind when it is loaded, and is a plugin. */
const EVIL = `import { writeFileSync } from "node:fs";
writeFileSync(${JSON.stringify("PWNED")}, "");
export default { name: "evil", apiVersion: 1, apply() {} };
`;

beforeEach(() => {
  work = enterWorkFolder("thaw-trust-");
  cpSync(checkpoint, "dl", { recursive: true });
  mkdirSync("dl/final");
  writeFileSync("dl/final/trained.safetensors", "");
  writeFileSync("dl/plan.json", "{}");
  writeFileSync("dl/evil.mjs", EVIL);
  mkdirSync("dl/node_modules/thaw-plugin-evil", { recursive: true });
  writeFileSync("dl/node_modules/thaw-plugin-evil/index.js", EVIL);
  writeFileSync(
    "dl/node_modules/thaw-plugin-evil/package.json",
    JSON.stringify({ name: "thaw-plugin-evil", type: "module", exports: "./index.js" }),
  );
});
afterEach(() => work.leave());

function writeConfig(config: object): void {
  writeFileSync("dl/config.json", JSON.stringify({ model: checkpoint, ...config }, null, 1));
}

/** Config of a folder that was made to run code, what the message names of it, and where. */
const DOORS: readonly (readonly [string, object, string, string])[] = [
  ["a plugin by path", { plugins: ["./evil.mjs"] }, "plugins.0", "THAW_CONFIG_UNTRUSTED"],
  ["a plugin by name, which the folder brings", { plugins: ["evil"] }, "plugins.0", "THAW_CONFIG_UNTRUSTED"],
  ["a plugin in a nested list", { plugins: [["./evil.mjs"]] }, "plugins.0.0", "THAW_CONFIG_UNTRUSTED"],
  ["extends", { extends: "./evil.mjs" }, "extends", "THAW_CONFIG_UNTRUSTED"],
  ["extends as a package", { extends: ["thaw-plugin-evil"] }, "extends", "THAW_CONFIG_UNTRUSTED"],
  ["extends in a stage", { stages: [{ name: "a", extends: "./evil.mjs" }] }, "extends", "THAW_CONFIG_UNTRUSTED"],
  ["$saved.file", { $saved: { hasCode: true, file: "EVIL" } }, "$saved.file", "THAW_CLI_RUN_CODE"],
  [
    "a folder of native addons",
    { backend: { name: "native", cache_folder: "./libraries" } },
    "backend.cache_folder",
    "THAW_CONFIG_UNTRUSTED",
  ],
  [
    "a folder of npm packages",
    { backend: { name: "wasm", projectFolder: "." } },
    "backend.projectFolder",
    "THAW_CONFIG_UNTRUSTED",
  ],
];

describe("a folder that is opened", () => {
  it.each(DOORS)("runs nothing by %s", async (_door, config, key, code) => {
    writeConfig(JSON.parse(JSON.stringify(config).replace("EVIL", join(process.cwd(), "dl", "evil.mjs"))) as object);
    await expect(openTarget("dl")).rejects.toMatchObject({ code, message: expect.stringContaining(key) as string });
    await expect(openTarget("dl")).rejects.toThrow(/dl.*--trust/s);
    await expect(loadRunConfig("dl", { requires: "training" })).rejects.toMatchObject({ code });
    expect(existsSync("PWNED")).toBe(false);
  });

  it.each([
    ["caption", [image, "--model", "dl"]],
    ["chat", ["--model", "dl"]],
    ["export", ["dl", "out"]],
    ["evaluate", ["dl", "--data", "iconify:twemoji"]],
    ["train", ["--resume", "dl"]],
  ])("is refused by thaw %s with its file, key, reason and what to do", async (command, args) => {
    writeConfig({ plugins: ["./evil.mjs"] });
    const { code, err } = await thaw(command, ...args);
    expect(code).toBe(1);
    expect(err).toContain("evil.mjs");
    expect(err).toMatch(/config\.json:4/);
    expect(err).toMatch(/is code.*nobody vouches.*thaw\.config\.yaml.*--trust/s);
    expect([existsSync("PWNED"), existsSync("out")]).toEqual([false, false]);
  });

  it("is not both a model and a run", async () => {
    const model = { model_type: "llava", architectures: ["LlavaForConditionalGeneration"] };
    writeConfig({ ...model, plugins: ["./evil.mjs"] });
    await expect(openTarget("dl", { trust: true })).rejects.toThrow(/model_type in its config\.json makes it a model/);
    expect(existsSync("PWNED")).toBe(false);
  });

  it("is a run only with a config that is valid", async () => {
    writeConfig({ modell: "x", $saved: { settings: {} } });
    await expect(openTarget("dl")).rejects.toMatchObject({
      code: "THAW_CLI_RUN_CONFIG",
      message: expect.stringMatching(/Unknown key modell.*\$saved\.settings/s) as string,
    });
  });

  it("does not vouch for itself, also by a link to it", async () => {
    writeConfig({ plugins: ["./evil.mjs"] });
    writeFileSync("dl/thaw.config.yaml", "plugins: [./evil.mjs]\n");
    symlinkSync("dl", "link");
    for (const folder of ["dl", "link"]) {
      process.chdir(folder);
      await expect(openTarget(".")).rejects.toMatchObject({ code: "THAW_CONFIG_UNTRUSTED" });
      process.chdir("..");
    }
    expect(existsSync("PWNED")).toBe(false);
  });

  it("cannot bring overrides that name code", async () => {
    writeFileSync("own.mjs", `export default { model: ${JSON.stringify(checkpoint)} };\n`);
    writeFileSync("thaw.config.mjs", `export { default } from "./own.mjs";\n`);
    const file = join(realpathSync("."), "thaw.config.mjs");
    writeConfig({ $saved: { hasCode: true, file, overrides: ["plugins=[./dl/evil.mjs]"] } });
    await expect(openTarget("dl")).rejects.toMatchObject({ code: "THAW_CONFIG_UNTRUSTED" });
    writeConfig({ $saved: { hasCode: true, file, overrides: ["seed=7"] } });
    expect((await openTarget("dl")).config.values.seed).toBe(7);
    expect(existsSync("PWNED")).toBe(false);
  });

  it("cannot bring overrides that a comparison with the original config obeys", async () => {
    writeFileSync("plain.yaml", `model: ${checkpoint}\n`);
    writeConfig({ $saved: { file: join(realpathSync("."), "plain.yaml"), overrides: ["plugins=[./dl/evil.mjs]"] } });
    await editedConfigLine(await loadRunConfig("dl", { requires: "nothing" }));
    expect(existsSync("PWNED")).toBe(false);
  });

  it("holds stages in itself alone, which are data too", async () => {
    const stage = { name: "a", folder: "1-a", planHash: "0", config: { model: checkpoint, plugins: ["./evil.mjs"] } };
    writeFileSync("dl/stages.json", JSON.stringify({ stages: [stage] }));
    await expect(loadStageConfigs("dl", { requires: "nothing" })).rejects.toMatchObject({
      code: "THAW_CONFIG_UNTRUSTED",
      message: expect.stringContaining("stages.json") as string,
    });
    writeFileSync("dl/stages.json", JSON.stringify({ stages: [{ ...stage, folder: "../elsewhere" }] }));
    await expect(loadStageConfigs("dl", { requires: "nothing" })).rejects.toMatchObject({
      code: "THAW_CORE_STAGES_NOT_FOUND",
      message: expect.stringContaining("elsewhere") as string,
    });
    expect(existsSync("PWNED")).toBe(false);
  });
});

describe("what a run needs of code is loaded", () => {
  it("where the working folder's config names it too, and then from there", async () => {
    mkdirSync("node_modules/thaw-plugin-good", { recursive: true });
    writeFileSync("node_modules/thaw-plugin-good/index.js", EVIL.replace("PWNED", "LOADED").replace("evil", "good"));
    writeFileSync(
      "node_modules/thaw-plugin-good/package.json",
      JSON.stringify({ name: "thaw-plugin-good", type: "module", exports: "./index.js" }),
    );
    mkdirSync("dl/node_modules/thaw-plugin-good");
    cpSync("dl/node_modules/thaw-plugin-evil", "dl/node_modules/thaw-plugin-good", { recursive: true });
    writeFileSync("thaw.config.yaml", `plugins: [thaw-plugin-good]\nbackend: { cache_folder: ./libraries }\n`);
    writeConfig({ plugins: ["good"], backend: { cacheFolder: join(realpathSync("."), "libraries") } });
    const { config } = await openTarget("dl");
    expect(config.plugins.map(({ name }) => name)).toContain("good");
    expect([existsSync("LOADED"), existsSync("PWNED")]).toEqual([true, false]);
  });

  it("with --trust, from the folder itself", async () => {
    writeConfig({ plugins: ["./evil.mjs"], $saved: {} });
    const { config } = await openTarget("dl", { trust: true });
    expect(config.plugins.map(({ name }) => name)).toContain("evil");
    expect(existsSync("PWNED")).toBe(true);
  });

  it("not for a saved config that is named as a config", async () => {
    writeConfig({ plugins: ["./evil.mjs"], $saved: {} });
    const { code, err } = await thaw("check", "dl/config.json");
    expect([code, existsSync("PWNED")]).toEqual([1, false]);
    expect(err).toContain("THAW_CONFIG_UNTRUSTED");
  });
});
