import Apus
import ApusCPU
import ApusDevice
import ApusGPU
import Glibc
import Testing

/// A device on which operations are tested.
public struct TestDevice: Sendable, CustomTestStringConvertible {
  /// The element types, shapes and derivatives of an `OpCase` that a device runs. Building a kernel at run time takes
  /// 20 to 40 ms, so OpenCL devices do not run every type with every shape.
  public enum Extent: Sendable {
    /// Every type with every shape.
    case everything
    /// The first type with every shape, and the other types with the first shape; composed operations
    /// (`OpCase.isComposed(on:)`) only with the first type and `float16`. First derivatives of all operations, and
    /// second derivatives of operations that are not composed.
    case everyType
    /// The first type with every shape; first derivatives of operations that are not composed.
    case everyShape
  }

  public let name: String
  public let device: ComputeDevice
  public let extent: Extent

  /// Opens another instance of the device, as the `Device` that a `ComputeDevice` wraps.
  public let backend: @Sendable () throws(DeviceError) -> any Device

  /// Opens another instance of the device, for tests that break it or must not share it with other tests.
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

  /// The reference device, with which the other devices are compared.
  public static let reference: TestDevice = {
    do throws(DeviceError) { return try TestDevice("reference") { ReferenceDevice() } } catch { fatalError("\(error)") }
  }()

  /// The reference device, the CPU, every OpenCL device, once with each kernel class, and a CUDA device.
  public static let all: [TestDevice] = [reference] + opened.devices

  /// The errors of devices that could not be opened. Tests fail if there is an error.
  public static var problems: [DeviceError] { opened.problems }

  /// The first CUDA device of the folder that `APUS_CUDA_PATH` names, else the device of the stand-in.
  private static func cuda() throws(DeviceError) -> TestDevice {
    let folder: String?
    do { folder = getenv("APUS_CUDA_PATH") == nil ? try CUDAStandIn.folder() : nil } catch {
      throw .unavailable(device: "cuda", reason: "the stand-in did not build: \(error)")
    }
    return try TestDevice("cuda:0", extent: .everyShape) { () throws(DeviceError) in
      var options = GPUOptions.environment
      options.cacheDirectory = nil
      return try CUDA.open(0, options: options, libraryFolder: folder)
    }
  }

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
            // Tests must not use the user's cache. A cache would also cost time: some drivers build a program a
            // second time when the device requests the binary to store it.
            options.cacheDirectory = nil
            return try OpenCL.open(index, options: options)
          }
          devices.append(device)
        }
      }
    } catch {
      problems.append(error)
    }
    do throws(DeviceError) {
      devices.append(try cuda())
    } catch {
      problems.append(error)
    }
    return (devices, problems)
  }()
}
