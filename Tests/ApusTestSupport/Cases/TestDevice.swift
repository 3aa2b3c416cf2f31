import Apus
import ApusCPU
import ApusDevice
import ApusGPU
import Glibc
import Testing

/// A device on which operations are tested.
public struct TestDevice: Sendable, CustomTestStringConvertible {
  /// The element types, shapes and derivatives of an `OpCase` that a device runs. Building a kernel at run time takes
  /// 20 to 40 ms, so OpenCL and CUDA devices do not run every type with every shape.
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

  /// The reference device, the CPU, each OpenCL device with each kernel class (or only with the class that
  /// `APUS_KERNEL_CLASS` names), and a CUDA device. If `APUS_TEST_DEVICES` is set, only the reference device and the
  /// devices of the ``kinds`` that it names.
  public static let all: [TestDevice] = [reference] + opened.devices

  /// All pairs of a device and an item, as arguments of a test. Neighboring pairs, which run at the same time, have
  /// different devices, so they seldom wait for each other: a device builds the kernels of one plan at a time.
  public static func pairs<Item>(_ devices: [TestDevice], _ items: [Item]) -> [(TestDevice, Item)] {
    items.flatMap { item in devices.map { ($0, item) } }
  }

  /// The errors of devices that could not be opened. A test fails if there are any.
  public static var problems: [DeviceError] { opened.problems }

  /// The first CUDA device of the libraries in the folder that `APUS_CUDA_PATH` names. Without `APUS_CUDA_PATH`, the
  /// first CUDA device of this machine if `APUS_TEST_DEVICES` is set, else the device of the stand-in.
  private static func cuda() throws(DeviceError) -> TestDevice {
    let folder: String?
    let usesStandIn = !areKindsChosen && getenv("APUS_CUDA_PATH") == nil
    do { folder = usesStandIn ? try CUDAStandIn.folder() : nil } catch {
      throw .unavailable(device: "cuda", reason: "the stand-in did not build: \(error)")
    }
    return try TestDevice("cuda:0", extent: .everyShape) { () throws(DeviceError) in
      var options = GPUOptions.environment
      options.cacheDirectory = nil
      return try CUDA.open(0, options: options, libraryFolder: folder)
    }
  }

  /// Every OpenCL device, with each kernel class.
  private static func opencl() throws(DeviceError) -> [TestDevice] {
    let classes = GPUOptions.environment.kernelClass.map { [$0] } ?? KernelTarget.Class.allCases
    var devices: [TestDevice] = []
    for index in try OpenCL.devices().indices {
      for kernels in classes {
        let device = try TestDevice(
          "opencl:\(index) \(kernels) kernels", extent: kernels == .cpu ? .everyType : .everyShape
        ) { () throws(DeviceError) in
          var options = GPUOptions.environment
          options.kernelClass = kernels
          // Tests must not use the user's cache. A cache would also cost time: to store a program, the device requests
          // its binary, and some drivers then build the program a second time.
          options.cacheDirectory = nil
          return try OpenCL.open(index, options: options)
        }
        devices.append(device)
      }
    }
    return devices
  }

  private static func instances(of kind: Kind) throws(DeviceError) -> [TestDevice] {
    switch kind {
    case .cpu: [try TestDevice("cpu") { () throws(DeviceError) in try CPUDevice.open() }]
    case .opencl: try opencl()
    case .cuda: [try cuda()]
    }
  }

  private static let opened: (devices: [TestDevice], problems: [DeviceError]) = {
    var devices: [TestDevice] = []
    var problems: [DeviceError] = []
    for kind in kinds {
      do throws(DeviceError) { devices += try instances(of: kind) } catch { problems.append(error) }
      // Only one test looks at `problems`. A run on chosen devices may leave that test out.
      if areKindsChosen, !devices.contains(where: { $0.name.hasPrefix(kind.rawValue) }) {
        fatalError("no device of APUS_TEST_DEVICES is \(kind): \(problems.map(\.description))")
      }
    }
    return (devices, problems)
  }()
}
