// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

declare module "@thaw/core" {
  interface ProvidedMetrics {
    loss: LossMetric;
    perplexity: PerplexityMetric;
    token_f1: TokenF1Metric;
    exact_match: ExactMatchMetric;
    anls: AnlsMetric;
    vqa_accuracy: VqaAccuracyMetric;
    cider: CiderMetric;
    bleu: BleuMetric;
    rouge_l: RougeLMetric;
    choice_accuracy: ChoiceAccuracyMetric;
  }
}

/** Mean cross entropy of supervised tokens, in nats; a run measures it whether named or not. */
export interface LossMetric {
  /** Mean cross entropy of supervised tokens, in nats; a run measures it whether named or not. */
  type: "loss";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
}

/** e to the power of the loss: among how many tokens the model wavers. */
export interface PerplexityMetric {
  /** e to the power of the loss: among how many tokens the model wavers. */
  type: "perplexity";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
}

/** F1 of the answer's words against the reference's, as SQuAD counts it. */
export interface TokenF1Metric {
  /** F1 of the answer's words against the reference's, as SQuAD counts it. */
  type: "token_f1";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
  /** Compare without case, ASCII punctuation and the words a, an, the, as SQuAD does. Default: true. */
  normalize?: boolean | undefined;
}

/** Share of answers that are the same as a reference, as SQuAD counts it. */
export interface ExactMatchMetric {
  /** Share of answers that are the same as a reference, as SQuAD counts it. */
  type: "exact_match";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
  /** Compare without case, ASCII punctuation and the words a, an, the, as SQuAD does. Default: true. */
  normalize?: boolean | undefined;
}

/** Likeness by letters of answers that were read from pictures, as ST-VQA and DocVQA measure it. */
export interface AnlsMetric {
  /** Likeness by letters of answers that were read from pictures, as ST-VQA and DocVQA measure it. */
  type: "anls";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
  /** Share of an answer's letters that may be wrong; from there on the score is 0. Default: 0.5. */
  threshold?: number | undefined;
}

/** Accuracy against the answers of several people, as the VQA evaluation counts it. */
export interface VqaAccuracyMetric {
  /** Accuracy against the answers of several people, as the VQA evaluation counts it. */
  type: "vqa_accuracy";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
}

/** CIDEr-D of captions: runs of words that they share with the references, rare ones counting more. */
export interface CiderMetric {
  /** CIDEr-D of captions: runs of words that they share with the references, rare ones counting more. */
  type: "cider";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
}

/** sacreBLEU of the whole set (tokenizer 13a), from 0 to 1. */
export interface BleuMetric {
  /** sacreBLEU of the whole set (tokenizer 13a), from 0 to 1. */
  type: "bleu";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
  /** Longest run of words that is compared. Default: 4. */
  maxOrder?: number | undefined;
  /** Compare without case. Default: false. */
  lowercase?: boolean | undefined;
  /** Where no run of a length is right: count half a one, a quarter, ...; or the score is 0. Default: exp. */
  smoothing?: "exp" | "none" | undefined;
}

/** F1 of the longest run of words, with gaps, that answer and reference share; Latin letters and digits alone. */
export interface RougeLMetric {
  /** F1 of the longest run of words, with gaps, that answer and reference share; Latin letters and digits alone. */
  type: "rouge_l";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
}

/** Share of questions with choices of which the right one is chosen. */
export interface ChoiceAccuracyMetric {
  /** Share of questions with choices of which the right one is chosen. */
  type: "choice_accuracy";
  /** What results call it; needed where one type is measured twice. Default: its type. */
  name?: string | undefined;
  /** What a model chooses: what it finds likeliest, or what it writes. Default: likelihood. */
  by?: "likelihood" | "answer" | undefined;
  /**
   * Compare likelihoods of whole choices, or per token, or per byte, so that long ones are not put back (by:
   * likelihood). Default: none.
   */
  normalize?: "none" | "tokens" | "bytes" | undefined;
}
