/** A complex Fourier transform of some size, `[real, imaginary]` from real values. */
export type Fourier = (values: Float64Array) => readonly [real: Float64Array, imaginary: Float64Array];

/**
 * The discrete Fourier transform of any size, in float64, by splitting at its prime factors (Cooley and Tukey, 1965).
 * What it returns is overwritten by its next call.
 */
export function fourier(size: number): Fourier {
  const cosines = Float64Array.from({ length: size }, (_, at) => Math.cos((2 * Math.PI * at) / size));
  const sines = Float64Array.from({ length: size }, (_, at) => -Math.sin((2 * Math.PI * at) / size));
  const [real, imaginary] = [new Float64Array(size), new Float64Array(size)];
  const [heldReal, heldImaginary] = [new Float64Array(size), new Float64Array(size)];
  /** Transforms `count` values from `from` on, every `stride`th, to `to` and behind. */
  const transform = (values: Float64Array, from: number, stride: number, to: number, count: number): void => {
    if (count === 1) {
      real[to] = values[from]!;
      imaginary[to] = 0;
      return;
    }
    const parts = smallestFactor(count);
    const each = count / parts;
    for (let part = 0; part < parts; part += 1)
      transform(values, from + part * stride, stride * parts, to + part * each, each);
    for (let at = 0; at < each; at += 1) {
      for (let part = 0; part < parts; part += 1) {
        const place = to + part * each + at;
        heldReal[part] = real[place]!;
        heldImaginary[part] = imaginary[place]!;
      }
      for (let out = 0; out < parts; out += 1) {
        const place = to + out * each + at;
        // The angle of part p is p * (at + out * each) turns over `count`; `stride` is size / count.
        const step = (at + out * each) * stride;
        let sumReal = heldReal[0]!;
        let sumImaginary = heldImaginary[0]!;
        for (let part = 1, angle = step; part < parts; part += 1) {
          sumReal += heldReal[part]! * cosines[angle]! - heldImaginary[part]! * sines[angle]!;
          sumImaginary += heldReal[part]! * sines[angle]! + heldImaginary[part]! * cosines[angle]!;
          angle += step;
          if (angle >= size) angle -= size;
        }
        real[place] = sumReal;
        imaginary[place] = sumImaginary;
      }
    }
  };
  return (values) => {
    transform(values, 0, 1, 0, size);
    return [real, imaginary];
  };
}

function smallestFactor(count: number): number {
  for (let factor = 2; factor * factor <= count; factor += 1) if (count % factor === 0) return factor;
  return count;
}
