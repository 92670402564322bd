import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { bfloat16ToFloat32, float32ToBfloat16, openSafetensors } from "@thaw/safetensors";
import { initialValues } from "./initial-values.js";
import { llavaFamily } from "../families/llava/family.js";
import type { Family } from "../contract/family.js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Model } from "@thaw/contracts";
import { changedCheckpoint, LLAVA_FOLDER } from "../../test-support/checkpoint.js";
import { openModel } from "../open/open-model.js";

let parent: string;
let target: string;
let model: Model;
const stored = new Map<string, Float32Array>();

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "thaw-save-"));
  target = join(parent, "deep", "saved");
  model = await openModel(LLAVA_FOLDER);
  for await (const { name, values } of model.load(model.parameters.map((parameter) => parameter.name)))
    stored.set(name, values);
});
afterEach(() => rm(parent, { recursive: true }));

const values = async (name: string): Promise<Float32Array> => stored.get(name)!;
const filesAround = async (): Promise<readonly string[]> => readdir(dirname(target)).catch(() => []);

describe("saving", () => {
  it("writes a folder that opens again with the same values and all that belongs to it", async () => {
    await model.save(target, values);
    // As every folder that the user makes: others may read it where the umask lets them
    await mkdir(`${target}-plain`);
    expect((await stat(target)).mode).toBe((await stat(`${target}-plain`)).mode);
    await rm(`${target}-plain`, { recursive: true });
    expect((await readdir(target)).sort()).toEqual(
      [...(await readdir(LLAVA_FOLDER)).filter((file) => !/golden|png/.test(file)), "thaw-manifest.json"].sort(),
    );
    const again = await openModel(target);
    expect(again.parameters).toEqual(model.parameters);
    for await (const item of again.load([...stored.keys()])) expect(item.values).toEqual(stored.get(item.name));
    expect(await readFile(join(target, "chat_template.jinja"), "utf8")).toBe(
      await readFile(join(LLAVA_FOLDER, "chat_template.jinja"), "utf8"),
    );
    expect(await filesAround()).toEqual([basename(target)]);
  });

  it("rounds to bfloat16 where asked to, and says so in config.json", async () => {
    await model.save(target, values, { dtype: "BF16" });
    const again = await openModel(target);
    expect(again.parameters[0]?.dtype).toBe("BF16");
    for await (const item of again.load([...stored.keys()])) {
      const rounded = new Float32Array(item.values.length);
      bfloat16ToFloat32(float32ToBfloat16(stored.get(item.name)!), rounded);
      expect(item.values).toEqual(rounded);
    }
    const config = await readFile(join(LLAVA_FOLDER, "config.json"), "utf8");
    expect(await readFile(join(target, "config.json"), "utf8")).toBe(config.replace('"float32"', '"bfloat16"'));
    const reader = await openSafetensors(target);
    expect(reader.metadata).toEqual({ format: "pt" });
    await reader.close();
  });

  it("adds the dtype to a config that says none", async () => {
    await model.save(target, values);
    const config = await readFile(join(target, "config.json"), "utf8");
    await writeFile(join(target, "config.json"), config.replace(/ *"dtype".*\n/, ""));
    await rm(join(target, "thaw-manifest.json")); // changed on purpose
    await (await openModel(target)).save(`${target}-again`, values, { dtype: "BF16" });
    expect(JSON.parse(await readFile(join(`${target}-again`, "config.json"), "utf8"))).toEqual({
      torch_dtype: "bfloat16",
      ...(JSON.parse(config.replace(/ *"dtype".*\n/, "")) as object),
    });
  });

  it("does not touch a model that is there, unless asked to", async () => {
    await model.save(target, values);
    const bytes = await readFile(join(target, "model.safetensors"));
    const zeros = async (name: string): Promise<Float32Array> => new Float32Array(stored.get(name)!.length);
    await expect(model.save(target, zeros)).rejects.toMatchObject({ code: "THAW_CHECKPOINT_EXISTS" });
    expect(await readFile(join(target, "model.safetensors"))).toEqual(bytes);
    await writeFile(join(target, "model.safetensors.index.json"), "{}");
    await model.save(target, zeros, { overwrite: true });
    expect(await readFile(join(target, "model.safetensors"))).not.toEqual(bytes);
    expect(await readdir(target)).not.toContain("model.safetensors.index.json");
    expect(await filesAround()).toEqual([basename(target)]);
  });

  it("joins a folder that holds other files", async () => {
    await mkdir(target, { recursive: true });
    await writeFile(join(target, "notes.txt"), "mine");
    await model.save(target, values);
    expect(await readFile(join(target, "notes.txt"), "utf8")).toBe("mine");
    expect((await openModel(target)).parameters).toHaveLength(model.parameters.length);
  });

  it("may overwrite the folder that it reads from", async () => {
    await model.save(target, values);
    const own = await openModel(target);
    await own.save(target, values, { overwrite: true, dtype: "BF16" });
    expect((await openModel(target)).parameters[0]?.dtype).toBe("BF16");
  });
});

describe("a saved model that is damaged", () => {
  it.each(["config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors", "thaw-manifest.json"])(
    "is refused by the name of its file when a bit of %s flips",
    async (file) => {
      await model.save(target, values);
      const bytes = await readFile(join(target, file));
      bytes[bytes.length - 9]! ^= 4;
      await writeFile(join(target, file), bytes);
      const read = async (): Promise<void> => {
        const again = await openModel(target);
        for await (const _ of again.load([...stored.keys()]));
      };
      await expect(read()).rejects.toMatchObject({
        code: "THAW_SAFETENSORS_DAMAGED",
        details: { file: join(target, file) },
      });
    },
  );

  it("is never made of values that are not finite", async () => {
    const spoilt = async (name: string): Promise<Float32Array> => {
      const own = stored.get(name)!.slice();
      if (name.endsWith("linear_2.bias")) own[3] = Number.NaN;
      return own;
    };
    await expect(model.save(target, spoilt)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_NOT_FINITE",
      details: { name: expect.stringMatching(/linear_2\.bias$/), index: 3 },
    });
    expect(await filesAround()).toEqual([]);
  });
});

describe("a failure leaves nothing behind", () => {
  it("when values cannot be had", async () => {
    await expect(
      model.save(target, async (name) =>
        name.includes("linear_2") ? Promise.reject(new Error("the store is closed")) : stored.get(name)!,
      ),
    ).rejects.toThrow("the store is closed");
    expect(await filesAround()).toEqual([]);
  });

  it("when values are too few", async () => {
    await expect(model.save(target, async () => new Float32Array(1))).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_VALUES",
    });
    expect(await filesAround()).toEqual([]);
  });

  it("when the folder cannot be made", async () => {
    await writeFile(join(parent, "deep"), "a file is in the way");
    await expect(model.save(target, values)).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_UNWRITABLE",
      details: { folder: target },
    });
  });

  it("when the disk is full", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
    await expect(model.save(target, () => Promise.reject(full))).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_UNWRITABLE",
    });
    expect(await filesAround()).toEqual([]);
  });
});

describe("a family with buffers", () => {
  const bound = { name: "vision_tower.vision_model.bound", shape: [] };
  const statistics = { name: "multi_modal_projector.linear_1.mean", shape: [3] };
  const spec = { ...bound, role: (): Float32Array => Float32Array.of(-2.5), isBuffer: true };
  const family: Family = {
    ...llavaFamily,
    modelType: "llava_bound",
    describe: (header) => {
      const made = llavaFamily.describe(header);
      return {
        ...made,
        parameters: [spec, ...made.parameters, { ...statistics, role: "norm", isBuffer: true }],
      };
    },
  };
  const families = [family];
  const opened = async (): Promise<string> =>
    changedCheckpoint({
      config: (config) => {
        config.model_type = "llava_bound";
      },
      add: { [bound.name]: bound.shape, [statistics.name]: statistics.shape },
    });

  it("keeps them apart from parameters, loads them and saves them", async () => {
    const folder = await opened();
    try {
      const bounded = await openModel(folder, { families });
      expect(bounded.buffers).toEqual([
        { ...bound, dtype: "F32" },
        { ...statistics, dtype: "F32" },
      ]);
      expect(bounded.parameters).toEqual(model.parameters);
      const given = new Map([...stored, [bound.name, Float32Array.of(7)], [statistics.name, Float32Array.of(1, 2, 3)]]);
      await bounded.save(target, async (name) => given.get(name)!);
      const again = await openModel(target, { families });
      expect(again.buffers).toEqual(bounded.buffers);
      for await (const { name, values: read } of again.load([statistics.name, bound.name]))
        expect(read).toEqual(given.get(name));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("starts them from what the family says, with the component that is made anew", async () => {
    const folder = await opened();
    try {
      const fresh = await openModel(folder, { initialize: ["vision_tower"], families });
      const read = new Map<string, Float32Array>();
      for await (const { name, values: made } of fresh.load([bound.name, statistics.name])) read.set(name, made);
      expect([...read]).toEqual([
        [bound.name, Float32Array.of(-2.5)],
        [statistics.name, Float32Array.of(0, 0, 0)],
      ]);
      expect(initialValues(spec, 1)).toEqual(Float32Array.of(-2.5));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
