import ApusDevice
import Synchronization

/// A shape, element type or axis that an operation does not accept: a programming error, found on the line that builds
/// the operation.
public struct ShapeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The method, operator, function or layer that was called, for example `matmul`, `+` or `Embedding`.
  public let operation: String
  /// The broken rule and the shapes or types that break it.
  public let reason: String

  /// Creates an error of the operation with this name, as in the caller's code.
  public init(_ operation: String, _ reason: String) {
    self.operation = operation
    self.reason = reason
  }

  public var description: String { "\(operation): \(reason)" }
}

/// Runs `body`, then returns the result of `body` or throws the first shape error that occurred inside.
///
/// Inside `body`, an invalid shape does not stop the process: the operation returns a placeholder and building
/// continues. Sizes from a file or an option are checked this way. If `body` itself throws, its error is thrown in
/// place of the shape error.
public func checkingShapes<R>(_ body: () throws -> R) throws -> R {
  let record = ShapeRecord()
  let result = try ShapeRecord.$current.withValue(record, operation: body)
  if let error = record.error { throw error }
  return result
}

/// Records the first shape error inside `checkingShapes`.
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
