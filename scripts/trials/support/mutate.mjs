/** Pieces that parsers stumble over, put where something else stood. */
const PIECES = [
  "",
  "null",
  "-1",
  "0",
  "1.5",
  "1e999",
  "NaN",
  "9007199254740993",
  "99999999999999999999",
  '""',
  '"x"',
  "[]",
  "{}",
  "true",
  '"__proto__"',
  '"\u001b[31m"',
  '"\ud800"',
  "{{ 1 }}",
  "*x",
  "&x [*x]",
  "<<",
  "\n",
  "\t",
  "\0",
  "é",
  "\uFEFF",
  "(a+)+$",
  "[".repeat(300),
  '{"a":'.repeat(300),
  "x".repeat(70_000),
];

/** Bytes of a file, changed at some places; seeded. */
export function mutate(bytes, random) {
  let result = Buffer.from(bytes);
  for (let count = 1 + random.below(4); count > 0; count--) result = random.pick(CHANGES)(result, random);
  return result;
}

const cutAt = (bytes, start, end, middle) => Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(end)]);

const CHANGES = [
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[random.below(copy.length)] ^= 1 << random.below(8);
    return copy;
  },
  (bytes, random) => {
    const start = random.below(bytes.length + 1);
    return cutAt(bytes, start, Math.min(bytes.length, start + random.below(40)), Buffer.alloc(0));
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => {
    const start = random.below(bytes.length + 1);
    const piece = bytes.subarray(start, start + random.below(200));
    const to = random.below(bytes.length + 1);
    return cutAt(bytes, to, to, piece);
  },
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    return cutAt(bytes, at, at, Buffer.from(random.pick(PIECES)));
  },
  // A number, text or word of the file becomes another one
  (bytes, random) => {
    const text = bytes.toString("latin1");
    const words = [...text.matchAll(/"[^"\n]{0,80}"|-?\d+(\.\d+)?|true|false|null/g)];
    if (words.length === 0) return bytes;
    const word = random.pick(words);
    return cutAt(bytes, word.index, word.index + word[0].length, Buffer.from(random.pick(PIECES)));
  },
];
