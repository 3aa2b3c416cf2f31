import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// The gradient of a tensor that is read in slices.
@Suite struct SliceGradientTests {
  /// `Σᵢ (i + 1)·Σ sliceᵢ²`, where `sliceᵢ` is slice `i` of the last axis.
  private func loss(_ x: Tensor, _ slices: [(start: Int, count: Int, step: Int)]) -> Tensor {
    let terms = slices.enumerated().map { index, slice in
      let part = x.slice(axis: x.rank - 1, from: slice.start, count: slice.count, step: slice.step)
      return (part * part * Double(index + 1)).sum()
    }
    return terms.dropFirst().reduce(terms[0]) { $0 + $1 }
  }

  private func expected(_ x: [Double], width: Int, _ slices: [(start: Int, count: Int, step: Int)]) -> [Double] {
    var result = x.map { _ in 0.0 }
    for (index, slice) in slices.enumerated() {
      for row in 0..<(x.count / width) {
        for place in 0..<slice.count {
          let element = row * width + slice.start + place * slice.step
          result[element] += 2 * Double(index + 1) * x[element]
        }
      }
    }
    return result
  }

  @Test(arguments: [
    [(0, 2, 1), (2, 3, 1), (5, 1, 1)], [(5, 1, 1), (0, 2, 1), (2, 3, 1)], [(0, 2, 1), (4, 2, 1)],
    [(0, 4, 1), (2, 4, 1)], [(0, 3, 2), (1, 3, 2)], [(0, 6, 1), (0, 6, 1)], [(0, 2, 1), (2, 4, 1), (3, 1, 1)],
  ])
  func everyArrangementOfSlices(slices: [(Int, Int, Int)]) throws {
    let numbers = (0..<18).map { Double($0) - 7 }
    let x = Tensor(numbers, shape: [3, 6])
    let named = slices.map { (start: $0.0, count: $0.1, step: $0.2) }
    let gradient = gradients(of: loss(x, named), withRespectTo: [x])[0]
    #expect(try gradient.array(of: Double.self) == expected(numbers, width: 6, named))
  }

  /// If the slices partition the tensor, one copy step concatenates their gradients: no array of zeros is created and
  /// added.
  @Test func partitionsAreConcatenated() throws {
    let device = RecordingDevice()
    let steps = try withDevice(ComputeDevice(backend: device)) { () throws in
      let x = Tensor(Grid([4, 6]) { _ in 1 }, dtype: .float32)
      try eval(gradients(of: loss(x, [(2, 3, 1), (0, 2, 1), (5, 1, 1)]), withRespectTo: [x]))
      return device.lastSteps
    }
    let copies = steps.compactMap { if case .copy(let copy) = $0 { copy } else { nil } }
    #expect(copies.count == 1 && copies[0].fill == nil && copies[0].pieces.count == 3)
  }
}
