/** Text of a message. */
export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

/** Kinds of items that samples hold, as chat templates call them and as `MediaItem.modality` has them. */
export type Modality = SampleMedia["modality"];

/** The place of an item in a message; which item it is follows from the order of appearance. */
export interface MediaPart {
  readonly type: Modality;
}

export type MessagePart = TextPart | MediaPart;

/** One turn of a conversation, in the form that Hugging Face chat templates read. */
export interface Message {
  /** `system`, `user` or `assistant`. */
  readonly role: string;
  readonly content: readonly MessagePart[];
  /** False for an answer that is read and not learned. */
  readonly isLearned?: boolean;
}

/** Where the bytes of an item come from. */
export type MediaReference =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** Bytes within a file that holds many items, as a tar archive does; `name` is what messages call the item. */
  | {
      readonly kind: "range";
      readonly path: string;
      readonly name: string;
      readonly offset: number;
      readonly length: number;
    }
  /** A value of a Parquet file: its row, counted from 0 over the file, its column, and which of a list it is. */
  | {
      readonly kind: "cell";
      readonly path: string;
      readonly row: number;
      readonly column: string;
      readonly item?: number;
    };

/** Where an image comes from. */
export type ImageReference =
  | MediaReference
  /** A drawing without a size of its own: rasterised at the processor's size, centred, on `background` (`#rrggbb`). */
  | { readonly kind: "svg"; readonly svg: string; readonly background: string };

/** An item of a sample: its kind, and where it comes from. */
export type SampleMedia =
  | { readonly modality: "image"; readonly source: ImageReference }
  | { readonly modality: "audio"; readonly source: MediaReference };

/** Choices of a question; all lists are of the same order. */
export interface SampleChoices {
  /** What each says. */
  readonly texts: readonly string[];
  /** How each is given as an answer: its letter, or its text. */
  readonly answers: readonly string[];
  /** Number of the right one, from 0. */
  readonly right: number;
}

/** One sample of a data set, before any item is decoded. */
export interface Sample {
  readonly id: string;
  /** Where it stands, for messages: `train.jsonl:12` or `iconify:noto dog-face`. */
  readonly origin: string;
  /** Closed by an assistant turn that is supervised, or by a question that is to be answered. */
  readonly messages: readonly Message[];
  /** Items, in order of their places in `messages`. */
  readonly media: readonly SampleMedia[];
  /** The caption or last answer: what is learned. */
  readonly reference: string;
  /** All answers that count as right, for metrics; absent where `reference` is the only one. */
  readonly references?: readonly string[];
  /** Of a question that is answered by choosing. */
  readonly choices?: SampleChoices;
  /** Concept name of an icon or captioned picture, e.g. `dog-face`; decides the seen/unseen split. */
  readonly concept?: string;
}
