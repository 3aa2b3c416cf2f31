/// The names that `optimizerRule` takes.
public let optimizerNames = ["sgd", "momentum", "nesterov", "adam", "adamw"]

/// The formula of an optimizer by its name: `sgd`, `momentum` and `nesterov` (both 0.9), `adam`, `adamw`.
public func optimizerRule(
  _ name: String, learningRate: Double, weightDecay: Double = 0
) throws(OptimizerError) -> any UpdateRule {
  switch name {
  case "sgd": return SGD(learningRate: learningRate, weightDecay: weightDecay)
  case "momentum": return SGD(learningRate: learningRate, momentum: 0.9, weightDecay: weightDecay)
  case "nesterov":
    return SGD(learningRate: learningRate, momentum: 0.9, isNesterov: true, weightDecay: weightDecay)
  case "adam": return Adam(learningRate: learningRate, weightDecay: weightDecay)
  case "adamw": return Adam(learningRate: learningRate, weightDecay: weightDecay, isDecoupled: true)
  default: throw .unknownOptimizer(name)
  }
}

/// The names that `learningRateSchedule` takes.
public let scheduleNames = ["constant", "cosine"]

/// A schedule by its name: `constant`, `cosine`.
public func learningRateSchedule(
  _ name: String, warmup: Int = 0
) throws(OptimizerError) -> any Schedule {
  switch name {
  case "constant": return ConstantSchedule()
  case "cosine": return CosineSchedule(warmup: warmup)
  default: throw .unknownSchedule(name)
  }
}

/// A name that no optimizer or schedule has.
public enum OptimizerError: Error, Hashable, Sendable {
  case unknownOptimizer(String)
  case unknownSchedule(String)
}

extension OptimizerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownOptimizer(let name):
      return "unknown optimizer \"\(name)\"; known are \(optimizerNames.joined(separator: ", "))"
    case .unknownSchedule(let name):
      return "unknown schedule \"\(name)\"; known are \(scheduleNames.joined(separator: ", "))"
    }
  }
}
