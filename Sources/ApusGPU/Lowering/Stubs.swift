import ApusDevice
extension PlanLowering {
  mutating func lower(_ step: Scan) {}
  mutating func lower(_ step: Matmul) {}
  mutating func lower(_ step: Convolution) {}
  mutating func lower(_ step: Pooling) {}
  mutating func lower(_ step: Gather) {}
  mutating func lower(_ step: ScatterAdd) {}
  mutating func lower(_ step: RandomBits) {}
  mutating func lower(_ step: Sort) {}
}
