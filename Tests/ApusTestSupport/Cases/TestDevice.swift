import Apus
import ApusCPU
import ApusDevice
import ApusGPU
import Testing

/// A device that operations are tested on.
public struct TestDevice: Sendable, CustomTestStringConvertible {
  /// How much of each case a device runs. Where kernels are built at run time each one costs 20 ms, so not
  /// every type meets every shape there.
  public enum Extent: Sendable {
    /// Every type with every shape.
    case everything
    /// The first type with every shape, the others with the first one; first and second derivatives.
    case everyType
    /// The first type with every shape; first derivatives.
    case everyShape
  }

  public let name: String
  public let device: ComputeDevice
  public let extent: Extent

  /// Opens what the device is made of once more.
  public let backend: @Sendable () throws(DeviceError) -> any Device

  /// Opens the device once more, for tests that break it.
  public let reopened: @Sendable () throws(DeviceError) -> ComputeDevice

  public var testDescription: String { name }

  private init(
    _ name: String, extent: Extent = .everything,
    open: @escaping @Sendable () throws(DeviceError) -> any Device
  ) throws(DeviceError) {
    self.name = name
    self.extent = extent
    backend = open
    reopened = { () throws(DeviceError) in ComputeDevice(backend: try open()) }
    device = try reopened()
  }

  /// The oracle.
  public static let reference: TestDevice = {
    do throws(DeviceError) { return try TestDevice("reference") { ReferenceDevice() } } catch { fatalError("\(error)") }
  }()

  /// The interpreter, the CPU, and every OpenCL device with both classes of kernels.
  public static let all: [TestDevice] = [reference] + opened.devices

  /// Why devices are missing; tests fail where there is anything.
  public static var problems: [DeviceError] { opened.problems }

  private static let opened: (devices: [TestDevice], problems: [DeviceError]) = {
    var devices: [TestDevice] = []
    var problems: [DeviceError] = []
    do throws(DeviceError) {
      devices.append(try TestDevice("cpu") { () throws(DeviceError) in try CPUDevice.open() })
    } catch {
      problems.append(error)
    }
    do throws(DeviceError) {
      for index in try OpenCL.devices().indices {
        for kernels in KernelTarget.Class.allCases {
          let device = try TestDevice(
            "opencl:\(index) \(kernels) kernels", extent: kernels == .cpu ? .everyType : .everyShape
          ) { () throws(DeviceError) in
            var options = GPUOptions.environment
            options.kernelClass = kernels
            // Whoever keeps programs builds them a second time, and the user's cache is none of the tests'.
            options.cacheDirectory = nil
            return try OpenCL.open(index, options: options)
          }
          devices.append(device)
        }
      }
    } catch {
      problems.append(error)
    }
    return (devices, problems)
  }()
}
