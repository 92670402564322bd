import type { DatasetFormat } from "@thaw/contracts";
import { captionsFormat } from "./captions/captions.js";
import { conversationsFormat } from "./conversations/conversations.js";
import { iconifyFormat } from "./iconify/iconify.js";

/**
 * Thaw's own formats, each of a folder of its own. What a path holds is asked in this order: the first that recognises
 * it reads it.
 */
export const BUILT_IN_FORMATS: readonly DatasetFormat[] = [iconifyFormat, conversationsFormat, captionsFormat];
