import { expect, it } from "vitest";
import { chooseInGroups } from "./grouped-experts.js";

it("chooses experts of the groups whose two best are largest together", () => {
  // The best expert alone (of the first group) is not among them; of the second and third groups the best three are.
  const scores = Float32Array.of(0.9, 0, 0.1, 0.5, 0.6, 0.2, 0.7, 0.3, 0.4);
  const choice = { expertCount: 9, groupCount: 3, chosenGroupCount: 2, chosenCount: 3 };
  expect([...chooseInGroups(scores, choice)]).toEqual([6, 4, 3]);
  expect([...chooseInGroups(scores, { ...choice, chosenGroupCount: 3 })]).toEqual([0, 6, 4]);
});
