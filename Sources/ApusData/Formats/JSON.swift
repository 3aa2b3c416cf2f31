/// A JSON value (RFC 8259). Integers are exact, objects keep the order of their keys.
public enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)
}

/// The members of a JSON object, in order, with unique keys.
public struct JSONObject: Hashable, Sendable {
  /// The keys, in the order in which they were added.
  public private(set) var keys: [String] = []
  private var values: [String: JSON] = [:]

  public init() {}

  public var count: Int { keys.count }
  /// Whether there are no members.
  public var isEmpty: Bool { keys.isEmpty }

  /// The value of a key. Setting the value of a new key appends the key; setting `nil` removes the key.
  public subscript(key: String) -> JSON? {
    get { values[key] }
    set {
      let isNew = values.updateValue(newValue ?? .null, forKey: key) == nil
      if newValue == nil {
        values[key] = nil
        keys.removeAll { $0 == key }
      } else if isNew {
        keys.append(key)
      }
    }
  }
}

extension JSONObject: Sequence, ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral members: (String, JSON)...) {
    for (key, value) in members { self[key] = value }
  }

  public func makeIterator() -> some IteratorProtocol<(key: String, value: JSON)> {
    keys.lazy.map { (key: $0, value: values[$0]!) }.makeIterator()
  }
}

// MARK: - Building

extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByNilLiteral
{
  public init(nilLiteral: ()) { self = .null }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(dictionaryLiteral members: (String, JSON)...) {
    var object = JSONObject()
    for (key, value) in members { object[key] = value }
    self = .object(object)
  }

  /// The number that is written as the shortest decimal text of `value`: `0.1`, not `0.10000000149011612`.
  public init(_ value: Float) { self = .number(Double(value.description) ?? Double(value)) }
}

// MARK: - Reading

extension JSON {
  /// The value of a key of an object; `nil` if the key is missing, and for values that are not objects.
  public subscript(key: String) -> JSON? { object?[key] }

  /// The truth value; `nil` for other values.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The integer; `nil` for other values, also for numbers that are written with a fraction or an exponent: `1.0`,
  /// `1e2`.
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  /// The text; `nil` for other values.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The elements; `nil` for other values.
  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  /// The members; `nil` for other values.
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

  /// An integer or floating-point number; `nil` for other values.
  public var number: Double? {
    switch self {
    case .number(let value): value
    case .integer(let value): Double(value)
    default: nil
    }
  }
}
