import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import type { Logger } from "../api/logger.js";
import { tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

it("tells at level debug what computes, what was read, and which taps ran how often, in calling order", async () => {
  const lines: string[] = [];
  const note = (fields: object | string, message?: string): void =>
    void lines.push(typeof fields === "string" ? fields : message!);
  const logger: Logger = { debug: note, info: () => {}, warn: () => {}, error: () => {} };
  const late = tapped("Late", ({ hooks }) => hooks.afterStep.tap("Late", () => {}));
  await toyTrainer({ plugins: [trainOnly([0, ["projector"]]), late], logger }).run();
  expect(lines[0]).toBe("Computing with cpu.");
  expect(lines[1]).toMatch(/^Read \d+ parameters of .+ in [\d.]+ s\.$/);
  expect(
    lines.filter((line) => /^Hook afterStep: Late ran [1-9]\d* times, [\d.]+ ms in all\.$/.test(line)),
  ).toHaveLength(1);
  expect(lines.findIndex((line) => line.startsWith("Hook plan:"))).toBeLessThan(
    lines.findIndex((line) => line.startsWith("Hook afterStep:")),
  );
});
