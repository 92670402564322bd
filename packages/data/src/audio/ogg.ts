import { wholeChannels, type Channels } from "./clip.js";

const PAGE_HEADER = 27;
const LAST_PAGE = 4;
/** By the highest byte, what the checksum of a page takes on (RFC 3533, section 6: polynomial 0x04c11db7). */
const CHECKSUMS = Int32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) sum = (sum << 1) ^ (sum < 0 ? 0x04c11db7 : 0);
  return sum;
});

/** Codecs that Ogg files hold beside Vorbis, by how their first packet begins. */
const FOREIGN: readonly (readonly [string, string])[] = [
  ["OpusHead", "Opus"],
  ["FLAC", "FLAC in Ogg"],
  ["Speex", "Speex"],
  ["theora", "a film"],
];

/** The checksum of a page, in whose own place zeros count. */
function checksum(page: Uint8Array): number {
  return page.reduce(
    (sum, byte, at) => (sum << 8) ^ CHECKSUMS[((sum >>> 24) ^ (at >= 22 && at < 26 ? 0 : byte)) & 255]!,
    0,
  );
}

/** Walks the pages (RFC 3533, section 6). @throws Error where one is damaged or cut off, or the last one is missing */
function checkPages(bytes: Uint8Array): void {
  let flags = 0;
  for (let at = 0; at < bytes.length;) {
    const isPage = String.fromCharCode(...bytes.subarray(at, at + 4)) === "OggS";
    if (!isPage) throw new Error(`it is damaged: no page begins at byte ${at}`);
    const segments = bytes.subarray(at + PAGE_HEADER, at + PAGE_HEADER + (bytes[at + 26] ?? 0));
    const end = at + PAGE_HEADER + (bytes[at + 26] ?? 0) + segments.reduce((sum, size) => sum + size, 0);
    if (end > bytes.length) throw new Error("it is cut off: its last page is not whole");
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    if (checksum(bytes.subarray(at, end)) !== view.getInt32(22, true))
      throw new Error(`it is damaged: the page at byte ${at} has another checksum than it says`);
    flags = bytes[at + 5]!;
    at = end;
  }
  if ((flags & LAST_PAGE) === 0) throw new Error("it is cut off: its last page is missing");
}

/** Ogg Vorbis. @throws Error for a file that is damaged, cut off or of another codec */
export async function decodeOgg(bytes: Uint8Array): Promise<Channels> {
  const head = Buffer.from(bytes.subarray(0, 128)).toString("latin1");
  const foreign = FOREIGN.find(([begins]) => head.includes(begins));
  if (foreign !== undefined) throw new Error(`it holds ${foreign[1]}: of Ogg files those with Vorbis are decoded`);
  checkPages(bytes);
  const { OggVorbisDecoder } = await import("@wasm-audio-decoders/ogg-vorbis");
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  try {
    return wholeChannels(await decoder.decodeFile(bytes));
  } finally {
    decoder.free();
  }
}
