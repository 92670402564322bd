import { MessageWriter } from "./protobuf.js";

/** An attribute as tfjs-node hands it to TensorFlow: `type` is a number of its binding. */
export interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** Numbers that tfjs-node's binding gives the types of attributes. */
export interface AttributeTypes {
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
}

/** Output `index` of node `node`. */
export interface NodeOutput {
  readonly node: number;
  readonly index: number;
}

/** An operation, an input, or a constant with its bytes. Types are TensorFlow's numbers. */
export type GraphNode =
  | {
      readonly kind: "operation";
      readonly name: string;
      readonly attributes: readonly OperationAttribute[];
      readonly inputs: readonly NodeOutput[];
    }
  | { readonly kind: "input"; readonly type: number; readonly shape: readonly number[] }
  | { readonly kind: "constant"; readonly type: number; readonly shape: readonly number[]; readonly bytes: Uint8Array };

/** Nodes, each after those that it reads; a node's name is `n` and its number. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly NodeOutput[];
}

// Version of the graph format of TensorFlow 2.17 (core/public/release_version.h): what is written here has not changed
// since long before.
const PRODUCER = 1882;

/** Numbers of the nodes that the outputs depend on. */
export function neededNodes({ nodes, outputs }: Graph): ReadonlySet<number> {
  const needed = new Set(outputs.map(({ node }) => node));
  for (let number = nodes.length - 1; number >= 0; number--) {
    const node = nodes[number]!;
    if (node.kind === "operation" && needed.has(number)) for (const input of node.inputs) needed.add(input.node);
  }
  return needed;
}

/** The needed nodes as a `GraphDef` (tensorflow/core/framework/graph.proto), serialised. */
export function encodeGraph({ nodes }: Graph, needed: ReadonlySet<number>, types: AttributeTypes): Uint8Array {
  const graph = new MessageWriter();
  nodes.forEach((node, number) => {
    if (needed.has(number))
      graph.message(1, (message) => {
        writeNode(message, node, number, types);
      });
  });
  return graph.message(4, (versions) => versions.integer(1, PRODUCER)).finish();
}

/** As a graph's inputs and a function's outputs are written. */
export function outputName({ node, index }: NodeOutput): string {
  return `n${node}:${index}`;
}

function writeNode(message: MessageWriter, node: GraphNode, number: number, types: AttributeTypes): void {
  message.text(1, `n${number}`).text(
    2,
    {
      operation: (): string => (node as { readonly name: string }).name,
      input: () => "Placeholder",
      constant: () => "Const",
    }[node.kind](),
  );
  const attribute = (name: string, write: (value: MessageWriter) => unknown): void => {
    message.message(5, (entry) => entry.text(1, name).message(2, write));
  };
  if (node.kind === "operation") {
    for (const input of node.inputs) message.text(3, outputName(input));
    for (const given of node.attributes)
      attribute(given.name, (value) => {
        writeAttribute(value, given, types);
      });
    return;
  }
  const { type, shape } = node;
  attribute("dtype", (value) => value.integer(6, type));
  if (node.kind === "input")
    attribute("shape", (value) =>
      value.message(7, (inner) => {
        writeShape(inner, shape);
      }),
    );
  else
    attribute("value", (value) =>
      value.message(8, (tensor) =>
        tensor
          .integer(1, type)
          .message(2, (inner) => {
            writeShape(inner, shape);
          })
          .bytes(4, node.bytes),
      ),
    );
}

function writeAttribute(value: MessageWriter, { type, value: given }: OperationAttribute, types: AttributeTypes): void {
  const list = Array.isArray(given) ? (given as readonly (number | boolean | string)[]) : undefined;
  if (type === types.TF_ATTR_SHAPE && Array.isArray(list?.[0])) {
    value.message(1, (items) => {
      for (const shape of given as readonly (readonly number[])[])
        items.message(7, (inner) => {
          writeShape(inner, shape);
        });
    });
    return;
  }
  if (type === types.TF_ATTR_SHAPE) {
    value.message(7, (shape) => {
      writeShape(shape, list as readonly number[]);
    });
    return;
  }
  const write = (into: MessageWriter, item: unknown): void => {
    switch (type) {
      case types.TF_ATTR_STRING:
        into.text(2, item as string);
        break;
      case types.TF_ATTR_INT:
        into.integer(3, item as number);
        break;
      case types.TF_ATTR_FLOAT:
        into.float(4, item as number);
        break;
      case types.TF_ATTR_BOOL:
        into.integer(5, item as boolean);
        break;
      case types.TF_ATTR_TYPE:
        into.integer(6, item as number);
        break;
      default:
        throw new Error(`An attribute has the type ${type}, which graphs do not know.`);
    }
  };
  if (list === undefined) write(value, given);
  else
    value.message(1, (items) => {
      for (const item of list) write(items, item);
    });
}

function writeShape(message: MessageWriter, shape: readonly number[]): void {
  for (const size of shape) message.message(2, (dimension) => dimension.integer(1, size));
}
