import type { Provided } from "@thaw/contracts";
import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { API_VERSION } from "../api/plugin.js";
import { definePlugin } from "../api/define-plugin.js";
import type { Trainer } from "../run/trainer.js";
import { toyTrainer } from "../toy/toy-trainer.js";
import { sgd } from "../optimizers/sgd.js";
import { Registry } from "./registry.js";

interface Flavour extends Provided {
  readonly strength: number;
}
declare module "@thaw/contracts" {
  interface Provides {
    readonly flavours?: readonly Flavour[];
  }
}

const flavour = (type: string, strength = 1): Flavour => ({
  type,
  summary: `Tastes of ${type}.`,
  strength,
  schema: { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } },
});
const sour = { name: "SourPlugin", provides: { flavours: [flavour("lemon"), flavour("lime", 2)] } };
const sweet = { name: "SweetPlugin", provides: { flavours: [flavour("honey")] }, needs: ["SourPlugin"] };

describe("Registry", () => {
  it("holds what all providers provide, in their order", () => {
    const registry = new Registry([sour, sweet, { name: "PlainPlugin" }]);
    expect(registry.names("flavours")).toEqual(["lemon", "lime", "honey"]);
    expect(registry.all("flavours").map(({ strength }) => strength)).toEqual([1, 2, 1]);
    expect(registry.find("flavours", "lime")?.strength).toBe(2);
    expect(registry.find("flavours", "salt")).toBeUndefined();
    expect(registry.providerOf("flavours", "honey")).toBe("SweetPlugin");
    expect(new Registry([]).all("flavours")).toEqual([]);
  });

  it("says what there is, and the nearest, where nothing has the name", () => {
    expect(() => new Registry([sour]).get("flavours", "lemmon", "data.flavour (thaw.yaml:3:2)")).toThrow(
      'There is no "lemmon" among the flavours. In data.flavour (thaw.yaml:3:2). Did you mean lemon? There are: ' +
        "lemon, lime.",
    );
    expect(() => new Registry([]).get("flavours", "lemon", "here")).toThrow(/No plugin provides any\./);
  });

  it("refuses one name twice, naming both providers and where they are named", () => {
    const other = {
      name: "OtherPlugin",
      provides: { flavours: [flavour("lime")] },
      place: "plugins.0 (thaw.yaml:1:3)",
    };
    expect(() => new Registry([sour, other])).toThrow(
      "SourPlugin and OtherPlugin both provide lime among the flavours. In plugins.0 (thaw.yaml:1:3). Remove one",
    );
  });

  it("refuses a plugin without those that it needs, in a trainer too", () => {
    expect(() => new Registry([sweet])).toThrow(/The plugin SweetPlugin needs SourPlugin, which is not there\./);
    const [lacking, needed] = [sweet, sour].map((provider) => definePlugin({ ...provider, apiVersion: API_VERSION })());
    expect(() => toyTrainer({ plugins: [lacking] })).toThrow(
      expect.objectContaining({ code: "THAW_CORE_PLUGIN_NEEDED" }),
    );
    expect(() => toyTrainer({ plugins: [lacking, needed] })).not.toThrow();
  });
});

describe("an optimizer of a plugin", () => {
  beforeAll(async () => {
    await setBackend("cpu");
  });
  const mine = { ...sgd, type: "mine", schema: sgd.schema.safeExtend({ type: z.literal("mine") as never }) };
  const plugin = definePlugin({ name: "Mine", apiVersion: API_VERSION, provides: { optimizers: [mine as never] } });
  const training = { maxSteps: 2, optimizer: { type: "mine" as never, momentum: 0.5 } };

  it("trains as its options say, counted in the plan as Thaw's own, and is unknown to other trainers", async () => {
    const [own, thaws] = [
      toyTrainer({ plugins: [plugin()], training }),
      toyTrainer({ training: { ...training, optimizer: { type: "sgd", momentum: 0.5 } } }),
    ];
    const losses = async (trainer: Trainer): Promise<readonly number[]> => {
      const found: number[] = [];
      trainer.hooks.afterStep.tap("Test", ({ loss }) => void found.push(loss));
      await trainer.run();
      return found;
    };
    const expected = await losses(thaws);
    expect(expected).toHaveLength(2);
    expect(await losses(own)).toEqual(expected);
    expect(() => toyTrainer({ training })).toThrow(expect.objectContaining({ code: "THAW_CORE_TRAINING_INVALID" }));
  });
});
