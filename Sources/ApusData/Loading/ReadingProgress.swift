import Synchronization

/// Reports the progress of reading a file chunk by chunk: a table, an archive, the images of MNIST.
package enum ReadingProgress {
  package typealias Report = @Sendable (_ path: String, _ share: Double) -> Void

  private static let current = Mutex<Report?>(nil)

  /// The process-wide callback: it receives the path of the file and the fraction of its bytes read so far, once per
  /// chunk.
  package static var report: Report? {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }
}
