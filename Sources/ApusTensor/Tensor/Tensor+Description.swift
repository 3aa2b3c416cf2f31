import ApusDevice

#if canImport(Glibc)
  import Glibc
#endif

extension Tensor: CustomStringConvertible {
  /// The values in nested brackets, as NumPy prints them, then element type and shape. Above 1,000 elements the middle
  /// of long axes is omitted. A pending tensor is computed; if that fails, the error is printed.
  public var description: String {
    do throws(DeviceError) {
      let printer = try TensorPrinter(self)
      return "\(printer.text())  \(dtype)\(shape)"
    } catch {
      return "\(dtype)\(shape) without a value: \(error)"
    }
  }
}

extension Tensor: CustomDebugStringConvertible {
  /// Shape, element type and device; nothing is computed.
  public var debugDescription: String { "Tensor \(dtype)\(shape) on \(device.name)" }
}

/// Formats values in columns of equal width.
private struct TensorPrinter {
  /// The extents of the printed values; `isCut[axis]` is true if the middle of the axis is omitted.
  private let shape: Shape
  private let isCut: [Bool]
  private let cells: [String]

  private static let edge = 3

  init(_ tensor: Tensor) throws(DeviceError) {
    var shown = tensor.stopGradient()
    var cut = Array(repeating: false, count: tensor.rank)
    if tensor.elementCount > 1000 {
      for axis in 0..<tensor.rank where tensor.shape[axis] > 2 * TensorPrinter.edge {
        cut[axis] = true
        let ends = [0, tensor.shape[axis] - TensorPrinter.edge]
        shown = .concatenated(
          ends.map { shown.slice(axis: axis, from: $0, count: TensorPrinter.edge) }, axis: axis)
      }
    }
    shape = shown.shape
    isCut = cut
    if tensor.dtype == .bool {
      cells = try shown.array(of: Bool.self).map { $0 ? "true" : "false" }
    } else if tensor.dtype.isInteger {
      cells = try shown.array(of: Int64.self).map(String.init)
    } else {
      cells = TensorPrinter.texts(try shown.array(of: Double.self))
    }
  }

  /// Formats values with four decimals, or in scientific notation if magnitudes are large, small or far apart. If all
  /// numbers are whole and below 10⁸, they have no decimals and end in a point.
  private static func texts(_ values: [Double]) -> [String] {
    let finite = values.filter(\.isFinite)
    let largest = finite.map(\.magnitude).max() ?? 0
    let smallest = finite.filter { $0 != 0 }.map(\.magnitude).min() ?? 1
    let isWhole = finite.allSatisfy { $0 == $0.rounded() } && largest < 1e8
    let isWide = largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1e4 && largest >= 1e4
    return values.map { value in
      if value.isNaN { return "nan" }
      if value.isInfinite { return value < 0 ? "-inf" : "inf" }
      if isWhole { return "\(Int(value))." }
      return formatted(value, isWide ? "%.4e" : "%.4f")
    }
  }

  private static func formatted(_ value: Double, _ format: String) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      _ = withVaList([value]) { vsnprintf(buffer.baseAddress!, buffer.count, format, $0) }
      return String(cString: buffer.baseAddress!)
    }
  }

  func text() -> String {
    if shape.elementCount == 0 { return "[]" }
    let width = cells.map(\.count).max() ?? 0
    var next = 0
    return text(axis: 0, indent: 1, width: width, &next)
  }

  private func text(axis: Int, indent: Int, width: Int, _ next: inout Int) -> String {
    if axis == shape.rank {
      defer { next += 1 }
      return String(repeating: " ", count: width - cells[next].count) + cells[next]
    }
    var parts: [String] = []
    for index in 0..<shape[axis] {
      if isCut[axis], index == TensorPrinter.edge { parts.append("...") }
      parts.append(text(axis: axis + 1, indent: indent + 1, width: width, &next))
    }
    let isInnermost = axis == shape.rank - 1
    let blankLines = String(repeating: "\n", count: Swift.max(shape.rank - axis - 1, 1))
    let separator = isInnermost ? ", " : "," + blankLines + String(repeating: " ", count: indent)
    return "[" + parts.joined(separator: separator) + "]"
  }
}
