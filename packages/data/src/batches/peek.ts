import { type Modality, type SampleMedia, ThawError } from "@thaw/contracts";
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { fileUnreadable } from "../errors/files.js";
import { MEDIA_WORDS, mediaBroken, mediaMissing } from "../errors/media.js";
import { endsOf } from "../media/stored-bytes.js";
import { mediaName } from "../samples/media-reference.js";

const HEAD_BYTES = 4096;
const TAIL_BYTES = 64;

/** What the ends of an item's bytes tell. */
export interface Peek {
  /** True if it begins and ends as its format does; false also of formats that do not say where they end. */
  readonly looksWhole: boolean;
  /** Over size, beginning and end. */
  readonly hash: string;
}

/**
 * Looks at the beginning and the end of an item. @throws THAW_DATA_IMAGE_*, THAW_DATA_AUDIO_* for what is missing,
 * empty or not a file, THAW_DATA_FILE_UNREADABLE
 */
export async function peek(media: SampleMedia, origin: string): Promise<Peek> {
  const { source, modality } = media;
  if (source.kind === "svg") return { looksWhole: true, hash: hashOf(source.svg.length, Buffer.from(source.svg)) };
  const broken = (problem: string): Error => mediaBroken(modality, mediaName(media), origin, new Error(problem));
  let handle;
  try {
    if (source.kind !== "file") {
      const { size, head, tail } = await endsOf(source, HEAD_BYTES, TAIL_BYTES);
      if (size === 0) throw broken("it is empty");
      return peekBytes(modality, size, head, tail);
    }
    handle = await open(source.path);
    const info = await handle.stat();
    if (!info.isFile()) throw broken("it is not a file");
    if (info.size === 0) throw broken("the file is empty");
    const head = Buffer.alloc(Math.min(HEAD_BYTES, info.size));
    const tail = Buffer.alloc(Math.min(TAIL_BYTES, info.size));
    await handle.read(head, 0, head.length, 0);
    await handle.read(tail, 0, tail.length, info.size - tail.length);
    return peekBytes(modality, info.size, head, tail);
  } catch (cause) {
    if (cause instanceof ThawError) throw cause;
    const { code } = cause as { readonly code?: unknown };
    throw code === "ENOENT" || code === "ENOTDIR"
      ? mediaMissing(modality, mediaName(media), origin)
      : fileUnreadable(mediaName(media), `The ${MEDIA_WORDS[modality]} of ${origin}`, cause);
  } finally {
    await handle?.close();
  }
}

function peekBytes(modality: Modality, size: number, head: Uint8Array, tail: Uint8Array): Peek {
  const [start, end] = [Buffer.from(head), Buffer.from(tail)];
  const looksWhole = modality === "audio" ? isWholeWave(size, start) : isWholeImage(size, start, end);
  return { looksWhole, hash: hashOf(size, start, end) };
}

function isWholeImage(size: number, head: Buffer, tail: Buffer): boolean {
  if (head.length < 16) return false;
  if (head.readUInt32BE(0) === 0x89504e47) return tail.includes("IEND") && head.readUInt32BE(12) === 0x49484452;
  if (head.readUInt16BE(0) === 0xffd8) return tail.includes(Buffer.from([0xff, 0xd9]));
  if (head.toString("latin1", 0, 4) === "GIF8") return tail.at(-1) === 0x3b;
  return isWholeRiff(size, head, "WEBP");
}

/** Of sounds WAV files alone say how long they are. */
function isWholeWave(size: number, head: Buffer): boolean {
  return isWholeRiff(size, head, "WAVE");
}

function isWholeRiff(size: number, head: Buffer, kind: string): boolean {
  const isKind = head.toString("latin1", 0, 4) === "RIFF" && head.toString("latin1", 8, 12) === kind;
  return head.length >= 16 && isKind && head.readUInt32LE(4) + 8 <= size;
}

function hashOf(size: number, ...parts: readonly Buffer[]): string {
  const hash = createHash("sha256").update(String(size));
  for (const part of parts) hash.update(part.subarray(0, HEAD_BYTES));
  return hash.digest("hex").slice(0, 16);
}
