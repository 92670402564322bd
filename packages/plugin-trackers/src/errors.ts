import { causeText, cut, ThawError } from "@thaw/core";

/** A server cannot be reached, or did not answer in time. */
export function mlflowSilent(url: string, cause: unknown): ThawError {
  const inner = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
  const reason = causeText(inner) || (inner as { code?: string }).code || "no answer";
  return new ThawError(
    "THAW_TRACKERS_MLFLOW_SILENT",
    `MLflow at ${url} cannot be reached: ${reason}. In trackers, type mlflow. Start it, or correct url.`,
    { details: { url } },
  );
}

/** A server refused what it was sent. */
export function mlflowAnswered(url: string, path: string, status: number, text: string): ThawError {
  const said = /"message":\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text;
  const advice =
    status === 401 || status === 403
      ? "Give the token, or username and password, that the server asks for."
      : "See what the server says; it has to be MLflow 2 or 3.";
  return new ThawError(
    "THAW_TRACKERS_MLFLOW_ANSWERED",
    `MLflow at ${url} answers ${path} with ${status}: ${cut(said)}. In trackers, type mlflow. ${advice}`,
    { details: { url, path, status } },
  );
}
