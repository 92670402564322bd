import { shown, type MediaReference, type Modality, type SampleMedia } from "@thaw/contracts";
import { resolve } from "node:path";
import { MEDIA_WORDS } from "../errors/media.js";
import { sampleInvalid } from "../errors/samples.js";

/** Where relative paths of a kind's items start from. */
export type MediaFolders = Readonly<Record<Modality, string>>;

/** The folders that a data set's options name; `fallback`: that of its file. */
export function mediaFolders(
  { images, audios }: { readonly images?: string | undefined; readonly audios?: string | undefined },
  fallback: string,
  baseFolder: string,
): MediaFolders {
  const image = images === undefined ? fallback : resolve(baseFolder, images);
  return { image, audio: audios === undefined ? image : resolve(baseFolder, audios) };
}

/** An item that lies within a file of a data set; stands where other files have a path. */
export class StoredItem {
  readonly source: MediaReference;

  constructor(source: MediaReference) {
    this.source = source;
  }
}

/** How names of sound files end. */
const SOUND_FILE = /\.(wav|wave|flac|mp3|ogg|oga)$/i;

/** The kind of an item that is given by the path of its file alone. */
export function modalityOf(path: string): Modality {
  return SOUND_FILE.test(path) ? "audio" : "image";
}

/**
 * An item as data files write it: a path, a `data:` URI, or an object with `path`, `url` or the kind's name. @throws
 * THAW_DATA_SAMPLE_INVALID
 */
export function mediaReference(value: unknown, modality: Modality, folders: MediaFolders, origin: string): SampleMedia {
  if (value instanceof StoredItem) return { modality, source: value.source };
  if (typeof value === "object" && value !== null) {
    const { path, url, [modality]: own } = value as Readonly<Record<string, unknown>>;
    const inner = path ?? url ?? own;
    if (inner !== undefined) return mediaReference(inner, modality, folders, origin);
  }
  if (typeof value !== "string" || value === "")
    throw sampleInvalid(
      origin,
      `The ${MEDIA_WORDS[modality]} ${shown(value)} (${typeof value}) is not a path.`,
      `Give the path of its file.`,
    );
  const uri = /^data:([a-z]+)\/[\w.+-]+;base64,/.exec(value);
  if (uri?.[1] === modality) return bytesMedia(value.slice(uri[0].length), modality);
  if (/^https?:/.test(value))
    throw sampleInvalid(
      origin,
      `The ${MEDIA_WORDS[modality]} ${value} is a web address.`,
      "Download it and give its path: nothing is fetched while training.",
    );
  return { modality, source: { kind: "file", path: resolve(folders[modality], value.replace(/^file:\/\//, "")) } };
}

/** An item of bytes in base64. */
export function bytesMedia(base64: string, modality: Modality): SampleMedia {
  return { modality, source: { kind: "bytes", bytes: Buffer.from(base64, "base64") } };
}

/** Kinds of items, in the order in which they stand where a text has no places for them. */
export const MODALITIES: readonly Modality[] = ["image", "audio"];

/** Items of one kind that a record lists, as `image` or `images`: none, one, or a list. */
export function listedMedia(
  record: Readonly<Record<string, unknown>>,
  modality: Modality,
  folders: MediaFolders,
  origin: string,
): SampleMedia[] {
  const value = record[`${modality}s`] ?? record[modality];
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((entry) => mediaReference(entry, modality, folders, origin));
}

/** What to call an item in messages. */
export function mediaName({ source }: Pick<SampleMedia, "source">): string {
  switch (source.kind) {
    case "file":
      return source.path;
    case "range":
      return `${source.name} in ${source.path}`;
    case "cell":
      return `${source.column} of row ${source.row} in ${source.path}`;
    case "svg":
      return "(drawing)";
    case "bytes":
      return "(inline bytes)";
  }
}
