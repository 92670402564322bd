import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { clipSize, decodeClip } from "./decode-clip.js";

const folder = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(`${folder}sounds/${name}`));
const lengths = JSON.parse(readFileSync(`${folder}sounds.json`, "utf8")) as Readonly<Record<string, number>>;
const reference = new Float32Array(new Uint8Array(readFileSync(`${folder}sounds.f32`)).buffer);

/** A WAV file of one channel; values as its samples are stored. */
function wav(rate: number, bits: number, values: ArrayLike<number>, isFloat = false): Uint8Array {
  const width = bits / 8;
  const file = Buffer.alloc(44 + values.length * width);
  file.write("RIFF....WAVEfmt ", "latin1");
  file.writeUInt32LE(file.length - 8, 4);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(isFloat ? 3 : 1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate * width, 28);
  file.writeUInt16LE(width, 32);
  file.writeUInt16LE(bits, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(values.length * width, 40);
  Array.from(values, (value, at) => {
    const place = 44 + at * width;
    if (isFloat) return width === 8 ? file.writeDoubleLE(value, place) : file.writeFloatLE(value, place);
    return width === 1 ? file.writeUInt8(value, place) : file.writeIntLE(value, place, width);
  });
  return file;
}

/** What transformers' `load_audio` gives. */
function wanted(name: string): Float32Array {
  let start = 0;
  for (const [other, length] of Object.entries(lengths)) {
    if (other === name) return reference.subarray(start, start + length);
    start += length;
  }
  throw new Error(`no ${name}`);
}

const worst = (got: Float32Array, want: Float32Array, margin = 0): number =>
  got.reduce((most, value, at) => {
    const isInside = at >= margin && at < got.length - margin;
    return isInside ? Math.max(most, Math.abs(value - want[at]!)) : most;
  }, 0);

describe("decodeClip", () => {
  it.each(["u8.wav", "s24.wav", "double.wav", "s16.flac", "s24.flac"])(
    "gives libsndfile's samples of %s",
    async (name) => {
      const bytes = read(name);
      const { samples, samplingRate } = await decodeClip(bytes, 16000);
      expect([samplingRate, samples.length]).toEqual([16000, lengths[name]]);
      expect(worst(samples, wanted(name))).toBeLessThan(1e-7);
      expect(clipSize(bytes.subarray(0, 100), bytes.length, 16000)).toEqual({ sampleCount: lengths[name] });
    },
  );

  it.each(["stereo.ogg", "info.mp3", "44100.wav", "8000.wav", "48000.flac"])(
    "resamples %s as soxr does, but for the filter's ends",
    async (name) => {
      const { samples } = await decodeClip(read(name), 16000);
      expect(samples.length).toBe(lengths[name]);
      expect(worst(samples, wanted(name), 100)).toBeLessThan(3e-4);
      expect(worst(samples, wanted(name))).toBeLessThan(2e-2);
    },
  );

  it.each([8, 16, 24, 32, "float 32", "float 64"])("reads WAV of %s bits with every odd length", async (kind) => {
    const isFloat = typeof kind === "string";
    const bits = isFloat ? Number(kind.slice("float ".length)) : kind;
    const scale = isFloat ? 1 : 2 ** (bits - 1);
    for (const length of [1, 2, 7]) {
      const values = [0.5, -1, 0.25, 0, -0.5, 0.75, -0.125].slice(0, length);
      const stored = values.map((value) => value * scale + (bits === 8 ? 128 : 0));
      expect([...(await decodeClip(wav(16000, bits, stored, isFloat), 16000)).samples]).toEqual(values);
    }
  });

  it("keeps a tone through any rate, and its length as librosa counts it", async () => {
    for (const rate of [11025, 22050, 24000, 44101, 96000]) {
      const tone = Float64Array.from({ length: rate / 5 }, (_, at) => Math.sin((2 * Math.PI * 1000 * at) / rate) / 2);
      const { samples } = await decodeClip(wav(rate, 32, tone, true), 16000);
      expect(samples.length).toBe(Math.ceil((Math.floor(rate / 5) * 16000) / rate));
      const same = samples.map((_, at) => Math.sin((2 * Math.PI * 1000 * at) / 16000) / 2);
      expect(worst(samples, same, 200)).toBeLessThan(1e-5);
    }
  });
});

describe("decodeClip refuses", () => {
  it.each(["u8.wav", "s16.flac", "stereo.ogg", "info.mp3"])("%s that is cut off anywhere", async (name) => {
    const bytes = read(name);
    for (const share of [0, 0.001, 0.01, 0.3, 0.7, 0.99])
      await expect(decodeClip(bytes.subarray(0, bytes.length * share), 16000)).rejects.toThrow(
        /cut off|damaged|not a sound|no MP3 frame/,
      );
  });

  it.each(["s16.flac", "stereo.ogg", "info.mp3"])("%s with other bytes in its middle", async (name) => {
    const bytes = read(name);
    const middle = Math.floor(bytes.length * 0.8);
    const damaged = bytes.map((byte, at) => (at >= middle && at < middle + 150 ? byte ^ 0x5a : byte));
    await expect(decodeClip(damaged, 16000)).rejects.toThrow(/damaged|cut off/);
  });

  it.each([
    ["mulaw.wav", "mu-law"],
    ["opus.ogg", "Opus"],
  ])("%s by the name of its codec", async (name, codec) => {
    await expect(decodeClip(read(name), 16000)).rejects.toThrow(codec);
  });

  it.each([
    ["....ftypM4A ....", "MP4 or M4A"],
    ["FORM....AIFF....", "AIFF"],
    ["<html>no sound</html>", "not a sound that is known"],
    ["ID3 with nothing behind it", "no MP3 frame"],
  ])("%j", async (text, problem) => {
    await expect(decodeClip(Buffer.from(text), 16000)).rejects.toThrow(problem);
    if (!text.startsWith("ID3")) expect(() => clipSize(Buffer.from(text), 99, 16000)).toThrow(problem);
  });

  it("sound that is empty, not finite, or of no recording's rate", async () => {
    await expect(decodeClip(wav(16000, 32, [], true), 16000)).rejects.toThrow("holds no sound");
    await expect(decodeClip(wav(16000, 32, [0, Number.NaN], true), 16000)).rejects.toThrow("not finite");
    await expect(decodeClip(wav(50, 32, [0, 1], true), 16000)).rejects.toThrow("50 Hz");
  });
});
