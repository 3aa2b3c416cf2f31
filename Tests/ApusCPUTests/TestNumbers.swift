import ApusDevice

@testable import ApusCPU

/// A device with enough memory for every test.
func cpu(threads: Int = 2, simd: String? = nil, caches: Caches = .host) throws -> CPUDevice {
  try CPUDevice(threadCount: threads, simd: simd, memoryLimit: 1 << 32, caches: caches)
}

/// Reproducible pseudorandom numbers.
struct TestNumbers {
  private var state: UInt64

  init(seed: UInt64 = 1) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func bits() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * Double(bits() >> 11) * 0x1p-53
  }

  mutating func array(_ count: Int, _ range: ClosedRange<Double> = -2...2) -> [Double] {
    (0..<count).map { _ in uniform(range) }
  }

  mutating func integers(_ count: Int, _ range: ClosedRange<Int>) -> [Double] {
    (0..<count).map { _ in Double(range.lowerBound + Int(bits() % UInt64(range.count))) }
  }
}
