import Apus
import ApusSystem
import ApusTestSupport
import Foundation
import Testing

/// Calls with wrong arguments, at least one for each way in which an argument can be wrong. Inside `checkingShapes`,
/// each call gives an error and does not stop the process. The error names the method or operator that was called, even
/// if it is composed of other operations: `mean`, not the `sum` that it calls.
@Suite struct MistakeTests {
  private struct Mistake: Sendable, CustomTestStringConvertible {
    let operation: String
    /// `x` has the shape `[2, 3]`, `deep` has eight axes of extent 1, and `image` has the shape `[1, 4, 5, 5]`.
    let make: @Sendable (_ x: Tensor, _ deep: Tensor, _ image: Tensor) -> Void

    init(_ operation: String, _ make: @escaping @Sendable (Tensor, Tensor, Tensor) -> Void) {
      (self.operation, self.make) = (operation, make)
    }

    var testDescription: String { operation }
  }

  private static let creation: [Mistake] = [
    Mistake("zeros") { _, _, _ in _ = Tensor.zeros([-3]) },
    Mistake("zeros") { _, _, _ in _ = Tensor.zeros([1, 1, 1, 1, 1, 1, 1, 1, 1]) },
    Mistake("zeros") { _, _, _ in _ = Tensor.zeros([1 << 40, 1 << 40]) },
    Mistake("zeros") { _, _, _ in _ = Tensor.zeros([0, .max, .max]) },
    Mistake("ones") { _, _, _ in _ = Tensor.ones([2, -1]) },
    Mistake("Tensor") { _, _, _ in _ = Tensor(repeating: 2, shape: [-1]) },
    Mistake("number") { _, _, _ in _ = Tensor.number(2, shape: [.max]) },
    Mistake("Tensor") { _, _, _ in _ = Tensor([1, 2] as [Float], shape: [3]) },
    Mistake("Tensor") { _, _, _ in _ = Tensor([] as [Float], shape: [1 << 32, 1 << 32]) },
    Mistake("Tensor") { _, _, _ in _ = Tensor([1] as [Float], shape: [1 << 40]) },
    Mistake("Tensor") { _, _, _ in _ = [[[[[[[[[1]]]]]]]]] as Tensor },
    Mistake("indices") { _, _, _ in _ = Tensor.indices([2, 3], axis: 2) },
    Mistake("indices") { _, _, _ in _ = Tensor.indices([], axis: 0) },
    Mistake("indices") { _, _, _ in _ = Tensor.indices([-2], axis: 0) },
    Mistake("indices") { _, _, _ in _ = Tensor.indices([2], axis: 0, dtype: .int8) },
    Mistake("range") { _, _, _ in _ = Tensor.range(from: 0, to: 5, step: 0) },
    Mistake("range") { _, _, _ in _ = Tensor.range(from: 5, to: 0, step: 0) },
    Mistake("range") { _, _, _ in _ = Tensor.range(to: .infinity) },
    Mistake("range") { _, _, _ in _ = Tensor.range(to: .nan) },
    Mistake("range") { _, _, _ in _ = Tensor.range(to: 1, step: 1e-300) },
    Mistake("eye") { _, _, _ in _ = Tensor.eye(-1) },
    Mistake("eye") { _, _, _ in _ = Tensor.eye(1 << 40, 1 << 40) },
    Mistake("linspace") { _, _, _ in _ = Tensor.linspace(from: 0, to: 1, count: -1) },
    Mistake("meshgrid") { x, _, _ in _ = Tensor.meshgrid([x]) },
    Mistake("meshgrid") { _, _, _ in _ = Tensor.meshgrid(Array(repeating: .zeros([1 << 20]), count: 4)) },
    Mistake("oneHot") { x, _, _ in _ = x.oneHot(-1) },
    Mistake("oneHot") { _, deep, _ in _ = deep.oneHot(2) },
  ]

  private static let random: [Mistake] = [
    draw("uniform") { _ = Tensor.uniform([-1], key: &$0) },
    draw("normal") { _ = Tensor.normal([1 << 60], key: &$0) },
    draw("truncatedNormal") { _ = Tensor.truncatedNormal([-1], key: &$0) },
    draw("bernoulli") { _ = Tensor.bernoulli([-1], probability: 0.5, key: &$0) },
    draw("permutation") { _ = Tensor.permutation(-1, key: &$0) },
    draw("randomIntegers") { _ = Tensor.randomIntegers([-1], upper: 4, key: &$0) },
    draw("randomIntegers") { _ = Tensor.randomIntegers([1], upper: 0, key: &$0) },
    draw("randomIntegers") { _ = Tensor.randomIntegers([1], lower: .min, upper: .max, key: &$0) },
    draw("categorical") { _ = Tensor.zeros([]).categorical(key: &$0) },
    draw("categorical") { _ = Tensor.zeros([2, 0]).categorical(key: &$0) },
    draw("categorical") { _ = Tensor.zeros([2, 2]).categorical(-1, key: &$0) },
  ]

  private static func draw(_ name: String, _ make: @escaping @Sendable (inout RandomKey) -> Void) -> Mistake {
    Mistake(name) { _, _, _ in
      var key = RandomKey(seed: 1)
      make(&key)
    }
  }

  private static let layouts: [Mistake] = [
    Mistake("reshaped") { x, _, _ in _ = x.reshaped(to: [-1, -1]) },
    Mistake("reshaped") { x, _, _ in _ = x.reshaped(to: [-2, -3]) },
    Mistake("reshaped") { x, _, _ in _ = x.reshaped(to: [4, -1]) },
    Mistake("reshaped") { x, _, _ in _ = x.reshaped(to: [2, 3, 1, 1, 1, 1, 1, 1, 1]) },
    Mistake("reshaped") { x, _, _ in _ = x.reshaped(to: [1 << 62, 1 << 62, 6]) },
    Mistake("reshaped") { x, _, _ in _ = x.reshaped(to: [.max, -1, .max]) },
    Mistake("flattened") { x, _, _ in _ = x.flattened(from: 3) },
    Mistake("flattened") { x, _, _ in _ = x.flattened(from: -3) },
    Mistake("flattened") { _, deep, _ in _ = deep.flattened(from: 8) },
    Mistake("transposed") { x, _, _ in _ = x.transposed([0]) },
    Mistake("transposed") { x, _, _ in _ = x.transposed([-3, 1]) },
    Mistake("transposed") { x, _, _ in _ = x.sum().transposed() },
    Mistake("broadcast") { x, _, _ in _ = x.broadcast(to: [-2, 2, 3]) },
    Mistake("broadcast") { x, _, _ in _ = x.broadcast(to: [1, 1, 1, 1, 1, 1, 1, 2, 3]) },
    Mistake("broadcast") { x, _, _ in _ = x.broadcast(to: [.max, 2, 3]) },
    Mistake("expandingAxis") { x, _, _ in _ = x.expandingAxis(at: 3) },
    Mistake("expandingAxis") { _, deep, _ in _ = deep.expandingAxis(at: 0) },
    Mistake("squeezingAxis") { x, _, _ in _ = x.squeezingAxis(at: 0) },
    Mistake("squeezingAxis") { x, _, _ in _ = x.sum().squeezingAxis(at: 0) },
    Mistake("slice") { x, _, _ in _ = x.slice(axis: 0, from: 0, count: -1) },
    Mistake("slice") { x, _, _ in _ = x.slice(axis: 0, from: 0, count: 2, step: .max) },
    Mistake("slice") { x, _, _ in _ = x.slice(axis: 0, from: .max, count: 2, step: .max) },
    Mistake("slice") { x, _, _ in _ = x.sum().slice(axis: 0, from: 0, count: 1) },
    Mistake("subscript") { _, deep, _ in _ = deep[.newAxis] },
    Mistake("subscript") { x, _, _ in _ = x[Int.min] },
    Mistake("replacing") { x, _, _ in _ = x.replacing(0, with: .zeros([2])) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: [(-1, 0), (0, 0)]) },
    Mistake("padded") { x, _, _ in _ = x[0..<0].padded(by: [(3, -5), (0, 0)]) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: [(.max, 0), (.max, .max)]) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: []) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: [], mode: .circular) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: [(0, 0), (3, 0)], mode: .reflect) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: [(0, -1), (0, 0)], mode: .reflect) },
    Mistake("padded") { x, _, _ in _ = x[0..<0].padded(by: [(1, 0), (0, 0)], mode: .replicate) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: [(.max, .max), (0, 0)], mode: .replicate) },
    Mistake("padded") { x, _, _ in _ = x.padded(by: [(0, 3), (0, 0)], mode: .circular) },
    Mistake("concatenated") { _, _, _ in _ = Tensor.concatenated([]) },
    Mistake("concatenated") { x, _, _ in _ = Tensor.concatenated([x], axis: 2) },
    Mistake("concatenated") { x, _, _ in _ = Tensor.concatenated([x.sum(), x.sum()]) },
    Mistake("concatenated") { x, _, _ in _ = Tensor.concatenated([x, x.sum()]) },
    Mistake("concatenated") { x, _, _ in
      _ = Tensor.concatenated(Array(repeating: x.sum().broadcast(to: [1 << 58]), count: 40))
    },
    Mistake("stacked") { _, _, _ in _ = Tensor.stacked([]) },
    Mistake("stacked") { x, _, _ in _ = Tensor.stacked([x, x.sum()]) },
    Mistake("stacked") { x, _, _ in _ = Tensor.stacked([x, x], axis: 4) },
    Mistake("stacked") { _, deep, _ in _ = Tensor.stacked([deep, deep]) },
    Mistake("stacked") { x, _, _ in
      _ = Tensor.stacked(Array(repeating: x.sum().broadcast(to: [1 << 58]), count: 40))
    },
    Mistake("split") { x, _, _ in _ = x.split(into: [], axis: 0) },
    Mistake("split") { x, _, _ in _ = x.split(into: [.max, .max, 4]) },
    Mistake("split") { x, _, _ in _ = x.split(into: [-1, 3]) },
    Mistake("split") { x, _, _ in _ = x.split(0) },
    Mistake("split") { x, _, _ in _ = x.split(-2) },
    Mistake("split") { x, _, _ in _ = x.sum().split(1) },
    Mistake("flipped") { x, _, _ in _ = x.flipped(axis: 2) },
    Mistake("rolled") { x, _, _ in _ = x.rolled(by: [1], axes: []) },
    Mistake("rolled") { x, _, _ in _ = x.sum().rolled(by: [.min], axes: [0]) },
    Mistake("tiled") { x, _, _ in _ = x.tiled([2]) },
    Mistake("tiled") { x, _, _ in _ = x.tiled([-1, 1]) },
    Mistake("tiled") { x, _, _ in _ = x.tiled([.max, 2]) },
    Mistake("repeated") { x, _, _ in _ = x.repeated(-1, axis: 0) },
    Mistake("repeated") { x, _, _ in _ = x.repeated(.max, axis: 0) },
    Mistake("repeated") { x, _, _ in _ = x.repeated(2, axis: 5) },
    Mistake("tril") { x, _, _ in _ = x.sum().tril() },
    Mistake("triu") { x, _, _ in _ = x.sum().triu() },
    Mistake("diagonal") { x, _, _ in _ = x.sum().diagonal() },
    Mistake("trace") { x, _, _ in _ = x.sum().trace() },
    Mistake("diagonalMatrix") { x, _, _ in _ = x.sum().diagonalMatrix() },
    Mistake("diagonalMatrix") { _, deep, _ in _ = deep.diagonalMatrix() },
    Mistake("diagonalMatrix") { _, _, _ in _ = Tensor.zeros([1 << 50]).diagonalMatrix() },
    Mistake("unfolded") { x, _, _ in _ = x.sum().unfolded(axis: 0, size: 1) },
    Mistake("unfolded") { x, _, _ in _ = x.unfolded(axis: 0, size: 0) },
    Mistake("unfolded") { x, _, _ in _ = x.unfolded(axis: 0, size: 1, step: 0) },
    Mistake("unfolded") { _, deep, _ in _ = deep.unfolded(axis: 0, size: 1) },
  ]

  private static let reductions: [Mistake] = [
    Mistake("sum") { x, _, _ in _ = x.sum(axis: -3) },
    Mistake("product") { x, _, _ in _ = x.sum().product(axis: 0) },
    Mistake("mean") { x, _, _ in _ = x.mean(axis: 2) },
    Mistake("mean") { x, _, _ in _ = x.mean(axes: [0, 0]) },
    Mistake("mean") { x, _, _ in _ = x.cast(to: .int32).mean(axis: -3) },
    Mistake("min") { x, _, _ in _ = x.sum().min(axis: 0) },
    Mistake("max") { x, _, _ in _ = x.max(axis: 7) },
    Mistake("max") { x, _, _ in _ = x[0..<0].max() },
    Mistake("argmin") { x, _, _ in _ = x.sum().argmin(axis: 0) },
    Mistake("argmax") { x, _, _ in _ = x[0..<0].argmax(axis: 0) },
    Mistake("any") { x, _, _ in _ = x.any(axis: 2) },
    Mistake("all") { x, _, _ in _ = x.all(axis: 2) },
    Mistake("variance") { x, _, _ in _ = x.variance(axis: 2) },
    Mistake("standardDeviation") { x, _, _ in _ = x.standardDeviation(axis: 2) },
    Mistake("logSumExp") { x, _, _ in _ = x.logSumExp(axis: 2) },
    Mistake("logSumExp") { x, _, _ in _ = x[0..<0].logSumExp(axis: 2) },
    Mistake("norm") { x, _, _ in _ = x.norm(axes: [2]) },
    Mistake("norm") { x, _, _ in _ = x.norm(.infinity, axes: [2]) },
    Mistake("norm") { x, _, _ in _ = x[0..<0].norm(.infinity) },
    Mistake("norm") { x, _, _ in _ = x[0..<0].norm(-.infinity, axis: 0) },
    Mistake("softmax") { x, _, _ in _ = x.sum().softmax() },
    Mistake("logSoftmax") { x, _, _ in _ = x.logSoftmax(axis: 2) },
    Mistake("cumulativeSum") { x, _, _ in _ = x.sum().cumulativeSum(axis: 0) },
    Mistake("cumulativeProduct") { x, _, _ in _ = x.cumulativeProduct(axis: 2) },
    Mistake("argsort") { x, _, _ in _ = x.argsort(axis: 2) },
    Mistake("sorted") { x, _, _ in _ = x.sorted(axis: -3) },
    Mistake("softmin") { x, _, _ in _ = x.softmin(axis: 2) },
    Mistake("topK") { x, _, _ in _ = x.topK(4) },
    Mistake("topK") { x, _, _ in _ = x.topK(-1) },
    Mistake("topK") { x, _, _ in _ = x.sum().topK(1) },
  ]

  private static let pairs: [Mistake] = [
    Mistake("matmul") { x, _, _ in _ = x.sum().matmul(x) },
    Mistake("matmul") { x, _, _ in _ = x.matmul(x.sum()) },
    Mistake("matmul") { x, _, _ in _ = x[0].matmul(x) },
    Mistake("matmul") { x, _, _ in _ = x.matmul(x[.all, 0]) },
    Mistake("matmul") { _, _, _ in _ = Tensor.zeros([2, 3, 4]).matmul(.zeros([3, 4, 5])) },
    Mistake("outer") { x, _, _ in _ = x.outer(x) },
    Mistake("bitAnd") { x, _, _ in _ = x.bitAnd(x) },
    Mistake("bitOr") { x, _, _ in _ = x.bitOr(x) },
    Mistake("bitXor") { x, _, _ in _ = x.bitXor(x) },
    Mistake("bitNot") { x, _, _ in _ = x.bitNot() },
    Mistake("shiftedLeft") { x, _, _ in _ = x.shiftedLeft(by: x) },
    Mistake("shiftedRight") { x, _, _ in _ = x.shiftedRight(by: x) },
    Mistake("select") { x, _, _ in _ = x.select(x, .zeros([2])) },
    Mistake("replacing") { x, _, _ in _ = x.replacing(where: x .> 0, with: .zeros([2])) },
    Mistake("replacing") { x, _, _ in _ = x.replacing(where: .zeros([2], dtype: .bool), with: 1) },
    Mistake("replacing") { x, _, _ in _ = x[0..<1].replacing(where: .zeros([2, 3], dtype: .bool), with: 1) },
    Mistake("replacing") { x, _, _ in _ = x[0..<1].replacing(where: x[0..<1] .> 0, with: x) },
    Mistake("compressed") { x, _, _ in _ = try? x.compressed(by: .zeros([3], dtype: .bool)) },
    Mistake("gathering") { x, _, _ in _ = x.gathering(x, axis: 0) },
    Mistake("gathering") { x, _, _ in _ = x.gathering([true], axis: 0) },
    Mistake("gathering") { x, _, _ in _ = x.gathering([0], axis: 2) },
    Mistake("gathering") { x, _, _ in _ = x.sum().gathering([0], axis: 0) },
    Mistake("gathering") { _, deep, _ in _ = deep.gathering([[0]], axis: 0) },
    Mistake("takingAlong") { x, _, _ in _ = x.takingAlong([0], axis: 0) },
    Mistake("takingAlong") { x, _, _ in _ = x.takingAlong([[0, 0, 0, 0]], axis: 0) },
    Mistake("takingAlong") { x, _, _ in _ = x.takingAlong([0], axis: 2) },
    Mistake("takingAlong") { x, _, _ in _ = x.takingAlong(x, axis: 0) },
    Mistake("takingAlong") { x, _, _ in _ = x.sum().takingAlong([0], axis: 0) },
    Mistake("scatterAdding") { x, _, _ in _ = x.scatterAdding(x[0], at: [0, 1, 0], axis: 0) },
    Mistake("scatterAdding") { x, _, _ in _ = x.scatterAdding(x[0..<1], at: [[0, 0, 0]], axis: 1) },
    Mistake("scatterAdding") { x, _, _ in _ = x.scatterAdding(x, at: [[0, 0, 0]], axis: 0) },
    Mistake("scatterAdding") { x, _, _ in _ = x.scatterAdding(x, at: x, axis: 0) },
    Mistake("indexAdding") { x, _, _ in _ = x.indexAdding(.zeros([2, 2]), at: [0, 1]) },
    Mistake("indexAdding") { x, _, _ in _ = x.indexAdding(x, at: [0, 1], axis: 2) },
    Mistake("indexAdding") { x, _, _ in _ = x.indexAdding(x, at: x) },
    Mistake("segmentSum") { x, _, _ in _ = x.segmentSum(x[.all, 0], count: 2) },
    Mistake("segmentSum") { x, _, _ in _ = x.segmentSum([0, 0, 1], count: 2) },
    Mistake("einsum") { _, _, _ in _ = Tensor.einsum("", []) },
    Mistake("einsum") { x, _, _ in _ = Tensor.einsum("ij->->ij", [x]) },
    Mistake("einsum") { x, _, _ in _ = Tensor.einsum("i1", [x]) },
    Mistake("einsum") { x, _, _ in _ = Tensor.einsum("i", [x]) },
    Mistake("einsum") { x, _, _ in _ = Tensor.einsum("ijk...", [x]) },
    Mistake("einsum") { x, _, _ in _ = Tensor.einsum("ii", [x]) },
    Mistake("einsum") { x, deep, _ in _ = Tensor.einsum("abcdefgh,ij->abcdefghij", [deep, x]) },
    Mistake("gradients") { x, _, _ in _ = gradients(of: x * 2, withRespectTo: [x], seed: .zeros([2])) },
    Mistake("withGradient") { x, _, _ in
      _ = gradients(of: withGradient([x], { _, _, _ in [] }, function: { $0[0] * 2 }), withRespectTo: [x])
    },
    Mistake("withGradient") { x, _, _ in
      _ = gradients(of: withGradient([x], { _, _, _ in [.zeros([5])] }, function: { $0[0] * 2 }), withRespectTo: [x])
    },
    Mistake("loop") { x, _, _ in _ = loop(over: [], carrying: [x]) { ($0, $1) } },
    Mistake("scalar") { x, _, _ in _ = try? x.scalar() },
    Mistake("array") { x, _, _ in _ = try? x.startReading().array(of: Int.self) },
  ]

  private static let operators: [Mistake] = [
    Mistake("+") { x, _, _ in _ = x + Tensor.zeros([2]) },
    Mistake("-") { x, _, _ in _ = x - Tensor.zeros([2]) },
    Mistake("*") { x, _, _ in _ = x * Tensor.zeros([2]) },
    Mistake("/") { x, _, _ in _ = x / Tensor.zeros([2]) },
    Mistake(".==") { x, _, _ in _ = x .== Tensor.zeros([2]) },
    Mistake(".!=") { x, _, _ in _ = x .!= Tensor.zeros([2]) },
    Mistake(".<") { x, _, _ in _ = x .< Tensor.zeros([2]) },
    Mistake(".<=") { x, _, _ in _ = x .<= Tensor.zeros([2]) },
    Mistake(".>") { x, _, _ in _ = x .> Tensor.zeros([2]) },
    Mistake(".>=") { x, _, _ in _ = x .>= Tensor.zeros([2]) },
    Mistake("power") { x, _, _ in _ = x.power(Tensor.zeros([2])) },
    Mistake("atan2") { x, _, _ in _ = x.atan2(Tensor.zeros([2])) },
    Mistake("remainder") { x, _, _ in _ = x.remainder(Tensor.zeros([2])) },
    Mistake("fmod") { x, _, _ in _ = x.fmod(Tensor.zeros([2])) },
    Mistake("floorDivided") { x, _, _ in _ = x.floorDivided(by: Tensor.zeros([2])) },
    Mistake("minimum") { x, _, _ in _ = x.minimum(Tensor.zeros([2])) },
    Mistake("maximum") { x, _, _ in _ = x.maximum(Tensor.zeros([2])) },
    Mistake("logicalAnd") { x, _, _ in _ = x.logicalAnd(.zeros([2])) },
    Mistake("logicalOr") { x, _, _ in _ = x.logicalOr(.zeros([2])) },
    Mistake("logicalXor") { x, _, _ in _ = x.logicalXor(.zeros([2])) },
    Mistake("prelu") { x, _, _ in _ = x.prelu(slope: .zeros([2])) },
    Mistake("hypot") { x, _, _ in _ = x.hypot(Tensor.zeros([2])) },
    Mistake("copySign") { x, _, _ in _ = x.copySign(Tensor.zeros([2])) },
    Mistake("lerp") { x, _, _ in _ = x.lerp(to: x, Tensor.zeros([2])) },
    Mistake("logAddExp") { x, _, _ in _ = x.logAddExp(.zeros([2])) },
    Mistake("isClose") { x, _, _ in _ = x.isClose(to: .zeros([2])) },
    Mistake("glu") { x, _, _ in _ = x.glu(axis: 1) },
    Mistake("glu") { x, _, _ in _ = x.glu(axis: 2) },
  ]

  /// A wrong assignment to a part of a tensor is an error of `subscript`, and a wrong call of `replacing` an error of
  /// `replacing`.
  private static let parts: [Mistake] = [
    Mistake("subscript") { x, _, _ in
      var y = x
      y[0] = Tensor.zeros([2])
      _ = y
    },
    Mistake("subscript") { x, _, _ in
      var y = x
      y[2] = Tensor.zeros([3])
      _ = y
    },
    Mistake("subscript") { x, _, _ in
      var y = x
      y[[0, 1]] = Tensor.zeros([2])
      _ = y
    },
    Mistake("subscript") { x, _, _ in
      var y = x
      y[x .> 0] = Tensor.zeros([2])
      _ = y
    },
    Mistake("subscript") { x, _, _ in
      var y = x[0..<1]
      y[x .> 0] = 1
      _ = y
    },
    Mistake("replacing") { x, _, _ in _ = x.replacing(2, with: .zeros([3])) },
    Mistake("replacing") { x, _, _ in _ = x.replacing([0, 1], with: .zeros([2])) },
  ]

  private static let windows: [Mistake] = [
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), stride: [0]) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), stride: []) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), dilation: [-1]) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), dilation: [.max]) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), padding: [(-1, 0)]) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), padding: [(.max, .max)]) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), groups: 0) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), groups: .max) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([3, 2, 3, 3]), groups: 2) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 0, 3])) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 6, 3])) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3])) },
    Mistake("convolved") { _, _, image in
      _ = image.convolved(with: .zeros([2, 4, 1, 1]), padding: [(Int(Int32.max), Int(Int32.max))])
    },
    Mistake("transposeConvolved") { _, _, image in
      _ = image.transposeConvolved(with: .zeros([4, 2, 3, 3]), stride: [0])
    },
    Mistake("transposeConvolved") { _, _, image in
      _ = image.transposeConvolved(with: .zeros([4, 2, 3, 3]), stride: [.max])
    },
    Mistake("transposeConvolved") { _, _, image in
      _ = image.transposeConvolved(with: .zeros([4, 2, 3, 3]), outputPadding: [1])
    },
    Mistake("transposeConvolved") { _, _, image in
      _ = image.transposeConvolved(with: .zeros([4, 2, 3, 3]), outputPadding: [.max])
    },
    Mistake("transposeConvolved") { _, _, image in _ = image.transposeConvolved(with: .zeros([3, 2, 3, 3])) },
    Mistake("transposeConvolved") { _, _, image in _ = image.transposeConvolved(with: .zeros([4, 2, 3, 3]), groups: 0)
    },
    Mistake("transposeConvolved") { _, _, image in _ = image.transposeConvolved(with: .zeros([4, 2, 0, 3])) },
    Mistake("transposeConvolved") { x, _, _ in _ = x.transposeConvolved(with: x) },
    Mistake("convolved") { _, _, image in _ = image.convolved(with: .zeros([2, 4, 3, 3]), bias: .zeros([3])) },
    Mistake("transposeConvolved") { _, _, image in
      _ = image.transposeConvolved(with: .zeros([4, 2, 3, 3]), bias: .zeros([3]))
    },
    Mistake("maxPooled") { _, deep, _ in _ = deep.maxPooled(Array(repeating: 1, count: 7)) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([0]) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([]) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([-1]) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([.max]) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([2], stride: [0]) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([2], padding: [(2, 0)]) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([2], padding: [(.max, 0)]) },
    Mistake("maxPooled") { _, _, image in _ = image.maxPooled([2], dilation: [0]) },
    Mistake("averagePooled") { _, _, image in _ = image.averagePooled([6]) },
    Mistake("averagePooled") { x, _, _ in _ = x.averagePooled([1, 1]) },
    Mistake("adaptiveAveragePooled") { _, _, image in _ = image.adaptiveAveragePooled([]) },
    Mistake("adaptiveAveragePooled") { _, _, image in _ = image.adaptiveAveragePooled([-1]) },
    Mistake("adaptiveMaxPooled") { _, _, image in _ = image.adaptiveMaxPooled([0, 1]) },
    Mistake("adaptiveMaxPooled") { _, _, image in _ = image.adaptiveMaxPooled([.max]) },
    Mistake("resized") { _, _, image in _ = image.resized(to: [0, 1]) },
    Mistake("resized") { _, _, image in _ = image.resized(to: [.max, .max]) },
    Mistake("resized") { x, _, _ in _ = x.resized(to: []) },
  ]

  private static let all = creation + random + layouts + reductions + pairs + operators + parts + windows

  @Test(arguments: all.indices) func namesTheOperation(index: Int) throws {
    let mistake = MistakeTests.all[index]
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let inputs = (Tensor.zeros([2, 3]), Tensor.zeros(Shape(repeating: 1, count: 8)), Tensor.zeros([1, 4, 5, 5]))
      let error = #expect(throws: ShapeError.self, "\(mistake.operation), mistake \(index)") {
        try checkingShapes { mistake.make(inputs.0, inputs.1, inputs.2) }
      }
      #expect(error?.operation == mistake.operation, "\(error.map(String.init(describing:)) ?? "")")
    }
  }

  /// The names above are those that users write: public methods, functions and operators, `subscript`, and `Tensor` for
  /// its initializers.
  @Test func namesAreThoseOfMethods() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/ApusTensor")
    let name = /public (?:static )?func (\.[<>=!]+|\S+?)[\s(<]/
    var written: Set<String> = ["subscript", "Tensor"]
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path()) where path.hasSuffix(".swift") {
      let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
      written.formUnion(text.matches(of: name).map { String($0.1) })
    }
    #expect(written.count > 150)
    #expect(Set(MistakeTests.all.map(\.operation)).subtracting(written).sorted() == [])
  }

  /// Builds every operation on inputs of random shapes, which often do not fit. After the first mistake, building the
  /// graph continues and does not stop the process.
  @Test func buildingContinuesAfterAMistake() throws {
    var random = SplitMix64(state: 11)
    func shape() -> Shape {
      Shape((0..<Int.random(in: 0...4, using: &random)).map { _ in Int.random(in: 0...3, using: &random) })
    }
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      var refused = 0
      // The case of `split` reads the first extent of its input, which may have no axes here.
      for operation in OpCase.all where operation.name != "split" {
        for _ in 0..<40 {
          let inputs = operation.inputs.map { values -> Tensor in
            switch values {
            case .numbers, .wholeNumbers: .zeros(shape())
            case .indices: .zeros(shape(), dtype: .int64)
            case .truth: .zeros(shape(), dtype: .bool)
            }
          }
          do {
            _ = try checkingShapes { () -> [Tensor] in
              let result = operation.apply(inputs)
              return gradients(of: result, withRespectTo: inputs)
            }
          } catch is ShapeError {
            refused += 1
          }
        }
      }
      #expect(refused > 1000)
    }
  }

  @Test func validCallsAreNoErrors() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor.range(to: 6).reshaped(to: [2, -1])
      #expect(
        x.shape == [2, 3] && x.reshaped(to: [-1]).shape == [6] && x[0..<0].reshaped(to: [-1, 3]).shape == [0, 3])
      #expect(x.flattened(from: -1).shape == [2, 3] && x.flattened(from: 2).shape == [2, 3, 1])
      #expect(x.sum().flattened().shape == [1])
      #expect(try Tensor.indices([2, 2], axis: -1).array(of: Int.self) == [0, 1, 0, 1])
      #expect(try x[0, 0...Int.max].array(of: Int.self) == [0, 1, 2])
      #expect(try x[1, .range(step: .min)].array(of: Int.self) == [5])
      #expect(try x[1, .range(step: .max)].array(of: Int.self) == [3])
      #expect(try x.rolled(by: [.min, .max], axes: [0, 1]).array(of: Int.self) == [2, 0, 1, 5, 3, 4])
      #expect(x.diagonal(offset: .max).shape == [0] && x.diagonal(offset: .min).shape == [0])
      #expect(try x.slice(axis: 1, from: 2, count: 1, step: .max).array(of: Int.self) == [2, 5])
      #expect(try x.padded(by: [(0, 0), (1, 0)], value: .infinity)[0, 0].array(of: Int.self) == [.max])
      #expect(try (x[0, 0] + .infinity).scalar() == .infinity)
      #expect(try (Tensor(repeating: 300, shape: [], dtype: .uint8) .> 100).scalar() == 0)
      #expect(try Tensor(repeating: 2.5, shape: [], dtype: .bool).array(of: Int.self) == [1])
      let (a, b) = (Tensor.zeros([2, 3, 0]), Tensor.zeros([0, 4]))
      #expect(gradients(of: a.matmul(b), withRespectTo: [b])[0].shape == [0, 4])
    }
  }
}
