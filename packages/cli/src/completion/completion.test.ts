import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { BACKEND_NAMES } from "@thaw/backend-gpu";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";
import { BACKEND } from "../program/flags.js";
import { OWN_COMMANDS } from "../program/own-commands.js";
import { completionTable } from "./completion-table.js";
import { completionScript, SHELLS } from "./shell-scripts.js";

const GREET = `export default { name: "GreetPlugin", apiVersion: 1, provides: { commands: [{
  name: "greet crew", summary: "say it's $HOME; \`date\`",
  options: [{ flags: "-t, --tone <how>", summary: "in which tone", choices: ["warm", "dry"] }],
  load: async () => () => 0,
}] } };`;
let work: WorkFolder;

beforeEach(() => {
  work = enterWorkFolder("thaw-cli-completion-");
  writeFileSync("greet.mjs", GREET);
  writeFileSync("thaw.config.yaml", "plugins: [./greet.mjs]\n");
});
afterEach(() => work.leave());

describe("the script for bash", () => {
  let made: string | undefined;
  it.each([
    [["tr"], "train track"],
    [["train", "--engine", ""], "tcp mpi nccl"],
    [["train", "--engine", "tcp", "--re"], "--resume"],
    [["train", "--resume", "--"], ""],
    [["train", ""], ""],
    [["backend", ""], "install bench"],
    [["backend", "install", "--c"], "--cuda --compiler --cuda-libraries --cache"],
    [["init", "--train", "projector"], "projector projector-and-language-model"],
    [["gr"], "greet"],
    [["greet", ""], "crew"],
    [["greet", "crew", "-t", "w"], "warm"],
    [["greet", "crew", "--d"], "--debug"],
    [["completion", ""], "bash zsh fish"],
  ])("completes %j", async (words, expected) => {
    made ??= (await thaw("completion", "bash")).out;
    writeFileSync("thaw.bash", made);
    const script = 'source ./thaw.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _thaw; echo "${COMPREPLY[@]}"';
    const told = execFileSync("bash", ["--norc", "-c", script, "bash", "thaw", ...words], { encoding: "utf8" });
    expect(told.trimEnd()).toBe(expected);
  });
});

describe("the scripts", () => {
  it.each(SHELLS)("for %s hold every command, every option and every choice", async (shell) => {
    const { code, out, err } = await thaw("completion", shell);
    expect([code, err]).toEqual([0, ""]);
    for (const { name, options = [] } of OWN_COMMANDS) {
      expect(out).toContain(name.split(" ").at(-1));
      for (const { flags, choices = [] } of options) {
        const long = /--([\w-]+)/.exec(flags)![1]!;
        expect(out, `${name} ${flags}`).toMatch(new RegExp(`(--|-l )${long}\\b`));
        for (const choice of choices) expect(out).toContain(choice);
      }
    }
    expect(out).toMatch(/greet[^]*crew[^]*warm/);
  });

  it.each(SHELLS)("for %s keep what a summary holds from the shell", (shell) => {
    const table = completionTable([{ name: "x", summary: "it's $(date) `date` \\" }]);
    expect(completionScript(shell, table)).not.toMatch(/it's|\\$/m);
  });

  it("offer the backends that there are", () => {
    expect(BACKEND.choices).toEqual(["auto", ...BACKEND_NAMES]);
  });
});
