import { elementCount } from "@thaw/contracts";
import type { ParameterRole, ParameterSpec } from "../contract/family.js";

/** Deviation of linear weights is this over the square root of the inputs. */
const LINEAR_GAIN = 0.7;
/** Linear layers that add to a residual stream start smaller. */
const RESIDUAL_FACTOR = 0.4;
const EMBEDDING_DEVIATION = 0.05;

/**
 * Initial values of a parameter or buffer, float32, row-major: linear weights normal with deviation 0.7 / sqrt(fan in)
 * (0.4 of that where the output joins a residual stream), embeddings 0.05, norms 1, biases 0; otherwise what the spec
 * makes. They depend on seed and name alone.
 */
export function initialValues(spec: ParameterSpec, seed: number): Float32Array {
  const { role, shape, name } = spec;
  if (typeof role === "function") return role(shape, randomOf(`${seed}:${name}`));
  const values = new Float32Array(elementCount(shape));
  if (role === "norm") return values.fill(1);
  if (role === "bias") return values;
  return fillNormal(values, deviation(role, spec), randomOf(`${seed}:${name}`));
}

function deviation(role: ParameterRole, { shape, fanIn = shape.at(-1) ?? 1 }: ParameterSpec): number {
  if (role === "embedding") return EMBEDDING_DEVIATION;
  return (LINEAR_GAIN / Math.sqrt(fanIn)) * (role === "residual" ? RESIDUAL_FACTOR : 1);
}

/** Normal numbers by pairs. Box and Muller, Annals of Mathematical Statistics 29 (1958). */
function fillNormal(values: Float32Array, scale: number, random: () => number): Float32Array {
  for (let index = 0; index < values.length; index += 2) {
    const radius = scale * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[index] = radius * Math.cos(angle);
    if (index + 1 < values.length) values[index + 1] = radius * Math.sin(angle);
  }
  return values;
}

/**
 * Uniform numbers in [0, 1) from a text: FNV-1a as the seed of sfc32 (Doty-Humphrey, PractRand), 24 bits each. Not the
 * generator of the rest (`mulberry32`): runs that started from new values would start from others.
 */
export function randomOf(text: string): () => number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  let [a, b, c, counter] = [hash | 0, 0x9e3779b9 | 0, 0x243f6a88 | 0, 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 8) / 0x1000000;
  };
  for (let warm = 0; warm < 12; warm++) next();
  return next;
}
