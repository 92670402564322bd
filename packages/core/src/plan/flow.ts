import { innermost, outerOf } from "../segments/segments.js";
import { append, type GradientFlow, type Segment } from "@thaw/contracts";
import { segmentsByModule, segmentsByParameter } from "./added-parameters.js";

/**
 * Classifies every segment by gradient flow: `trained` if a parameter in it trains, `through` if only something before
 * it does, else `prefix`. A segment inside another also comes after what the outer one comes after.
 * @param trained names of the parameters that train in the phase; those that no segment lists (a plugin added them)
 * belong to the segments whose modules share their name's beginning.
 * @param stopAfter segments whose output passes no gradient back: nothing wants one through them
 */
export function classifyFlows(
  segments: readonly Segment[],
  trained: ReadonlySet<string>,
  stopAfter: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, GradientFlow> {
  const isTrained = trainedSegments(segments, trained);
  const byName = new Map(segments.map((segment) => [segment.name, segment]));
  const reaches = new Map<string, boolean>();
  /** True if a gradient is wanted at or before the segment. */
  const wants = (name: string): boolean => {
    const known = reaches.get(name);
    if (known !== undefined) return known;
    reaches.set(name, false); // a cycle would be the family's mistake; it must not hang
    const answer = isTrained.has(name) || wantsBefore(name);
    reaches.set(name, answer);
    return answer;
  };
  const wantsBefore = (name: string): boolean => {
    const outer = outerOf(name, byName);
    return (
      (byName.get(name)?.after ?? []).some((before) => !stopAfter.has(before) && wants(before)) ||
      (outer !== undefined && wantsBefore(outer))
    );
  };
  return new Map(
    segments.map(({ name }) => [name, isTrained.has(name) ? "trained" : wants(name) ? "through" : "prefix"]),
  );
}

/**
 * Distinct flows of the outermost segments that use a component's parameters, in order; what the plan shows per
 * component.
 */
export function componentFlows(
  segments: readonly Segment[],
  flows: ReadonlyMap<string, GradientFlow>,
  owners: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly GradientFlow[]> {
  const result = new Map<string, GradientFlow[]>();
  for (const { name, parameters } of innermost(segments)) {
    const flow = flows.get(name)!;
    for (const component of new Set(parameters.map((parameter) => owners.get(parameter)))) {
      if (component !== undefined && !result.get(component)?.includes(flow)) append(result, component, flow);
    }
  }
  return result;
}

function trainedSegments(segments: readonly Segment[], trained: ReadonlySet<string>): ReadonlySet<string> {
  const users = segmentsByParameter(segments);
  const result = new Set<string>();
  for (const parameter of trained)
    for (const segment of users.get(parameter) ?? segmentsByModule(parameter, users)) result.add(segment);
  return result;
}
