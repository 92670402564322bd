import { fuse, stopGradient, type Tape, type Value } from "@thaw/autograd";
import type { GradientFlow, Rows, Scope } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import { outsideStretch, prefixNeedsGradient } from "../errors/passes.js";
import { linearLayer } from "./linear-layer.js";
import type { KeptTensors } from "../weights/kept-tensors.js";
import type { ParameterStore } from "../weights/parameter-store.js";

/** How one forward pass treats parameters and segments. */
export interface ScopeRules {
  /** Names that need a gradient; null in evaluation and generation, where nothing is recorded. */
  readonly trained: ReadonlySet<string> | null;
  readonly flows: ReadonlyMap<string, GradientFlow>;
  /** Segments that are computed again in backward instead of kept. */
  readonly checkpointed: ReadonlySet<string>;
  /** Segments behind whose output no gradient flows back. */
  readonly stopAfter: ReadonlySet<string>;
  /** Known outputs by segment; borrowed. */
  readonly outputs: Readonly<Record<string, Rows>>;
  /** What frozen segments keep between passes. */
  readonly kept?: KeptTensors;
  /** Called with each segment's output. */
  readonly onOutput?: (segment: string, output: Value) => void;
}

/**
 * The plan's hand in a forward pass: a parameter needs a gradient if and only if it trains, a segment is recorded only
 * if it must be.
 */
export class RunScope implements Scope {
  readonly training: boolean;
  readonly prefersEvenRows: boolean;
  readonly #tape: Tape;
  readonly #store: ParameterStore;
  readonly #rules: ScopeRules;
  readonly #trainedValues = new Map<string, Value>();
  readonly #outputs = new Map<string, Value>();

  constructor(tape: Tape, store: ParameterStore, rules: ScopeRules) {
    this.#tape = tape;
    this.#store = store;
    this.#rules = rules;
    this.training = rules.trained !== null;
    this.prefersEvenRows = tape.kernels.functions !== undefined;
  }

  /** Trained parameters that the pass has used, by name: what backward is asked for. */
  get trainedValues(): ReadonlyMap<string, Value> {
    return this.#trainedValues;
  }

  parameter(name: string): Value {
    const canonical = this.#store.canonical(name);
    const isTrained = this.#rules.trained?.has(canonical) === true;
    const value = this.#store.on(this.#tape, canonical, isTrained);
    if (isTrained) this.#trainedValues.set(canonical, value);
    return value;
  }

  hasParameter(name: string): boolean {
    return this.#store.has(name);
  }

  linear(x: Value, name: string): Value {
    return linearLayer(this, x, name);
  }

  segment(name: string, inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value {
    const output = this.#run(name, inputs, run);
    this.#outputs.set(name, output);
    this.#rules.onOutput?.(name, output);
    return output;
  }

  constant(tensor: Tensor): Value {
    return this.#tape.constant(tensor);
  }

  own(tensor: Tensor): Value {
    return this.#tape.own(tensor);
  }

  shared(key: string, make: () => Tensor): Tensor {
    return this.#tape.shared(key, make);
  }

  kept(segment: string, key: string, make: () => readonly Tensor[]): readonly Tensor[] | undefined {
    return this.#rules.kept?.get(segment, key, () => {
      let made: readonly Tensor[] = [];
      this.#tape.noGrad(() =>
        this.#tape.tidy(() => {
          made = make();
          return [];
        }),
      );
      return made;
    });
  }

  stretch(
    key: string,
    inputs: readonly Value[],
    parameters: readonly string[],
    run: (scope: Scope, ...inputs: Value[]) => Value,
  ): Value {
    const values = [...inputs, ...parameters.map((name) => this.parameter(name))];
    const within = (...given: Value[]): Value =>
      run(
        new StretchScope(this, new Map(parameters.map((name, index) => [name, given[inputs.length + index]!]))),
        ...given.slice(0, inputs.length),
      );
    return fuse(key, values, within, { handsOn: true });
  }

  /** The output of a segment that ran or was substituted; readable if the segment is in no other one. */
  output(segment: string): Value | undefined {
    return this.#outputs.get(segment);
  }

  #run(name: string, inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value {
    const { trained, flows, checkpointed, stopAfter, outputs } = this.#rules;
    const known = outputs[name];
    if (known !== undefined) return this.#tape.constant(known.tensor);
    const block = (): Value => this.#tape.tidy(() => run(...inputs));
    if (trained === null) return block();
    if (flows.get(name) === "prefix") {
      if (inputs.some(({ needsGradient }) => needsGradient)) throw prefixNeedsGradient(name);
      return this.#tape.noGrad(block);
    }
    const output = checkpointed.has(name) ? this.#tape.checkpoint(inputs, run) : block();
    return stopAfter.has(name) ? stopGradient(output) : output;
  }
}

/** Inside a stretch: its parameters are what they are given as, and nothing else is to be had. */
class StretchScope implements Scope {
  readonly training: boolean;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #outer: Scope;

  constructor(outer: Scope, values: ReadonlyMap<string, Value>) {
    this.#outer = outer;
    this.#values = values;
    this.training = outer.training;
  }

  parameter(name: string): Value {
    const value = this.#values.get(name);
    if (value === undefined) throw outsideStretch(`the parameter ${name}`);
    return value;
  }

  hasParameter(name: string): boolean {
    return this.#outer.hasParameter(name);
  }

  linear(x: Value, name: string): Value {
    return linearLayer(this, x, name);
  }

  segment(name: string): Value {
    throw outsideStretch(`the segment ${name}`);
  }

  constant(): Value {
    throw outsideStretch("a tensor");
  }

  own(): Value {
    throw outsideStretch("a tensor");
  }
}
