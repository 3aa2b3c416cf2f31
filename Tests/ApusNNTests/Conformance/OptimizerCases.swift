import Apus

/// A case of the fixture `optimizers`: an update rule, parameter groups and gradient clipping.
struct OptimizerCase: Sendable {
  let name: String
  let rule: any UpdateRule
  var groups: @Sendable (any Module) -> [ParameterGroup] = { _ in [] }
  var clip: @Sendable (Gradients) -> Gradients = { $0 }

  init(
    _ name: String, _ rule: any UpdateRule, groups: @escaping @Sendable (any Module) -> [ParameterGroup] = { _ in [] },
    clip: @escaping @Sendable (Gradients) -> Gradients = { $0 }
  ) {
    self.name = name
    self.rule = rule
    self.groups = groups
    self.clip = clip
  }

  /// All cases, with the names and settings of `Tests/Conformance/optimizers.py`, which writes the fixture.
  static let all = gradientDescent + adam + adaptive + others

  private static let gradientDescent = [
    OptimizerCase("sgd", SGD(learningRate: 0.1)),
    OptimizerCase("sgd-decay", SGD(learningRate: 0.1, weightDecay: 0.01)),
    OptimizerCase("momentum", SGD(learningRate: 0.05, momentum: 0.9)),
    OptimizerCase("momentum-dampening", SGD(learningRate: 0.1, momentum: 0.8, dampening: 0.3, weightDecay: 0.01)),
    OptimizerCase("nesterov", SGD(learningRate: 0.05, momentum: 0.9, isNesterov: true, weightDecay: 0.01)),
    OptimizerCase("nesterov-look-ahead", NesterovLookAhead(learningRate: 0.05, momentum: 0.9)),
    OptimizerCase("averaged-momentum", AveragedMomentum(learningRate: 0.1, momentum: 0.9, weightDecay: 0.01)),
    OptimizerCase("sgd-clipped", SGD(learningRate: 0.1), clip: { $0.clipped(toNorm: 0.5) }),
    OptimizerCase("sgd-clipped-value", SGD(learningRate: 0.1), clip: { $0.clipped(toValue: 0.02) }),
  ]

  private static let adam = [
    OptimizerCase("adam", Adam(learningRate: 0.01)),
    OptimizerCase("adam-decay", Adam(learningRate: 0.01, beta1: 0.8, beta2: 0.99, weightDecay: 0.1)),
    OptimizerCase("adamw", Adam(learningRate: 0.01, weightDecay: 0.1, isDecoupled: true)),
    OptimizerCase("adam-amsgrad", Adam(learningRate: 0.01, beta1: 0.8, beta2: 0.9, isAMSGrad: true)),
    OptimizerCase(
      "adamw-amsgrad",
      Adam(learningRate: 0.01, beta1: 0.8, beta2: 0.9, weightDecay: 0.01, isDecoupled: true, isAMSGrad: true)),
    OptimizerCase("adamax", Adamax(learningRate: 0.01)),
    OptimizerCase("adamax-decay", Adamax(learningRate: 0.01, beta1: 0.8, beta2: 0.9, weightDecay: 0.1)),
    OptimizerCase("nadam", NAdam(learningRate: 0.01)),
    OptimizerCase(
      "nadam-decay", NAdam(learningRate: 0.01, beta1: 0.8, beta2: 0.9, momentumDecay: 0.1, weightDecay: 0.1)),
    OptimizerCase("nadamw", NAdam(learningRate: 0.01, weightDecay: 0.1, isDecoupled: true)),
    OptimizerCase("lamb", LAMB(learningRate: 0.01, beta1: 0.9, beta2: 0.99, weightDecay: 0.01)),
  ]

  private static let adaptive = [
    OptimizerCase("adagrad", AdaGrad(learningRate: 0.05)),
    OptimizerCase(
      "adagrad-decay", AdaGrad(learningRate: 0.05, rateDecay: 0.1, initialAccumulator: 0.1, weightDecay: 0.01)),
    OptimizerCase("rmsprop", RMSProp(learningRate: 0.01, epsilon: 1e-3)),
    OptimizerCase(
      "rmsprop-centered",
      RMSProp(learningRate: 0.01, alpha: 0.9, epsilon: 1e-3, momentum: 0.9, isCentered: true, weightDecay: 0.01)),
    OptimizerCase(
      "rmsprop-inside-root", RMSProp(learningRate: 0.01, alpha: 0.9, epsilon: 1e-3, addsEpsilonInsideRoot: true)),
    OptimizerCase("adadelta", AdaDelta()),
    OptimizerCase("adadelta-decay", AdaDelta(learningRate: 0.5, rho: 0.8, epsilon: 1e-4, weightDecay: 0.01)),
    OptimizerCase("rprop", Rprop(learningRate: 1e-4)),
    OptimizerCase(
      "rprop-limits", Rprop(learningRate: 2e-3, shrinkage: 0.4, growth: 1.5, smallestStep: 1e-3, largestStep: 4e-3)),
  ]

  private static let others = [
    OptimizerCase(
      "groups", Adam(learningRate: 0.01, weightDecay: 0.1, isDecoupled: true),
      groups: { model in [ParameterGroup([model.parameters[0]], learningRate: 0.001), .withoutDecay(of: model)] })
  ]
}
