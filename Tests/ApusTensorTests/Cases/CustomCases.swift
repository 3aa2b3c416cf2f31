import Apus
import ApusTestSupport
import Foundation

extension CustomOperation {
  /// `30 · tanh(x / 30)` in one pass, in `float32` or `float64`.
  static let softCap = CustomOperation(
    "softCap", inputs: ["x"], results: ["y"], elementTypes: [.float32, .float64],
    types: { inputs throws(ShapeError) in [inputs[0]] },
    text: "y[i] = 30 * tanh(x[i] / 30);",
    host: { items in
      if items.inputs[0].dtype == .float64 {
        let (x, y) = (items.input(0, of: Double.self), items.result(0, of: Double.self))
        for i in items.range { y[i] = 30 * tanh(x[i] / 30) }
      } else {
        let (x, y) = (items.input(0, of: Float.self), items.result(0, of: Float.self))
        for i in items.range { y[i] = 30 * tanhf(x[i] / 30) }
      }
    },
    gradient: { gradients, _, results in [gradients[0]! * (1 - (results[0] / 30).squared())] })

  /// Two results for `x: [rows, columns]` and `w: [columns]`: `sum[i]`, the sum of row `i` of `x`, and
  /// `y[i, j] = x[i, j] · w[j] − sum[i]`. Item `i` of the operation computes row `i`.
  static let weighing = CustomOperation(
    "weighing", inputs: ["x", "w"], results: ["sum", "y"],
    types: { inputs throws(ShapeError) in
      let (x, w) = (inputs[0], inputs[1])
      guard x.shape.rank == 2, w.shape == [x.shape[1]] else {
        throw ShapeError("weighing", "\(x.shape) and \(w.shape) are not [rows, columns] and [columns]")
      }
      return [TensorType([x.shape[0]], x.dtype), x]
    },
    sizes: ["columns": { $0[0][1] }], items: { $0[0][0] },
    text: """
      REAL total = 0;
      for (int j = 0; j < columns; j += 1) total += x[i * columns + j];
      sum[i] = total;
      for (int j = 0; j < columns; j += 1) {
        const REAL share = x[i * columns + j] * w[j];
        y[i * columns + j] = share - total;
      }
      """,
    host: { items in
      let columns = items.sizes[0]
      let (x, w) = (items.input(0, of: Float.self), items.input(1, of: Float.self))
      let (sum, y) = (items.result(0, of: Float.self), items.result(1, of: Float.self))
      for i in items.range {
        sum[i] = (0..<columns).reduce(0) { $0 + x[i * columns + $1] }
        for j in 0..<columns { y[i * columns + j] = x[i * columns + j] * w[j] - sum[i] }
      }
    },
    gradient: { gradients, inputs, _ in
      let (x, w) = (inputs[0], inputs[1])
      let ofSum = gradients[0] ?? Tensor.zeros([x.shape[0]])
      let ofY = gradients[1] ?? Tensor.zeros(x.shape)
      return [ofY * w + (ofSum - ofY.sum(axis: 1)).expandingAxis(at: 1), (ofY * x).sum(axis: 0)]
    })
}

extension OpCase {
  static let customOperations: [OpCase] = [
    OpCase(
      "callAsFunction(softCap)", inputs: [.numbers(-90...90)], shapes: [[[3, 5]], [[0]], [[1]], [[40, 1000]]],
      dtypes: [.float32, .float64], tolerance: .composed(steps: 4), apply: { CustomOperation.softCap($0)[0] },
      reference: { x in x[0].map { 30 * tanh($0 / 30) } })
  ]
}
