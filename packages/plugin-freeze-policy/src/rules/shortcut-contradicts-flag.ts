import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { componentText, describeSetting, quotedWithPlace } from "../deciding/describe.js";
import { FLAG_OF_COMPONENT, SHORTCUT_COMPONENTS, type Vocabulary } from "../intent/vocabulary.js";
import { editable, finding } from "./finding.js";

export const SHORTCUT_CONTRADICTS_FLAG: RuleInfo = {
  id: "shortcut-contradicts-flag",
  defaultSeverity: "error",
  summary: "`trainMmProjOnly` stands beside a setting that freezes the projector or trains another component.",
  docs: `\`trainMmProjOnly: true\` freezes every component but the multimodal projector, which trains. It overrides
*defaults*. It does not override what you wrote: an explicit flag or \`components\` entry that says the opposite is an
error, because one of the two is a mistake and only you know which.

\`\`\`yaml config expects=shortcut-contradicts-flag
freeze:
  train_mm_proj_only: true
  freeze_language_model: false
\`\`\`

To train the projector alone, remove the flag. To train the projector *and* the language model, say so with the flags:

\`\`\`yaml config expects=none
freeze:
  freeze_multi_modal_projector: false
  freeze_language_model: false
\`\`\`

A setting that repeats what the shortcut says already is only a note, which may be kept as a reminder:

\`\`\`yaml config expects=shortcut-contradicts-flag:note
freeze:
  train_mm_proj_only: true
  freeze_vision_tower: true
\`\`\`
`,
};

/**
 * The shortcut against an explicit setting of `component` that says the opposite. `projector`: that of the model which
 * the shortcut trains.
 */
export function shortcutContradicts(
  shortcut: Setting,
  other: Setting,
  component: string,
  projector: string,
  vocabulary: Vocabulary,
): Finding {
  const isProjector = SHORTCUT_COMPONENTS.includes(component);
  const projectorFlag = vocabulary.assign([FLAG_OF_COMPONENT[projector]!], false);
  const replacement = isProjector || projectorFlag === undefined ? "remove" : `replace`;
  const both = replacement === "remove" ? "" : ` by \`${projectorFlag}\` to train both`;
  return finding(SHORTCUT_CONTRADICTS_FLAG, {
    message: isProjector
      ? `\`${describeSetting(shortcut)}\` trains ${componentText(component)} alone, and ` +
        `\`${describeSetting(other)}\` freezes it.`
      : `\`${describeSetting(shortcut)}\` freezes ${componentText(component)}, and \`${describeSetting(other)}\` ` +
        "trains it.",
    fix:
      `Remove ${quotedWithPlace(other)} to train ${componentText(projector)} alone, or ${replacement} ` +
      `${quotedWithPlace(shortcut)}${both}.`,
    settings: [shortcut, other],
  });
}

/** The shortcut beside an explicit setting that says the same: a note. */
export function shortcutRepeated(shortcut: Setting, other: Setting): Finding {
  const at = editable(other);
  return finding(SHORTCUT_CONTRADICTS_FLAG, {
    severity: "note",
    message: `\`${describeSetting(other)}\` repeats what \`${describeSetting(shortcut)}\` says already.`,
    fix: `Nothing needs to change; ${quotedWithPlace(other)} can be removed.`,
    settings: [shortcut, other],
    ...(at === undefined ? {} : { edit: { action: "remove", ...at } }),
  });
}
