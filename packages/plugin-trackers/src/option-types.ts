// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

declare module "@thaw/core" {
  interface ProvidedTrackers {
    tensorboard: TensorboardTracker;
    mlflow: MlflowTracker;
    wandb: WandbTracker;
    csv: CsvTracker;
  }
}

/** Event files in trackers/tensorboard of the run folder; tensorboard --logdir runs shows them. */
export interface TensorboardTracker {
  /** Event files in trackers/tensorboard of the run folder; tensorboard --logdir runs shows them. */
  type: "tensorboard";
  /**
   * Histograms of the gradients and weights of every parameter that trains: true for every tenth step, or the number of
   * steps between them. They read each of these once. Default: false.
   */
  histograms?: boolean | number | undefined;
}

/** A run of an MLflow server; what cannot be sent is sent later. */
export interface MlflowTracker {
  /** A run of an MLflow server; what cannot be sent is sent later. */
  type: "mlflow";
  /** Address of the server: http://127.0.0.1:5000. */
  url: string;
  /** Experiment that the run belongs to; made where it lacks. Default: thaw. */
  experiment?: string | undefined;
  /** Bearer token: { env: MLFLOW_TRACKING_TOKEN }. */
  token?: string | undefined;
  /** Name of a server that asks for one. */
  username?: string | undefined;
  /** Password of that name: { env: MLFLOW_TRACKING_PASSWORD }. */
  password?: string | undefined;
  /** Keep samples with their pictures as artifacts of the run, where the server takes them. Default: true. */
  samples?: boolean | undefined;
}

/** An offline run in trackers/wandb of the run folder; wandb sync sends it to Weights & Biases. */
export interface WandbTracker {
  /** An offline run in trackers/wandb of the run folder; wandb sync sends it to Weights & Biases. */
  type: "wandb";
  /** Project that the run is of. Default: thaw. */
  project?: string | undefined;
  /** User or team that the project is of; your own without it. */
  entity?: string | undefined;
  /**
   * Histograms of the gradients and weights of every parameter that trains: true for every tenth step, or the number of
   * steps between them. They read each of these once. Default: false.
   */
  histograms?: boolean | number | undefined;
}

/** trackers/csv/metrics.csv in the run folder: a row per step and evaluation. */
export interface CsvTracker {
  /** trackers/csv/metrics.csv in the run folder: a row per step and evaluation. */
  type: "csv";
}
