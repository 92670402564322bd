import {
  resolveOwners,
  type ComponentRequest,
  type Finding,
  type Model,
  type ParameterInfo,
  type Setting,
} from "@thaw/core";
import { adapterOf, adapterParameters, scalingOf, type Adapter } from "../adapters/adapter.js";
import { nothingToAdapt, requestInvalid, targetsUnmatched } from "./findings.js";
import { loraSchema, type ResolvedLora } from "../options.js";
import { readStart, type Start, type StartInput } from "../adapters/start.js";
import { linearLayers, selectLayers, targetNames, type LinearLayer } from "./targets.js";

/** All adapters of a run, and how parameters start. */
export interface AdapterPlan {
  /** By module. */
  readonly adapters: ReadonlyMap<string, Adapter>;
  /** Segments none of whose layers has an adapter. */
  readonly plainSegments: ReadonlySet<string>;
  /** Parameters as they are with the plugin: the model's, some starting from the adapter file, then the adapters'. */
  readonly parameters: readonly ParameterInfo[];
}

/** What adapters are planned from. */
export interface AdapterPlanInput {
  readonly model: Model;
  readonly parameters: readonly ParameterInfo[];
  readonly requests: readonly ComponentRequest[];
  /** A PEFT folder to start from, with what it holds, or why it cannot be read. */
  readonly from?: Pick<StartInput, "folder" | "header">;
  /** The settings that name the folder. */
  readonly settings: readonly Setting[];
}

/**
 * Answers requests of the kind `lora`. A component whose request cannot be met gets nothing, and a finding says why.
 */
export function planAdapters(
  { model, parameters, requests, from, settings }: AdapterPlanInput,
  report: (finding: Finding) => void,
): AdapterPlan {
  const own = requests.filter(({ kind }) => kind === "lora");
  // Of a model that is not there nothing is known but its components
  const none: AdapterPlan = { adapters: new Map(), plainSegments: new Set(), parameters };
  if (model.isPlaceholder === true) return none;
  const { owners } = resolveOwners(model.parameters, model.components);
  const layersOf = (component: string): readonly LinearLayer[] =>
    linearLayers(model, (name) => owners.get(name) === component);
  const start =
    from === undefined ? undefined : readStart({ ...from, model, owners, requests: own, layersOf, settings }, report);
  if (from !== undefined && start === undefined) return none;
  const planned = own.flatMap((request) => {
    const lora = resolve(request, start, report);
    if (lora === undefined) return [];
    const layers = layersOf(request.component);
    return start === undefined
      ? freshAdapters(request, lora, layers, model, report)
      : start.adapters(request.component, lora);
  });
  const starts = start?.values ?? new Map<string, NonNullable<ParameterInfo["initialize"]>>();
  const startingAt = (parameter: ParameterInfo): ParameterInfo =>
    starts.has(parameter.name) ? { ...parameter, initialize: starts.get(parameter.name)! } : parameter;
  const adapters = new Map(planned.map((adapter) => [adapter.module, adapter]));
  const isPlain = (name: string): boolean => adapterOf(name, adapters) === undefined;
  return {
    adapters,
    plainSegments: new Set(model.segments.filter((one) => one.parameters.every(isPlain)).map(({ name }) => name)),
    parameters: [...parameters, ...planned.flatMap(adapterParameters)].map(startingAt),
  };
}

function resolve(
  request: ComponentRequest,
  start: Start | undefined,
  report: (finding: Finding) => void,
): ResolvedLora | undefined {
  const given = Object.fromEntries(Object.entries(request.options).filter(([, value]) => value !== undefined));
  const parsed = loraSchema.safeParse(start === undefined ? given : { dropout: start.config.dropout, ...given });
  if (parsed.success) return { ...parsed.data, alpha: parsed.data.alpha ?? 2 * parsed.data.rank };
  report(
    requestInvalid(
      request,
      parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`),
    ),
  );
  return undefined;
}

function freshAdapters(
  request: ComponentRequest,
  lora: ResolvedLora,
  layers: readonly LinearLayer[],
  model: Model,
  report: (finding: Finding) => void,
): readonly Adapter[] {
  const { selected, unmatched } = selectLayers(layers, lora.targetModules, model);
  if (unmatched.length > 0) {
    const buffers = (model.buffers ?? []).map(({ name }) => name);
    const meant = buffers.filter((name) => unmatched.some((target) => name === target || name.endsWith(`.${target}`)));
    report(targetsUnmatched(request, unmatched, targetNames(layers), meant));
    return [];
  }
  if (selected.length === 0) report(nothingToAdapt(request));
  const { rank, alpha, dropout, rslora } = lora;
  return selected.map((layer) => ({
    ...layer,
    component: request.component,
    rank,
    alpha,
    dropout,
    rslora,
    scaling: scalingOf(lora),
  }));
}
