/** A stream of uniform numbers in `[0, 1)`. */
export type Random = () => number;

/**
 * The seeded generator of all of Thaw but new values of parameters (`models`), which come from sfc32: mulberry32
 * (Tommy Ettinger, public domain), 32 bits of state, the same numbers on every machine. Autograd, which imports no
 * package, has its own for dropout.
 */
export function mulberry32(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
