import { keepSecret, type Finding, type TrackerOptions } from "@thaw/core";
import { finding } from "../checking/issues.js";
import { isData } from "../reading/trust.js";
import { placeOf, type ConfigNode } from "../words/tree.js";

/** Options whose texts may also be environment variables by name: `{ env: "MLFLOW_TRACKING_TOKEN" }`. */
export type WithEnvironment<Options> = Options extends string
  ? string extends Options
    ? Options | { readonly env: string }
    : Options
  : Options extends object
    ? { [Key in keyof Options]: WithEnvironment<Options[Key]> }
    : Options;

/** A tracker as a config names it. */
export type ConfiguredTracker = WithEnvironment<TrackerOptions>;

/** How environment variables are spelt; anything else under `env` is a plugin's own option. */
const NAME = /^[A-Z_][A-Z0-9_]*$/;

/**
 * A plugin's section with the value of the environment variable in place of each `{ env: NAME }`. The config keeps the
 * name, which is all that is ever written; the value is noted, and left out of whatever Thaw prints. Variables that are
 * not set, and those that data names (a run's own config could send them anywhere), are reported.
 */
export function withSecrets(node: ConfigNode, trustsAll: boolean, findings: Finding[]): ConfigNode {
  const children = new Map(
    [...(node.children ?? [])].map(([key, child]): [string, ConfigNode] => {
      const name = variableOf(child);
      if (name === undefined)
        return [key, child.children === undefined ? child : withSecrets(child, trustsAll, findings)];
      const value = process.env[name];
      const where = child.path.join(".");
      if (isData(child.layer) && !trustsAll)
        findings.push(
          finding(
            child,
            `${where} asks for the environment variable ${name}, and the config of a run is data (${placeOf(child)}).`,
            "Give --trust where you know who made the run.",
          ),
        );
      else if (value === undefined || value === "")
        findings.push(
          finding(
            child,
            `${where} is the environment variable ${name}, which is not set (${placeOf(child)}).`,
            `Set it: export ${name}=...`,
          ),
        );
      else keepSecret(value, name);
      const { layer, path } = child;
      return [key, { kind: "leaf", value: isData(layer) && !trustsAll ? "" : (value ?? ""), layer, path }];
    }),
  );
  return { ...node, children };
}

function variableOf({ kind, children }: ConfigNode): string | undefined {
  if (kind !== "map" || children?.size !== 1) return undefined;
  const name = children.get("env")?.value;
  return typeof name === "string" && NAME.test(name) ? name : undefined;
}
