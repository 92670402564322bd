import type { Family, OwnerTable } from "../contract/family.js";
import { gemma3Family } from "../families/gemma3/family.js";
import { gemma4Family } from "../families/gemma4/family.js";
import { gemma4UnifiedFamily } from "../families/gemma4_unified/family.js";
import { idefics3Family } from "../families/idefics3/family.js";
import { internVlFamily } from "../families/internvl/family.js";
import { lfm2VlFamily } from "../families/lfm2_vl/family.js";
import { glm46vFamily, glm4vFamily, glm4vMoeFamily, glmOcrFamily } from "../families/glm4v/family.js";
import { llavaFamily } from "../families/llava/family.js";
import { llavaNextFamily } from "../families/llava_next/family.js";
import { llavaOnevisionFamily } from "../families/llava_onevision/family.js";
import { miniCpmFamily } from "../families/minicpmv4_6/family.js";
import { mistral3Family } from "../families/mistral3/family.js";
import { ovis2Family } from "../families/ovis2/family.js";
import { paddleOcrVlFamily } from "../families/paddleocr_vl/family.js";
import { paliGemmaFamily } from "../families/paligemma/family.js";
import { qwen2AudioFamily } from "../families/qwen2_audio/family.js";
import { qwen25VlFamily } from "../families/qwen2_5_vl/family.js";
import { qwen2VlFamily } from "../families/qwen2_vl/family.js";
import { qwen35Family, qwen35MoeFamily } from "../families/qwen3_5/family.js";
import { qwen3VlFamily, qwen3VlMoeFamily } from "../families/qwen3_vl/family.js";
import { smolvlmFamily } from "../families/smolvlm/family.js";
import { voxtralFamily } from "../families/voxtral/family.js";
import { OWNER_TABLES } from "../owners/owner-tables.js";

declare module "@thaw/contracts" {
  interface Provides {
    /** Model types that Thaw runs, by their `model_type`. */
    readonly families?: readonly Family[];
  }
}

/** The families that Thaw brings. */
export const FAMILIES: readonly Family[] = [
  gemma3Family,
  gemma4Family,
  gemma4UnifiedFamily,
  glm46vFamily,
  glm4vFamily,
  glm4vMoeFamily,
  glmOcrFamily,
  idefics3Family,
  internVlFamily,
  lfm2VlFamily,
  llavaFamily,
  llavaNextFamily,
  llavaOnevisionFamily,
  miniCpmFamily,
  mistral3Family,
  ovis2Family,
  paddleOcrVlFamily,
  paliGemmaFamily,
  qwen25VlFamily,
  qwen2AudioFamily,
  qwen2VlFamily,
  qwen35Family,
  qwen35MoeFamily,
  qwen3VlFamily,
  qwen3VlMoeFamily,
  smolvlmFamily,
  voxtralFamily,
];

/** The family of a model type, if there is one. */
export function findFamily(modelType: string, families: readonly Family[] = FAMILIES): Family | undefined {
  return families.find((family) => family.modelType === modelType);
}

/** Who owns what in a model type: from its family, or the table of a type that is planned and not run. */
export function findOwners(modelType: string, families: readonly Family[] = FAMILIES): OwnerTable | undefined {
  return findFamily(modelType, families) ?? OWNER_TABLES.find((table) => table.modelType === modelType);
}

/** Model types of families, sorted. */
export function knownFamilies(families: readonly Family[] = FAMILIES): readonly string[] {
  return families.map(({ modelType }) => modelType).sort();
}

/** Model types that open at all, sorted. */
export function knownModelTypes(families: readonly Family[] = FAMILIES): readonly string[] {
  return [...new Set([...families, ...OWNER_TABLES].map(({ modelType }) => modelType))].sort();
}
