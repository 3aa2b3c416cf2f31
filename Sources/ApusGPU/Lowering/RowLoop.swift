import ApusSystem

extension KernelBuilder {
  /// Emits loops over `rows` rows of `columns` elements, distributed to work-items. On a CPU, a work-item processes a
  /// run of about `elementsPerGroup` elements in registers. On a GPU, each of the 256 work-items of a group processes
  /// every 256th of the group's `elementsPerGroup` elements. The code of `begin` can use `row`, and the code of `body`
  /// also `column` and `count`.
  ///
  /// With a `chunk` of several elements, which only a GPU can have, `body` processes this number of neighboring elements
  /// from `column` on. It divides `columns`. With `isOneRow`, the kernel is for a single row, and does not divide.
  ///
  /// The kernel must define a variable `start` with the index of the first group of these rows: 0, unless several
  /// segments of an elementwise step share the launch.
  /// - Returns: the number of groups.
  mutating func overRows(
    _ rows: Int, columns: Int, elementsPerGroup: Int, chunk: Int = 1, isOneRow: Bool = false,
    begin: (inout KernelBuilder) -> Void, body: (inout KernelBuilder) -> Void
  ) -> Int {
    target.kernelClass == .cpu
      ? overRegisters(rows, columns, elementsPerGroup, begin, body)
      : overElements(rows, columns, elementsPerGroup, chunk, isOneRow, begin, body)
  }

  /// Emits the loops for a CPU. A unit is a row or, if rows are long, a piece of a row.
  private mutating func overRegisters(
    _ rows: Int, _ extent: Int, _ elementsPerGroup: Int, _ begin: (inout KernelBuilder) -> Void,
    _ body: (inout KernelBuilder) -> Void
  ) -> Int {
    let width = target.width
    let pieces = ceilDivide(extent, elementsPerGroup)
    let piece = ceilDivide(extent, pieces * width) * width
    let units = rows * pieces
    let unitsPerGroup = max(1, elementsPerGroup / piece)
    let names = [extent, pieces, piece, units, unitsPerGroup].map { number($0) }
    line("\(index) unit = ((\(index))GROUP_ID() - start) * \(names[4]);")
    line("const \(index) stop = SMALLER(unit + \(names[4]), \(names[3]));")
    block("for (; unit < stop; unit += 1)") { builder in
      let index = builder.index
      builder.line("const \(index) row = \(names[1]) == 1 ? unit : unit / \(names[1]);")
      builder.line("const \(index) first = (unit - row * \(names[1])) * \(names[2]);")
      builder.line("const \(index) end = SMALLER(first + \(names[2]), \(names[0]));")
      begin(&builder)
      builder.block("for (\(index) column = first; column < end; column += WIDTH)") { builder in
        builder.line("const int count = (int)SMALLER(end - column, (\(index))WIDTH);")
        body(&builder)
      }
    }
    return ceilDivide(units, unitsPerGroup)
  }

  private mutating func overElements(
    _ rows: Int, _ columns: Int, _ elementsPerGroup: Int, _ chunk: Int, _ isOneRow: Bool,
    _ begin: (inout KernelBuilder) -> Void, _ body: (inout KernelBuilder) -> Void
  ) -> Int {
    let chunksPerGroup = elementsPerGroup / chunk
    let total = number(rows * columns / chunk)
    let extent = number(columns / chunk)
    let (step, factor) = (256, chunk == 1 ? "" : " * \(chunk)")
    line("const int count = 1;")
    line("\(index) position = (\(index))(GROUP_ID() - start) * \(chunksPerGroup) + (\(index))LOCAL_ID();")
    block("for (int pass = 0; pass < \(chunksPerGroup / step); pass += 1, position += \(step))") { builder in
      let index = builder.index
      builder.line("if (position >= \(total)) return;")
      builder.line("const \(index) row = \(isOneRow ? "0" : "position / \(extent)");")
      builder.line("const \(index) column = (position - row * \(extent))\(factor);")
      begin(&builder)
      body(&builder)
    }
    return ceilDivide(rows * columns, elementsPerGroup)
  }
}
