import { type Finding, nameList, type RuleInfo, type Setting } from "@thaw/core";
import { componentText, describeSetting, listed, whereSet } from "../deciding/describe.js";
import { editable, finding } from "./finding.js";

export const SELECTOR_MATCHES_NOTHING: RuleInfo = {
  id: "selector-matches-nothing",
  defaultSeverity: "error",
  summary: "A component, pattern or number of blocks matches no parameter of the model.",
  docs: `A selector that matches nothing is a misspelling or a setting made for another model. It is never ignored.

\`\`\`yaml config expects=selector-matches-nothing
freeze:
  components:
    vison_tower: train
\`\`\`

A pattern is a run of whole segments of a parameter's name, between dots, anywhere in the name; \`*\` stands for
exactly one segment. \`layers.1\` takes \`layers.1.mlp.fc1.weight\` and never \`layers.10\`.

\`\`\`yaml config expects=selector-matches-nothing
freeze:
  components:
    vision_tower: { match: [layer.1] }
\`\`\`

\`\`\`yaml config expects=none
freeze:
  components:
    vision_tower: { match: [layers.1] }
\`\`\`
`,
};

function nearestText(nearest: readonly string[]): string {
  return nearest.length === 0 ? "" : `Nearest: ${listed(nearest, "or")}. `;
}

/**
 * A component that the model does not have. `known`: the model's components in the file's spelling. `isEntry`: its name
 * is a key.
 */
export function componentUnknown(
  setting: Setting,
  name: string,
  nearest: readonly string[],
  known: readonly string[],
  isEntry = false,
): Finding {
  const at = isEntry && nearest.length === 1 ? editable(setting) : undefined;
  return finding(SELECTOR_MATCHES_NOTHING, {
    message: `\`${describeSetting(setting)}\` is for ${name}, which owns no parameter of this model.`,
    fix:
      `${nearestText(nearest)}The model's components are ${listed(known)}. Change or remove the ` +
      `key${whereSet(setting)}.`,
    settings: [setting],
    ...(at === undefined ? {} : { edit: { action: "rename", ...at, name: nearest[0]! } }),
  });
}

/** What a pattern without a match may have meant. */
export interface NearMatches {
  readonly nearest: readonly string[];
  /** Other components in which it matches. */
  readonly components: readonly string[];
  /** Buffers that it matches. */
  readonly buffers: readonly string[];
}

/** A pattern without a match in its component. */
export function patternUnmatched(
  setting: Setting,
  pattern: string,
  component: string,
  { nearest, components, buffers }: NearMatches,
): Finding {
  const hint = pattern.split(".").some((segment) => segment !== "*" && segment.includes("*"))
    ? "`*` stands for one whole segment, not for a part of one. "
    : "";
  const other =
    components.length === 0 ? "" : `It matches in ${listed(components)}; an entry selects within its own component. `;
  const stored =
    buffers.length === 0
      ? ""
      : ` It matches ${nameList(buffers, 3)}, stored with the model as ` +
        `${buffers.length === 1 ? "a buffer" : "buffers"}: ` +
        "nothing trains or freezes that.";
  return finding(SELECTOR_MATCHES_NOTHING, {
    message:
      `The pattern \`${pattern}\` of \`${setting.path}\` matches no parameter of ` +
      `${componentText(component)}.${stored}`,
    fix: `${hint}${other}${nearestText(nearest)}Correct or remove the pattern${whereSet(setting)}.`,
    settings: [setting],
  });
}

/** More blocks than there are, or no numbered blocks at all. */
export function blocksUnmatched(
  setting: Setting,
  component: string,
  available: number,
  prefix: string | undefined,
): Finding {
  return finding(SELECTOR_MATCHES_NOTHING, {
    message:
      prefix === undefined
        ? `\`${describeSetting(setting)}\` counts blocks, and ${componentText(component)} has no numbered blocks.`
        : `\`${describeSetting(setting)}\` asks for more blocks than ${componentText(component)} has: ${available} ` +
          `under ${prefix}.`,
    fix:
      prefix === undefined
        ? `Use \`match\` with names of its parameters, or train all of it${whereSet(setting)}.`
        : `Use at most ${available}, or train the whole component${whereSet(setting)}.`,
    settings: [setting],
  });
}

/** A segment name that the model does not have. */
export function segmentUnknown(setting: Setting, segment: string, nearest: readonly string[]): Finding {
  return finding(SELECTOR_MATCHES_NOTHING, {
    message: `\`${setting.path}\` names ${segment}, which is not a segment of this model.`,
    fix: `${nearestText(nearest)}Correct or remove the name${whereSet(setting)}.`,
    settings: [setting],
  });
}
