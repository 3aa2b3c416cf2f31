import ApusDevice

/// The text of a file of `Kernels/`, in which `$name` stands for what the lowering puts there: a number,
/// a type, or lines of a program.
struct KernelTemplate {
  private let file: String
  private var values: [String: String] = [:]

  init(_ file: String) { self.file = file }

  /// A template that knows the types of a lane's registers and of indices.
  init(_ file: String, _ lane: Lane, _ builder: KernelBuilder) {
    self.file = file
    values = [
      "T": lane.scalar, "V": lane.vector, "lane": lane.suffix, "zero": Scalar.integer(0).text(lane),
      "index": builder.index,
    ]
  }

  /// What `$name` stands for.
  subscript(name: String) -> String? {
    get { values[name] }
    set { values[name] = newValue }
  }

  /// The same values for another file.
  func with(file: String) -> KernelTemplate {
    var template = KernelTemplate(file)
    template.values = values
    return template
  }

  /// The text with everything filled in, without the comments.
  var text: String {
    var result = ""
    let lines = KernelPrelude.file(file).split(separator: "\n").filter { !$0.hasPrefix("//") }
    var rest = lines.joined(separator: "\n")[...]
    while let sign = rest.firstIndex(of: "$") {
      result += rest[..<sign]
      let start = rest.index(after: sign)
      let end = rest[start...].firstIndex { !$0.isLetter && !$0.isNumber } ?? rest.endIndex
      let name = String(rest[start..<end])
      guard let value = values[name] else { fatalError("\(file): nothing is given for $\(name)") }
      result += value
      rest = rest[end...]
    }
    return result + rest
  }
}

extension KernelBuilder {
  /// Appends a filled-in template.
  mutating func append(_ template: KernelTemplate) { lines(template.text) }

  /// The lines that `body` emits, as a text to be put into a template.
  mutating func captured(_ body: (inout KernelBuilder) -> Void) -> String {
    let before = text
    text = ""
    body(&self)
    defer { text = before }
    return text
  }
}
