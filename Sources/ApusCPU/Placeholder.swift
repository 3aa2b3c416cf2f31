import ApusDevice
public enum CPUDevice { public static func open() throws(DeviceError) -> any Device { throw .unavailable(device: "cpu", reason: "") } }
