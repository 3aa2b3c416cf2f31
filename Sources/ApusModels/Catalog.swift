import ApusData
import ApusNN
import ApusTensor

/// A model that can be named, with the way it is trained unless options say otherwise.
public struct ModelDescription: Sendable {
  public let name: String
  public let summary: String
  /// The extents of an example that the model is made for, without the batch.
  public let input: [Int]
  public let recipe: Recipe
  private let make: @Sendable (_ input: [Int], _ classes: Int) -> any ApusNN.Layer

  /// How a model is trained by default.
  public struct Recipe: Sendable {
    public var epochs: Int
    public var batchSize: Int
    public var rule: any UpdateRule
    public var schedule: any Schedule

    public init(
      epochs: Int = 5, batchSize: Int = 128, rule: any UpdateRule = Adam(learningRate: 1e-3),
      schedule: any Schedule = ConstantSchedule()
    ) {
      self.epochs = epochs
      self.batchSize = batchSize
      self.rule = rule
      self.schedule = schedule
    }
  }

  init(
    name: String, summary: String, input: [Int], recipe: Recipe = Recipe(),
    make: @escaping @Sendable (_ input: [Int], _ classes: Int) -> any ApusNN.Layer
  ) {
    self.name = name
    self.summary = summary
    self.input = input
    self.recipe = recipe
    self.make = make
  }

  /// The model for inputs of the given extents.
  /// - Throws: `ShapeError` when the model does not fit them.
  public func model(input: [Int], classes: Int) throws(ModelError) -> any ApusNN.Layer {
    guard input.count == self.input.count, input.allSatisfy({ $0 > 0 }), classes > 0,
      Shape(validating: [1] + input, dtype: .float32) != nil
    else {
      throw .misfit(model: name, reason: "inputs of \(input) and \(classes) classes are not possible")
    }
    let key = RandomSource.current.key
    do {
      // The first is made to be checked alone; it must not draw numbers twice.
      _ = try checkingShapes {
        withRandomKey(key) {
          let model = make(input, classes)
          return model.callAsFunction(Tensor.zeros(Shape([1] + input)))
        }
      }
    } catch {
      throw .misfit(model: name, reason: "it does not take inputs of \(input): \(error)")
    }
    return make(input, classes)
  }
}

extension ModelDescription {
  /// Every model, in the order in which they are listed.
  public static let all: [ModelDescription] = [
    ModelDescription(
      name: "mlp", summary: "784-256-128-10 perceptron", input: [1, 28, 28], make: mlp(input:classes:)),
    ModelDescription(
      name: "lenet5", summary: "LeNet-5, a small convolutional net", input: [1, 28, 28],
      make: lenet5(input:classes:)),
  ]

  /// The model of a name.
  public static func find(_ name: String) throws(ModelError) -> ModelDescription {
    guard let match = all.first(where: { $0.name == name }) else {
      throw .unknown(name, nearest: nearestMatch(to: name, in: all.map(\.name)), known: all.map(\.name))
    }
    return match
  }
}

/// What can be wrong with a model that is asked for.
public enum ModelError: Error, Hashable, Sendable {
  /// No model has the name.
  case unknown(String, nearest: String?, known: [String])
  /// The model does not fit what it is asked for.
  case misfit(model: String, reason: String)
}

extension ModelError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknown(let name, let nearest, let known):
      let hint = nearest.map { "; did you mean \($0)?" } ?? ""
      return "unknown model \"\(name)\"\(hint) (known are \(known.joined(separator: ", ")))"
    case .misfit(let model, let reason):
      return "model \(model): \(reason)"
    }
  }
}
