import { ThawError } from "../../../packages/contracts/dist/index.js";

/** Longest message that a person reads. */
const MAX_MESSAGE = 5000;
/** What quotes an error of the language tells nobody what is wrong with a file. */
const RAW = /Cannot read propert|\w\.\w+ is not a function|is not iterable|Invalid (typed )?array length|out of bounds/;

/** What must hold for a file that a reader accepts. @throws Error that the trial counts as silent */
export function expect(holds, what) {
  if (!holds) throw new Error(`accepted, but ${what}`);
}

/** An error that says what is wrong with a file. @throws what it is instead */
export function judgeError(error, isPlain = false) {
  if (error?.message?.startsWith("accepted, but")) throw error;
  const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  if (isPlain ? isBug || !(error instanceof Error) : !(error instanceof ThawError)) throw error;
  if (error.message.length > MAX_MESSAGE)
    throw new Error(`a message of ${error.message.length}: ${error.message.slice(0, 300)}`);
  if (RAW.test(error.message)) throw new Error(`a message that quotes the language: ${error.message}\n${chain(error)}`);
}

function chain(error) {
  return error.cause === undefined ? error.stack : chain(error.cause);
}
