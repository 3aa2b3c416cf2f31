import ApusDevice
import Synchronization

/// A shape, element type or axis that an operation cannot take: a programmer's error, found on the
/// line that builds the operation.
public struct ShapeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The operation, for example `matmul`.
  public let operation: String
  /// The broken rule and the shapes or types that break it.
  public let reason: String

  /// A mistake of the operation of this name.
  public init(_ operation: String, _ reason: String) {
    self.operation = operation
    self.reason = reason
  }

  public var description: String { "\(operation): \(reason)" }
}

/// Runs `body` and returns the first shape error that it makes, or its result.
///
/// Inside, a wrong shape does not stop the process: the operation gives a placeholder, and building
/// goes on to its end. Sizes that come from a file or an option are checked this way.
public func checkingShapes<R>(_ body: () throws -> R) throws -> R {
  let record = ShapeRecord()
  let result = try ShapeRecord.$current.withValue(record, operation: body)
  if let error = record.error { throw error }
  return result
}

/// Where shape errors go inside `checkingShapes`.
final class ShapeRecord: Sendable {
  @TaskLocal static var current: ShapeRecord?
  private let first = Mutex<ShapeError?>(nil)

  var error: ShapeError? { first.withLock { $0 } }

  func add(_ error: ShapeError) { first.withLock { $0 = $0 ?? error } }
}

extension ShapeError {
  /// Records the error inside `checkingShapes`, stops the process elsewhere.
  package func report() {
    guard let record = ShapeRecord.current else { fatalError(description) }
    record.add(self)
  }
}
