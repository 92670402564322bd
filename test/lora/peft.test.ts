import "@tensorflow/tfjs-backend-cpu";
import { existsSync } from "node:fs";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { backendGpu } from "@thaw/backend-gpu";
import { openSafetensors, planReport, Trainer, writeSafetensors } from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import lora, { saveAdapter } from "@thaw/plugin-lora";
import { withTempFolder } from "@thaw/testing";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { maxAbsolute, maxDifference, maxRelativeDifference } from "../parity/compare.mjs";
import { BASE, baseBatch, goldenTensors, PEFT, runLora, type LoraRun } from "./golden.js";

interface Facts {
  readonly losses: Readonly<Record<"language_model" | "patterns", number>>;
  readonly run: {
    readonly losses: readonly number[];
    readonly grad_norms: readonly number[];
    readonly loss_after: number;
  };
}
const facts = JSON.parse(await readFile(`${PEFT}golden.json`, "utf8")) as Facts;
const BOTH = { freezeMultiModalProjector: false, components: { languageModel: { lora: {} } } } as const;
const BACKENDS = ["wasm", "cpu"] as const;

/** Tolerances of goldens/README.md. */
async function expectPeft(run: LoraRun, name: "language_model" | "patterns"): Promise<void> {
  const mask = (await baseBatch()).attentionMask;
  const logits = (await goldenTensors(`${name}.out.`)).get("logits")!;
  const vocabulary = logits.length / mask.length;
  expect(maxDifference(run.logits, logits, (index: number) => mask[Math.floor(index / vocabulary)] === 1)).toBeLessThan(
    1e-4,
  );
  expect(run.losses[0]).toBeCloseTo(facts.losses[name], 4);
  const gradients = await goldenTensors(`${name}.grad.`);
  expect([...run.gradients.keys()].toSorted()).toEqual([...gradients.keys()].toSorted());
  for (const [parameter, wanted] of gradients) {
    expect(maxDifference(run.gradients.get(parameter), wanted), parameter).toBeLessThanOrEqual(
      1e-3 * maxAbsolute(wanted) + 1e-6,
    );
  }
}

describe.each(BACKENDS)("adapters that PEFT made, on %s", (backend) => {
  it(
    "give PEFT's logits, loss and gradients, and its run of five steps, with the projector trained whole beside " +
      "them",
    async () => {
      let lossAfter = Number.NaN;
      const batch = await baseBatch();
      const run = await runLora(backend, {
        freeze: BOTH,
        lora: { adapter: `${PEFT}language_model` },
        steps: 5,
        after: async (session) => {
          const { lossSum, supervisedTokenCount } = await session.loss(batch);
          lossAfter = lossSum / supervisedTokenCount;
        },
      });
      await expectPeft(run, "language_model");
      expect(maxDifference(run.losses, facts.run.losses)).toBeLessThan(1e-4);
      expect(maxRelativeDifference(run.norms, facts.run.grad_norms)).toBeLessThan(1e-3);
      expect(lossAfter).toBeCloseTo(facts.run.loss_after, 4);
      const end = await goldenTensors("language_model.end.");
      expect([...run.end.keys()].toSorted()).toEqual([...end.keys()].toSorted());
      for (const [name, wanted] of end) expect(maxDifference(run.end.get(name), wanted), name).toBeLessThan(1e-4);
      expect(run.summary.frozenProof.map(({ component, isUnchanged }) => [component, isUnchanged])).toEqual([
        ["vision_tower", true],
        ["language_model", true],
      ]);
    },
  );

  it("keep rank and alpha by pattern, and the rank-stabilised scale, over tower and language model", async () => {
    const run = await runLora(backend, {
      freeze: { components: { vision_tower: { lora: {} }, language_model: { lora: {} } } },
      lora: { adapter: `${PEFT}patterns` },
    });
    await expectPeft(run, "patterns");
    const { plan } = await run.trainer.plan();
    expect(
      planReport(await run.trainer.plan()).components.map(({ name, state, flows }) => [name, state, flows]),
    ).toEqual([
      ["vision_tower", "adapter", ["prefix", "trained"]],
      ["multi_modal_projector", "frozen", ["through"]],
      ["language_model", "adapter", ["through", "trained"]],
    ]);
    expect(plan.phases[0]!.entries.filter(({ trainable }) => trainable)).toHaveLength(12);
  });
});

describe("an adapter folder", () => {
  let before = 0;
  beforeAll(async () => {
    await setBackend("cpu");
    before = memory().numTensors;
  });

  const session = async (adapter: string) => {
    const trainer = new Trainer({
      model: await openModel(BASE),
      plugins: [backendGpu("wasm"), freezePolicy(BOTH), lora({ adapter })],
    });
    return { trainer, session: await trainer.open() };
  };
  const contents = async (folder: string): Promise<ReadonlyMap<string, Float32Array>> => {
    const reader = await openSafetensors(join(folder, "adapter_model.safetensors"));
    const values = new Map<string, Float32Array>();
    for (const name of reader.entries.keys()) values.set(name, await reader.readFloat32(name));
    await reader.close();
    return values;
  };

  it("is written as PEFT wrote it: the same names, values and settings", async () => {
    await withTempFolder(async (folder) => {
      const opened = await session(`${PEFT}language_model`);
      const target = join(folder, "adapter");
      expect(await saveAdapter(opened.trainer, target, opened.session)).toEqual([]);
      await expect(saveAdapter(opened.trainer, target, opened.session)).rejects.toMatchObject({
        code: "THAW_LORA_FOLDER_EXISTS",
      });
      await opened.session.close();
      const [written, wanted] = [await contents(target), await contents(`${PEFT}language_model`)];
      expect([...written.keys()].toSorted()).toEqual([...wanted.keys()].toSorted());
      for (const [name, values] of wanted) expect(written.get(name), name).toEqual(values);
      const config = JSON.parse(await readFile(join(target, "adapter_config.json"), "utf8")) as Record<string, unknown>;
      const peft = JSON.parse(await readFile(`${PEFT}language_model/adapter_config.json`, "utf8")) as Record<
        string,
        unknown
      >;
      const { target_modules: targets, base_model_name_or_path: base, modules_to_save: whole, ...rest } = config;
      expect(peft).toMatchObject(rest);
      expect(targets).toEqual(
        [0, 1].flatMap((layer) =>
          ["mlp.down_proj", "self_attn.q_proj", "self_attn.v_proj"].map(
            (part) => `model.language_model.layers.${layer}.${part}`,
          ),
        ),
      );
      expect([base, whole]).toEqual([BASE, ["model.multi_modal_projector"]]);
    });
    expect(memory().numTensors).toBe(before);
  });

  it("of older transformers, with the names of published files, is read alike", async () => {
    await withTempFolder(async (folder) => {
      const values = await contents(`${PEFT}language_model`);
      const older = (name: string): string =>
        name
          .replace("model.model.language_model.", "model.language_model.model.")
          .replace("model.model.multi_modal", "model.multi_modal");
      const renamed = new Map([...values].map(([name, tensor]) => [older(name), { tensor, name }]));
      const header = await openSafetensors(join(PEFT, "language_model/adapter_model.safetensors"));
      const shapeOf = (name: string): readonly number[] => header.entry(renamed.get(name)!.name).shape;
      await writeSafetensors(
        join(folder, "adapter_model.safetensors"),
        [...renamed.keys()].map((name) => ({ name, dtype: "F32" as const, shape: shapeOf(name) })),
        (name) => renamed.get(name)!.tensor,
      );
      await header.close();
      await cp(`${PEFT}language_model/adapter_config.json`, join(folder, "adapter_config.json"));
      expect(renamed.has("base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_A.weight")).toBe(true);
      await expectPeft(await runLora("cpu", { freeze: BOTH, lora: { adapter: folder } }), "language_model");
    });
  });

  it("with patterns is read back as it was", async () => {
    await withTempFolder(async (folder) => {
      const freeze = { components: { vision_tower: { lora: {} }, language_model: { lora: {} } } } as const;
      const trainer = new Trainer({
        model: await openModel(BASE),
        plugins: [backendGpu("wasm"), freezePolicy(freeze), lora({ adapter: `${PEFT}patterns` })],
      });
      const opened = await trainer.open();
      await saveAdapter(trainer, join(folder, "again"), opened);
      await opened.close();
      const config = JSON.parse(await readFile(join(folder, "again/adapter_config.json"), "utf8")) as Record<
        string,
        unknown
      >;
      expect(config).toMatchObject({
        use_rslora: true,
        alpha_pattern: { "model.language_model.layers.1.self_attn.o_proj": 7 },
      });
      await expectPeft(await runLora("cpu", { freeze, lora: { adapter: join(folder, "again") } }), "patterns");
    });
  });

  it("merged on export is PEFT's merge, and the checkpoint gives the same loss without the plugin", async () => {
    await withTempFolder(async (folder) => {
      const opened = await session(`${PEFT}language_model`);
      const batch = await baseBatch();
      const wanted = await opened.session.loss(batch);
      await opened.session.save(join(folder, "merged"));
      await opened.session.close();
      const reader = await openSafetensors(join(folder, "merged/model.safetensors"));
      for (const [name, values] of await goldenTensors("language_model.merged."))
        expect(maxDifference(await reader.readFloat32(name), values), name).toBeLessThan(1e-6);
      expect([...reader.entries.keys()].some((name) => name.includes("lora"))).toBe(false);
      await reader.close();
      const plain = await new Trainer({
        model: await openModel(join(folder, "merged")),
        plugins: [backendGpu("wasm")],
      }).open();
      expect((await plain.loss(batch)).lossSum).toBeCloseTo(wanted.lossSum, 3);
      await plain.close();
    });
    expect(memory().numTensors).toBe(before);
  });

  it("that does not fit is a finding before a weight is read", async () => {
    await withTempFolder(async (folder) => {
      const findings = async (freeze: Parameters<typeof freezePolicy>[0], adapter: string) => {
        const { findings: found, isRefused } = await new Trainer({
          model: await openModel(BASE),
          plugins: [freezePolicy(freeze), lora({ adapter })],
        }).plan();
        expect(isRefused).toBe(true);
        return found.map(({ rule, message, fix }) => `${rule}: ${message} ${fix}`).join("\n");
      };
      const ours = join(folder, "ours");
      await cp(`${PEFT}language_model`, ours, { recursive: true });
      const edit = async (change: Record<string, unknown>): Promise<void> => {
        const config = JSON.parse(await readFile(`${PEFT}language_model/adapter_config.json`, "utf8")) as Record<
          string,
          unknown
        >;
        await writeFile(join(ours, "adapter_config.json"), JSON.stringify({ ...config, ...change }));
      };
      expect(await findings(BOTH, join(folder, "nowhere"))).toMatch(/adapter-file-unusable: .*nowhere.*no such file/);
      await edit({ peft_type: "IA3" });
      expect(await findings(BOTH, ours)).toContain('Its peft_type is "IA3"');
      await edit({ use_dora: true, bias: "all", init_lora_weights: "pissa_niter_4" });
      expect(await findings(BOTH, ours)).toMatch(/biases .*use_dora.*pissa_niter_4/);
      await edit({});
      expect(await findings({ components: { vision_tower: { lora: {} } } }, ours)).toContain(
        "Add language_model: { lora: {} } to freeze.components",
      );
      expect(
        await findings({ components: { vision_tower: { lora: {} }, language_model: { lora: {} } } }, ours),
      ).toContain("adapts no layer of vision_tower");
      expect(await findings({ components: { language_model: { lora: { rank: 8 } } } }, ours)).toContain(
        "Its rank is 4",
      );
      expect(
        await findings({ components: { language_model: { lora: { targetModules: ["q_proj"] } } } }, ours),
      ).toContain("other layers of language_model");
      await rm(join(ours, "adapter_model.safetensors"));
      expect(await findings(BOTH, ours)).toContain("no such file");
      expect(existsSync(ours)).toBe(true);
    });
  });
});
