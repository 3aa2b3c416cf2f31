import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// Each device refuses a buffer or a plan that belongs to another device, here the reference device. All devices report
/// the same errors.
@Suite struct ForeignBufferTests {
  private let reason = "the buffer belongs to another device"

  @Test(arguments: TestDevice.all.dropFirst()) func buffersAreRefused(device: TestDevice) throws {
    let (own, other) = (try device.backend(), TestDevice.reference)
    let foreign = try other.backend().allocate(byteCount: 16)
    let expected = DeviceError.launchFailed(device: own.info.identifier, kernel: "a plan", reason: reason)
    let bytes = [UInt8](repeating: 0, count: 16)
    #expect(throws: expected) { try bytes.withUnsafeBytes { try own.upload($0, to: foreign) } }
    #expect(throws: expected) { _ = try own.startDownload(foreign, byteCount: 8) }
  }

  @Test(arguments: TestDevice.all.dropFirst()) func plansAreRefused(device: TestDevice) throws {
    let (own, other) = (try device.backend(), try TestDevice.reference.backend())
    let executable = try other.prepare(Plan())
    let failure = #expect(throws: RunFailure.self) {
      try own.run(executable, inputs: [], outputs: [], scalars: [], areIndicesKnown: true)
    }
    let text = "\(try #require(failure).error)"
    #expect(text == "device \(own.info.identifier) could not run a plan: the plan belongs to another device")
  }
}
