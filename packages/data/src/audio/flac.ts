import { judgeLength, type Channels, type ClipHeader } from "./clip.js";

/** Bytes that the header of a FLAC stream takes at its beginning. */
const STREAM_INFO_END = 42;

/** What STREAMINFO says (RFC 9639, section 8.2); undefined where it does not know how many samples follow. */
export function flacHeader(bytes: Uint8Array): ClipHeader | undefined {
  if (bytes.length < STREAM_INFO_END) throw new Error("it is cut off in its header");
  if ((bytes[4]! & 0x7f) !== 0) throw new Error("it does not begin with STREAMINFO");
  const samplingRate = (bytes[18]! << 12) | (bytes[19]! << 4) | (bytes[20]! >> 4);
  const channelCount = ((bytes[20]! >> 1) & 7) + 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sampleCount = (bytes[21]! & 15) * 2 ** 32 + view.getUint32(22);
  return sampleCount === 0 ? undefined : { sampleCount, samplingRate, channelCount };
}

/** FLAC, scaled by 2 ** (bits - 1) as libsndfile scales it. @throws Error for a file that is damaged or cut off */
export async function decodeFlac(bytes: Uint8Array): Promise<Channels> {
  const header = flacHeader(bytes);
  if (header !== undefined) judgeLength(header);
  const { FLACDecoder } = await import("@wasm-audio-decoders/flac");
  const decoder = new FLACDecoder();
  await decoder.ready;
  try {
    const { channelData, samplesDecoded, sampleRate, bitDepth, errors } = await decoder.decodeFile(bytes);
    const [error] = errors;
    if (error !== undefined) throw new Error(error.message);
    if (header !== undefined && samplesDecoded !== header.sampleCount)
      throw new Error(
        `${samplesDecoded} of its ${header.sampleCount} samples can be decoded: it is damaged or cut off`,
      );
    // The decoder divides by 2 ** (bits - 1) - 1.
    const full = 2 ** (bitDepth - 1);
    const channels = channelData.map((values) =>
      values.map((value) => (bitDepth > 24 ? value : Math.round(value * (full - 1)) / full)),
    );
    return { channels, samplingRate: sampleRate };
  } finally {
    decoder.free();
  }
}
