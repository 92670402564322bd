// Numbers of matrices that are kept in 4 and 8 bits. Included once for each instruction set.
namespace thaw {
namespace THAW_ISA {

static void Dequantize(const QuantizedShape& shape, const float* words, float* values) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(words);
  const float* table = words + shape.Codes();
  const float* scales = table + shape.Table();
  const auto* scaleBytes = reinterpret_cast<const uint8_t*>(scales);
  const float* nestedTable = scales + shape.Scales();
  const float* nestedScales = nestedTable + 256;
  const float offset = shape.nestedBlock == 0 ? 0 : nestedScales[shape.NestedBlocks()];
  ParallelFor(shape.Blocks(), 2 * shape.block, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      float scale = scales[block];
      if (shape.nestedBlock != 0) {
        // Volatile: rounded before the offset is added, as the host does it.
        const volatile float product = nestedTable[scaleBytes[block]] * nestedScales[block / shape.nestedBlock];
        scale = product + offset;
      }
      const int64_t first = block * shape.block, last = first + shape.block < shape.size ? first + shape.block : shape.size;
      if (shape.bits == 8) {
        for (int64_t at = first; at < last; at++) values[at] = table[bytes[at]] * scale;
        continue;
      }
      // Two codes a byte; blocks begin at whole bytes.
      for (int64_t at = first; at + 1 < last; at += 2) {
        const float* pair = table + 2 * bytes[at / 2];
        values[at] = pair[0] * scale;
        values[at + 1] = pair[1] * scale;
      }
      if ((last - first) % 2 != 0) values[last - 1] = table[2 * bytes[last / 2]] * scale;
    }
  });
}

}  // namespace THAW_ISA
}  // namespace thaw
