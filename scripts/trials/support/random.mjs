import { createHash } from "node:crypto";
import { mulberry32 } from "../../../packages/contracts/dist/index.js";

/** Seeded random choices: `number()` in [0, 1), `below(n)` a whole number, `pick(list)` one of a list. */
export function randomOf(text) {
  const number = mulberry32(createHash("sha256").update(text).digest().readUInt32LE());
  const below = (limit) => Math.floor(number() * limit);
  return { number, below, pick: (list) => list[below(list.length)] };
}
