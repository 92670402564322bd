import { judgeLength, type Channels, type ClipHeader } from "./clip.js";

const FORMATS: Readonly<Record<number, string>> = {
  2: "Microsoft ADPCM",
  6: "A-law",
  7: "mu-law",
  17: "IMA ADPCM",
  49: "GSM",
  85: "MP3",
};
const [PCM, FLOAT, EXTENSIBLE] = [1, 3, 0xfffe];
const BIT_DEPTHS: Readonly<Record<number, readonly number[]>> = { [PCM]: [8, 16, 24, 32], [FLOAT]: [32, 64] };
/** Size of a chunk whose writer could not go back to say it. */
const UNKNOWN_SIZE = 0xffffffff;

interface WavHeader extends ClipHeader {
  readonly isFloat: boolean;
  readonly bitDepth: number;
  /** Byte at which the samples begin. */
  readonly start: number;
}

/** What the `fmt ` chunk says. */
type WavFormat = Omit<WavHeader, "sampleCount" | "start">;

/**
 * Reads the chunks of a RIFF file up to its samples. `size`: bytes of the whole file, of which `bytes` may be the
 * beginning. Undefined where the beginning does not reach the samples.
 * @throws Error for what is not uncompressed, or is cut off
 */
export function wavHeader(bytes: Uint8Array, size: number): WavHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: WavFormat | undefined;
  for (let at = 12; at + 8 <= size;) {
    if (at + 8 > bytes.length) return undefined;
    const name = String.fromCharCode(...bytes.subarray(at, at + 4));
    const said = view.getUint32(at + 4, true);
    const start = at + 8;
    if (name === "fmt ") {
      if (start + Math.min(said, 26) > bytes.length) return undefined;
      format = readFormat(view, start, said);
    }
    if (name === "data") {
      if (format === undefined) throw new Error("its samples come before their format");
      const length = said === UNKNOWN_SIZE ? size - start : said;
      if (start + length > size)
        throw new Error(`it is cut off: ${size - start} of ${length} bytes of its samples are there`);
      return { ...format, start, sampleCount: Math.floor(length / ((format.bitDepth / 8) * format.channelCount)) };
    }
    at = start + said + (said % 2);
  }
  throw new Error("it holds no samples");
}

function readFormat(view: DataView, at: number, size: number): WavFormat {
  if (size < 16) throw new Error("its format is cut off");
  const tag = view.getUint16(at, true);
  const code = tag === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : tag;
  const channelCount = view.getUint16(at + 2, true);
  const samplingRate = view.getUint32(at + 4, true);
  const bitDepth = view.getUint16(at + 14, true);
  const depths = BIT_DEPTHS[code];
  if (depths === undefined)
    throw new Error(`its samples are ${FORMATS[code] ?? `of the format ${code}`}: only PCM and float WAV are decoded`);
  if (!depths.includes(bitDepth))
    throw new Error(`its samples have ${bitDepth} bits: WAV of ${depths.join(", ")} bits is decoded`);
  if (channelCount === 0 || samplingRate === 0) throw new Error("its header names no channel or no sampling rate");
  return { channelCount, samplingRate, bitDepth, isFloat: code === FLOAT };
}

type Reader = (view: DataView, at: number) => number;

/** By kind and bits, a sample as libsndfile scales it: integers by 2 ** (bits - 1). */
const READERS: Readonly<Record<string, Reader>> = {
  "8": (view, at) => (view.getUint8(at) - 128) / 2 ** 7,
  "16": (view, at) => view.getInt16(at, true) / 2 ** 15,
  "24": (view, at) => (view.getInt8(at + 2) * 2 ** 16 + view.getUint16(at, true)) / 2 ** 23,
  "32": (view, at) => view.getInt32(at, true) / 2 ** 31,
  "float 32": (view, at) => view.getFloat32(at, true),
  "float 64": (view, at) => view.getFloat64(at, true),
};

/**
 * WAV of 8, 16, 24 or 32 bits or of floats. `@throws Error` for a file that is cut off, or compressed
 */
export async function decodeWav(bytes: Uint8Array): Promise<Channels> {
  const header = wavHeader(bytes, bytes.length);
  if (header === undefined) throw new Error("it is cut off in its header");
  judgeLength(header);
  const { channelCount, sampleCount, samplingRate, bitDepth, isFloat, start } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[`${isFloat ? "float " : ""}${bitDepth}`]!;
  const width = bitDepth / 8;
  const channels = Array.from({ length: channelCount }, (_, channel) => {
    const values = new Float32Array(sampleCount);
    for (let at = 0; at < sampleCount; at += 1) values[at] = read(view, start + (at * channelCount + channel) * width);
    return values;
  });
  return { channels, samplingRate };
}
