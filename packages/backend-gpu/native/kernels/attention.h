// Scaled dot-product attention with grouped heads and its gradient, a block of queries of one head at a time: scores exist for that block alone,
// and keys that no query of a block sees, after it or before a window, are left out (the blocking of FlashAttention, arXiv:2205.14135; whole rows of scores fit the cache here,
// so the softmax needs no second pass).

namespace thaw {
namespace THAW_ISA {

constexpr int64_t kQueryBlock = 32;
constexpr int kTileRows = 6;
constexpr int kTileVectors = THAW_WIDTH == 16 ? 4 : 2;

THAW_INLINE int64_t WholeVectors(int64_t n) { return (n + W - 1) / W * W; }

// C [R, V * W] (+)= A B: A's element (row, k) is a[row * aRow + k * aInner], B's rows are `ldb` apart.
template <int R, int V, bool isAdded>
THAW_INLINE void Tile(int64_t inner, const float* a, int64_t aRow, int64_t aInner, const float* b, int64_t ldb, float* c, int64_t ldc) {
  Vec sums[R][V];
  for (int row = 0; row < R; row++) for (int part = 0; part < V; part++) sums[row][part] = isAdded ? Load(c + row * ldc + part * W) : Vec{};
  for (int64_t k = 0; k < inner; k++) {
    Vec right[V];
    for (int part = 0; part < V; part++) right[part] = Load(b + k * ldb + part * W);
    for (int row = 0; row < R; row++) {
      const Vec left = Set(a[row * aRow + k * aInner]);
      for (int part = 0; part < V; part++) sums[row][part] += left * right[part];
    }
  }
  for (int row = 0; row < R; row++) for (int part = 0; part < V; part++) Store(c + row * ldc + part * W, sums[row][part]);
}

template <int V, bool isAdded>
static void Columns(int64_t rows, int64_t inner, const float* a, int64_t aRow, int64_t aInner, const float* b, int64_t ldb, float* c, int64_t ldc) {
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) Tile<kTileRows, V, isAdded>(inner, a + row * aRow, aRow, aInner, b, ldb, c + row * ldc, ldc);
  const float* left = a + row * aRow;
  float* out = c + row * ldc;
  switch (rows - row) {
    case 5: return Tile<5, V, isAdded>(inner, left, aRow, aInner, b, ldb, out, ldc);
    case 4: return Tile<4, V, isAdded>(inner, left, aRow, aInner, b, ldb, out, ldc);
    case 3: return Tile<3, V, isAdded>(inner, left, aRow, aInner, b, ldb, out, ldc);
    case 2: return Tile<2, V, isAdded>(inner, left, aRow, aInner, b, ldb, out, ldc);
    case 1: return Tile<1, V, isAdded>(inner, left, aRow, aInner, b, ldb, out, ldc);
    default: return;
  }
}

// C [rows, columns] (+)= A B; columns a multiple of W.
template <bool isAdded>
static void Product(int64_t rows, int64_t columns, int64_t inner, const float* a, int64_t aRow, int64_t aInner, const float* b, int64_t ldb, float* c, int64_t ldc) {
  int64_t column = 0;
  for (; column + kTileVectors * W <= columns; column += kTileVectors * W) Columns<kTileVectors, isAdded>(rows, inner, a, aRow, aInner, b + column, ldb, c + column, ldc);
  for (; column < columns; column += W) Columns<1, isAdded>(rows, inner, a, aRow, aInner, b + column, ldb, c + column, ldc);
}

// Rows of one head next to one another, [rows, wide], the rest of a row 0.
static void Pack(const float* x, int64_t rows, int64_t stride, int64_t depth, int64_t wide, float factor, float* out) {
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t at = 0; at < depth; at++) out[row * wide + at] = x[row * stride + at] * factor;
    for (int64_t at = depth; at < wide; at++) out[row * wide + at] = 0;
  }
}

// The same turned, [depth, wide]; a few rows at a time, which stay in the cache.
static void PackTurned(const float* x, int64_t rows, int64_t stride, int64_t depth, int64_t wide, float* out) {
  for (int64_t first = 0; first < wide; first += W) {
    const int64_t count = rows - first < W ? rows - first : W;
    for (int64_t at = 0; at < depth; at++) {
      float* line = out + at * wide + first;
      for (int64_t row = 0; row < count; row++) line[row] = x[(first + row) * stride + at];
      for (int64_t row = count; row < W; row++) line[row] = 0;
    }
  }
}

static void Unpack(const float* x, int64_t rows, int64_t wide, int64_t depth, int64_t stride, float factor, float* out) {
  for (int64_t row = 0; row < rows; row++) for (int64_t at = 0; at < depth; at++) out[row * stride + at] = x[row * wide + at] * factor;
}

// One sample's part of a shape.
struct Sample {
  int64_t firstQuery, queries, firstKey, keys;
};

THAW_INLINE Sample SampleAt(const AttentionShape& s, int64_t index) {
  const int32_t* span = s.spans + 4 * index;
  return Sample{span[0], span[1] - span[0], span[2], span[3] - span[2]};
}

static int64_t LongestKeys(const AttentionShape& s) {
  int64_t longest = 0;
  for (int64_t index = 0; index < s.samples; index++) {
    const int64_t keys = SampleAt(s, index).keys;
    longest = keys > longest ? keys : longest;
  }
  return longest;
}

// Keys of a sample, from the first that is seen to the one behind the last.
struct Stretch {
  int64_t first, end;
};

THAW_INLINE Stretch SeenBy(const AttentionShape& s, const Sample& sample, int64_t query) {
  Stretch seen{0, sample.keys};
  if (s.end != nullptr) {
    const int64_t end = s.end[sample.firstQuery + query];
    seen.end = end < 0 ? 0 : end < sample.keys ? end : sample.keys;
  }
  if (s.first != nullptr) {
    const int64_t first = s.first[sample.firstQuery + query];
    seen.first = first < 0 ? 0 : first < seen.end ? first : seen.end;
  }
  return seen;
}

// What any of the queries sees; the first is a multiple of the vectors' width, so that whole vectors from there stay within packed keys.
static Stretch SeenByAny(const AttentionShape& s, const Sample& sample, int64_t first, int64_t rows) {
  Stretch all{s.first == nullptr ? 0 : sample.keys, 0};
  for (int64_t row = 0; row < rows; row++) {
    const Stretch seen = SeenBy(s, sample, first + row);
    if (seen.first == seen.end) continue;
    all.first = seen.first < all.first ? seen.first : all.first;
    all.end = seen.end > all.end ? seen.end : all.end;
  }
  all.first = all.end == 0 ? 0 : all.first / W * W;
  return all;
}

// Multiplications of all products, roughly, for one head.
static int64_t WorkOf(const AttentionShape& s) {
  int64_t work = 0;
  for (int64_t index = 0; index < s.samples; index++) {
    const Sample sample = SampleAt(s, index);
    if (s.first == nullptr) {
      work += sample.queries * sample.keys * s.depth;
      continue;
    }
    for (int64_t query = 0; query < sample.queries; query++) {
      const Stretch seen = SeenBy(s, sample, query);
      work += (seen.end - seen.first) * s.depth;
    }
  }
  return work;
}

// Scores of a block, whose columns are keys from `start`, to e^(score - largest), and 0 where the query does not look; the sum of each row goes to `sums`.
static void Soften(const AttentionShape& s, const Sample& sample, int64_t first, int64_t rows, int64_t start, int64_t columns, int64_t wide, float* scores, float* sums) {
  for (int64_t row = 0; row < rows; row++) {
    float* line = scores + row * wide;
    const Stretch keys = SeenBy(s, sample, first + row);
    // A row that sees nothing sees nothing of the block either.
    const bool isBlind = keys.first == keys.end;
    const int64_t from = isBlind ? 0 : keys.first - start, seen = isBlind ? 0 : keys.end - start;
    for (int64_t at = 0; at < from; at++) line[at] = -3.0e38f;
    for (int64_t at = seen; at < columns; at++) line[at] = -3.0e38f;
    Vec highest = Set(-3.0e38f);
    for (int64_t at = 0; at < columns; at += W) highest = Max(highest, Load(line + at));
    const Vec top = Set(Largest(highest));
    Vec total{};
    for (int64_t at = 0; at < columns; at += W) {
      const Vec value = Exp(Load(line + at) - top);
      total += value;
      Store(line + at, value);
    }
    for (int64_t at = 0; at < from; at++) line[at] = 0;
    for (int64_t at = seen; at < columns; at++) line[at] = 0;
    sums[row] = isBlind ? 1.0f : Sum(total);
  }
}

static void Attention(const AttentionShape& s, const float* q, const float* k, const float* v, float* out) {
  const int64_t group = s.heads / s.keyHeads, longest = LongestKeys(s), deep = WholeVectors(s.depth);
  const int64_t queryStride = s.heads * s.depth, keyStride = s.keyHeads * s.depth;
  const int64_t items = s.samples * s.keyHeads;
  ParallelFor(items, 4 * WorkOf(s) * s.heads / (items * W), [=](int64_t begin, int64_t end) {
    const int64_t wide = WholeVectors(longest);
    float* keys = Scratch(s.depth * wide + longest * deep + kQueryBlock * (2 * deep + wide + 1));
    float* values = keys + s.depth * wide;
    float* block = values + longest * deep;
    float* mixed = block + kQueryBlock * deep;
    float* scores = mixed + kQueryBlock * deep;
    float* sums = scores + kQueryBlock * wide;
    for (int64_t item = begin; item < end; item++) {
      const Sample sample = SampleAt(s, item / s.keyHeads);
      const int64_t keyHead = item % s.keyHeads;
      const int64_t keyStart = sample.firstKey * keyStride + keyHead * s.depth;
      PackTurned(k + keyStart, sample.keys, keyStride, s.depth, wide, keys);
      Pack(v + keyStart, sample.keys, keyStride, s.depth, deep, 1.0f, values);
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++) {
        for (int64_t first = 0; first < sample.queries; first += kQueryBlock) {
          const int64_t rows = sample.queries - first < kQueryBlock ? sample.queries - first : kQueryBlock;
          const Stretch range = SeenByAny(s, sample, first, rows);
          const int64_t from = range.first, seen = range.end - from, columns = WholeVectors(seen);
          const int64_t start = (sample.firstQuery + first) * queryStride + head * s.depth;
          Pack(q + start, rows, queryStride, s.depth, deep, s.scale, block);
          Product<false>(rows, columns, s.depth, block, deep, 1, keys + from, wide, scores, wide);
          Soften(s, sample, first, rows, from, columns, wide, scores, sums);
          Product<false>(rows, deep, seen, scores, wide, 1, values + from * deep, deep, mixed, deep);
          for (int64_t row = 0; row < rows; row++) Unpack(mixed + row * deep, 1, deep, s.depth, queryStride, 1.0f / sums[row], out + start + row * queryStride);
        }
      }
    }
  });
}

// Probabilities P from softened scores, and with dP the gradient of them dS = P (dP - rowsum(P dP)), both in place.
static void ThroughSoftmax(int64_t rows, int64_t columns, int64_t wide, const float* sums, float* scores, float* slopes) {
  for (int64_t row = 0; row < rows; row++) {
    float* p = scores + row * wide;
    float* d = slopes + row * wide;
    const Vec whole = Set(1.0f / sums[row]);
    Vec products{};
    for (int64_t at = 0; at < columns; at += W) {
      const Vec probability = Load(p + at) * whole;
      Store(p + at, probability);
      products += probability * Load(d + at);
    }
    const Vec level = Set(Sum(products));
    for (int64_t at = 0; at < columns; at += W) Store(d + at, Load(p + at) * (Load(d + at) - level));
  }
}

// With P the probabilities and dO the upstream gradient: dV = P^T dO, dP = dO V^T, dQ = dS K, dK = dS^T Q.
static void AttentionGradient(const AttentionShape& s, const float* gradient, const float* q, const float* k, const float* v, float* dq, float* dk, float* dv) {
  const int64_t group = s.heads / s.keyHeads, longest = LongestKeys(s), deep = WholeVectors(s.depth);
  const int64_t queryStride = s.heads * s.depth, keyStride = s.keyHeads * s.depth;
  const int64_t items = s.samples * s.keyHeads;
  ParallelFor(items, 10 * WorkOf(s) * s.heads / (items * W), [=](int64_t begin, int64_t end) {
    const int64_t wide = WholeVectors(longest);
    float* turnedKeys = Scratch(2 * s.depth * wide + 3 * longest * deep + kQueryBlock * (3 * deep + 2 * wide + 1));
    float* turnedValues = turnedKeys + s.depth * wide;
    float* keys = turnedValues + s.depth * wide;
    float* keySums = keys + longest * deep;
    float* valueSums = keySums + longest * deep;
    float* block = valueSums + longest * deep;
    float* upstream = block + kQueryBlock * deep;
    float* down = upstream + kQueryBlock * deep;
    float* scores = down + kQueryBlock * deep;
    float* slopes = scores + kQueryBlock * wide;
    float* sums = slopes + kQueryBlock * wide;
    for (int64_t item = begin; item < end; item++) {
      const Sample sample = SampleAt(s, item / s.keyHeads);
      const int64_t keyHead = item % s.keyHeads;
      const int64_t keyStart = sample.firstKey * keyStride + keyHead * s.depth;
      PackTurned(k + keyStart, sample.keys, keyStride, s.depth, wide, turnedKeys);
      PackTurned(v + keyStart, sample.keys, keyStride, s.depth, wide, turnedValues);
      Pack(k + keyStart, sample.keys, keyStride, s.depth, deep, 1.0f, keys);
      __builtin_memset(keySums, 0, 2 * longest * deep * sizeof(float));
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++) {
        for (int64_t first = 0; first < sample.queries; first += kQueryBlock) {
          const int64_t rows = sample.queries - first < kQueryBlock ? sample.queries - first : kQueryBlock;
          const Stretch range = SeenByAny(s, sample, first, rows);
          const int64_t from = range.first, seen = range.end - from, columns = WholeVectors(seen);
          const int64_t start = (sample.firstQuery + first) * queryStride + head * s.depth;
          Pack(q + start, rows, queryStride, s.depth, deep, s.scale, block);
          Pack(gradient + start, rows, queryStride, s.depth, deep, 1.0f, upstream);
          Product<false>(rows, columns, s.depth, block, deep, 1, turnedKeys + from, wide, scores, wide);
          Soften(s, sample, first, rows, from, columns, wide, scores, sums);
          Product<false>(rows, columns, s.depth, upstream, deep, 1, turnedValues + from, wide, slopes, wide);
          ThroughSoftmax(rows, columns, wide, sums, scores, slopes);
          Product<true>(seen, deep, rows, scores, 1, wide, upstream, deep, valueSums + from * deep, deep);
          Product<false>(rows, deep, seen, slopes, wide, 1, keys + from * deep, deep, down, deep);
          Unpack(down, rows, deep, s.depth, queryStride, s.scale, dq + start);
          Product<true>(seen, deep, rows, slopes, 1, wide, block, deep, keySums + from * deep, deep);
        }
      }
      Unpack(keySums, sample.keys, deep, s.depth, keyStride, 1.0f, dk + keyStart);
      Unpack(valueSums, sample.keys, deep, s.depth, keyStride, 1.0f, dv + keyStart);
    }
  });
}

}  // namespace THAW_ISA
}  // namespace thaw
