import { wordsOf } from "./words.js";

/** Contractions that lose one of their apostrophes, by `contractions` of vqaEval.py. */
const CONTRACTED = `
  ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd
  he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've
  needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've
  somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll
  that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've
  weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll
  why're why's won't would've wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've`;

const CONTRACTIONS: ReadonlyMap<string, string> = new Map([
  ...wordsOf(CONTRACTED).flatMap((word) =>
    [...word.matchAll(/'/g)].map(({ index }) => [word.slice(0, index) + word.slice(index + 1), word] as const),
  ),
  ["somebody'd", "somebodyd"],
]);

const NUMBERS: Readonly<Record<string, string>> = {
  none: "0",
  zero: "0",
  one: "1",
  two: "2",
  three: "3",
  four: "4",
  five: "5",
  six: "6",
  seven: "7",
  eight: "8",
  nine: "9",
  ten: "10",
};

const PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'.split("");

/** Periods that go; the evaluation hands Python's `re.UNICODE` over as a count. */
const MOST_PERIODS = 32;

/** White space at the ends, tabs and line ends, which are mended before answers are compared at all. */
export function vqaTrimmed(text: string): string {
  return text.replaceAll(/[\n\t]/g, " ").trim();
}

/** `processPunctuation` of vqaEval.py. */
function withoutPunctuation(text: string): string {
  const hasThousands = /\d,\d/.test(text);
  let plain = text;
  for (const sign of PUNCTUATION)
    plain = plain.replaceAll(sign, text.includes(`${sign} `) || text.includes(` ${sign}`) || hasThousands ? "" : " ");
  let periods = 0;
  return plain.replaceAll(/\.(?!\d)/g, (period) => ((periods += 1) <= MOST_PERIODS ? "" : period));
}

/**
 * An answer as VQA's evaluation compares it (GT-Vision-Lab/VQA, a013f00, `vqaEval.py`: `processPunctuation`, then
 * `processDigitArticle`).
 */
export function vqaWords(text: string): string {
  return wordsOf(withoutPunctuation(text).toLowerCase())
    .map((word) => NUMBERS[word] ?? word)
    .filter((word) => !["a", "an", "the"].includes(word))
    .map((word) => CONTRACTIONS.get(word) ?? word)
    .join(" ");
}
