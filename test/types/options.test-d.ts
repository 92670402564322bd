/** Types of options that editors explain say what the schemas take, no more and no less. Nothing here runs. */
import type { z } from "zod";
import type { TrainingOptions } from "@thaw/core";
import type { BackendOptions } from "@thaw/backend-gpu";
import type { ConflictCheckerOptions } from "@thaw/plugin-conflict-checker";
import type { FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import type { LoraSectionOptions } from "@thaw/plugin-lora";
import type { ProjectorOnlyOptions } from "@thaw/plugin-projector-only";
import type { TokenRowsOptions } from "@thaw/plugin-token-rows";
import type { backendOptionsSchema } from "../../packages/backend-gpu/dist/options.js";
import type { trainingSchema } from "../../packages/core/dist/api/options.js";
import type { checksSchema } from "../../packages/plugin-conflict-checker/dist/options.js";
import type { freezeSchema } from "../../packages/plugin-freeze-policy/dist/options.js";
import type { loraSectionSchema } from "../../packages/plugin-lora/dist/options.js";
import type { projectorOnlySchema } from "../../packages/plugin-projector-only/dist/options.js";
import type { tokenRowsSchema } from "../../packages/plugin-token-rows/dist/options.js";

/** True where each may stand for the other. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

true satisfies Same<Exclude<z.input<typeof backendOptionsSchema>, undefined>, BackendOptions>;
true satisfies Same<z.input<typeof checksSchema>, ConflictCheckerOptions>;
true satisfies Same<z.input<typeof freezeSchema>, FreezePolicyOptions>;
true satisfies Same<Exclude<z.input<typeof loraSectionSchema>, undefined>, LoraSectionOptions>;
true satisfies Same<Exclude<z.input<typeof projectorOnlySchema>, undefined>, ProjectorOnlyOptions>;
true satisfies Same<Exclude<z.input<typeof tokenRowsSchema>, undefined>, TokenRowsOptions>;
// Plugins add optimizers and schedules to it
true satisfies z.input<typeof trainingSchema> extends TrainingOptions ? true : false;
