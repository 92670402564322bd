import { describe, expect, it } from "vitest";
import { z } from "zod";
import { definePlugin } from "./define-plugin.js";
import { API_VERSION } from "./plugin.js";
import { tapped, toyTrainer } from "../toy/toy-trainer.js";

const schema = z.strictObject({
  cache: z.enum(["on", "off"]).default("off"),
  limits: z.strictObject({ bytes: z.number().default(5) }).prefault({}),
});
const seen: unknown[] = [];
const example = definePlugin({
  name: "ExamplePlugin",
  apiVersion: API_VERSION,
  configKey: "example",
  optionsSchema: schema,
  claims: (options) => ({ writes: [options.cache] }),
  apply: (_trainer, options, settings) => {
    seen.push(options, settings);
  },
});

describe("definePlugin", () => {
  it("validates options, fills defaults and hands them to apply with their settings", () => {
    const plugin = example({ limits: { bytes: 7 } });
    expect(plugin).toMatchObject({
      name: "ExamplePlugin",
      configKey: "example",
      claims: { writes: ["off"] },
      settings: [{ path: "example.limits.bytes", value: 7, origin: "explicit" }],
    });
    const trainer = toyTrainer({ plugins: [plugin, false, undefined] });
    expect(seen).toEqual([{ cache: "off", limits: { bytes: 7 } }, plugin.settings]);
    expect(trainer.options.plugins).toHaveLength(3);
  });

  it("takes a missing section as the schema's defaults, and provenance from a config", () => {
    const setting = { path: "example.cache", value: "off", origin: "preset" as const, file: "thaw.yaml", line: 4 };
    expect(example()).toMatchObject({ claims: { writes: ["off"] }, settings: [] });
    expect(example({}, [setting]).settings).toEqual([setting]);
  });

  it("takes scalar options", () => {
    const scalar = definePlugin({
      name: "Scalar",
      apiVersion: API_VERSION,
      configKey: "backend",
      optionsSchema: z.enum(["auto", "cpu"]).default("auto"),
      apply: (_, options) => {
        seen.push(options);
      },
    });
    toyTrainer({ plugins: [scalar()] });
    expect(seen.at(-1)).toBe("auto");
    expect(scalar("cpu").settings).toEqual([{ path: "backend", value: "cpu", origin: "explicit" }]);
  });

  it("lists all issues with their paths", () => {
    expect(() => example({ cache: "maybe", limits: { bytes: "x" } } as never)).toThrowError(
      /The options of plugin ExamplePlugin are not valid:\n {2}- cache: .*\n {2}- limits\.bytes: /,
    );
  });

  it("refuses a schema that answers later", () => {
    const later = definePlugin({
      name: "Later",
      apiVersion: API_VERSION,
      optionsSchema: { "~standard": { version: 1, vendor: "test", validate: async (value) => ({ value }) } },
      apply: () => {},
    });
    expect(() => later()).toThrowError(expect.objectContaining({ code: "THAW_CORE_PLUGIN_OPTIONS_ASYNC" }));
  });
});

describe("new Trainer", () => {
  it("refuses two plugins of one name, another API version, and a failing apply, by name", () => {
    expect(() => toyTrainer({ plugins: [tapped("Same", () => {}), tapped("Same", () => {})] })).toThrowError(
      expect.objectContaining({ code: "THAW_CORE_PLUGIN_NAME_TWICE" }),
    );
    expect(() => toyTrainer({ plugins: [{ ...tapped("Old", () => {}), apiVersion: 0 }] })).toThrowError(
      expect.objectContaining({ code: "THAW_CORE_PLUGIN_API_VERSION" }),
    );
    expect(() =>
      toyTrainer({
        plugins: [
          tapped("Bad", () => {
            throw new Error("oops");
          }),
        ],
      }),
    ).toThrowError(
      expect.objectContaining({
        code: "THAW_CORE_PLUGIN_FAILED",
        details: expect.objectContaining({ plugin: "Bad", hook: "apply" }) as unknown,
      }),
    );
  });

  it("lists all problems of the training options", () => {
    expect(() => toyTrainer({ training: { learningRate: -1, microbatch: 3 } as never })).toThrowError(
      /training\.learningRate: .*\n.*microbatch/,
    );
  });

  it("knows the settings of options given in code, and of plugins", async () => {
    const { settings } = await toyTrainer({
      training: { learningRate: 1 },
      plugins: [example({ cache: "on" })],
    }).plan();
    expect(settings.map(({ path }) => path)).toEqual([
      "training.epochs",
      "training.microBatchSize",
      "training.learningRate",
      "example.cache",
    ]);
    const given = [
      { path: "training.learning_rate", value: 1, origin: "explicit" as const, file: "thaw.yaml", line: 2 },
    ];
    expect((await toyTrainer({ settings: given }).plan()).settings).toEqual(given);
  });

  it("names what run needs", async () => {
    await expect(toyTrainer({ seed: undefined }).run()).rejects.toMatchObject({
      code: "THAW_CORE_OPTION_MISSING",
      details: { option: "seed" },
    });
    await expect(toyTrainer({ data: {} }).run()).rejects.toMatchObject({ details: { option: "data.train" } });
    await expect(toyTrainer({ training: { epochs: undefined } }).run()).rejects.toMatchObject({
      details: { option: "training.epochs" },
    });
  });
});
