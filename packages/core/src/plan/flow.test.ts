import type { Segment } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { toyModel } from "../toy/toy-model.js";
import { classifyFlows, componentFlows } from "./flow.js";

const segments = toyModel().segments;
const flows = (trained: readonly string[], stops: readonly string[] = []) =>
  Object.fromEntries(classifyFlows(segments, new Set(trained), new Set(stops)));

describe("classifyFlows", () => {
  it("tells prefix, through and trained apart, outer segments included", () => {
    expect(flows(["projector.linear.bias"])).toEqual({
      tower: "prefix",
      projector: "trained",
      decoder: "through",
      "decoder.embed": "through",
      "decoder.layers.0": "through",
      "decoder.layers.1": "through",
      "decoder.head": "through",
    });
    expect(flows(["decoder.layers.1.weight"])).toEqual({
      tower: "prefix",
      projector: "prefix",
      decoder: "trained",
      "decoder.embed": "prefix",
      "decoder.layers.0": "prefix",
      "decoder.layers.1": "trained",
      "decoder.head": "through",
    });
    expect(new Set(Object.values(flows([])))).toEqual(new Set(["prefix"]));
  });

  it("places an added parameter where its module acts", () => {
    expect(flows(["decoder.layers.0.lora_a"])).toMatchObject({
      "decoder.layers.0": "trained",
      "decoder.layers.1": "through",
      "decoder.embed": "prefix",
      decoder: "trained",
    });
  });

  it("lets nothing through a stop", () => {
    expect(flows(["tower.linear.weight", "decoder.head.weight"], ["projector"])).toMatchObject({
      tower: "trained",
      projector: "through",
      "decoder.embed": "prefix",
      "decoder.layers.1": "prefix",
      "decoder.head": "trained",
    });
  });

  it("treats a segment inside another as coming after what the outer comes after", () => {
    const nested: Segment[] = [
      { name: "first", after: [], reads: [], parameters: ["first.w"] },
      { name: "outer", after: ["first"], reads: [], parameters: ["outer.w"] },
      { name: "outer.inner", after: [], reads: [], parameters: ["outer.w"] },
    ];
    expect(classifyFlows(nested, new Set(["first.w"])).get("outer.inner")).toBe("through");
  });

  it("gives a component the flows of its innermost segments", () => {
    const owners = new Map(segments.flatMap(({ parameters }) => parameters).map((name) => [name, name.split(".")[0]!]));
    const all = classifyFlows(segments, new Set(["decoder.layers.1.weight"]));
    expect(Object.fromEntries(componentFlows(segments, all, owners))).toEqual({
      tower: ["prefix"],
      projector: ["prefix"],
      decoder: ["prefix", "trained", "through"],
    });
  });
});
