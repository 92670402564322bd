// Matrix products, blocked as in BLIS (Van Zee and van de Geijn 2015, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality"): slivers of B lie
// in the first cache, blocks of rows of A in the second.

namespace thaw {
namespace THAW_ISA {

constexpr int kProductRows = THAW_WIDTH == 16 ? 12 : 6;
constexpr int64_t kSliver = 2 * W;
// Of the inner axis at a time: a sliver of B, 24 kB, stays in the first cache.
constexpr int64_t kInner = THAW_WIDTH == 16 ? 192 : 384;
constexpr int64_t kRowBlock = 96;
// Columns of B that lie in slivers at a time, 4.7 MB, so that a vocabulary's product takes no more memory than others.
constexpr int64_t kColumnBlock = 3072;

// Where a tile's sums start: a matrix, a bias along the columns, or both; null for none.
struct Start {
  const float* matrix;
  int64_t stride;
  const float* bias;
};

template <int R>
THAW_INLINE void ProductTile(int64_t inner, const float* a, int64_t aRow, const float* sliver, const Start& start, float* c, int64_t ldc) {
  Vec sums[R][2];
  for (int row = 0; row < R; row++) {
    for (int part = 0; part < 2; part++) {
      sums[row][part] = start.matrix == nullptr ? Vec{} : Load(start.matrix + row * start.stride + part * W);
      if (start.bias != nullptr) sums[row][part] += Load(start.bias + part * W);
    }
  }
  for (int64_t k = 0; k < inner; k++) {
    const Vec left = Load(sliver + k * kSliver), right = Load(sliver + k * kSliver + W);
    for (int row = 0; row < R; row++) {
      const Vec value = Set(a[row * aRow + k]);
      sums[row][0] += value * left;
      sums[row][1] += value * right;
    }
  }
  for (int row = 0; row < R; row++) for (int part = 0; part < 2; part++) Store(c + row * ldc + part * W, sums[row][part]);
}

template <int R>
static void ProductRows(int64_t rows, int64_t inner, const float* a, int64_t aRow, const float* sliver, const Start& start, float* c, int64_t ldc) {
  if (rows == R) return ProductTile<R>(inner, a, aRow, sliver, start, c, ldc);
  if constexpr (R > 1) ProductRows<R - 1>(rows, inner, a, aRow, sliver, start, c, ldc);
}

// A stretch of the columns and of the inner axis.
struct ProductPart {
  int64_t firstColumn, columns, firstInner, inner;
};

// Slivers [columns / kSliver][inner][kSliver] of that part of B, filled up with 0. Either way B is read along its rows.
static void PackSlivers(const ProductShape& s, const ProductPart& part, const float* b, float* out) {
  ParallelFor((part.columns + kSliver - 1) / kSliver, part.inner * kSliver, [=](int64_t begin, int64_t end) {
    if (!s.isBTurned) {
      for (int64_t k = 0; k < part.inner; k++) {
        const float* row = b + (part.firstInner + k) * s.columns + part.firstColumn;
        for (int64_t sliver = begin; sliver < end; sliver++) {
          float* line = out + (sliver * part.inner + k) * kSliver;
          const int64_t count = part.columns - sliver * kSliver;
          if (count >= kSliver) {
            Store(line, Load(row + sliver * kSliver));
            Store(line + W, Load(row + sliver * kSliver + W));
          } else {
            for (int64_t at = 0; at < kSliver; at++) line[at] = at < count ? row[sliver * kSliver + at] : 0;
          }
        }
      }
      return;
    }
    for (int64_t sliver = begin; sliver < end; sliver++) {
      float* to = out + sliver * part.inner * kSliver;
      const float* from = b + (part.firstColumn + sliver * kSliver) * s.inner + part.firstInner;
      const int64_t count = part.columns - sliver * kSliver < kSliver ? part.columns - sliver * kSliver : kSliver;
      constexpr int64_t kStretch = 16;  // a cache line of each row at a time
      for (int64_t first = 0; first < part.inner; first += kStretch) {
        const int64_t last = part.inner - first < kStretch ? part.inner : first + kStretch;
        for (int64_t at = 0; at < count; at++) {
          const float* row = from + at * s.inner;
          __builtin_prefetch(row + first + 4 * kStretch);
          for (int64_t k = first; k < last; k++) to[k * kSliver + at] = row[k];
        }
      }
      for (int64_t at = count; at < kSliver; at++) for (int64_t k = 0; k < part.inner; k++) to[k * kSliver + at] = 0;
    }
  });
}

// Rows first to last of a part of the product; `a` is at that row.
static void ProductBlock(const ProductShape& s, const ProductPart& part, const float* a, int64_t aRow, int64_t first, int64_t last, const float* slivers, const Start& whole, float* c) {
  float edge[kProductRows * kSliver], edgeStart[kProductRows * kSliver];
  for (int64_t column = 0; column < part.columns; column += kSliver) {
    const float* sliver = slivers + column * part.inner;
    const int64_t wide = part.columns - column < kSliver ? part.columns - column : kSliver;
    for (int64_t row = first; row < last; row += kProductRows) {
      const int64_t rows = last - row < kProductRows ? last - row : kProductRows;
      const float* left = a + (row - first) * aRow;
      const int64_t at = row * s.columns + part.firstColumn + column;
      const Start start{whole.matrix == nullptr ? nullptr : whole.matrix + at, s.columns, whole.bias == nullptr ? nullptr : whole.bias + part.firstColumn + column};
      float* to = c + at;
      if (wide == kSliver) {
        ProductRows<kProductRows>(rows, part.inner, left, aRow, sliver, start, to, s.columns);
        continue;
      }
      for (int64_t line = 0; line < rows; line++) for (int64_t lane = 0; lane < kSliver; lane++) {
        edgeStart[line * kSliver + lane] = lane >= wide ? 0 : (start.matrix == nullptr ? 0 : start.matrix[line * s.columns + lane]) + (start.bias == nullptr ? 0 : start.bias[lane]);
      }
      ProductRows<kProductRows>(rows, part.inner, left, aRow, sliver, Start{edgeStart, kSliver, nullptr}, edge, kSliver);
      for (int64_t line = 0; line < rows; line++) __builtin_memcpy(to + line * s.columns, edge + line * kSliver, wide * sizeof(float));
    }
  }
}

static void MultiplyPart(const ProductShape& s, const ProductPart& part, const float* a, const float* slivers, const Start& start, float* c) {
  ParallelFor((s.rows + kProductRows - 1) / kProductRows, kProductRows * part.inner * part.columns / W, [=](int64_t begin, int64_t end) {
    const int64_t stop = end * kProductRows < s.rows ? end * kProductRows : s.rows;
    for (int64_t first = begin * kProductRows; first < stop; first += kRowBlock) {
      const int64_t last = stop - first < kRowBlock ? stop : first + kRowBlock;
      if (!s.isATurned) {
        ProductBlock(s, part, a + first * s.inner + part.firstInner, s.inner, first, last, slivers, start, c);
        continue;
      }
      // Columns of the stored matrix become rows, so that a tile reads what lies together.
      float* turned = Scratch<0>((last - first) * part.inner);
      for (int64_t k = 0; k < part.inner; k++) {
        const float* line = a + (part.firstInner + k) * s.rows + first;
        for (int64_t at = 0; at < last - first; at++) turned[at * part.inner + k] = line[at];
      }
      ProductBlock(s, part, turned, part.inner, first, last, slivers, start, c);
    }
  });
}

static void Multiply(const ProductShape& s, const float* a, const float* b, const float* bias, const float* addend, float* c) {
  const int64_t parts = s.inner <= kInner ? 1 : (s.inner + kInner - 1) / kInner;
  float* slivers = Scratch<1>(kColumnBlock * kInner);
  for (int64_t column = 0; column < s.columns; column += kColumnBlock) {
    const int64_t columns = s.columns - column < kColumnBlock ? s.columns - column : kColumnBlock;
    for (int64_t at = 0; at < parts; at++) {
      const int64_t firstInner = at * s.inner / parts;
      const ProductPart part{column, columns, firstInner, (at + 1) * s.inner / parts - firstInner};
      PackSlivers(s, part, b, slivers);
      MultiplyPart(s, part, a, slivers, at == 0 ? Start{addend, s.columns, bias} : Start{c, s.columns, nullptr}, c);
    }
  }
}

}  // namespace THAW_ISA
}  // namespace thaw
