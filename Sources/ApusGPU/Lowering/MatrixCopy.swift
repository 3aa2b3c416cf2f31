/// How `Kernels/matmul/matrix.cl` copies a factor to local memory, and loads it from there to registers. A line is a
/// row of the left factor or a column of the right one.
struct MatrixCopy {
  let side: KernelTemplate.Side
  /// The number of elements in a chunk of 16 bytes.
  let chunk: Int
  /// Whether a chunk in local memory has one term of neighboring lines, so that the loads to registers transpose it;
  /// not possible for `int8`. Otherwise, a chunk has neighboring terms of one line.
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
  /// The chunks of a row are permuted (swizzle). In a transposed factor, chunk `c` of term `t` is stored at position
  /// `c ^ t % 8` or, with chunks of 4 elements, at position `c ^ t % 4 * 2`.
  func place(line: String, term: String, extent: Int) -> String {
    isTransposed
      ? "\(term) * \(extent / chunk) + (\(line) / \(chunk) ^ \(term) \(phase))"
      : "\(line) * 4 + (\(term) / \(chunk) ^ \(line) / 2 % 4)"
  }

  private var phase: String { chunk == 8 ? "% 8" : "% 4 * 2" }

  /// Returns code for the line of a result, counted from the first line of its warp. A warp has `count` positions of
  /// work-items along the lines, and `item` is the position of this work-item. The parameter of the returned function
  /// is the number of the result in this work-item.
  ///
  /// A chunk of a transposed factor has four neighboring lines, which are the lines of one work-item.
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
