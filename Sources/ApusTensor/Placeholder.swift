import ApusDevice
