import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

let cache = "";
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "thaw-cli-backend-"));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

it("uninstall says that nothing is there", async () => {
  expect(await thaw("backend", "install", "--uninstall", "--cache", cache)).toEqual({
    code: 0,
    out: `The backend "native" is not installed in ${cache}.`,
    err: "",
  });
});

it("install names what is missing and ends with 1", async () => {
  const { code, err } = await thaw("backend", "install", "--cache", cache, "--compiler", "no-such-compiler", "--quiet");
  expect(code).toBe(1);
  expect(err).toMatch(/THAW_INSTALL_(NO_COMPILER|PLATFORM)/);
});

it("bench of a missing backend names the command that gets it", async () => {
  const { code, err } = await thaw("backend", "bench", "--backend", "gpu", "--cache", cache);
  expect(code).toBe(1);
  expect(err).toContain("thaw backend install --cuda");
});

it("help lists what the backend command can do", async () => {
  const { code, out } = await thaw("backend", "--help");
  expect(code).toBe(0);
  expect(out).toMatch(/install \[options\][\s\S]*bench \[options\]/);
});

const SALUTE = `
  const salute = {
    name: "salute crew",
    arguments: "<name...>",
    summary: "greet all who are named",
    options: [
      { flags: "--times <n>", summary: "how often", parse: Number, default: 1 },
      { flags: "--with <word>", summary: "what is said", isList: true },
    ],
    load: async () => ({ arguments: names, options }, context) => {
      for (let time = 0; time < options.times; time++) context.out([...options.with, ...names].join(" "));
      context.table([{ title: "who" }], names.map((name) => [name]));
      return names.includes("nobody") ? 1 : 0;
    },
  };
  export default { name: "SalutePlugin", apiVersion: 1, provides: { commands: [salute] } };`;

describe("commands of a plugin that the config names", () => {
  let work: WorkFolder;
  beforeEach(() => {
    work = enterWorkFolder("thaw-cli-commands-");
    writeFileSync("salute.mjs", SALUTE);
    writeFileSync("thaw.config.yaml", "plugins: [./salute.mjs]\n");
  });
  afterEach(() => work.leave());

  it("are listed, explained and run, with what they are given", async () => {
    expect((await thaw("--help")).out).toMatch(/train [\s\S]*export-adapter [\s\S]*salute/);
    const help = await thaw("salute", "crew", "--help");
    expect(help.out).toMatch(/crew \[options\] <name\.\.\.>[\s\S]*greet all who are named[\s\S]*--times <n>/);
    const ran = await thaw("salute", "crew", "ann", "bob", "--times", "2", "--with", "hello", "--with", "dear");
    expect(ran).toEqual({
      code: 0,
      out: "hello dear ann bob\nhello dear ann bob\nwho\n───\nann\nbob",
      err: "",
    });
    expect((await thaw("salute", "crew", "nobody")).code).toBe(1);
  });

  it("are refused where they are called wrongly, as all are", async () => {
    expect(await thaw("salute", "crew")).toMatchObject({ code: 2, err: expect.stringContaining("name") as string });
    expect(await thaw("salute", "crew", "ann", "--loud")).toMatchObject({
      code: 2,
      err: expect.stringContaining("--loud") as string,
    });
    expect((await thaw("salut")).err).toContain("Did you mean salute?");
  });

  it("may not take the name of another", async () => {
    writeFileSync("salute.mjs", SALUTE.replace("salute crew", "plan"));
    expect(await thaw("--help")).toMatchObject({
      code: 0,
      err: expect.stringMatching(
        /left out:\nerror Thaw and SalutePlugin both provide plan among the commands/,
      ) as string,
    });
  });

  it("are missing where the config cannot be read, and nothing else is", async () => {
    writeFileSync("thaw.config.yaml", "plugins: [./gone.mjs]\n");
    const { code, out, err } = await thaw("--help");
    expect([code, out.includes("backend")]).toEqual([0, true]);
    expect(err).toMatch(/The commands of the config's plugins are left out[\s\S]*gone\.mjs/);
    expect((await thaw("backend", "--help")).err).toBe("");
  });
});
