import Apus
import ApusTestSupport
import Foundation
import Testing

/// Index errors: the tensors that throw them, and their messages.
@Suite struct FaultTests {
  /// A wrong index is an error of the tensors that depend on it, also when they are read again. Other tensors have no
  /// error.
  @Test(arguments: TestDevice.all) func aFaultBelongsToItsTensors(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let table = Tensor([1, 2, 3, 4] as [Float])
      let bad = table.gathering(Tensor([0, 4, 1] as [Int32]), axis: 0)
      let dependent = bad * 2
      let good = table + 1
      for _ in 0..<2 {
        let first = #expect(throws: DeviceError.self) { try dependent.array() }
        #expect(first?.description.hasPrefix("gathering: index 4 at [1] is not in -4 ..< 4") == true)
        #expect(try good.array() == [2, 3, 4, 5])
        let second = #expect(throws: DeviceError.self) { try bad.array() }
        #expect(second == first)
        #expect(try (table * 3).array() == [3, 6, 9, 12])
      }
      bad.evaluateWithNext()
      #expect(try (good * 2).array() == [4, 6, 8, 10])
      #expect(throws: DeviceError.self) { try bad.array() }
    }
  }

  /// Indices that the device computes, so that the host does not know them.
  @Test(arguments: TestDevice.all) func computedIndices(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let table = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
      let places = (Tensor([0, 1, 2, 3] as [Float]) * 0.5).cast(to: .int32)
      #expect(try table.gathering(places, axis: 0).sum(axis: 1).array() == [3, 3, 7, 7])
      let wrong = places.reshaped(to: [2, 2]) * 3
      let error = #expect(throws: DeviceError.self) { try table.gathering(wrong, axis: 1).array() }
      #expect(error?.description.hasPrefix("gathering: index 3 at [1, 0] is not in -2 ..< 2") == true)
      #expect(try table.gathering(places, axis: 0).sum(axis: 1).array() == [3, 3, 7, 7])
    }
  }

  /// A message names the operation, the wrong index, its position and the range of valid indices.
  @Test(arguments: TestDevice.all) func messages(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2])
      func message(_ value: Tensor) -> String {
        let error = #expect(throws: DeviceError.self) { try value.array() }
        return error?.description ?? ""
      }
      let places = Tensor([0, -4, 1, 0, 0, 0] as [Int64], shape: [3, 2])
      #expect(message(x.takingAlong(places, axis: 0)).hasPrefix("takingAlong: index -4 at [0, 1] is not in -3 ..< 3"))
      #expect(
        message(x.scatterAdding(x, at: places, axis: 0)).hasPrefix("scatterAdding: index -4 at [0, 1] is not in"))
      #expect(
        message(x.segmentSum(Tensor([0, 2, 1] as [Int32]), count: 3))
          .hasPrefix("segmentSum: id 1 at [2] is below its predecessor 2; sort the rows by their ids first"))
      #expect(
        message(x.segmentSum(Tensor([0, 1, 3] as [Int32]), count: 3)).hasPrefix("segmentSum: index 3 at [2] is not in"))
      // An empty result has no element whose work-item would check the index.
      let empty = Tensor.zeros([0, 2])
      #expect(
        message(empty.scatterAdding(x, at: places, axis: 0)).hasPrefix("scatterAdding: index 0 at [0, 0] is not in"))
      #expect(
        message(x.segmentSum(Tensor([0, 0, 0] as [Int32]), count: 0)).hasPrefix("segmentSum: index 0 at [0] is not in"))
    }
  }

  /// Several threads evaluate separate graphs on one device. Every second graph has a wrong index.
  @Test(arguments: TestDevice.all) func threads(_ test: TestDevice) throws {
    let device = test.device
    let queue = DispatchQueue(label: "faults", attributes: .concurrent)
    let group = DispatchGroup()
    for worker in 0..<6 {
      queue.async(group: group) {
        withDevice(device) {
          for round in 0..<50 {
            let table = Tensor([Float(worker), Float(round), 7])
            let isWrong = (worker + round).isMultiple(of: 2)
            let value = table.gathering(Tensor([0, 1, isWrong ? Int32(3 + worker) : 2]), axis: 0)
            do throws(DeviceError) {
              let found: [Float] = try value.array()
              #expect(!isWrong && found == [Float(worker), Float(round), 7])
            } catch {
              #expect(isWrong && error.description.contains("index \(3 + worker) at [2]"), "\(error)")
            }
          }
        }
      }
    }
    group.wait()
  }
}
