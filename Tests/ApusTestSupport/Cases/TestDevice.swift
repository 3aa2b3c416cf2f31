import Apus
import ApusDevice
import ApusGPU
import Testing

/// A device that operations are tested on.
public struct TestDevice: Sendable, CustomTestStringConvertible {
  /// How much of each case a device runs. Where kernels are built at run time each one costs 40 ms, so not
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
  public var extent = Extent.everything

  public var testDescription: String { name }

  /// The oracle.
  public static let reference = TestDevice(name: "reference", device: ComputeDevice(backend: ReferenceDevice()))

  /// The interpreter, the CPU, and every OpenCL device with both classes of kernels.
  public static let all: [TestDevice] = [reference] + opened.devices

  /// Why devices are missing; tests fail where there is anything.
  public static var problems: [DeviceError] { opened.problems }

  private static let opened: (devices: [TestDevice], problems: [DeviceError]) = {
    var devices: [TestDevice] = []
    var problems: [DeviceError] = []
    do throws(DeviceError) {
      devices.append(TestDevice(name: "cpu", device: try .named("cpu")))
    } catch {
      problems.append(error)
    }
    do throws(DeviceError) {
      for index in try OpenCL.devices().indices {
        for kernels in KernelTarget.Class.allCases {
          var options = GPUOptions.environment
          options.kernelClass = kernels
          let backend = try OpenCL.open(index, options: options)
          devices.append(
            TestDevice(
              name: "opencl:\(index) \(kernels) kernels", device: ComputeDevice(backend: backend),
              extent: kernels == .cpu ? .everyType : .everyShape))
        }
      }
    } catch {
      problems.append(error)
    }
    return (devices, problems)
  }()
}
