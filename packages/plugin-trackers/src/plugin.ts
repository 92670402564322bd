import { API_VERSION, definePlugin } from "@thaw/core";
import { csv } from "./csv/csv.js";
import { mlflow } from "./mlflow/mlflow.js";
import { tensorboard } from "./tensorboard/tensorboard.js";
import { wandb } from "./wandb/wandb.js";

export const PLUGIN_NAME = "TrackersPlugin";

/** Thaw's own trackers, for the list `trackers` of a config or of a trainer's options. Taps nothing. */
export const trackers = definePlugin({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  provides: { trackers: [tensorboard, mlflow, wandb, csv] },
});
