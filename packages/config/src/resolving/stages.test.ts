import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { definePlugin } from "@thaw/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { applyEdits } from "../words/edit.js";
import { configJsonSchema } from "../checking/json-schema.js";
import type { AnyPluginFactory } from "./plugins.js";
import { resolveConfig, type ResolveOptions } from "./resolve-config.js";

const freeze = definePlugin({
  name: "Freeze",
  apiVersion: 1,
  configKey: "freeze",
  optionsSchema: z.strictObject({ freezeLlm: z.boolean().optional(), trainMmProjOnly: z.boolean().optional() }),
  apply: () => undefined,
}) as unknown as AnyPluginFactory;
const hosts = { data: z.strictObject({ train: z.string().meta({ format: "path" }).optional() }).prefault({}) };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-stages-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function resolve(files: string | Readonly<Record<string, string>>, options: Partial<ResolveOptions> = {}) {
  for (const [name, text] of Object.entries(typeof files === "string" ? { "thaw.yaml": files } : files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return resolveConfig({
    folder,
    config: "thaw.yaml",
    builtins: [freeze],
    sections: () => hosts,
    requires: "training",
    ...options,
  });
}

const TWO = `model: ./m
data: { train: ./shared.jsonl }
training: { learning_rate: 0.5, micro_batch_size: 2 }
stages:
  - name: align
    freeze: { train_mm_proj_only: true }
    training: { max_steps: 10, learning_rate: 0.25 }
  - name: instruct
    data: { train: ./second.jsonl }
    training:
      max_steps: 20
`;

describe("stages of a config", () => {
  it("are the rest of the config, with what they say on top", async () => {
    const { stages, findings, values, isPlannable } = await resolve(TWO);
    expect([findings, isPlannable]).toEqual([[], true]);
    expect(values.training).toMatchObject({ learningRate: 0.5, microBatchSize: 2 });
    expect(stages.map(({ name, index }) => [name, index])).toEqual([
      ["align", 0],
      ["instruct", 1],
    ]);
    const [align, instruct] = stages.map(({ config }) => config);
    expect(align!.values).toMatchObject({
      model: join(folder, "m"),
      training: { learningRate: 0.25, microBatchSize: 2, maxSteps: 10 },
    });
    expect(instruct!.values.training).toMatchObject({ learningRate: 0.5, microBatchSize: 2, maxSteps: 20 });
    expect([align, instruct].map((config) => config!.sections["data"])).toEqual([
      { train: join(folder, "shared.jsonl") },
      { train: join(folder, "second.jsonl") },
    ]);
    expect(align!.settings.find(({ path }) => path === "freeze.train_mm_proj_only")).toEqual({
      path: "freeze.train_mm_proj_only",
      value: true,
      origin: "explicit",
      file: join(folder, "thaw.yaml"),
      line: 6,
    });
    expect(align!.plugins[0]!.settings).toHaveLength(1);
    expect(instruct!.plugins[0]!.settings).toEqual([]);
    expect(stages[0]!.own.map(({ setting, prefix }) => `${prefix}.${setting.path}`).sort()).toEqual([
      "stages.0.freeze.train_mm_proj_only",
      "stages.0.training.learning_rate",
      "stages.0.training.max_steps",
    ]);
  });

  it("give way to --set, for all or for one of them", async () => {
    const { stages } = await resolve(TWO, {
      overrides: [
        "training.max_steps=1",
        "stages.instruct.training.max_steps=2",
        "stages.0.training.learning_rate=0.125",
      ],
    });
    expect(stages.map(({ config }) => [config.values.training.maxSteps, config.values.training.learningRate])).toEqual([
      [1, 0.125],
      [2, 0.5],
    ]);
    const { findings } = await resolve(TWO, { overrides: ["stages.instrct.training.max_steps=2"] });
    expect(findings).toMatchObject([
      { rule: "config", message: "There is no stage instrct (--set).", fix: "Stages are: align, instruct." },
    ]);
  });

  it("take presets of their own, which explicit values win over wherever they stand", async () => {
    const preset = {
      "node_modules/thaw-preset-fast/package.json": '{ "name": "thaw-preset-fast", "exports": { ".": "./p.yaml" } }',
      "node_modules/thaw-preset-fast/p.yaml": "training: { learning_rate: 9, max_steps: 3, micro_batch_size: 7 }\n",
    };
    const { stages, findings } = await resolve({
      ...preset,
      "thaw.yaml":
        "model: ./m\ndata: { train: ./t }\ntraining: { learning_rate: 0.5 }\nstages:\n  - { name: a, extends: " +
        "fast, training: { max_steps: 4 } }\n  - { name: b, training: { max_steps: 5 } }\n",
    });
    expect(findings).toEqual([]);
    expect(stages[0]!.config.values.training).toMatchObject({ learningRate: 0.5, maxSteps: 4, microBatchSize: 7 });
    expect(stages[0]!.config.settings.find(({ path }) => path === "training.micro_batch_size")).toMatchObject({
      origin: "preset",
      line: 1,
    });
    expect(stages[1]!.config.values.training.microBatchSize).toBe(8);
  });

  it("may all come from a preset", async () => {
    const preset = {
      "node_modules/thaw-preset-two/package.json": '{ "name": "thaw-preset-two", "exports": { ".": "./p.yaml" } }',
      "node_modules/thaw-preset-two/p.yaml": "stages:\n  - { name: a, training: { max_steps: 4, learning_rate: 1 } }\n",
    };
    const rest = "extends: two\nmodel: ./m\ndata: { train: ./t }\ntraining: { learning_rate: 0.5 }\n";
    const { stages } = await resolve({ ...preset, "thaw.yaml": rest });
    expect(stages[0]!.config.values.training).toMatchObject({ maxSteps: 4, learningRate: 0.5 });
    const text = `${rest}stages:\n  a:\n    data: { train: ./own }\n    training: { max_stps: 5 }\n`;
    const added = await resolve({ "thaw.yaml": text });
    expect(added.stages[0]!.config.sections["data"]).toEqual({ train: join(folder, "own") });
    expect(added.findings.map(({ message }) => message)).toEqual([
      "Stage a: Unknown key max_stps in training (thaw.yaml:8:17). The nearest known key is max_steps.",
    ]);
    expect(
      applyEdits(
        text,
        added.findings.flatMap(({ edit }) => edit ?? []),
      ).text,
    ).toBe(text.replace("max_stps", "max_steps"));
    const fixed = await resolve({ "thaw.yaml": text.replace("max_stps", "max_steps") });
    expect(fixed.stages[0]!.config.values.training).toMatchObject({ maxSteps: 5, learningRate: 0.5 });
    expect(
      (await resolve({ "thaw.yaml": `${rest}stages: { b: { training: { max_steps: 1 } } }\n` })).findings.map(
        ({ message }) => message,
      ),
    ).toEqual(["There is no stage b (thaw.yaml:5:14)."]);
  });

  it("are validated one by one: what all have is said once, what some have names them", async () => {
    const { findings, isPlannable } = await resolve(
      TWO.replace("micro_batch_size: 2", "micro_batch_size: 0")
        .replace("max_steps: 20", "max_stps: 20")
        .replace("train_mm_proj_only: true", "train_mm_proj_onyl: true"),
    );
    expect(isPlannable).toBe(false);
    expect(findings.map(({ message }) => message)).toEqual([
      "training.micro_batch_size is 0 (a number), but a number of more than 0 is expected (thaw.yaml:3:51).",
      "Stage align: Unknown key train_mm_proj_onyl in freeze (thaw.yaml:6:15). The nearest known key is " +
        "train_mm_proj_only.",
      "Stage instruct: Unknown key max_stps in training (thaw.yaml:11:7). The nearest known key is max_steps.",
      "Stage instruct: The run has no end: training.epochs and training.max_steps are both missing (thaw.yaml).",
    ]);
  });

  it("are fixed in their entry, and what they share where it stands", async () => {
    const text = TWO.replace("max_steps: 20", "max_stps: 20").replace("micro_batch_size", "micro_batch_sise");
    const { findings } = await resolve(text);
    const edits = findings.flatMap(({ edit }) => edit ?? []);
    const edited = applyEdits(text, edits);
    expect(edited.text).toBe(TWO);
  });

  it.each([
    ["stages: 3\n", "stages is not a list (thaw.yaml:1:9).", ["stages"]],
    ["stages: { a: {} }\n", "stages is not a list (thaw.yaml:1:9).", ["stages"]],
    ["stages: []\n", "stages is empty (thaw.yaml:1:9).", ["stages"]],
    ["stages:\n  - training: { max_steps: 1 }\n", "Stage 1 has no name (thaw.yaml:2:5).", ["stages.0"]],
    ["stages:\n  - a\n", "Stage 1 has no name (thaw.yaml:2:5).", ["stages.0"]],
    ["stages:\n  - name: ../x\n", '"../x" cannot name a stage (thaw.yaml:2:11).', ["stages.0.name"]],
    ["stages:\n  - { name: a }\n  - { name: a }\n", "Two stages are named a (thaw.yaml:3:13).", ["stages.1.name"]],
    [
      "stages:\n  - { name: a, run_name: x }\n",
      "run_name stands inside of a stage (thaw.yaml:2:26).",
      ["stages.0.run_name"],
    ],
  ])("cannot be %j", async (stages, message, paths) => {
    const { findings } = await resolve(`${stages}model: ./m\ndata: { train: ./t }\ntraining: { max_steps: 1 }\n`);
    expect(
      findings.find((finding) => finding.message === message)?.settings.map(({ path }) => path),
      JSON.stringify(findings),
    ).toEqual(paths);
  });

  it("are each saved as a config of their own", async () => {
    const { stages } = await resolve(TWO, { overrides: ["training.max_steps=1"] });
    const { saved } = stages[0]!.config;
    expect(saved["$saved"]).toMatchObject({
      file: join(folder, "thaw.yaml"),
      stage: "align",
      overrides: ["training.max_steps=1"],
    });
    writeFileSync(join(folder, "saved.json"), JSON.stringify(saved));
    const again = await resolveConfig({
      folder: tmpdir(),
      config: join(folder, "saved.json"),
      builtins: [freeze],
      sections: () => hosts,
      requires: "training",
    });
    expect(again.values).toEqual(stages[0]!.config.values);
    expect(again.settings).toEqual(stages[0]!.config.settings);
    expect(again.stages).toEqual([]);
  });

  it("are in the schema for editors, without what they share", () => {
    const { properties } = configJsonSchema(hosts, [{ kind: "factory", factory: freeze }]) as {
      properties: { stages: { items: { properties: object; required: string[] } } };
    };
    expect(Object.keys(properties.stages.items.properties)).toEqual(
      expect.arrayContaining(["name", "extends", "training", "data", "freeze"]),
    );
    expect(Object.keys(properties.stages.items.properties)).not.toEqual(expect.arrayContaining(["model"]));
  });
});
