import type { MetricFactory, ScoredAnswer } from "@thaw/core";
import { z } from "zod";
import { oneAnswer } from "../errors.js";
import { meanOverAnswers } from "./mean.js";
import { vqaTrimmed, vqaWords } from "./vqa-words.js";

const vqaSchema = z.strictObject({});

/** People of whom so many say the same are right. */
const ENOUGH = 3;

/** @throws THAW_CAPTIONS_ONE_ANSWER */
function vqaAccuracy({ answer, references }: ScoredAnswer): number {
  if (references.length < 2) throw oneAnswer("vqa_accuracy", answer);
  const trimmed = references.map(vqaTrimmed);
  // Where all say the same, letter by letter, the evaluation compares without any cleaning.
  const isDivided = new Set(trimmed).size > 1;
  const clean = (text: string): string => (isDivided ? vqaWords(text) : text);
  const wanted = trimmed.map(clean);
  const said = clean(vqaTrimmed(answer));
  const same = wanted.filter((one) => one === said).length;
  const each = wanted.map((one) => Math.min(1, (same - (one === said ? 1 : 0)) / ENOUGH));
  return each.reduce((sum, share) => sum + share, 0) / each.length;
}

/**
 * Accuracy against the answers of several people (Antol et al., arXiv:1505.00468), as the official evaluation computes
 * it (GT-Vision-Lab/VQA, a013f00, `vqaEval.py`): of each person left out in turn, whether three others say the same.
 */
export const vqaAccuracyMetric: MetricFactory<z.output<typeof vqaSchema>> = {
  type: "vqa_accuracy",
  summary: "Accuracy against the answers of several people, as the VQA evaluation counts it.",
  better: "higher",
  schema: vqaSchema,
  make: () => meanOverAnswers(vqaAccuracy),
};
