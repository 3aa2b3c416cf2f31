import ApusDevice
public enum OpenCL {
  public static func devices() throws(DeviceError) -> [DeviceInfo] { [] }
  public static func open(_ index: Int) throws(DeviceError) -> any Device { throw .unavailable(device: "cpu", reason: "") } }
