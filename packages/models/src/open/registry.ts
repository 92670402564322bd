import type { Family, OwnerTable } from "../contract/family.js";
import { gemma3Family } from "../families/gemma3/family.js";
import { gemma4Family } from "../families/gemma4/family.js";
import { gemma4UnifiedFamily } from "../families/gemma4_unified/family.js";
import { idefics3Family } from "../families/idefics3/family.js";
import { internVlFamily } from "../families/internvl/family.js";
import { lfm2VlFamily } from "../families/lfm2_vl/family.js";
import { glm46vFamily, glm4vFamily, glmOcrFamily } from "../families/glm4v/family.js";
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
import { qwen3VlFamily } from "../families/qwen3_vl/family.js";
import { smolvlmFamily } from "../families/smolvlm/family.js";
import { voxtralFamily } from "../families/voxtral/family.js";
import { OWNER_TABLES } from "../owners/owner-tables.js";

const families = new Map<string, Family>();
const ownerTables = new Map<string, OwnerTable>();

/** Makes a model type known to `openModel`, in this process; one that is known already is replaced. */
export function registerFamily(family: Family): void {
  families.set(family.modelType, family);
}

/** Makes a model type known for planning and checking alone: its checkpoints open, its forward pass is an error. */
export function registerOwners(table: OwnerTable): void {
  ownerTables.set(table.modelType, table);
}

/** The family of a model type, if Thaw runs it. */
export function findFamily(modelType: string): Family | undefined {
  return families.get(modelType);
}

/** Who owns what in a model type: from its family or its owner table. */
export function findOwners(modelType: string): OwnerTable | undefined {
  return families.get(modelType) ?? ownerTables.get(modelType);
}

/** Model types that Thaw runs, sorted. */
export function knownFamilies(): readonly string[] {
  return [...families.keys()].sort();
}

/** Model types that open at all, sorted. */
export function knownModelTypes(): readonly string[] {
  return [...new Set([...families.keys(), ...ownerTables.keys()])].sort();
}

registerFamily(gemma3Family);
registerFamily(gemma4Family);
registerFamily(gemma4UnifiedFamily);
registerFamily(idefics3Family);
registerFamily(internVlFamily);
registerFamily(lfm2VlFamily);
registerFamily(llavaFamily);
registerFamily(llavaNextFamily);
registerFamily(llavaOnevisionFamily);
registerFamily(miniCpmFamily);
registerFamily(mistral3Family);
registerFamily(ovis2Family);
registerFamily(paddleOcrVlFamily);
registerFamily(paliGemmaFamily);
for (const family of [glm4vFamily, glm46vFamily, glmOcrFamily]) registerFamily(family);
registerFamily(qwen25VlFamily);
registerFamily(qwen2VlFamily);
registerFamily(qwen35Family);
registerFamily(qwen35MoeFamily);
registerFamily(qwen3VlFamily);
registerFamily(smolvlmFamily);
registerFamily(qwen2AudioFamily);
registerFamily(voxtralFamily);
for (const table of OWNER_TABLES) registerOwners(table);
