/** Text of a message. */
export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

/** The place of an image in a message; which image it is follows from the order of appearance. */
export interface ImagePart {
  readonly type: "image";
}

export type MessagePart = TextPart | ImagePart;

/** One turn of a conversation, in the form that Hugging Face chat templates read. */
export interface Message {
  /** `system`, `user` or `assistant`. */
  readonly role: string;
  readonly content: readonly MessagePart[];
  /** False for an answer that is read and not learned. */
  readonly isLearned?: boolean;
}

/** Where the bytes of an image come from. */
export type ImageReference =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** A drawing without a size of its own: rasterised at the processor's size, centred, on `background` (`#rrggbb`). */
  | { readonly kind: "svg"; readonly svg: string; readonly background: string };

/** One sample of a data set, before any image is decoded. */
export interface Sample {
  readonly id: string;
  /** Where it stands, for messages: `train.jsonl:12` or `iconify:noto dog-face`. */
  readonly origin: string;
  /** Always closed by an assistant turn that is supervised. */
  readonly messages: readonly Message[];
  /** In order of their places in `messages`. */
  readonly images: readonly ImageReference[];
  /** The caption or last answer, for metrics. */
  readonly reference: string;
  /** Concept name of an icon or captioned picture, e.g. `dog-face`; decides the seen/unseen split. */
  readonly concept?: string;
}
