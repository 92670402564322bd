import type { GraphComponent } from "@thaw/core";
import { html, type Html } from "./html.js";
import { isKept, STATES } from "./model-words.js";
import { bytesText, countText } from "./text.js";

/** How the picture is laid out. */
export interface PictureOptions {
  /** From left to right, else from top to bottom. */
  readonly isAcross: boolean;
  /** The run keeps what frozen towers give. */
  readonly isCached: boolean;
}

const [WIDTH, HEIGHT] = [206, 112];
const [GAP, LOSS] = [74, 40];
/** Room for the names of inputs: beside boxes, and above them. */
const INPUT = { across: 56, down: 22 };
/** Inputs of samples as people call them. */
const INPUTS: Readonly<Record<string, string>> = { tokenIds: "text", pixelValues: "pictures", audioFeatures: "sound" };

interface Place {
  readonly component: GraphComponent;
  readonly x: number;
  readonly y: number;
}

/** The components as boxes in data-flow order, with where data and gradients go, as one inline SVG. */
export function modelSvg(graph: readonly GraphComponent[], options: PictureOptions): Html {
  const { isAcross } = options;
  const columns = columnsOf(graph);
  const most = Math.max(...columns.map(({ length }) => length));
  const [along, side] = isAcross ? [WIDTH, HEIGHT] : [HEIGHT, WIDTH];
  const gap = isAcross ? GAP : 56;
  const across = most * side + (most - 1) * 28;
  const start = (isAcross ? INPUT.across : INPUT.down) + gap / 2;
  const places = new Map<string, Place>();
  for (const [column, components] of columns.entries())
    for (const [row, component] of components.entries()) {
      const own = components.length * side + (components.length - 1) * 28;
      const offset = (across - own) / 2 + row * (side + 28);
      const position = start + column * (along + gap);
      places.set(component.name, {
        component,
        x: isAcross ? position : offset,
        y: isAcross ? offset : position,
      });
    }
  const length = start + columns.length * along + (columns.length - 1) * gap + gap / 2 + LOSS;
  const [width, height] = isAcross ? [length, across] : [across, length];
  const all = [...places.values()];
  const readers = new Set(graph.flatMap(({ after }) => after));
  return html`<svg
    viewBox="0 -4 ${width} ${height + 8}"
    width="${width}"
    height="${height + 8}"
    role="group"
    aria-label="${said(graph)}"
  >
    ${all.flatMap((place) => edges(place, places, isAcross))}
    ${all.flatMap((place) => (place.component.reads.length > 0 ? [input(place, isAcross)] : []))}
    ${all.flatMap((place) => (readers.has(place.component.name) ? [] : [loss(place, isAcross)]))}
    ${all.map((place) => box(place, options))}
  </svg>`;
}

/** Components by how far data has come when it reaches them. */
function columnsOf(graph: readonly GraphComponent[]): readonly (readonly GraphComponent[])[] {
  const depth = new Map<string, number>();
  for (const { name, after } of graph)
    depth.set(name, Math.max(0, ...after.map((before) => (depth.get(before) ?? -1) + 1)));
  const columns: GraphComponent[][] = [];
  for (const component of graph) (columns[depth.get(component.name)!] ??= []).push(component);
  return columns.filter((column) => column !== undefined);
}

function box({ component, x, y }: Place, { isCached }: PictureOptions): Html {
  const { name, state, parameterCount, trainedCount, parameterBytes, trainedBytes } = component;
  const words = [
    STATES[state],
    ...(state === "adapter" || state === "partial" ? [countText(trainedCount)] : []),
    ...(isCached && isKept(component) ? ["cached"] : []),
  ].join(", ");
  return html`<a href="#component-${name}">
    <rect class="box ${state}" x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="10" />
    <text class="name" x="${x + 14}" y="${y + 27}">${shortened(name)}</text>
    <text class="state ${state}" x="${x + 14}" y="${y + 50}">${state === "frozen" ? "❄ " : "● "}${words}</text>
    <text class="fact" x="${x + 14}" y="${y + 75}">${countText(parameterCount)} parameters</text>
    <text class="fact" x="${x + 14}" y="${y + 95}"
      >${bytesText(parameterBytes + trainedBytes)}${trainedBytes > 0 ? " with slots" : ""}</text
    >
  </a>`;
}

function edges(to: Place, places: ReadonlyMap<string, Place>, isAcross: boolean): readonly Html[] {
  return to.component.after.flatMap((name) => {
    const from = places.get(name);
    if (from === undefined) return [];
    const ends = (shift: number) => {
      const [a, b] = isAcross
        ? [[from.x + WIDTH, from.y + HEIGHT / 2 + shift] as const, [to.x, to.y + HEIGHT / 2 + shift] as const]
        : [[from.x + WIDTH / 2 + shift, from.y + HEIGHT] as const, [to.x + WIDTH / 2 + shift, to.y] as const];
      return { a, b };
    };
    const data = ends(-10);
    const gradient = ends(10);
    const flows = to.component.gradientTo.includes(name);
    return [
      arrow(data.a, data.b, "data", isAcross),
      flows ? arrow(gradient.b, gradient.a, "gradient", isAcross) : stop(gradient.b, isAcross),
    ];
  });
}

type Point = readonly [number, number];

/** A line that bends along the direction of the flow, with a head at its end. */
function arrow([ax, ay]: Point, [bx, by]: Point, look: "data" | "gradient", isAcross: boolean): Html {
  const middle = isAcross ? (ax + bx) / 2 : (ay + by) / 2;
  const path = isAcross
    ? `M${ax} ${ay} C${middle} ${ay} ${middle} ${by} ${bx} ${by}`
    : `M${ax} ${ay} C${ax} ${middle} ${bx} ${middle} ${bx} ${by}`;
  const forward = isAcross ? Math.sign(bx - ax) : Math.sign(by - ay);
  const head = isAcross
    ? `M${bx - 8 * forward} ${by - 4} L${bx} ${by} L${bx - 8 * forward} ${by + 4}`
    : `M${bx - 4} ${by - 8 * forward} L${bx} ${by} L${bx + 4} ${by - 8 * forward}`;
  return html`<path class="${look}" d="${path}" /><path class="${look} head" d="${head}" />`;
}

/** Where gradients stop: a short dashed line that ends in a bar. */
function stop([x, y]: Point, isAcross: boolean): Html {
  const [line, bar] = isAcross
    ? [`M${x} ${y} H${x - 22}`, `M${x - 22} ${y - 7} V${y + 7}`]
    : [`M${x} ${y} V${y - 20}`, `M${x - 7} ${y - 20} H${x + 7}`];
  return html`<path class="stopped" d="${line}" /><path class="stopped bar" d="${bar}" />`;
}

function input({ component, x, y }: Place, isAcross: boolean): Html {
  const text = component.reads.map((name) => INPUTS[name] ?? name).join(", ");
  const at: Point = isAcross ? [x, y + 18] : [x + 18, y];
  const from: Point = isAcross ? [x - 26, y + 18] : [x + 18, y - 24];
  return html`${arrow(from, at, "data", isAcross)}<text
      class="fact"
      ${isAcross ? html`text-anchor="end"` : html``}
      x="${isAcross ? from[0] - 4 : from[0] + 10}"
      y="${isAcross ? from[1] + 4 : from[1] + 10}"
      >${text}</text
    >`;
}

function loss({ component, x, y }: Place, isAcross: boolean): Html {
  const out: Point = isAcross ? [x + WIDTH, y + HEIGHT / 2 - 10] : [x + WIDTH / 2 - 10, y + HEIGHT];
  const end: Point = isAcross ? [out[0] + 30, out[1]] : [out[0], out[1] + 26];
  const back: Point = isAcross ? [out[0] + 30, out[1] + 20] : [out[0] + 20, out[1] + 26];
  const into: Point = isAcross ? [out[0], out[1] + 20] : [out[0] + 20, out[1]];
  const flows = component.flows.some((flow) => flow !== "prefix");
  return html`${arrow(out, end, "data", isAcross)}${flows ? arrow(back, into, "gradient", isAcross) : html``}
    <text
      class="fact"
      ${isAcross ? html`` : html`text-anchor="middle"`}
      x="${isAcross ? end[0] + 5 : end[0] + 10}"
      y="${isAcross ? end[1] + 14 : end[1] + 17}"
      >loss</text
    >`;
}

/** The picture in sentences. */
function said(graph: readonly GraphComponent[]): string {
  const parts = graph.map(({ name, state, after, gradientTo }) => {
    const reads = after.length > 0 ? ` reads ${after.join(" and ")}` : "";
    const back = gradientTo.length > 0 ? `, passes gradients back to ${gradientTo.join(" and ")}` : "";
    return `${name} (${STATES[state]})${reads}${back}`;
  });
  return `The model: ${parts.join("; ")}.`;
}

function shortened(name: string): string {
  return name.length > 23 ? `${name.slice(0, 22)}…` : name;
}
