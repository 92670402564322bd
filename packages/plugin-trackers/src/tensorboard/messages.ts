import protobuf from "protobufjs/light.js";

/** One record of an event file, as far as Thaw writes them. Times are seconds since 1970. */
export interface EventMessage {
  readonly wallTime: number;
  readonly step?: number;
  readonly fileVersion?: string;
  readonly summary?: { readonly value: readonly SummaryValue[] };
  readonly sessionLog?: { readonly status: number };
}

/** One value under one tag. */
export interface SummaryValue {
  readonly tag: string;
  readonly simpleValue?: number;
  readonly image?: {
    readonly height: number;
    readonly width: number;
    readonly colorspace: number;
    readonly encodedImageString: Uint8Array;
  };
  readonly histo?: {
    readonly min: number;
    readonly max: number;
    readonly num: number;
    readonly sum: number;
    readonly sumSquares: number;
    readonly bucketLimit: readonly number[];
    readonly bucket: readonly number[];
  };
  readonly tensor?: {
    readonly dtype: number;
    readonly tensorShape: { readonly dim: readonly { readonly size: number }[] };
    readonly stringVal: readonly Uint8Array[];
  };
  readonly metadata?: { readonly pluginData: { readonly pluginName: string } };
}

/** `SessionLog.SessionStatus.START` of `event.proto`: what older files have of this step and later ones is void. */
export const SESSION_START = 1;
/** `DT_STRING` of `framework/types.proto`. */
export const STRING_TYPE = 7;

const field = (type: string, id: number, rule?: "repeated"): protobuf.IField =>
  rule === undefined ? { type, id } : ({ type, id, rule } as protobuf.IField);

/**
 * The fields that Thaw writes of `tensorboard/compat/proto/{event,summary,histogram,tensor,tensor_shape}.proto`
 * (TensorBoard 2.21), by their numbers.
 */
const types = protobuf.Root.fromJSON({
  nested: {
    Event: {
      fields: {
        wallTime: field("double", 1),
        step: field("int64", 2),
        fileVersion: field("string", 3),
        summary: field("Summary", 5),
        sessionLog: field("SessionLog", 7),
      },
    },
    SessionLog: { fields: { status: field("int32", 1) } },
    Summary: { fields: { value: field("Value", 1, "repeated") } },
    Value: {
      fields: {
        tag: field("string", 1),
        simpleValue: field("float", 2),
        image: field("Image", 4),
        histo: field("Histogram", 5),
        tensor: field("Tensor", 8),
        metadata: field("Metadata", 9),
      },
    },
    Image: {
      fields: {
        height: field("int32", 1),
        width: field("int32", 2),
        colorspace: field("int32", 3),
        encodedImageString: field("bytes", 4),
      },
    },
    Histogram: {
      fields: {
        min: field("double", 1),
        max: field("double", 2),
        num: field("double", 3),
        sum: field("double", 4),
        sumSquares: field("double", 5),
        bucketLimit: field("double", 6, "repeated"),
        bucket: field("double", 7, "repeated"),
      },
    },
    Tensor: {
      fields: {
        dtype: field("int32", 1),
        tensorShape: field("Shape", 2),
        stringVal: field("bytes", 8, "repeated"),
      },
    },
    Shape: { fields: { dim: field("Dim", 2, "repeated") } },
    Dim: { fields: { size: field("int64", 1) } },
    Metadata: { fields: { pluginData: field("PluginData", 1) } },
    PluginData: { fields: { pluginName: field("string", 1) } },
  },
}).lookupType("Event");

/** The bytes of a message. */
export function encodeEvent(event: EventMessage): Uint8Array {
  return types.encode(types.create(event as object)).finish();
}

/** A message of its bytes; for tests. */
export function decodeEvent(bytes: Uint8Array): EventMessage {
  return types.toObject(types.decode(bytes), { longs: Number }) as unknown as EventMessage;
}
