// Matrix products, blocked as in BLIS (Van Zee and van de Geijn 2015, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality"): slivers of B lie
// in the first cache, blocks of rows of A in the second.

namespace thaw {
namespace THAW_ISA {

constexpr int kProductRows = THAW_WIDTH == 16 ? 12 : 6;
constexpr int64_t kSliver = 2 * W;
// Of the inner axis at a time: a sliver of B, 24 kB, stays in the first cache.
constexpr int64_t kInner = THAW_WIDTH == 16 ? 192 : 384;
constexpr int64_t kRowBlock = 96;

// Where a tile's sums start: a matrix, a bias along the columns, or both; null for none.
struct Start {
  const float* matrix;
  int64_t stride;
  const float* bias;
};

template <int R>
THAW_INLINE void ProductTile(int64_t inner, const float* a, int64_t aRow, int64_t aInner, const float* sliver, const Start& start, float* c, int64_t ldc) {
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
      const Vec value = Set(a[row * aRow + k * aInner]);
      sums[row][0] += value * left;
      sums[row][1] += value * right;
    }
  }
  for (int row = 0; row < R; row++) for (int part = 0; part < 2; part++) Store(c + row * ldc + part * W, sums[row][part]);
}

template <int R>
static void ProductRows(int64_t rows, int64_t inner, const float* a, int64_t aRow, int64_t aInner, const float* sliver, const Start& start, float* c, int64_t ldc) {
  if (rows == R) return ProductTile<R>(inner, a, aRow, aInner, sliver, start, c, ldc);
  if constexpr (R > 1) ProductRows<R - 1>(rows, inner, a, aRow, aInner, sliver, start, c, ldc);
}

// Slivers [columns / kSliver][inner][kSliver] of B, filled up with 0. Either way B is read along its rows.
static void PackSlivers(const ProductShape& s, const float* b, int64_t firstInner, int64_t inner, float* out) {
  ParallelFor((s.columns + kSliver - 1) / kSliver, inner * kSliver, [=](int64_t begin, int64_t end) {
    if (!s.isBTurned) {
      for (int64_t k = 0; k < inner; k++) {
        const float* row = b + (firstInner + k) * s.columns;
        for (int64_t sliver = begin; sliver < end; sliver++) {
          float* line = out + (sliver * inner + k) * kSliver;
          const int64_t count = s.columns - sliver * kSliver;
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
      float* to = out + sliver * inner * kSliver;
      const float* from = b + sliver * kSliver * s.inner + firstInner;
      const int64_t count = s.columns - sliver * kSliver < kSliver ? s.columns - sliver * kSliver : kSliver;
      constexpr int64_t kStretch = 16;  // a cache line of each row at a time
      for (int64_t first = 0; first < inner; first += kStretch) {
        const int64_t last = inner - first < kStretch ? inner : first + kStretch;
        for (int64_t at = 0; at < count; at++) {
          const float* row = from + at * s.inner;
          __builtin_prefetch(row + first + 4 * kStretch);
          for (int64_t k = first; k < last; k++) to[k * kSliver + at] = row[k];
        }
      }
      for (int64_t at = count; at < kSliver; at++) for (int64_t k = 0; k < inner; k++) to[k * kSliver + at] = 0;
    }
  });
}

// Rows first to last of the product over a stretch of the inner axis.
static void ProductBlock(const ProductShape& s, const float* a, int64_t aRow, int64_t aInner, int64_t first, int64_t last, int64_t inner, const float* slivers, const Start& whole, float* c) {
  float edge[kProductRows * kSliver], edgeStart[kProductRows * kSliver];
  for (int64_t column = 0; column < s.columns; column += kSliver) {
    const float* sliver = slivers + column * inner;
    const int64_t wide = s.columns - column < kSliver ? s.columns - column : kSliver;
    for (int64_t row = first; row < last; row += kProductRows) {
      const int64_t rows = last - row < kProductRows ? last - row : kProductRows;
      const float* left = a + (row - first) * aRow;
      float* to = c + row * s.columns + column;
      Start start{whole.matrix == nullptr ? nullptr : whole.matrix + row * s.columns + column, s.columns, whole.bias == nullptr ? nullptr : whole.bias + column};
      if (wide == kSliver) {
        ProductRows<kProductRows>(rows, inner, left, aRow, aInner, sliver, start, to, s.columns);
        continue;
      }
      for (int64_t at = 0; at < rows; at++) for (int64_t lane = 0; lane < kSliver; lane++) {
        edgeStart[at * kSliver + lane] = lane >= wide ? 0 : (start.matrix == nullptr ? 0 : start.matrix[at * s.columns + lane]) + (start.bias == nullptr ? 0 : start.bias[lane]);
      }
      ProductRows<kProductRows>(rows, inner, left, aRow, aInner, sliver, Start{edgeStart, kSliver, nullptr}, edge, kSliver);
      for (int64_t at = 0; at < rows; at++) __builtin_memcpy(to + at * s.columns, edge + at * kSliver, wide * sizeof(float));
    }
  }
}

static void Multiply(const ProductShape& s, const float* a, const float* b, const float* bias, const float* addend, float* c) {
  float* slivers = Scratch<1>((s.columns + kSliver - 1) / kSliver * kSliver * (s.inner < kInner ? s.inner : kInner));
  const int64_t tiles = (s.rows + kProductRows - 1) / kProductRows;
  int64_t parts = (s.inner + kInner - 1) / kInner;
  if (parts == 0) parts = 1;
  for (int64_t part = 0; part < parts; part++) {
    const int64_t firstInner = part * s.inner / parts, inner = (part + 1) * s.inner / parts - firstInner;
    PackSlivers(s, b, firstInner, inner, slivers);
    const Start start = part == 0 ? Start{addend, s.columns, bias} : Start{c, s.columns, nullptr};
    ParallelFor(tiles, kProductRows * inner * s.columns / W, [=](int64_t begin, int64_t end) {
      const int64_t stop = end * kProductRows < s.rows ? end * kProductRows : s.rows;
      for (int64_t first = begin * kProductRows; first < stop; first += kRowBlock) {
        const int64_t last = stop - first < kRowBlock ? stop : first + kRowBlock;
        if (!s.isATurned) {
          ProductBlock(s, a + first * s.inner + firstInner, s.inner, 1, first, last, inner, slivers, start, c);
          continue;
        }
        // Columns of the stored matrix become rows, so that a tile reads what lies together.
        float* turned = Scratch<0>((last - first) * inner);
        for (int64_t k = 0; k < inner; k++) {
          const float* line = a + (firstInner + k) * s.rows + first;
          for (int64_t at = 0; at < last - first; at++) turned[at * inner + k] = line[at];
        }
        ProductBlock(s, turned, inner, 1, first, last, inner, slivers, start, c);
      }
    });
  }
}

}  // namespace THAW_ISA
}  // namespace thaw
