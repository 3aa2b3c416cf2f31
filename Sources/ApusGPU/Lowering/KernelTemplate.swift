import ApusDevice

/// A file of `Kernels/` with placeholders `$name` that a lowering fills in: a number, a type, or lines of code.
struct KernelTemplate {
  private let file: String
  private var values: [String: String] = [:]

  init(_ file: String) { self.file = file }

  /// Creates a template with the type names that a kernel uses: `$T` and `$V` for an element and a vector register of
  /// the arithmetic type (lane), `$index` for an index. It also has values for `$lane`, the suffix of the lane in
  /// function names, and for `$zero`.
  init(_ file: String, _ lane: Lane, _ builder: KernelBuilder) {
    self.file = file
    values = [
      "T": lane.scalar, "V": lane.vector, "lane": lane.suffix, "zero": Scalar.integer(0).text(lane),
      "index": builder.index,
    ]
  }

  /// The text that replaces `$name`.
  subscript(name: String) -> String? {
    get { values[name] }
    set { values[name] = newValue }
  }

  /// Returns a template for another file with the same values.
  func with(file: String) -> KernelTemplate {
    var template = KernelTemplate(file)
    template.values = values
    return template
  }

  /// The text with all placeholders replaced, without comment lines.
  var text: String {
    var result = ""
    let lines = KernelPrelude.file(file).split(separator: "\n").filter { !$0.hasPrefix("//") }
    var rest = lines.joined(separator: "\n")[...]
    while let sign = rest.firstIndex(of: "$") {
      result += rest[..<sign]
      let start = rest.index(after: sign)
      let end = rest[start...].firstIndex { !$0.isLetter && !$0.isNumber } ?? rest.endIndex
      let name = String(rest[start..<end])
      guard let value = values[name] else { fatalError("\(file): the placeholder $\(name) has no value") }
      result += value
      rest = rest[end...]
    }
    return result + rest
  }
}

extension KernelBuilder {
  /// Appends a filled-in template.
  mutating func append(_ template: KernelTemplate) { lines(template.text) }

  /// Returns the lines that `body` emits, for use in a template.
  mutating func captured(_ body: (inout KernelBuilder) -> Void) -> String {
    let before = text
    text = ""
    body(&self)
    defer { text = before }
    return text
  }
}
