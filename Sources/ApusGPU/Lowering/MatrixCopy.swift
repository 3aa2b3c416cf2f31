/// How `Kernels/matmul/matrix.cl` copies a factor to local memory, and loads it from there to registers. A line is a
/// row of the left factor or a column of the right one.
struct MatrixCopy {
  let side: KernelTemplate.Side
  /// The number of elements in a chunk of 16 bytes.
  let chunk: Int
  /// Whether a chunk in local memory has the elements of several neighboring lines at the same term. The loads to
  /// registers then transpose the factor; this is not possible for `int8`. Otherwise, a chunk has neighboring terms of
  /// one line.
  let isTransposed: Bool
  /// Whether neighboring work-items copy neighboring terms of a line. Otherwise, they copy neighboring lines.
  let isAlong: Bool
  /// Whether chunks are copied asynchronously (`cp.async`). Otherwise, `text` copies single elements.
  let isAsynchronous: Bool
  /// Code that copies a chunk to the pointer `to`. The chunk begins in line `row` or `column` at term `depth`.
  var text = ""
}

extension MatrixCopy {
  /// The position of a chunk in local memory, in units of 16 bytes. `line` is the first line of the chunk and `term` its
  /// first term; `extent` is the number of lines.
  ///
  /// The chunks within a row of local memory are permuted (swizzle). In a transposed factor, a row has all lines at one
  /// term `t`, and chunk `c` is stored at position `c ^ t % 8` or, with chunks of 4 elements, `c ^ t % 4 * 2`. In other
  /// factors, a row has the four chunks of one line `l`, and chunk `c` is stored at position `c ^ l / 2 % 4`.
  func place(line: String, term: String, extent: Int) -> String {
    isTransposed
      ? "\(term) * \(extent / chunk) + (\(line) / \(chunk) ^ \(term) \(phase))"
      : "\(line) * 4 + (\(term) / \(chunk) ^ \(line) / 2 % 4)"
  }

  private var phase: String { chunk == 8 ? "% 8" : "% 4 * 2" }

  /// For products that are computed with multiply-adds, where a chunk has 4 elements: returns a function from the code of
  /// a number `r` to the code of a line. This is the line of row or column `r` of the work-item's results, counted from
  /// the first line of the warp.
  ///
  /// The lines of a warp are shared by `count` work-items, and `item` is the code of this work-item's position among
  /// them. In a transposed factor, a work-item has the four lines of a chunk, then those of a later chunk, and so on;
  /// otherwise, its lines are `count` apart.
  func line(_ item: String, of count: Int) -> (String) -> String {
    isTransposed
      ? { "\($0) / 4 * \(4 * count) + \(item) * 4 + \($0) % 4" } : { "\($0) * \(count) + \(item)" }
  }

  /// Code that loads 16 lines, which begin at `line`, from local memory to the registers of matrix units.
  func matrixLoad(extent: Int) -> String {
    let (registers, memory) = (side == .left ? "a" : "b[j]", side.rawValue)
    return switch (isTransposed, chunk) {
    case (false, _):
      """
      const int at = line + lane / 8 % 2 * 8 + lane % 8;
      LOAD_MATRIX(\(registers), \(memory) + (at * 4 + ((k * 2 + lane / 16) ^ at / 2 % 4)) * 4);
      """
    case (true, 8):
      """
      const int at = k * 16 + lane / 16 * 8 + lane % 8;
      const int chunk = (line / 8 + lane / 8 % 2) ^ lane % 8;
      LOAD_MATRIX_TRANSPOSED(\(registers), \(memory) + (at * \(extent / chunk) + chunk) * 4);
      """
    default:
      """
      UNROLL for (int q = 0; q < 4; q += 1) {
        const int at = k * 8 + q / 2 * 4 + lane % 4;
        const int across = line + q % 2 * 8 + lane / 4;
        \(registers)[q] = \(memory)[at * \(extent) + (across / 4 ^ at \(phase)) * 4 + across % 4];
      }
      """
    }
  }
}
