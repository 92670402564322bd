import { describe, expect, it } from "vitest";
import { z } from "zod";
import { configJsonSchema } from "./checking/json-schema.js";
import { nearestName } from "./words/keys.js";
import { overrideLayer } from "./reading/overrides.js";
import { resolveSource } from "./resolving/paths.js";
import { printedSettings } from "./words/print.js";
import { candidateNames } from "./reading/read-layers.js";

describe("keys", () => {
  it("finds near names whatever the spelling, and none that is far", () => {
    expect(nearestName("freeze_vison_tower", ["freezeLlm", "freezeVisionTower"])).toBe("freezeVisionTower");
    expect(nearestName("zzz", ["model", "data"])).toBeUndefined();
  });
});

describe("overrides", () => {
  it("reads YAML values and nests them; the last one wins", () => {
    expect(
      overrideLayer(["training.epochs=3", "plugins=[a, b]", "model=./x=y", "training.epochs=4", "freeze.x=null"], "/")
        .value,
    ).toEqual({ training: { epochs: 4 }, plugins: ["a", "b"], model: "./x=y", freeze: { x: null } });
  });

  it.each(["epochs", "=3", "a..b=1", "a=[1"])("refuses %s", (text) => {
    expect(() => overrideLayer([text], "/")).toThrow(expect.objectContaining({ code: "THAW_CONFIG_OVERRIDE" }));
  });
});

describe("names", () => {
  it.each([
    ["board", ["@thaw/plugin-board", "thaw-plugin-board", "board"]],
    ["thaw-plugin-board", ["thaw-plugin-board"]],
    ["@me/board", ["@me/thaw-plugin-board", "@me/board"]],
    ["@me/thaw-plugin-board", ["@me/thaw-plugin-board"]],
    ["@me", ["@me/thaw-plugin"]],
    ["@thaw/plugin-board", ["@thaw/plugin-board"]],
    ["@thaw/board", ["@thaw/plugin-board", "@thaw/board"]],
  ])("tries for %s %j", (name, names) => expect(candidateNames("plugin", name)).toEqual(names));

  it.each([
    ["iconify:twemoji", "iconify:twemoji"],
    ["iconify:./a.json", "iconify:/base/a.json"],
    ["./a.jsonl", "/base/a.jsonl"],
    ["/x/a.jsonl", "/x/a.jsonl"],
  ])("reads the source %s as %s", (text, resolved) => expect(resolveSource(text, "/base")).toBe(resolved));
});

describe("output", () => {
  it("prints where each value comes from", () => {
    const settings = [
      { path: "seed", value: 1, origin: "explicit" as const, file: "/c/thaw.config.yaml", line: 2 },
      { path: "model", value: "m", origin: "preset" as const, file: "/p/preset.yaml", line: 1 },
      { path: "plugins", value: [() => 1], origin: "explicit" as const },
    ];
    expect(printedSettings(settings, [{ path: "training.shuffle", value: true, origin: "default" }], "/c")).toEqual([
      { path: "seed", value: "1", origin: "thaw.config.yaml:2" },
      { path: "model", value: '"m"', origin: "preset /p/preset.yaml:1" },
      { path: "plugins", value: '["(code)"]', origin: "--set or program" },
      { path: "training.shuffle", value: "true", origin: "default" },
    ]);
  });

  it("makes a draft-07 schema with both spellings and the sections of plugins", () => {
    const schema = configJsonSchema({ data: z.strictObject({ maxNewTokens: z.number().default(3) }) }, []) as {
      $schema: string;
      additionalProperties: boolean;
      properties: Record<string, { properties: Record<string, { default?: unknown }> }>;
    };
    expect(schema.$schema).toContain("draft-07");
    expect(schema.additionalProperties).toBe(false);
    expect(schema.properties["training"]!.properties).toMatchObject({
      microBatchSize: { default: 8 },
      micro_batch_size: { default: 8 },
    });
    expect(schema.properties["data"]!.properties).toHaveProperty("max_new_tokens");
    expect(JSON.stringify(schema)).not.toContain("package-or-path");
  });
});
