import type { MetricFactory } from "@thaw/core";
import { anls } from "./anls.js";
import { bleu } from "./bleu.js";
import { choiceAccuracy } from "./choice-accuracy.js";
import { cider } from "./cider.js";
import { loss, perplexity } from "./losses.js";
import { rougeL } from "./rouge-l.js";
import { exactMatch, tokenF1 } from "./squad.js";
import { vqaAccuracyMetric } from "./vqa-accuracy.js";

/** Thaw's own metrics. */
export const METRICS: readonly MetricFactory[] = [
  loss,
  perplexity,
  tokenF1,
  exactMatch,
  anls,
  vqaAccuracyMetric,
  cider,
  bleu,
  rougeL,
  choiceAccuracy,
] as readonly MetricFactory[];
