/**
 * Just enough of a WebAssembly assembler to emit one function at run time (WebAssembly core specification 2.0, chapter
 * 5 and the SIMD opcodes of its appendix), so that no binary lies in the repository and no toolchain is needed.
 */
export type Code = readonly number[];

/** Pages of 64 KiB in 4 GiB, what a shared memory of TensorFlow.js may grow to. */
const MAX_PAGES = 65536;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

export const I32 = 0x7f;
export const F32 = 0x7d;
export const V128 = 0x7b;
export type LocalType = typeof I32 | typeof F32 | typeof V128;

const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
/** Alignment hint (log2 of bytes) and offset of a memory access. */
const access = (offset: number): number[] => [2, ...unsigned(offset)];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const i32 = (value: number): Code => [0x41, ...signed(value)];
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const sub = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
export const mul = (a: Code, b: Code): Code => [...a, ...b, 0x6c];
/** `a & b`. */
export const and = (a: Code, b: Code): Code => [...a, ...b, 0x71];
/** `a >>> b`. */
export const shiftRight = (a: Code, b: Code): Code => [...a, ...b, 0x76];
/** `condition ? a : b`. */
export const select = (a: Code, b: Code, condition: Code): Code => [...a, ...b, ...condition, 0x1b];
/** `a >= b`, signed. */
export const atLeast = (a: Code, b: Code): Code => [...a, ...b, 0x4e];

export const f32Zero: Code = [0x43, 0, 0, 0, 0];
export const f32Load = (address: Code, offset = 0): Code => [...address, 0x2a, ...access(offset)];
export const f32Store = (address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  0x38,
  ...access(offset),
];
export const f32Add = (a: Code, b: Code): Code => [...a, ...b, 0x92];
export const f32Sub = (a: Code, b: Code): Code => [...a, ...b, 0x93];
export const f32Mul = (a: Code, b: Code): Code => [...a, ...b, 0x94];

export const v128Zero: Code = [...simd(0x0c), ...Array<number>(16).fill(0)];
export const v128Load = (address: Code, offset = 0): Code => [...address, ...simd(0x00), ...access(offset)];
export const v128Store = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...simd(0x0b),
  ...access(offset),
];
/** Four copies of the float at an address. */
export const v128Splat = (address: Code): Code => [...address, ...simd(0x09), ...access(0)];
/** The first float of a vector, the second, ...: `lane` from 0 to 3. */
export const f32x4Lane = (vector: Code, lane: number): Code => [...vector, ...simd(0x1f), lane];
export const f32x4Add = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe4)];
export const f32x4Sub = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe5)];
export const f32x4Mul = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe6)];

/** `sum + a b`; with `fused` in one instruction of the relaxed SIMD extension, rounded once where the processor can. */
export const f32x4MultiplyAdd = (sum: Code, a: Code, b: Code, fused: boolean): Code =>
  fused ? [...a, ...b, ...sum, ...simd(0x105)] : f32x4Add(sum, f32x4Mul(a, b));

/** Runs `body` if `condition` is not zero. */
export const when = (condition: Code, body: Code): Code => [...condition, 0x04, 0x40, ...body, 0x0b];
/** Runs `yes` if `condition` is not zero, else `no`. */
export const either = (condition: Code, yes: Code, no: Code): Code => [
  ...condition,
  0x04,
  0x40,
  ...yes,
  0x05,
  ...no,
  0x0b,
];
/** Runs `body` as long as `condition` holds. */
export const whileLoop = (condition: Code, body: Code): Code => [
  0x02,
  0x40,
  0x03,
  0x40,
  ...condition,
  0x45,
  0x0d,
  1,
  ...body,
  0x0c,
  0,
  0x0b,
  0x0b,
];

/** Numbers locals in order of declaration, parameters first. */
export class Locals {
  readonly types: LocalType[] = [];

  declare(type: LocalType): number {
    return this.types.push(type) - 1;
  }

  /** Some of one type. */
  list(type: LocalType, count: number): number[] {
    return indices(count).map(() => this.declare(type));
  }

  /** Integers by name, declared in this order. */
  integers<Name extends string>(...names: readonly Name[]): Readonly<Record<Name, number>> {
    return Object.fromEntries(names.map((name) => [name, this.declare(I32)])) as Record<Name, number>;
  }
}

/** 0, 1, ... below `count`: what code is written out for. */
export function indices(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** The local at a place of a list. */
export const at = (list: readonly number[], index: number): number => list[index] as number;
/** Adds to a local. */
export const advance = (local: number, by: Code): Code => set(local, add(get(local), by));
/** Takes one from a local. */
export const countDown = (local: number): Code => set(local, sub(get(local), i32(1)));
/** A local address, or one further by the local at a place of a list; 0 is no step. */
export const strided = (base: number, steps: readonly number[], index: number): Code =>
  index === 0 ? get(base) : add(get(base), get(at(steps, index)));

/** What the code may use. */
export interface CodeMode {
  /** Fused multiply-add of the relaxed SIMD extension: twice as fast; Node 20 does not know it. */
  readonly fused: boolean;
  /** Whether the memory is one that threads share, of up to 4 GiB. */
  readonly shared: boolean;
}

/**
 * A module that imports `env.memory` and exports one function `run` without result. The first `parameterCount` locals
 * are its parameters.
 */
export function assemble(
  locals: Locals,
  parameterCount: number,
  body: Code,
  { shared }: CodeMode,
): Uint8Array<ArrayBuffer> {
  const section = (id: number, content: Code): number[] => [id, ...unsigned(content.length), ...content];
  const text = (word: string): number[] => [...unsigned(word.length), ...new TextEncoder().encode(word)];
  const parameters = locals.types.slice(0, parameterCount);
  const inner = locals.types.slice(parameterCount);
  const declared = [...unsigned(inner.length), ...inner.flatMap((type) => [1, type])];
  const code = [...declared, ...body, 0x0b];
  const limits = shared ? [3, 0, ...unsigned(MAX_PAGES)] : [0, 0];
  const preamble = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  return Uint8Array.from([
    ...preamble,
    ...section(1, [1, 0x60, ...unsigned(parameters.length), ...parameters, 0]),
    ...section(2, [1, ...text("env"), ...text("memory"), 2, ...limits]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("run"), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}
