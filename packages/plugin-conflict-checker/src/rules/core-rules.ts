import type { RuleInfo } from "@thaw/core";

/**
 * Rules whose findings core reports itself while it plans: who owns what, whether a plan fits a checkpoint, whether a
 * plan is one.
 */
export const CORE_RULES: readonly RuleInfo[] = [
  {
    id: "component-claimed-twice",
    defaultSeverity: "error",
    summary: "Two components own a parameter by prefixes of the same length.",
    docs: `Every parameter has exactly one owner: the component with the longest matching prefix of whole segments.
Two components with the same prefix make a tie, which is an error. It comes from \`model.components\` in the config,
or from a family that a plugin registers.

\`\`\`yaml config expects=component-claimed-twice
model:
  path: ./checkpoint
  components:
    adapter: [multi_modal_projector] # the prefix of multi_modal_projector again
\`\`\`

A longer prefix wins: \`vision_tower.merger\` may belong to another component than \`vision_tower\`.
`,
  },
  {
    id: "parameter-unowned",
    defaultSeverity: "error",
    summary: "No component owns a parameter.",
    docs: `A parameter that belongs to nothing would neither be frozen nor trained by any setting. Declare its owner,
or say that the name is not a parameter:

\`\`\`yaml config expects=parameter-unowned
model:
  path: ./checkpoint
  components:
    language_model: [language_model.model] # leaves language_model.lm_head to nobody
\`\`\`

\`\`\`yaml config expects=none
model:
  path: ./checkpoint
  components:
    language_model: [language_model.model, language_model.lm_head]
\`\`\`

\`ignored\` is for names that are not parameters, such as buffers that a file stores:

\`\`\`yaml config expects=none
model:
  path: ./checkpoint
  ignored: [vision_tower.rotary_cache]
\`\`\`
`,
  },
  {
    id: "resume-with-another-plan",
    defaultSeverity: "error",
    summary: "The plan differs from the one with which the checkpoint was made.",
    docs: `A checkpoint holds what was trained and the optimizer's state for it. Under another plan some of that state
has no use and some is missing. The finding shows a table of what differs. \`thaw train --resume <run>
--accept-plan-change\` goes on all the same and says which state is made or dropped.
`,
  },
  {
    id: "plan-incomplete",
    defaultSeverity: "error",
    summary:
      "The plan that plugins made is not a plan: a parameter is undecided, unknown, listed twice, or given to " +
      "another owner.",
    docs: `This is a plugin's mistake, or what an error of another rule leaves behind. It cannot be switched off:
without a decision for every parameter nothing can be trained safely.
`,
  },
  {
    id: "stop-rule-unmeasured",
    defaultSeverity: "error",
    summary: "The run is to stop, or to keep its best checkpoint, by what nothing measures between steps.",
    docs: `\`training.stop_when\` looks at evaluations: \`{ metric: loss, below: 0.5 }\`, \`{ metric: tokenF1, above:
0.6 }\` or \`{ patience: 3 }\`, which is three evaluations in a row without a better value. They are made every
\`evaluate_every_steps\` steps, on \`data.evaluation\`. So does \`keep: { best: tokenF1 }\`, which saves a checkpoint
whenever the metric is better than ever, and keeps that one. A metric that no evaluation measures is refused.

\`\`\`yaml config expects=stop-rule-unmeasured
freeze: { train_mm_proj_only: true }
training:
  epochs: 10
  stop_when: { patience: 3 }
\`\`\`

\`\`\`yaml config expects=none
data: { evaluation: iconify:twemoji }
freeze: { train_mm_proj_only: true }
training:
  epochs: 10
  evaluate_every_steps: 50
  stop_when: { patience: 3 }
\`\`\`
`,
  },
  {
    id: "quantized-and-trained",
    defaultSeverity: "error",
    summary: "A parameter trains that the checkpoint stores in 4 or 8 bits.",
    docs: `A number of 4 bits is one of 16 times the scale of its block: an update of the size of a learning rate would
be rounded away. Quantised matrices stay frozen, and adapters train over them:
\`freeze: { components: { language_model: { lora: { rank: 16 } } } }\`.

A checkpoint in bfloat16 trains in any component, and \`training.frozen_precision\` keeps what stays frozen in
fewer bits.
`,
  },
  {
    id: "frozen-precision-without-effect",
    defaultSeverity: "error",
    summary: "Frozen weights are to be kept in fewer bits, and none can be.",
    docs: `\`training.frozen_precision\` applies to weights of linear layers that no phase of the run trains, apart
from the matrix that makes logits. Where everything trains, there is none.

\`\`\`yaml config expects=none
freeze: { train_mm_proj_only: true }
training: { max_steps: 10, frozen_precision: nf4 }
\`\`\`

A checkpoint that is stored in 4 or 8 bits is kept as it is stored; to round it once more into another form is this
error too.
`,
  },
  {
    id: "stage-loses-parameters",
    defaultSeverity: "error",
    summary: "A stage trains parameters that a later stage does not have.",
    docs: `Each [stage](../stages.md) begins with what all before it trained. An adapter that one stage trains and a
later one does not ask for would be lost on the way, so the later stage is refused before the first one starts. It
cannot be switched off.

\`\`\`yaml config expects=stage-loses-parameters
training: { max_steps: 10 }
stages:
  - name: adapt
    freeze: { components: { language_model: { lora: { rank: 4 } } } }
  - name: align
    freeze: { train_mm_proj_only: true }
\`\`\`

Keep the adapter in the later stage; or train in two runs, with \`thaw export\` between them, which merges it.
`,
  },
];

/** What a config's schema finds; it is reported by `@thaw/config`, which no plugin can configure. */
export const CONFIG_RULE: RuleInfo = {
  id: "config",
  defaultSeverity: "error",
  summary:
    "A key is unknown, a value has the wrong type, or the model or a plugin that the config names cannot be opened.",
  docs: `Configs are read strictly. A key that nobody knows is never ignored; the finding names the nearest known one.

\`\`\`yaml config expects=config
freeze:
  train_mm_project_only: true
\`\`\`

\`\`\`yaml config expects=config
freeze:
  freeze_vision_tower: "yes"
\`\`\`

A severity that is set for a rule that does not exist is this error, too:

\`\`\`yaml config expects=config
checks:
  rules: { nothing-train: off }
\`\`\`
`,
};
