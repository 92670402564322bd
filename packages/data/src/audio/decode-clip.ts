import { judgeLength, resampledCount, type AudioClip, type Channels, type ClipSize } from "./clip.js";
import { decodeFlac, flacHeader } from "./flac.js";
import { decodeMp3 } from "./mp3.js";
import { decodeOgg } from "./ogg.js";
import { resample } from "./resample.js";
import { decodeWav, wavHeader } from "./wav.js";

/** Sampling rates that are resampled, in hertz; others are those of no recording. */
const [LOWEST_RATE, HIGHEST_RATE] = [1000, 384_000];

type Format = "wav" | "flac" | "ogg" | "mp3";

/** Their libraries are loaded with the first file of a kind. */
const DECODERS: Readonly<Record<Format, (bytes: Uint8Array) => Promise<Channels>>> = {
  wav: decodeWav,
  flac: decodeFlac,
  ogg: decodeOgg,
  mp3: decodeMp3,
};

/** Kinds of files that are known and not decoded, by bytes near their beginning. */
const FOREIGN: readonly (readonly [string, number, string])[] = [
  ["RF64", 0, "an RF64 file"],
  ["RIFX", 0, "a RIFX file"],
  ["FORM", 0, "an AIFF file"],
  ["ftyp", 4, "an MP4 or M4A file"],
  ["\u001aE\u00df\u00a3", 0, "a WebM or Matroska file"],
  [".snd", 0, "an AU file"],
  ["caff", 0, "a CAF file"],
  ["#!AMR", 0, "an AMR file"],
  ["0&\u00b2u", 0, "a WMA file"],
];

/** What kind of file these bytes begin. @throws Error that names a kind that is not decoded */
function formatOf(bytes: Uint8Array): Format {
  const head = Buffer.from(bytes.subarray(0, 16)).toString("latin1");
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WAVE") return "wav";
  if (head.startsWith("fLaC")) return "flac";
  if (head.startsWith("OggS")) return "ogg";
  if (head.startsWith("ID3") || (bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe6) >= 0xe2)) return "mp3";
  const foreign = FOREIGN.find(([name, at]) => head.startsWith(name, at));
  throw new Error(`it is ${foreign?.[2] ?? "not a sound that is known"}: WAV, FLAC, MP3 and Ogg Vorbis are decoded`);
}

/**
 * Decodes WAV, FLAC, MP3 or Ogg Vorbis to one channel, the mean of all, at `samplingRate` hertz: what transformers'
 * `load_audio` gives through libsndfile and soxr (5.24, `audio_utils.py`).
 * @throws Error that says what is wrong with the bytes; callers name the sample
 */
export async function decodeClip(bytes: Uint8Array, samplingRate: number): Promise<AudioClip> {
  const { channels, samplingRate: own } = await DECODERS[formatOf(bytes)](bytes);
  judgeLength({ sampleCount: channels[0]?.length ?? 0, channelCount: channels.length });
  judgeRate(own);
  const samples = meanOf(channels);
  if (samples.some((value) => !Number.isFinite(value))) throw new Error("it holds values that are not finite");
  return resample({ samples, samplingRate: own }, samplingRate);
}

/**
 * The length that a clip has once it is decoded, where its beginning tells: of WAV and FLAC. `size`: bytes of the whole
 * file. Undefined: it has to be decoded to know.
 * @throws Error as `decodeClip`
 */
export function clipSize(beginning: Uint8Array, size: number, samplingRate: number): ClipSize | undefined {
  const format = formatOf(beginning);
  const header = format === "wav" ? wavHeader(beginning, size) : format === "flac" ? flacHeader(beginning) : undefined;
  if (header === undefined) return undefined;
  judgeLength(header);
  judgeRate(header.samplingRate);
  return { sampleCount: resampledCount(header.sampleCount, header.samplingRate, samplingRate) };
}

function judgeRate(rate: number): void {
  if (rate < LOWEST_RATE || rate > HIGHEST_RATE)
    throw new Error(`its sampling rate is ${rate} Hz: ${LOWEST_RATE} to ${HIGHEST_RATE} Hz are resampled`);
}

/** The mean of channels, summed in float32 as numpy sums it. */
function meanOf(channels: readonly Float32Array[]): Float32Array {
  const [first, ...others] = channels as readonly [Float32Array, ...Float32Array[]];
  if (others.length === 0) return first;
  const sum = Float32Array.from(first);
  for (const channel of others) for (let at = 0; at < sum.length; at += 1) sum[at]! += channel[at]!;
  return sum.map((value) => value / channels.length);
}
