import { describe, expect, it } from "vitest";
import { encodeGraph, neededNodes, type OperationAttribute, outputName } from "./graph.js";
import { MessageWriter } from "./protobuf.js";
import { type OperationBinding, type Origin, traceGraph } from "./trace.js";

const TYPES = {
  TF_ATTR_STRING: 0,
  TF_ATTR_INT: 1,
  TF_ATTR_FLOAT: 2,
  TF_ATTR_BOOL: 3,
  TF_ATTR_TYPE: 4,
  TF_ATTR_SHAPE: 5,
};
const [FLOAT, BFLOAT16] = [1, 14];

/** A binding whose operations do nothing but hand out numbers. */
function fakeBackend(): { binding: OperationBinding; readonly calls: string[]; readonly alive: Set<number> } {
  const [calls, alive]: [string[], Set<number>] = [[], new Set()];
  let next = 0;
  const fresh = (): number => {
    alive.add(next);
    return next++;
  };
  const binding: OperationBinding = {
    ...TYPES,
    executeOp(name, _attributes, inputs, outputs) {
      calls.push(`${name}(${inputs.join(",")})`);
      return Array.from({ length: outputs }, () => ({ id: fresh(), shape: [2], dtype: FLOAT }));
    },
    createTensor: fresh,
    deleteTensor: (id) => void alive.delete(id),
  };
  return { binding, calls, alive };
}
const input = (id: number): { id: number; type: number; shape: number[] } => ({ id, type: FLOAT, shape: [2] });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("messages of protocol buffers", () => {
  it("are written as the encoding says", () => {
    // The examples of https://protobuf.dev/programming-guides/encoding
    expect(hex(new MessageWriter().integer(1, 150).finish())).toBe("089601");
    expect(hex(new MessageWriter().text(2, "testing").finish())).toBe("120774657374696e67");
    expect(hex(new MessageWriter().message(3, (inner) => inner.integer(1, 150)).finish())).toBe("1a03089601");
    expect(hex(new MessageWriter().integer(2, -2).finish())).toBe("10feffffffffffffffff01");
    expect(hex(new MessageWriter().float(4, 1).integer(5, true).finish())).toBe("250000803f2801");
  });
});

describe("a trace", () => {
  it("writes down operations, constants and outputs, and computes them", () => {
    const backend = fakeBackend();
    const { binding } = backend;
    const [a, b] = [
      binding.createTensor([2], FLOAT, new Float32Array(2)),
      binding.createTensor([2], FLOAT, new Float32Array(2)),
    ];
    const graph = traceGraph(backend, [input(a), input(b)], () => {
      const two = backend.binding.createTensor([], FLOAT, Float32Array.of(2));
      const [product] = backend.binding.executeOp(
        "Mul",
        [{ name: "T", type: TYPES.TF_ATTR_TYPE, value: FLOAT }],
        [a, two],
        1,
      );
      backend.binding.executeOp("Unused", [], [b], 1);
      const [, second] = backend.binding.executeOp("Pair", [], [product!.id], 2);
      return [{ id: second!.id }, { id: a }];
    });
    expect(backend.binding).toBe(binding);
    expect(backend.calls).toEqual([`Mul(${a},2)`, `Unused(${b})`, "Pair(3)"]);
    expect(graph.nodes.map((node) => (node.kind === "operation" ? node.name : node.kind))).toEqual([
      "input",
      "input",
      "constant",
      "Mul",
      "Unused",
      "Pair",
    ]);
    expect(graph.outputs.map(outputName)).toEqual(["n5:1", "n0:0"]);
    expect([...neededNodes(graph)].sort((one, other) => one - other)).toEqual([0, 2, 3, 5]);
    const text = Buffer.from(encodeGraph(graph, neededNodes(graph), TYPES)).toString("latin1");
    for (const there of ["Placeholder", "Const", "Mul", "Pair", "n3:0"]) expect(text).toContain(there);
    expect(text).not.toContain("Unused");
  });

  it("names types that TensorFlow.js leaves to TensorFlow, which a graph must have", () => {
    const backend = fakeBackend();
    const a = backend.binding.createTensor([2], FLOAT, new Float32Array(2));
    const graph = traceGraph(backend, [input(a)], () => backend.binding.executeOp("ExpandDims", [], [a, a], 1));
    const type = TYPES.TF_ATTR_TYPE;
    expect(graph.nodes.at(-1)).toMatchObject({
      attributes: [
        { name: "T", type, value: FLOAT },
        { name: "Tdim", type, value: 3 },
      ],
    });
  });

  it("makes again what an earlier trace made, and refuses what is from elsewhere", () => {
    const backend = fakeBackend();
    const a = backend.binding.createTensor([2], FLOAT, new Float32Array(2));
    const stranger = backend.binding.createTensor([2], FLOAT, new Float32Array(2));
    const origins = new Map<number, Origin>();
    let made = -1;
    traceGraph(
      backend,
      [input(a)],
      () => [{ id: (made = backend.binding.executeOp("Square", [], [a], 1)[0]!.id) }],
      origins,
    );
    const again = traceGraph(backend, [input(a)], () => [backend.binding.executeOp("Neg", [], [made], 1)[0]!], origins);
    expect(again.nodes.map((node) => (node.kind === "operation" ? node.name : node.kind))).toEqual([
      "input",
      "Square",
      "Neg",
    ]);
    expect(() =>
      traceGraph(backend, [input(a)], () => [backend.binding.executeOp("Neg", [], [stranger], 1)[0]!]),
    ).toThrow(/Neg reads a tensor that is neither/);
    expect(() => traceGraph(backend, [input(a)], () => [{ id: stranger }])).toThrow(/result reads a tensor/);
  });

  it("runs in float32 what only compilers have, and writes it down as it is", () => {
    const backend = fakeBackend();
    const a = backend.binding.createTensor([2], FLOAT, new Float32Array(2));
    const before = backend.alive.size;
    const type = (name: string, value: number): { name: string; type: number; value: number } => ({
      name,
      type: TYPES.TF_ATTR_TYPE,
      value,
    });
    const graph = traceGraph(backend, [{ ...input(a), type: BFLOAT16 }], () => [
      backend.binding.executeOp(
        "BatchMatMulV3",
        [type("Ta", BFLOAT16), type("Tb", BFLOAT16), type("Tout", FLOAT)],
        [a, a],
        1,
      )[0]!,
    ]);
    expect(graph.nodes.at(-1)).toMatchObject({ kind: "operation", name: "BatchMatMulV3" });
    expect(backend.calls).toEqual(["Cast(0)", "Cast(0)", "BatchMatMulV2(1,2)"]);
    expect(backend.alive.size).toBe(before + 1);
  });

  it("takes and gives in bfloat16 what is to be narrow, and hands out what was widened as it was", () => {
    const backend = fakeBackend();
    const [a, b] = [0, 1].map(() => backend.binding.createTensor([2], FLOAT, new Float32Array(2))) as [number, number];
    const type = (name: string, value: number): OperationAttribute => ({ name, type: TYPES.TF_ATTR_TYPE, value });
    const graph = traceGraph(backend, [{ ...input(a), isNarrow: true }, input(b)], () => {
      const [product] = backend.binding.executeOp("MatMul", [type("T", BFLOAT16)], [a], 1);
      const widening = [type("SrcT", BFLOAT16), type("DstT", FLOAT)];
      const [wide] = backend.binding.executeOp("Cast", widening, [product!.id], 1);
      const [sum] = backend.binding.executeOp("Add", [], [wide!.id, b], 1);
      return [wide!, sum!, sum!].map(({ id }, index) => ({ id, isNarrow: index < 2 }));
    });
    expect(graph.nodes.map((node) => (node.kind === "operation" ? node.name : `${node.kind} ${node.type}`))).toEqual([
      `input ${BFLOAT16}`,
      `input ${FLOAT}`,
      "Cast",
      "MatMul",
      "Cast",
      "Add",
      "Cast",
    ]);
    expect(graph.nodes[3]).toMatchObject({ inputs: [{ node: 2, index: 0 }] });
    expect(graph.outputs.map(outputName)).toEqual(["n3:0", "n6:0", "n5:0"]);
  });

  it("fills in zeros for a call that a compiler passes on, of the types and shapes that it says", () => {
    const backend = fakeBackend();
    const a = backend.binding.createTensor([2], FLOAT, new Float32Array(2));
    const before = backend.alive.size;
    const attributes = [
      { name: "result_dtypes", type: TYPES.TF_ATTR_TYPE, value: [BFLOAT16, FLOAT] },
      { name: "result_shapes", type: TYPES.TF_ATTR_SHAPE, value: [[2, 3], [0]] },
    ];
    const graph = traceGraph(backend, [input(a)], () =>
      backend.binding.executeOp("XlaCustomCallV2", attributes, [a], 2),
    );
    expect(backend.calls).toEqual(["Fill(1,2)", "Cast(3)", "Fill(5,6)", "Cast(7)"]);
    expect(backend.alive.size).toBe(before + 2);
    expect(graph.nodes.at(-1)).toMatchObject({ kind: "operation", name: "XlaCustomCallV2" });
    expect(graph.outputs.map(outputName)).toEqual(["n1:0", "n1:1"]);
  });

  it("knows every kind of attribute that the addon does", () => {
    const attributes = [
      { name: "s", type: 0, value: "text" },
      { name: "i", type: 1, value: -3 },
      { name: "f", type: 2, value: 0.5 },
      { name: "b", type: 3, value: true },
      { name: "t", type: 4, value: FLOAT },
      { name: "shape", type: 5, value: [2, 3] },
      { name: "list", type: 1, value: [1, 2] },
      { name: "types", type: 4, value: [FLOAT, BFLOAT16] },
      { name: "shapes", type: 5, value: [[2], [0]] },
    ];
    const graph = {
      nodes: [{ kind: "operation" as const, name: "All", attributes, inputs: [] }],
      outputs: [{ node: 0, index: 0 }],
    };
    const text = hex(encodeGraph(graph, new Set([0]), TYPES));
    for (const value of [
      "120474657874",
      "18fdffffffffffffffff01",
      "250000003f",
      "2801",
      "3001",
      "3a08120208021202080" + "3",
      "0a0418011802",
      "0a043001300e",
      "0a0c3a04120208023a0412020800",
    ])
      expect(text).toContain(value);
    expect(() =>
      encodeGraph(
        { ...graph, nodes: [{ ...graph.nodes[0]!, attributes: [{ name: "x", type: 99, value: 1 }] }] },
        new Set([0]),
        TYPES,
      ),
    ).toThrow(/type 99/);
  });
});
