import { expect, it } from "vitest";
import { tokenChoice } from "./sampling.js";

const logits = Float32Array.of(1, 3, 2, -1, 2.5);
/** How often each id is drawn. */
function counts(sampling: NonNullable<Parameters<typeof tokenChoice>[0]["sampling"]>, draws = 4000): number[] {
  const choose = tokenChoice({ maxNewTokens: 1, sampling })!;
  const found = logits.reduce<number[]>((all) => [...all, 0], []);
  for (let draw = 0; draw < draws; draw++) found[choose(0, logits, [])]! += 1;
  return found;
}

it("needs no logits where the most likely token is taken", () => {
  expect(tokenChoice({ maxNewTokens: 1 })).toBeUndefined();
});

it("draws tokens as often as their probabilities say", () => {
  const weights = [...logits].map((score) => Math.exp(score / 0.8));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  for (const [id, count] of counts({ temperature: 0.8 }).entries())
    expect(Math.abs(count / 4000 - weights[id]! / sum)).toBeLessThan(0.025);
});

// Which ids are left, by transformers 5.23: TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper on softmax(logits) =
// 0.0636, 0.4699, 0.1729, 0.0086, 0.2850 (rounded).
it.each([
  [{ topK: 1 }, [1]],
  [{ topK: 3 }, [1, 2, 4]],
  [{ topP: 0.4 }, [1]],
  [{ topP: 0.5 }, [1, 4]],
  [{ topP: 0.75 }, [1, 4]],
  [{ topP: 0.76 }, [1, 2, 4]],
  [{ minP: 0.5 }, [1, 4]],
  [{ minP: 0.1 }, [0, 1, 2, 4]],
  [{ topK: 4, minP: 0.3 }, [1, 2, 4]],
  [{ temperature: 0 }, [1]],
])("draws with %j among %j", (sampling, wanted) => {
  expect([...counts(sampling).entries()].filter(([, count]) => count > 0).map(([id]) => id)).toEqual(wanted);
});

it("draws the same for the same seed, other things for another, and for each row by itself", () => {
  const draw = (seed: number, rows: readonly number[]): string => {
    const choose = tokenChoice({ maxNewTokens: 1, sampling: { seed } })!;
    const drawn = new Map<number, number[]>(rows.map((row) => [row, []]));
    for (let step = 0; step < 40; step++) for (const row of rows) drawn.get(row)!.push(choose(row, logits, []));
    return drawn.get(rows[0]!)!.join("");
  };
  expect(draw(3, [0])).toBe(draw(3, [0, 1, 2]));
  expect(draw(3, [0])).not.toBe(draw(4, [0]));
  expect(draw(3, [1])).not.toBe(draw(3, [0]));
});

it("makes what is there already less likely", () => {
  const choose = tokenChoice({ maxNewTokens: 1, repetitionPenalty: 1.5 })!;
  expect(choose(0, logits, [1])).toBe(4);
  expect(choose(0, logits, [1, 4])).toBe(1);
  expect(choose(0, Float32Array.of(-1, -1.4), [0])).toBe(1);
  expect(choose(0, Float32Array.of(-1, -1.6), [0])).toBe(0);
});
