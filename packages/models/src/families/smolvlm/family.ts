import { idefics3Like } from "../idefics3/family.js";

/** SmolVLM 2 (Marafioti et al., arXiv:2504.05299): Idefics3 under another name, of which pictures alone. */
export const smolvlmFamily = idefics3Like("smolvlm");
