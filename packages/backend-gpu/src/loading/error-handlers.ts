const EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/**
 * Starts what Emscripten made, and takes its handlers of errors that nobody caught off the process again: they throw
 * the error once more, so that the process ends before anybody else's handler has saved anything (Emscripten 3,
 * `src/shell.js`). Other handlers that come meanwhile stay.
 */
export async function startWithoutErrorHandlers<Result>(start: () => Promise<Result>): Promise<Result> {
  const before = EVENTS.map((event) => process.listeners(event as "uncaughtException"));
  try {
    return await start();
  } finally {
    for (const [index, event] of EVENTS.entries())
      for (const listener of process.listeners(event as "uncaughtException"))
        if (!before[index]!.includes(listener) && throwsAgain(listener)) process.off(event, listener);
  }
}

/** Such as `function(ex){if(!(ex instanceof ExitStatus))throw ex}`, its names shortened or not. */
const throwsAgain = (listener: (...values: never[]) => unknown): boolean =>
  /^function\s*\((\w+)\)\s*\{\s*(if\s*\(!\(\1 instanceof \w+\)\)\s*\{?\s*)?throw \1[;\s}]*$/.test(String(listener));
