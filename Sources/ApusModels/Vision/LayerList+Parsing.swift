import ApusData
import ApusSystem

extension LayerList {
  /// Parses a list in the grammar that the documentation of `LayerList` defines; letter case is ignored.
  public init(parsing text: String) throws(LayerListError) { try self.init(parsing: text.lowercased()[...], depth: 0) }

  /// The maximum nesting depth of links, which are layers with branches: `residual (…)` and `concat (…)`.
  private static let deepest = 16

  private init(parsing text: Substring, depth: Int) throws(LayerListError) {
    layers = []
    for (index, part) in text.split(separator: ",", outside: "(", ")").enumerated() {
      let words = part.split(whereSeparator: \.isWhitespace).map(String.init)
      var parser = LayerParser(position: index + 1, words: words)
      layers.append(
        try part.contains { "()|".contains($0) } ? .link(.init(part, &parser, depth)) : parser.layer())
    }
  }

  /// The words that begin a layer or a link in the text of a list.
  static let layerNames =
    ["conv", "pool", "avgpool", "globalpool", "dense", "flatten", "batchnorm", "dropout", "rows"]
    + Link.Kind.allCases.map(\.rawValue) + Recurrent.Kind.allCases.map(\.rawValue) + Activation.allCases.map(\.rawValue)
}

extension LayerList.Link {
  /// Reads a link, such as `residual (list | list)`.
  /// - Parameter parser: a parser of the link's words, for error messages.
  fileprivate init(_ text: Substring, _ parser: inout LayerParser, _ depth: Int) throws(LayerListError) {
    guard depth < LayerList.deepest else {
      throw parser.failure("residual and concat are nested more than \(LayerList.deepest) deep")
    }
    let trimmed = text.trimmed
    let name = trimmed.prefix { $0 != "(" }.trimmed
    guard let kind = Kind(rawValue: String(name)) else {
      let match = nearestMatch(to: String(name), in: Kind.allCases.map(\.rawValue)).map { "; did you mean \($0)?" }
      throw parser.failure("only residual and concat take layers in parentheses\(match ?? "")")
    }
    guard let open = trimmed.firstIndex(of: "("), trimmed.closing(open) == trimmed.indices.last else {
      throw parser.failure("\(kind) (…) has unbalanced parentheses")
    }
    self.init(kind, [])
    let inner = trimmed[trimmed.index(after: open)...].dropLast()
    for branch in inner.split(separator: "|", outside: "(", ")") {
      do throws(LayerListError) {
        branches.append(try LayerList(parsing: branch, depth: depth + 1))
      } catch {
        throw parser.failure("\(error)")
      }
    }
  }
}

extension Substring {
  /// Splits at separators outside parentheses.
  fileprivate func split(separator: Character, outside open: Character, _ close: Character) -> [Substring] {
    var (parts, start, depth) = ([Substring](), startIndex, 0)
    for index in indices {
      switch self[index] {
      case open: depth += 1
      case close: depth -= 1
      case separator where depth <= 0:
        parts.append(self[start..<index])
        start = self.index(after: index)
      default: break
      }
    }
    return parts + [self[start...]]
  }

  /// The index of the parenthesis that closes the one at `open`; `nil` if it is missing.
  fileprivate func closing(_ open: Index) -> Index? {
    var depth = 0
    for index in self[open...].indices {
      if self[index] == "(" { depth += 1 } else if self[index] == ")" { depth -= 1 }
      if depth == 0 { return index }
    }
    return nil
  }
}

/// Parses one layer, word by word.
private struct LayerParser {
  /// The largest extent that is accepted: products of two such extents do not overflow.
  static let largest = 1 << 24

  let position: Int
  let words: [String]
  var next = 0

  init(position: Int, words: [String]) {
    self.position = position
    self.words = words
  }

  func failure(_ reason: String) -> LayerListError {
    LayerListError(kind: .grammar, position: position, layer: words.joined(separator: " "), reason: reason)
  }

  mutating func layer() throws(LayerListError) -> LayerList.Layer {
    guard let name = word() else { throw failure("a layer is missing between the commas") }
    let layer = try layer(name)
    if let extra = word() { throw failure("unexpected word \(extra.quoted())") }
    return layer
  }

  private mutating func layer(_ name: String) throws(LayerListError) -> LayerList.Layer {
    switch name {
    case "conv": return .convolution(try convolution())
    case "pool": return .pooling(try pooling(.maximum))
    case "avgpool": return .pooling(try pooling(.average))
    case "globalpool": return .globalPooling
    case "flatten": return .flatten
    case "batchnorm": return .batchNorm
    case "rows": return .rows
    case "dense":
      let units = try integer("the number of units")
      return .dense(units: units, hasBias: try options(["no-bias"]).isEmpty)
    case "dropout":
      guard let text = word() else { throw failure("the rate is missing") }
      guard let rate = Double(text), rate >= 0, rate < 1 else {
        throw failure("the rate \(text.quoted()) is not a number from 0 to below 1")
      }
      return .dropout(rate: rate)
    case "residual", "concat": throw failure("layers in parentheses are missing: \(name) (conv 8 3x3 pad 1, relu)")
    default:
      if let function = LayerList.Activation(rawValue: name) { return .activation(function) }
      if let kind = LayerList.Recurrent.Kind(rawValue: name) { return .recurrent(try recurrent(kind)) }
      let match = nearestMatch(to: name, in: LayerList.layerNames).map { "; did you mean \($0)?" } ?? ""
      throw failure("unknown layer \(name.quoted())\(match)")
    }
  }

  private mutating func convolution() throws(LayerListError) -> LayerList.Convolution {
    var layer = LayerList.Convolution(
      filters: try integer("the number of filters"), kernel: try size("the kernel size"))
    for (option, value) in try options(["stride", "pad", "dilation", "groups", "no-bias"]) {
      switch option {
      case "stride": layer.stride = value
      case "dilation": layer.dilation = value
      case "groups": layer.groups = value.height
      case "no-bias": layer.hasBias = false
      default: layer.padding = value.height < 0 ? nil : value
      }
    }
    return layer
  }

  private mutating func recurrent(_ kind: LayerList.Recurrent.Kind) throws(LayerListError) -> LayerList.Recurrent {
    var layer = LayerList.Recurrent(kind, units: try integer("the number of units"))
    for (option, value) in try options(["layers", "both", "all", "no-bias"]) {
      switch option {
      case "layers": layer.layers = value.height
      case "both": layer.isBidirectional = true
      case "all": layer.givesAll = true
      default: layer.hasBias = false
      }
    }
    return layer
  }

  private mutating func pooling(_ kind: LayerList.Pooling.Kind) throws(LayerListError) -> LayerList.Pooling {
    let window = try size("the window size")
    var layer = LayerList.Pooling(kind: kind, window: window, stride: window)
    for (option, value) in try options(["stride", "pad"]) {
      if option == "stride" { layer.stride = value } else { layer.padding = value }
    }
    return layer
  }
}

// MARK: - Words

extension LayerParser {
  private mutating func word() -> String? {
    guard next < words.count else { return nil }
    next += 1
    return words[next - 1]
  }

  /// Parses the options after the fixed words of a layer: names, each at most once, with their sizes. A single number
  /// sets height and width. `pad same` has the size −1, and an option without a number has the size 1.
  private mutating func options(
    _ known: [String]
  ) throws(LayerListError) -> [(name: String, value: LayerList.Size)] {
    var result: [(name: String, value: LayerList.Size)] = []
    while let name = word() {
      guard known.contains(name) else {
        let match = nearestMatch(to: name, in: known).map { "; did you mean \($0)?" }
        throw failure(
          "unexpected word \(name.quoted())\(match ?? "; choose from \(known.joined(separator: ", "))")")
      }
      guard !result.contains(where: { $0.name == name }) else { throw failure("\(name) is given twice") }
      let value: LayerList.Size
      switch name {
      case "no-bias", "both", "all": value = .init(1, 1)
      case "groups", "layers":
        let count = try integer("the number of \(name)")
        value = .init(count, count)
      case "pad" where next < words.count && words[next] == "same" && known.contains("dilation"):
        next += 1
        value = .init(-1, -1)
      default: value = try size("the size of \(name)", from: name == "pad" ? 0 : 1)
      }
      result.append((name, value))
    }
    return result
  }

  private mutating func integer(_ what: String) throws(LayerListError) -> Int {
    guard let text = word() else { throw failure("\(what) is missing") }
    return try integer(text, what, from: 1)
  }

  private func integer(_ text: String, _ what: String, from lowest: Int) throws(LayerListError) -> Int {
    guard let value = Int(text), (lowest...Self.largest).contains(value) else {
      throw failure("\(what), \(text.quoted()), is not an integer from \(lowest) to \(Self.largest)")
    }
    return value
  }

  private mutating func size(_ what: String, from lowest: Int = 1) throws(LayerListError) -> LayerList.Size {
    guard let text = word() else { throw failure("\(what) is missing") }
    let parts = text.split(separator: "x", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2 else { throw failure("\(what), \(text.quoted()), is neither N nor HEIGHTxWIDTH") }
    let height = try integer(parts[0], what, from: lowest)
    return .init(height, parts.count == 2 ? try integer(parts[1], what, from: lowest) : height)
  }
}
