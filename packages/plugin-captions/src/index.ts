export {
  answerMetrics,
  choiceMetrics,
  chosenMetrics,
  DEFAULT_METRICS,
  lossMetrics,
  metricsSchemaOf,
  type AnswerMetric,
  type ChoiceMetric,
  type ChosenMetric,
  type LossReadingMetric,
  type MetricOptions,
} from "./choosing/chosen-metrics.js";
export {
  evaluateAnswers,
  type AnswerEvaluation,
  type AnswerEvaluationOptions,
  type AnswerPrediction,
  type Scores,
} from "./evaluation/answer-evaluation.js";
export {
  answerEvaluator,
  answersBetter,
  answersName,
  canCompareNeighbours,
  measureAnswers,
  type AnswerEvaluatorOptions,
  type AnswerMeasurement,
} from "./evaluation/answer-evaluator.js";
export { baselineAnswers, type BaselineAnswers, type BaselineSources } from "./evaluation/baselines.js";
export {
  choiceEvaluator,
  choicesBetter,
  choicesName,
  measureChoices,
  type ChoiceEvaluation,
  type ChoiceEvaluatorOptions,
  type ChoiceMeasurement,
} from "./evaluation/choice-evaluation.js";
export { selectConcepts, type ConceptFilter } from "./evaluation/concept-filter.js";
export { nearestPicture, type PictureSet } from "./evaluation/nearest-pixels.js";
export { measureLoss, type LossMeasurement } from "./evaluation/measure-loss.js";
export { spread } from "./evaluation/tell-answers.js";
export type * from "./choosing/option-types.js";
export { METRICS } from "./metrics/list.js";
export { captions, captions as default, PLUGIN_NAME } from "./plugin.js";
