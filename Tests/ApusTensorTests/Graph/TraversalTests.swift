import Apus
import ApusTestSupport
import Testing

@testable import ApusTensor

@Suite struct TraversalTests {
  /// Vertex `i` of a diamond-shaped graph has the inputs `inputs[i]`.
  private let inputs = [[], [0], [0], [2, 1], [3, 1, 3]]

  private func order(from roots: [Int], endingAt end: Int? = nil) -> [Int] {
    var (order, seen) = ([Int](), Set<Int>())
    var traversal = Traversal<Int>()
    for root in roots {
      traversal.run(from: root) { vertex, index in
        vertex != end && index < inputs[vertex].count ? inputs[vertex][index] : nil
      } enter: { vertex, _ in
        seen.insert(vertex).inserted
      } leave: { vertex in
        order.append(vertex)
      }
    }
    return order
  }

  @Test func inputsComeBeforeUsers() {
    #expect(order(from: [4]) == [0, 2, 1, 3, 4])
    #expect(order(from: [1, 4]) == [0, 1, 2, 3, 4] && order(from: [4], endingAt: 2) == [2, 0, 1, 3, 4])
  }

  /// `enter` gets each edge once, as a vertex and its user; the user of a root is `nil`.
  @Test func edges() {
    var (edges, seen) = ([[Int?]](), Set<Int>())
    var traversal = Traversal<Int>()
    traversal.run(from: 3) { vertex, index in
      index < inputs[vertex].count ? inputs[vertex][index] : nil
    } enter: { vertex, user in
      edges.append([vertex, user])
      return seen.insert(vertex).inserted
    } leave: { _ in
    }
    #expect(edges == [[3, nil], [2, 3], [0, 2], [1, 3], [0, 1]])
  }

  /// Listing and counting a long chain of pending operations does not overflow the stack.
  @Test func longChains() {
    withDevice(ComputeDevice(backend: RecordingDevice())) {
      let x = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
      var y = x
      for _ in 0..<100_000 { y = y.matmul(x) }
      #expect(y.multiplyAccumulates(since: x) == 800_000)
      var ancestry = Ancestry()
      ancestry.note(x, as: 7)
      let (numbers, operations) = ancestry.sources(of: y)
      #expect(numbers == [7] && operations == Array(repeating: "matmul", count: 100_000))
      let pending = pendingOperations(of: [y])
      #expect(pending.count == 100_000 && pending.last?.result.identity == y.identity)
    }
  }
}
