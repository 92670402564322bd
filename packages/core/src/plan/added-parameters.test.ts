import { describe, expect, it } from "vitest";
import type { ParameterInfo } from "@thaw/contracts";
import { toyModel } from "../toy/toy-model.js";
import { toyTrainer } from "../toy/toy-trainer.js";
import { withAddedParameters } from "./added-parameters.js";
import { planReport } from "./plan-report.js";

const added = (name: string): ParameterInfo => ({
  name,
  shape: [2, 2],
  dtype: "F32",
  initialize: () => new Float32Array(4),
});

describe("withAddedParameters", () => {
  it("is the same model where nothing was added", () => {
    const model = toyModel();
    expect(withAddedParameters(model, model.parameters)).toBe(model);
  });

  it("lists an added parameter in the segments of its module, and of no other", () => {
    const model = toyModel();
    const extra = added("decoder.layers.1.extra.weight");
    const changed = withAddedParameters(model, [...model.parameters, extra]);
    expect(
      changed.segments.filter(({ parameters }) => parameters.includes(extra.name)).map(({ name }) => name),
    ).toEqual(["decoder", "decoder.layers.1"]);
    expect(changed.parameters).toBe(model.parameters);
    expect(changed.segments.map(({ name }) => name)).toEqual(model.segments.map(({ name }) => name));
  });
});

describe("what plugins add", () => {
  const plan = async (trains: (name: string) => boolean) => {
    const trainer = toyTrainer();
    trainer.hooks.parameters.tap("Add", (parameters) => [...parameters, added("decoder.layers.1.extra.weight")]);
    trainer.hooks.plan.tap("Add", ({ phases }) => ({
      phases: phases.map((phase) => ({
        ...phase,
        entries: phase.entries.map((entry) => ({ ...entry, trainable: trains(entry.name) })),
      })),
    }));
    return trainer.plan();
  };
  it("is the component's state `adapter` where it alone trains, and makes its segments trained", async () => {
    const planned = await plan((name) => name.includes("extra"));
    expect(planReport(planned).components.map(({ name, state }) => [name, state])).toEqual([
      ["tower", "frozen"],
      ["projector", "frozen"],
      ["decoder", "adapter"],
    ]);
    expect(Object.fromEntries(planned.flows)).toMatchObject({
      "decoder.layers.0": "prefix",
      "decoder.layers.1": "trained",
      "decoder.head": "through",
    });
    expect(
      planReport(await plan((name) => name.includes("extra") || name === "decoder.norm.weight")).components.at(-1)!
        .state,
    ).toBe("partial");
    expect(planReport(await plan(() => true)).components.at(-1)!.state).toBe("train");
  });

  it("is asked for by requests, which come before parameters with the claims of every plugin", async () => {
    const trainer = toyTrainer();
    const seen: unknown[] = [];
    trainer.hooks.requests.tap("Ask", ({ add }, { claims }) => {
      seen.push(claims.size);
      add({ kind: "extra", component: "decoder", options: { rank: 1 }, settings: [] });
    });
    trainer.hooks.parameters.tap("Answer", (parameters, { requests }) => {
      seen.push(...requests);
      return parameters;
    });
    await trainer.plan();
    expect(seen).toEqual([0, { kind: "extra", component: "decoder", options: { rank: 1 }, settings: [] }]);
  });
});
