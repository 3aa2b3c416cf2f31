extension TableEncoder {
  /// The encoding rules of the columns as JSON, for checkpoints. Numbers are stored exactly.
  public var json: JSON { .array(columns.map(\.json)) }

  /// Restores the rules from `json`; `nil` when `json` is invalid.
  public init?(_ json: JSON?) {
    guard let list = json?.array else { return nil }
    let columns = list.compactMap(Column.init)
    guard columns.count == list.count, Set(columns.map(\.name)).count == list.count else { return nil }
    self.init(columns: columns)
    guard width > 0, width <= Self.widthLimit else { return nil }
  }
}

extension TableEncoder.Column {
  fileprivate var json: JSON {
    var object: JSONObject = ["name": .string(name), "kind": .string(kind.rawValue)]
    switch rule {
    case .number(let fill, let offset, let scale, let indicatesMissing):
      object["fill"] = .number(fill)
      object["offset"] = .number(offset)
      object["scale"] = .number(scale)
      object["indicates_missing"] = .bool(indicatesMissing)
    case .oneHot(let categories): object["one_hot"] = .array(categories.map { .string($0) })
    case .codes(let categories): object["codes"] = .array(categories.map { .string($0) })
    case .dropped: break
    }
    return .object(object)
  }

  fileprivate init?(_ json: JSON) {
    guard let name = json["name"]?.string, let kind = json["kind"]?.string.flatMap(Table.Kind.init(rawValue:)) else {
      return nil
    }
    self.name = name
    self.kind = kind
    let categories = json["one_hot"] ?? json["codes"]
    switch kind {
    case .categorical:
      guard let list = categories?.array else { return nil }
      let names = list.compactMap(\.string)
      // Categories must be distinct strings.
      guard Set(names).count == list.count else { return nil }
      rule = json["one_hot"] == nil ? .codes(names) : .oneHot(names)
    case .numeric where json["scale"] == nil: rule = .dropped
    case .numeric:
      guard let fill = json["fill"]?.number, let offset = json["offset"]?.number, let scale = json["scale"]?.number,
        let indicatesMissing = json["indicates_missing"]?.bool, fill.isFinite, offset.isFinite, scale > 0,
        scale.isFinite
      else { return nil }
      rule = .number(fill: fill, offset: offset, scale: scale, indicatesMissing: indicatesMissing)
    }
  }
}
