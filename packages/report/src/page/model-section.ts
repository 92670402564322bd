import type { GraphComponent } from "@thaw/core";
import type { RunData } from "../run/run-data.js";
import { html, type Html } from "./html.js";
import { modelSvg } from "./model-svg.js";
import { isKept, STATES } from "./model-words.js";
import { bytesText, countText } from "./text.js";

/** The model as a picture in data-flow order, and why each part of it is frozen or trains. */
export function modelSection({ plan, metrics }: Pick<RunData, "plan" | "metrics">): Html {
  if (plan === undefined || plan.graph.length === 0) return html``;
  const isCached = metrics.some(({ metrics: measured = {} }) =>
    ["featureCacheHits", "featureCacheMisses"].some((name) => (measured[name] ?? 0) > 0),
  );
  const phases = plan.phases.length > 1 ? ` From step ${plan.phases.slice(1).join(", ")} on another phase holds.` : "";
  return html`<h2>Model</h2>
    <figure class="model">
      <div class="across">${modelSvg(plan.graph, { isAcross: true, isCached })}</div>
      <div class="down">${modelSvg(plan.graph, { isAcross: false, isCached })}</div>
      <figcaption class="soft">
        Data flows along the solid arrows; gradients flow back along the dashed ones, and stop at a bar.${phases}
      </figcaption>
    </figure>
    <div class="components">${plan.graph.map((component) => componentDetails(component, isCached))}</div>
    <p class="soft">Plan <code title="${plan.hash}">${plan.hash.slice(0, 12)}</code></p>`;
}

function componentDetails(component: GraphComponent, isCached: boolean): Html {
  const { name, state, parameterCount, trainedCount, parameterBytes, trainedBytes, reason, after, gradientTo } =
    component;
  const stops = after.filter((before) => !gradientTo.includes(before));
  const gradient =
    gradientTo.length > 0
      ? `passes gradients to ${gradientTo.join(", ")}${stops.length > 0 ? `, none to ${stops.join(", ")}` : ""}`
      : stops.length > 0
        ? `gradients stop here: none goes to ${stops.join(", ")}`
        : "gradients end here: nothing is before it";
  const kept = isCached && isKept(component) ? " Computed once per item and kept in the feature cache." : "";
  return html`<details id="details-${name}">
    <summary><code>${name}</code> <span class="state ${state}">${STATES[state]}</span></summary>
    <div id="component-${name}">
      <p>${reason === "" ? "No setting says anything of it" : reason}.${kept}</p>
      <p class="soft">
        ${countText(parameterCount)} parameters, ${countText(trainedCount)} of them train; ${bytesText(parameterBytes)}
        of weights${trainedBytes > 0 ? ` and ${bytesText(trainedBytes)} of gradients and optimizer slots` : ""};
        ${gradient}.
      </p>
    </div>
  </details>`;
}
