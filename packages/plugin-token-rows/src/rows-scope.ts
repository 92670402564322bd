import { linearLayer, scatterRows, type Scope, type ScopeContext, ScopeLayer, type Value } from "@thaw/core";
import type { TokenRows } from "./rows.js";

/**
 * A scope in which some rows of a matrix are others. While training, the matrix is put together at each use, inside the
 * segment that uses it, and freed there; without gradients once per pass.
 */
export class RowsScope extends ScopeLayer {
  readonly #rows: ReadonlyMap<string, TokenRows>;
  readonly #merged = new Map<string, Value>();

  /** @param rows by the name of their matrix */
  constructor(inner: Scope, rows: ReadonlyMap<string, TokenRows>, { purpose }: Pick<ScopeContext, "purpose">) {
    super(inner);
    this.#rows = rows;
    if (purpose === "evaluate" || purpose === "generate")
      for (const one of rows.values()) this.#merged.set(one.matrix, this.#merge(one));
  }

  override parameter(name: string): Value {
    const rows = this.#rows.get(name);
    return rows === undefined ? this.inner.parameter(name) : (this.#merged.get(name) ?? this.#merge(rows));
  }

  override linear(x: Value, name: string): Value {
    return this.#rows.has(`${name}.weight`) ? linearLayer(this, x, name) : this.inner.linear(x, name);
  }

  protected override changes(parameter: string): boolean {
    return this.#rows.has(parameter);
  }

  #merge({ matrix, ids, name }: TokenRows): Value {
    return scatterRows(this.inner.parameter(matrix), ids, this.inner.parameter(name));
  }
}
