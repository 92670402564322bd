import { elementCount, type StoredTensor } from "@thaw/contracts";
import type { TensorEntry } from "@thaw/safetensors";

/** Values of a stored tensor that are a matrix of its own to the model. */
export interface FusedPart {
  /** Name of the stored tensor. */
  readonly stored: string;
  /** Where its first value lies, and how far from there the next row and the next column. */
  readonly begin: number;
  readonly steps: readonly [row: number, column: number];
  readonly shape: readonly [rows: number, columns: number];
}

/** What a file holds, its fused experts taken apart. */
export interface Unfused {
  /** By the names that models know. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Of those that are part of a stored tensor, where they lie. */
  readonly parts: ReadonlyMap<string, FusedPart>;
}

/** `...experts.gate_up_proj` and `...experts.down_proj`, without an expert's number. */
const FUSED = /^(?<experts>.+\.experts)\.(?<part>gate_up_proj|down_proj)$/u;

/**
 * Takes experts apart that a file holds in one tensor for all of a layer: `gate_up_proj [experts, 2 * width, hidden]`,
 * the gate first, and `down_proj [experts, hidden, width]`, become `0.gate_proj.weight`, `0.up_proj.weight`,
 * `0.down_proj.weight` and so on, as other files have them; also where both are stored transposed (published
 * Qwen3-VL with experts). Source: transformers 5.24, `Qwen3_5MoeExperts`, `conversion_mapping.py`.
 */
export function unfuseExperts(stored: ReadonlyMap<string, TensorEntry>): Unfused {
  const entries = new Map<string, TensorEntry>();
  const parts = new Map<string, FusedPart>();
  for (const [name, entry] of stored) {
    const { experts, part } = FUSED.exec(name)?.groups ?? {};
    const isTransposed = experts !== undefined && areTransposed(experts, stored);
    const [count, outputs, inputs] = isTransposed
      ? [entry.shape[0], entry.shape[2], entry.shape[1]]
      : (entry.shape as readonly (number | undefined)[]);
    if (
      experts === undefined ||
      outputs === undefined ||
      inputs === undefined ||
      (part === "gate_up_proj" && outputs % 2 !== 0)
    ) {
      entries.set(name, entry);
      continue;
    }
    const names = part === "down_proj" ? ["down_proj"] : ["gate_proj", "up_proj"];
    const shape = [outputs / names.length, inputs] as const;
    const steps = isTransposed ? ([1, outputs] as const) : ([inputs, 1] as const);
    for (let expert = 0; expert < count!; expert++)
      names.forEach((own, index) => {
        const full = `${experts}.${expert}.${own}.weight`;
        entries.set(full, { ...entry, name: full, shape });
        const begin = expert * outputs * inputs + index * shape[0] * steps[0];
        parts.set(full, { stored: name, begin, steps, shape });
      });
  }
  return { entries, parts };
}

/** Whether both tensors of a layer fit one another as matrices whose rows are inputs, and not otherwise. */
function areTransposed(experts: string, stored: ReadonlyMap<string, TensorEntry>): boolean {
  const [, first, second] = stored.get(`${experts}.gate_up_proj`)?.shape ?? [];
  const [, third, fourth] = stored.get(`${experts}.down_proj`)?.shape ?? [];
  return first === fourth && second === 2 * (third ?? 0) && !(second === third && first === 2 * (fourth ?? 0));
}

/** The values of a part: row-major. */
export function partOf(whole: Float32Array, { begin, steps, shape }: FusedPart): Float32Array {
  const [rows, columns] = shape;
  if (steps[1] === 1) return whole.slice(begin, begin + rows * columns);
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      values[row * columns + column] = whole[begin + row * steps[0] + column * steps[1]]!;
  return values;
}

/** Writes the values of a part where they lie. */
function setPart(whole: Float32Array, { begin, steps, shape }: FusedPart, values: Float32Array): void {
  const [rows, columns] = shape;
  if (steps[1] === 1) return whole.set(values, begin);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      whole[begin + row * steps[0] + column * steps[1]] = values[row * columns + column]!;
}

/** Tensors as a file holds them, and their values, put together of what models know. */
export function fuseExperts(
  tensors: readonly StoredTensor[],
  parts: ReadonlyMap<string, FusedPart>,
  stored: ReadonlyMap<string, TensorEntry>,
  values: (name: string) => Promise<Float32Array>,
): { readonly tensors: readonly StoredTensor[]; readonly values: (name: string) => Promise<Float32Array> } {
  if (parts.size === 0) return { tensors, values };
  const partsOf = new Map<string, string[]>();
  for (const { name } of tensors) {
    const part = parts.get(name);
    if (part !== undefined) partsOf.set(part.stored, [...(partsOf.get(part.stored) ?? []), name]);
  }
  return {
    tensors: [
      ...tensors.filter(({ name }) => !parts.has(name)),
      ...[...partsOf.keys()].map((name) => {
        const { shape, dtype } = stored.get(name)!;
        return { name, shape, dtype };
      }),
    ],
    async values(name) {
      const own = partsOf.get(name);
      if (own === undefined) return values(name);
      const whole = new Float32Array(elementCount(stored.get(name)!.shape));
      for (const part of own) setPart(whole, parts.get(part)!, await values(part));
      return whole;
    },
  };
}
