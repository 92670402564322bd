import { wholeChannels, type Channels } from "./clip.js";

/** Kilobits per second of layer III, by index: of MPEG 1, then of MPEG 2 and 2.5. */
const BIT_RATES = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;
const SAMPLING_RATES = [44100, 48000, 32000] as const;
/** What may follow the last frame. */
const TRAILERS = ["TAG", "APETAGEX", "LYRICSBEGIN", "ID3", "3DI"] as const;

interface Frame {
  readonly length: number;
  /** Bytes between the header and the place of the `Xing` or `Info` tag. */
  readonly sideBytes: number;
}

/** A frame's header (ISO/IEC 11172-3, 2.4.1.3); undefined where none begins. @throws Error for another layer */
function frameAt(bytes: Uint8Array, at: number): Frame | undefined {
  if (at + 4 > bytes.length) return undefined;
  const [first, second, third, fourth] = bytes.subarray(at, at + 4) as unknown as [number, number, number, number];
  if (first !== 0xff || (second & 0xe0) !== 0xe0) return undefined;
  const [version, layer, rateIndex, pace] = [(second >> 3) & 3, (second >> 1) & 3, third >> 4, (third >> 2) & 3];
  if (version === 1 || layer === 0 || rateIndex === 15 || pace === 3) return undefined;
  if (layer !== 1) throw new Error(`it is MPEG audio of layer ${layer === 2 ? "II" : "I"}: only layer III is decoded`);
  if (rateIndex === 0) throw new Error("its bit rate is free, which is not decoded");
  const isFirst = version === 3;
  const samplingRate = SAMPLING_RATES[pace]! / (isFirst ? 1 : version === 2 ? 2 : 4);
  const bits = BIT_RATES[isFirst ? 0 : 1][rateIndex]! * 1000;
  const isMono = fourth >> 6 === 3;
  return {
    length: Math.floor(((isFirst ? 144 : 72) * bits) / samplingRate) + ((third >> 1) & 1),
    sideBytes: isFirst ? (isMono ? 17 : 32) : isMono ? 9 : 17,
  };
}

/** Bytes of an ID3v2 tag at the beginning. */
function tagLength(bytes: Uint8Array): number {
  if (String.fromCharCode(...bytes.subarray(0, 3)) !== "ID3") return 0;
  return 10 + bytes.subarray(6, 10).reduce((sum, part) => sum * 128 + (part & 0x7f), 0);
}

/** Frames that follow, as the first one's `Xing` or `Info` tag counts them; undefined without such a tag. */
function frameCount(bytes: Uint8Array, at: number, { sideBytes }: Frame): number | undefined {
  const tag = Buffer.from(bytes.subarray(at + 4 + sideBytes, at + 4 + sideBytes + 12));
  const isTag = ["Xing", "Info"].includes(tag.toString("latin1", 0, 4));
  return isTag && tag.length === 12 && (tag[7]! & 1) === 1 ? tag.readUInt32BE(8) : undefined;
}

/** Walks the frames from first to last. @throws Error where one is cut off, or some are missing */
function checkFrames(bytes: Uint8Array): void {
  let at = tagLength(bytes);
  let frame = frameAt(bytes, at);
  if (frame === undefined) throw new Error("no MP3 frame begins where the first one has to");
  const wanted = frameCount(bytes, at, frame);
  // The frame of the tag is not among those that it counts.
  let found = wanted === undefined ? 0 : -1;
  for (; frame !== undefined; frame = frameAt(bytes, at)) {
    at += frame.length;
    if (at > bytes.length) throw new Error("it is cut off: its last frame is not whole");
    found += 1;
  }
  if (wanted !== undefined && found < wanted)
    throw new Error(`${found} of its ${wanted} frames are there: it is damaged or cut off`);
  const rest = Buffer.from(bytes.subarray(at, at + 16)).toString("latin1");
  if (!TRAILERS.some((name) => rest.startsWith(name)) && bytes.subarray(at).some((byte) => byte !== 0))
    throw new Error(`it is damaged: no frame begins at byte ${at} of ${bytes.length}`);
}

/** MP3, without the silence that its encoder put around it. @throws Error for a file that is damaged or cut off */
export async function decodeMp3(bytes: Uint8Array): Promise<Channels> {
  checkFrames(bytes);
  const { MPEGDecoder } = await import("mpg123-decoder");
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    return wholeChannels(decoder.decode(bytes));
  } finally {
    decoder.free();
  }
}
