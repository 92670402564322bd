import { z } from "zod";
import type { OptimizerFactory } from "../api/optimizer.js";
import { adafactor } from "./adafactor.js";
import { adam } from "./adam.js";
import { adamw8bit } from "./adamw-8bit.js";
import { adamw } from "./adamw.js";
import { lion } from "./lion.js";
import { muon } from "./muon.js";
import { sgd } from "./sgd.js";

/** Thaw's own optimizers. */
export const OPTIMIZERS: readonly OptimizerFactory[] = [adamw, adam, sgd, lion, adafactor, muon, adamw8bit];

/** What configs may say of Thaw's own. */
const ownSchema = z.discriminatedUnion("type", [
  adamw.schema,
  adam.schema,
  sgd.schema,
  lion.schema,
  adafactor.schema,
  muon.schema,
  adamw8bit.schema,
]);

/** What `training.optimizer` may be where these can be named; typed as Thaw's own. */
export function optimizerSchemaOf(optimizers: readonly OptimizerFactory[]): typeof ownSchema {
  const [first, ...others] = optimizers.map(({ schema }) => schema);
  const union = z.discriminatedUnion("type", [first!, ...others] as never) as typeof ownSchema;
  return union.meta({ title: "Optimizer" });
}
