import ApusTestSupport
import Foundation
import Glibc
import Testing

/// The command on a terminal: a pseudo-terminal whose width is set.
@Suite struct TerminalTests {
  let scratch: ScratchDirectory
  private let images: TinyImages

  init() throws {
    scratch = try ScratchDirectory()
    images = try TinyImages(trainCount: 96, testCount: 40)
  }

  /// Trains with a terminal of `columns` columns as standard error, and returns the text that the terminal received.
  /// - Parameter resized: the number of columns after the terminal has received 2000 bytes; `nil` for no change.
  private func train(columns: Int, resized: Int? = nil) throws -> String {
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    // TIOCSPTLCK unlocks the other end of the pseudo-terminal, and TIOCGPTN returns the number in its path. Swift does
    // not import these macros.
    var (isLocked, number): (Int32, UInt32) = (0, 0)
    try #require(
      terminal >= 0 && ioctl(terminal, 0x4004_5431, &isLocked) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
    let path = "/dev/pts/\(number)"
    func resize(to columns: Int) {
      var size = winsize(ws_row: 24, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
      _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
    }
    resize(to: columns)
    let process = Process()
    process.executableURL = Invocation.executable
    process.arguments = [
      "train", "mlp", "--data", images.source, "--device", "cpu", "--batch-size", "2", "--epochs", "60", "--output",
      scratch.file("run-\(columns)"),
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    let other = open(path, O_RDWR | O_NOCTTY)
    try #require(other >= 0)
    process.standardError = FileHandle(fileDescriptor: other, closeOnDealloc: false)
    try process.run()
    close(other)
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    // Reading fails as soon as the command has closed the other end.
    while true {
      let count = read(terminal, &buffer, buffer.count)
      guard count > 0 else { break }
      text += buffer[..<count]
      if let resized, text.count > 2000 { resize(to: resized) }
    }
    close(terminal)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: text, as: UTF8.self)
  }

  /// The lines that the terminal shows, split at line ends and carriage returns, from the first bar or epoch on.
  private func lines(_ text: String) -> ArraySlice<String> {
    let all = text.split(whereSeparator: { ["\r", "\n", "\r\n"].contains($0) }).map(String.init)
    let first = all.firstIndex { $0.contains("█") || $0.contains("░") || $0.contains("epoch 1/") } ?? 0
    return all[first...]
  }

  @Test(arguments: [60, 80, 200]) func progressFitsTheTerminal(_ columns: Int) throws {
    let shown = lines(try train(columns: columns))
    let epochs = shown.filter { $0.hasPrefix("epoch ") }
    #expect(epochs.count == 60 && epochs.allSatisfy { $0.contains("train accuracy 0.") || $0.contains("accuracy 1.") })
    #expect(epochs.allSatisfy { $0.contains("test loss") } == (columns == 200))
    // Letters, digits and the characters of the bar are one column wide each.
    #expect(shown.allSatisfy { $0.count <= columns }, "\(shown.first { $0.count > columns } ?? "")")
  }

  @Test func progressFollowsTheTerminal() throws {
    let shown = lines(try train(columns: 200, resized: 60))
    #expect(shown.contains { $0.count > 80 })
    #expect(shown.suffix(10).allSatisfy { $0.count <= 60 }, "\(shown.suffix(10))")
  }
}
