import { llavaFamily } from "@thaw/models";

/**
 * LLaVA under another `model_type`. A family that is composed of other parts is made with `defineFamily`: see
 * docs/add-a-family.md.
 */
export const family = { ...llavaFamily, modelType: "my_plugin" };
