import type { AttributeTypes, Graph, GraphNode, NodeOutput, OperationAttribute } from "./graph.js";

/** A result of an operation, as tfjs-node's binding gives it. */
export interface OperationResult {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: number;
}

/**
 * The parts of tfjs-node's binding through which everything goes that computes. Tensors are known by numbers that are
 * never used again.
 */
export interface OperationBinding extends AttributeTypes {
  executeOp(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly number[],
    outputCount: number,
  ): OperationResult[];
  createTensor(shape: readonly number[], type: number, values: ArrayBufferView): number;
  deleteTensor(id: number): void;
}

/** What is traced: the backend that holds the binding, for as long as the trace takes. */
export interface TracedBackend {
  binding: OperationBinding;
}

/** Numbers of TensorFlow's types (tensorflow/core/framework/types.proto). */
const [FLOAT32, INT32, BFLOAT16] = [1, 3, 14];

/** How operations are run that a compiler knows and the library has no kernels for. */
const STAND_INS: Readonly<
  Record<
    string,
    (binding: OperationBinding, attributes: readonly OperationAttribute[], ids: readonly number[]) => OperationResult[]
  >
> = {
  // A product of bfloat16 with a result in float32: of what the operands are in float32.
  BatchMatMulV3(binding, attributes, ids) {
    const value = (name: string): unknown => attributes.find((attribute) => attribute.name === name)?.value;
    const type = (name: string, number: unknown): OperationAttribute => ({
      name,
      type: binding.TF_ATTR_TYPE,
      value: number,
    });
    const wide = ids.map(
      (id, index) =>
        binding.executeOp(
          "Cast",
          castAttributes(binding, value(index === 0 ? "Ta" : "Tb") as number, value("Tout") as number),
          [id],
          1,
        )[0]!.id,
    );
    const flags = attributes.filter(({ name }) => name.startsWith("adj"));
    const results = binding.executeOp("BatchMatMulV2", [...flags, type("T", value("Tout"))], wide, 1);
    for (const id of wide) binding.deleteTensor(id);
    return results;
  },
  // A call that a compiler passes on, of which a trace needs shapes and types: zeros.
  XlaCustomCallV2(binding, attributes) {
    const value = (name: string): unknown => attributes.find((attribute) => attribute.name === name)?.value;
    const types = value("result_dtypes") as readonly number[];
    return (value("result_shapes") as readonly (readonly number[])[]).map((shape, index) =>
      zeros(binding, shape, types[index]!),
    );
  },
};

/** Made where the backend computes, of whatever type. */
function zeros(binding: OperationBinding, shape: readonly number[], dtype: number): OperationResult {
  const type = (name: string, number: number): OperationAttribute => ({
    name,
    type: binding.TF_ATTR_TYPE,
    value: number,
  });
  const dimensions = binding.createTensor([shape.length], INT32, Int32Array.from(shape));
  const zero = binding.createTensor([], FLOAT32, Float32Array.of(0));
  const [filled] = binding.executeOp("Fill", [type("T", FLOAT32), type("index_type", INT32)], [dimensions, zero], 1);
  const [cast] = binding.executeOp("Cast", castAttributes(binding, FLOAT32, dtype), [filled!.id], 1);
  for (const id of [dimensions, zero, filled!.id]) binding.deleteTensor(id);
  return cast!;
}

function castAttributes(types: AttributeTypes, from: number, to: number): OperationAttribute[] {
  return [
    { name: "SrcT", type: types.TF_ATTR_TYPE, value: from },
    { name: "DstT", type: types.TF_ATTR_TYPE, value: to },
    { name: "Truncate", type: types.TF_ATTR_BOOL, value: false },
  ];
}

/** Attributes that tfjs-node leaves to TensorFlow, which infers them where operations run but not in a graph. */
const LEFT_OUT: Readonly<Record<string, (types: AttributeTypes, made: OperationResult) => OperationAttribute[]>> = {
  ExpandDims: ({ TF_ATTR_TYPE: type }, { dtype }) => [
    { name: "T", type, value: dtype },
    { name: "Tdim", type, value: INT32 },
  ],
};

/** An input of a trace, with TensorFlow's number for its type. */
export interface TracedInput {
  readonly id: number;
  readonly type: number;
  readonly shape: readonly number[];
  /** The graph gets it in bfloat16 and computes with it in float32. */
  readonly isNarrow?: boolean;
}

/** A result of a trace. */
export interface TracedResult {
  readonly id: number;
  /** The graph gives it in bfloat16. */
  readonly isNarrow?: boolean;
}

/** What a trace saw of a tensor: how it was made, its operation's inputs by number. */
export type Origin =
  | { readonly constant: GraphNode }
  | {
      readonly name: string;
      readonly attributes: readonly OperationAttribute[];
      readonly ids: readonly number[];
      readonly index: number;
    };

/**
 * Runs `run`, which returns numbers of tensors, and writes down what it computes from the inputs, as a graph.
 * Everything is computed while it is written, so that results are there. Tensors that `run` makes from values of
 * JavaScript are constants of the graph; one that existed before and is not an input is an error.
 * @param origins of tensors from earlier traces that this one may read, in which case it makes them again; those that
 * are made now are added
 */
export function traceGraph(
  backend: TracedBackend,
  inputs: readonly TracedInput[],
  run: () => readonly TracedResult[],
  origins: Map<number, Origin> = new Map(),
): Graph {
  const before = backend.binding;
  const nodes: GraphNode[] = [];
  const known = new Map<number, NodeOutput>();
  const add = (node: GraphNode): number => nodes.push(node) - 1;
  const find = (id: number, reader: string): NodeOutput => {
    const there = known.get(id);
    if (there !== undefined) return there;
    const origin = origins.get(id);
    if (origin === undefined)
      throw new Error(`${reader} reads a tensor that is neither an input of the function nor made in it.`);
    const node = add(
      "constant" in origin
        ? origin.constant
        : {
            kind: "operation",
            name: origin.name,
            attributes: origin.attributes,
            inputs: origin.ids.map((input) => find(input, origin.name)),
          },
    );
    const made = { node, index: "constant" in origin ? 0 : origin.index };
    known.set(id, made);
    return made;
  };
  const castOf = (input: NodeOutput, from: number, to: number): NodeOutput => ({
    node: add({ kind: "operation", name: "Cast", attributes: castAttributes(before, from, to), inputs: [input] }),
    index: 0,
  });
  const read = inputs.map(({ type, shape, isNarrow }): NodeOutput => ({
    node: add({ kind: "input", type: isNarrow === true ? BFLOAT16 : type, shape }),
    index: 0,
  }));
  inputs.forEach(({ id, isNarrow }, index) => {
    // One tensor given twice is two inputs; the first stands for both.
    if (!known.has(id)) known.set(id, isNarrow === true ? castOf(read[index]!, BFLOAT16, FLOAT32) : read[index]!);
  });
  /** What was widened is handed out as it was before that. */
  const narrowed = (wide: NodeOutput): NodeOutput => {
    const node = nodes[wide.node]!;
    const isWidened =
      node.kind === "operation" &&
      node.name === "Cast" &&
      node.attributes.some(({ name, value }) => name === "SrcT" && value === BFLOAT16);
    return isWidened ? node.inputs[0]! : castOf(wide, FLOAT32, BFLOAT16);
  };
  const recorded: Pick<OperationBinding, "executeOp" | "createTensor"> = {
    executeOp(name, given, ids, outputCount) {
      const results = (STAND_INS[name] ?? ((binding) => binding.executeOp(name, given, ids, outputCount)))(
        before,
        given,
        ids,
      );
      const attributes = given.length === 0 ? (LEFT_OUT[name]?.(before, results[0]!) ?? given) : given;
      const inputsOfNode = ids.map((id) => find(id, name));
      const node = add({ kind: "operation", name, attributes, inputs: inputsOfNode });
      results.forEach(({ id }, index) => {
        known.set(id, { node, index });
        origins.set(id, { name, attributes, ids: [...ids], index });
      });
      return results;
    },
    createTensor(shape, type, values) {
      const id = before.createTensor(shape, type, values);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
      origins.set(id, { constant: { kind: "constant", type, shape: [...shape], bytes } });
      return id;
    },
  };
  backend.binding = Object.create(before, {
    executeOp: { value: recorded.executeOp },
    createTensor: { value: recorded.createTensor },
  }) as OperationBinding;
  try {
    const results = run();
    const outputs = results.map(({ id, isNarrow }) => {
      const found = find(id, "The function's result");
      return isNarrow === true ? narrowed(found) : found;
    });
    return { nodes, outputs };
  } finally {
    backend.binding = before;
  }
}
