import type { Model } from "@thaw/core";
import { withTempFolder } from "@thaw/testing";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Adapter } from "./adapters/adapter.js";
import { moduleName } from "./planning/module-names.js";
import { alphaOf, makePeftConfig, parsePeftConfig, type PeftConfig } from "./peft/peft-config.js";
import { readPeftHeader, readPeftValues, writePeftFolder } from "./peft/peft-folder.js";
import { readPeftName } from "./peft/peft-names.js";
import { wholeModules } from "./peft/whole-modules.js";

const adapter = (module: string, more: Partial<Adapter> = {}): Adapter => ({
  module,
  component: "c",
  rank: 4,
  alpha: 8,
  rslora: false,
  scaling: 2,
  dropout: 0,
  inputs: 3,
  outputs: 5,
  ...more,
});
const same = (module: string): string => module;
const more = { modelType: "llava", base: "base", modulesToSave: [] };

describe("names", () => {
  it("of a checkpoint become those of modules by the longest prefix of whole segments", () => {
    const model: Pick<Model, "moduleNames"> = {
      moduleNames: [
        ["a", "x"],
        ["a.b", "y.z"],
      ],
    };
    expect(["a.c", "a.b.c", "ab.c", "a"].map((name) => moduleName(model, name))).toEqual(["x.c", "y.z.c", "ab.c", "x"]);
    expect(moduleName({}, "a.b")).toBe("a.b");
  });

  it("of an adapter file are read with or without the adapter's name", () => {
    expect(readPeftName("base_model.model.m.q_proj.lora_A.weight")).toEqual({ kind: "a", module: "m.q_proj" });
    expect(readPeftName("base_model.model.m.q_proj.lora_B.default.weight")).toEqual({ kind: "b", module: "m.q_proj" });
    expect(readPeftName("base_model.model.m.linear.modules_to_save.default.bias")).toEqual({
      kind: "parameter",
      name: "m.linear.bias",
    });
    for (const other of [
      "base_model.model.m.lora_embedding_A",
      "base_model.model.m.q.lora_magnitude_vector",
      "base_model.model.m.q.lora_B.bias",
      "m.q.lora_A.weight",
    ])
      expect(readPeftName(other).kind).toBe("other");
  });
});

describe("adapter_config.json", () => {
  it(
    "says rank and alpha by pattern where adapters differ, and one scale for those that are rank-stabilised and " +
      "those that are not",
    () => {
      const config = makePeftConfig(
        [adapter("a"), adapter("b", { rank: 9, alpha: 3, rslora: true, scaling: 1, dropout: 0.5 })],
        same,
        more,
      );
      expect(config).toMatchObject({
        r: 4,
        lora_alpha: 8,
        lora_dropout: 0.5,
        rank_pattern: { b: 9 },
        alpha_pattern: { b: 9 },
        use_rslora: false,
        target_modules: ["a", "b"],
        modules_to_save: null,
      });
      expect(makePeftConfig([adapter("a", { rslora: true, scaling: 4 })], same, more)).toMatchObject({
        use_rslora: true,
        lora_alpha: 8,
        rank_pattern: {},
        alpha_pattern: {},
      });
      const parsed = parsePeftConfig(config) as PeftConfig;
      expect(["a", "b"].map((module) => alphaOf(parsed, module))).toEqual([8, 9]);
    },
  );

  it("names weights where PEFT would take layers for experts, and reads it back", () => {
    const adapters = ["l.0.self_attn.q_proj", "l.0.mlp.gate_proj", "l.0.mlp.up_proj", "l.1.mlp.shared.down_proj"].map(
      (module, index) => adapter(module, { rank: 4 + index, alpha: 8 + index, dropout: 0.5 }),
    );
    const [query, ...taken] = adapters.map(({ module }) => module);
    const config = makePeftConfig(adapters, same, { ...more, modelType: "glm4v_moe" });
    expect(config).toMatchObject({
      target_modules: [query],
      target_parameters: taken.map((module) => `${module}.weight`),
      rank_pattern: Object.fromEntries(taken.map((module, index) => [`${module}.weight`, 5 + index])),
      lora_dropout: 0,
    });
    const parsed = parsePeftConfig(config) as PeftConfig;
    expect([query!, ...taken].map((module) => alphaOf(parsed, module))).toEqual([8, 9, 10, 11]);
    expect(makePeftConfig(adapters, same, more)).toMatchObject({ target_parameters: null, lora_dropout: 0.5 });
  });

  it("matches patterns at the end of a module, in whole segments, the first one first", () => {
    const config = parsePeftConfig({
      peft_type: "LORA",
      lora_alpha: 1,
      alpha_pattern: { "layers.1.*q": 2, q: 3, "(": 4 },
    }) as PeftConfig;
    expect(["x.layers.1.q", "x.q", "x.aq", "q", "("].map((module) => alphaOf(config, module))).toEqual([2, 3, 1, 3, 4]);
    expect(config).toMatchObject({ dropout: 0, rslora: false });
  });

  it.each([
    [[], "not a JSON object"],
    [{ peft_type: "LOHA", lora_alpha: 1 }, "LOHA"],
    [{ peft_type: "LORA" }, "lora_alpha"],
    [{ peft_type: "LORA", lora_alpha: 1, bias: "all" }, "biases"],
    [{ peft_type: "LORA", lora_alpha: 1, use_dora: true }, "use_dora"],
    [{ peft_type: "LORA", lora_alpha: 1, target_parameters: ["experts.gate_up_proj"] }, "target_parameters"],
    [{ peft_type: "LORA", lora_alpha: 1, init_lora_weights: "olora" }, "olora"],
  ])("that says %j cannot be used", (config, says) => {
    expect((parsePeftConfig(config) as readonly string[]).join(" ")).toContain(says);
  });
});

describe("wholeModules", () => {
  const model = (names: readonly string[], tied: readonly string[] = []): Model =>
    ({
      parameters: names.map((name) => ({
        name,
        shape: [1],
        dtype: "F32",
        ...(tied.includes(name) ? { tiedNames: ["other"] } : {}),
      })),
    }) as unknown as Model;
  const names = [
    "p.one.weight",
    "p.one.bias",
    "p.two.weight",
    "p.token",
    "m.layers.0.w.weight",
    "m.layers.1.w.weight",
    "m.embed.weight",
    "newline",
  ];
  const of = (trained: readonly string[], tied: readonly string[] = []) =>
    wholeModules(model(names, tied), new Set(trained));
  it("are the largest that trained as a whole", () => {
    expect(of(["p.one.weight", "p.one.bias", "p.two.weight", "p.token"])).toEqual({
      modules: ["p"],
      parameters: names.slice(0, 4),
      omitted: [],
    });
    expect(of(["p.one.weight", "p.one.bias"])).toMatchObject({ modules: ["p.one"] });
    expect(of([])).toEqual({ modules: [], parameters: [], omitted: [] });
  });
  it("take the rest of a module along of which a part trained", () => {
    expect(of(["p.one.bias"])).toEqual({ modules: ["p.one"], parameters: ["p.one.weight", "p.one.bias"], omitted: [] });
  });
  it("are not lists of blocks, which PEFT cannot wrap, but may hold them", () => {
    expect(of(["m.layers.0.w.weight", "m.layers.1.w.weight"]).modules).toEqual(["m.layers.0", "m.layers.1"]);
    expect(of(["m.layers.0.w.weight", "m.layers.1.w.weight", "m.embed.weight"]).modules).toEqual(["m"]);
  });
  it("leave out what no module holds alone, and tied parameters", () => {
    expect(of(["p.token", "newline"])).toMatchObject({ modules: [], omitted: ["p.token", "newline"] });
    expect(of(["m.embed.weight"], ["m.embed.weight"])).toMatchObject({ modules: [], omitted: ["m.embed.weight"] });
  });
});

describe("an adapter's folder", () => {
  it("is written whole or not at all, and read back", async () => {
    await withTempFolder(async (root) => {
      const folder = join(root, "deep/adapter");
      const tensor = (values: () => Promise<Float32Array>) => [{ name: "x", shape: [2], values }];
      await expect(
        writePeftFolder(
          folder,
          {},
          tensor(async () => {
            throw new Error("gone");
          }),
        ),
      ).rejects.toMatchObject({ code: "THAW_LORA_FOLDER_UNWRITABLE" });
      expect(await readdir(join(root, "deep"))).toEqual([]);
      await writePeftFolder(
        folder,
        { r: 1 },
        tensor(async () => Float32Array.of(1, 2)),
      );
      expect(JSON.parse(await readFile(join(folder, "adapter_config.json"), "utf8"))).toEqual({ r: 1 });
      expect(await readPeftHeader(folder)).toEqual({ config: { r: 1 }, shapes: new Map([["x", [2]]]) });
      expect(await readPeftValues(folder, "x")).toEqual(Float32Array.of(1, 2));
      await expect(writePeftFolder(folder, {}, [])).rejects.toMatchObject({ code: "THAW_LORA_FOLDER_EXISTS" });
      await expect(
        writePeftFolder(
          join(root, "spoilt"),
          {},
          tensor(async () => Float32Array.of(1, Infinity)),
        ),
      ).rejects.toMatchObject({ code: "THAW_SAFETENSORS_NOT_FINITE" });
      expect(await readPeftHeader(root)).toContain("no such file");
    });
  });

  it("that is damaged is refused by the name of its file", async () => {
    await withTempFolder(async (root) => {
      const folder = join(root, "adapter");
      await writePeftFolder(folder, { r: 1 }, [{ name: "x", shape: [2], values: async () => Float32Array.of(1, 2) }]);
      const flip = async (file: string): Promise<void> => {
        const bytes = await readFile(join(folder, file));
        bytes[bytes.length - 5]! ^= 1;
        await writeFile(join(folder, file), bytes);
      };
      await flip("adapter_model.safetensors");
      await expect(readPeftValues(folder, "x")).rejects.toMatchObject({ code: "THAW_SAFETENSORS_DAMAGED" });
      await flip("adapter_config.json");
      expect(await readPeftHeader(folder)).toContain(`At ${join(folder, "adapter_config.json")}`);
      await flip("adapter_config.json");
      await flip("thaw-manifest.json");
      expect(await readPeftHeader(folder)).toContain(`At ${join(folder, "thaw-manifest.json")}`);
    });
  });

  it("that cannot be made is an error", async () => {
    await withTempFolder(async (root) => {
      await writeFile(join(root, "file"), "");
      await expect(writePeftFolder(join(root, "file/adapter"), {}, [])).rejects.toMatchObject({
        code: "THAW_LORA_FOLDER_UNWRITABLE",
      });
    });
  });
});
