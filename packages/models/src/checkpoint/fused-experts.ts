import { elementCount, type StoredTensor } from "@thaw/contracts";
import type { TensorEntry } from "@thaw/safetensors";

/** Stretch of a stored tensor that is a tensor of its own to the model: values from `begin`, row-major. */
export interface FusedPart {
  /** Name of the stored tensor. */
  readonly stored: string;
  readonly begin: number;
  readonly count: number;
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
 * `0.down_proj.weight` and so on, as other files have them. Source: transformers 5.24, `Qwen3_5MoeExperts`.
 */
export function unfuseExperts(stored: ReadonlyMap<string, TensorEntry>): Unfused {
  const entries = new Map<string, TensorEntry>();
  const parts = new Map<string, FusedPart>();
  for (const [name, entry] of stored) {
    const { experts, part } = FUSED.exec(name)?.groups ?? {};
    const [count, rows, columns] = entry.shape;
    if (experts === undefined || columns === undefined || (part === "gate_up_proj" && rows! % 2 !== 0)) {
      entries.set(name, entry);
      continue;
    }
    const names = part === "down_proj" ? ["down_proj"] : ["gate_proj", "up_proj"];
    const shape = [rows! / names.length, columns];
    const size = elementCount(shape);
    for (let expert = 0; expert < count!; expert++)
      names.forEach((own, index) => {
        const full = `${experts}.${expert}.${own}.weight`;
        entries.set(full, { ...entry, name: full, shape });
        parts.set(full, { stored: name, begin: (expert * names.length + index) * size, count: size });
      });
  }
  return { entries, parts };
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
      for (const part of own) whole.set(await values(part), parts.get(part)!.begin);
      return whole;
    },
  };
}
