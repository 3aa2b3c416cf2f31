import ApusDevice
import ApusSystem

/// A user-defined operation: calls the operation's host function on ranges of items (independent parts of the
/// computation, like the work-items of a GPU kernel). The split into ranges depends only on the shapes.
final class CustomStep: CPUStep {
  private let step: Custom
  private let host: @Sendable (CustomItems) -> Void
  private let values: [Plan.Value]
  private let grain: Int

  init(_ step: Custom, _ builder: StepBuilder) throws(DeviceError) {
    guard let host = step.kernel.host else {
      throw .unsupported(device: "cpu", feature: "\(step.kernel.name), which has no host function")
    }
    self.step = step
    self.host = host
    values = builder.plan.values
    let elements = (step.inputs + step.results).reduce(0) { $0 + builder.plan.values[$1].elementCount }
    let tasks = max(1, min(step.count, elements / 4096, 64))
    grain = ceilDivide(step.count, tasks)
  }

  func run(_ context: borrowing RunContext) {
    guard step.count > 0 else { return }
    let arrays = (step.inputs + step.results).map { value in
      CustomItems.Array(
        pointer: context.address(value), dtype: values[value].dtype, count: values[value].elementCount)
    }
    let (inputs, results) = (Array(arrays.prefix(step.inputs.count)), Array(arrays.dropFirst(step.inputs.count)))
    context.pool.run(ceilDivide(step.count, grain)) { task, _ in
      host(
        CustomItems(
          name: step.kernel.name, range: blockRange(task, size: grain, count: step.count), sizes: step.sizes,
          inputs: inputs, results: results))
    }
  }
}
