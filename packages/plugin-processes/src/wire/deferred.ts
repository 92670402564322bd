/** A promise that others settle. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** As `Promise.withResolvers`, which Node 20 lacks. */
export function deferred<T>(): Deferred<T> {
  const settle: Partial<Omit<Deferred<T>, "promise">>[] = [];
  const promise = new Promise<T>((resolve, reject) => settle.push({ resolve, reject }));
  return { promise, ...settle[0] } as Deferred<T>;
}
