import Synchronization

/// Says how far the reading of a file is that is read a piece at a time: a table, an archive, pictures of MNIST.
package enum ReadingProgress {
  package typealias Report = @Sendable (_ path: String, _ share: Double) -> Void

  private static let current = Mutex<Report?>(nil)

  /// Called for each piece, with the path of the file and the share of its bytes that have been read; one for the process.
  package static var report: Report? {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }
}
