import Apus
import ApusTestSupport
import Testing

@testable import ApusTraining

/// Runs that replace the values of the model by their moving average every four steps.
@Suite struct LookaheadRunTests {
  private var run: SmallRun {
    var run = SmallRun()
    run.options.lookahead = Lookahead(every: 4, decay: 0.9, power: 2)
    return run
  }

  /// After every fourth of 18 steps, updates an average and assigns it to the model. After the last step, only assigns
  /// it.
  private final class Averager: TrainingObserver {
    private let model: any Module
    private var average: LookaheadAverage?

    init(_ model: any Module) { self.model = model }

    func didStart(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest {
      do throws(DeviceError) { average = try LookaheadAverage(of: model) } catch { throw .device(error) }
      return .continue
    }

    func didStep(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest {
      let part = Double(progress.step) / 18
      guard progress.step % 4 == 0 || progress.step == 18 else { return .continue }
      let decay = progress.step == 18 ? 1 : 0.9 * 0.9 * 0.9 * 0.9 * part * part
      do throws(DeviceError) { try average?.update(decay: decay) } catch { throw .device(error) }
      return .continue
    }
  }

  @Test func valuesAreReplacedDuringTheRun() throws {
    let found = try withDevice(run.device) { try run.trainer().run() }
    let expected = try withDevice(run.device) {
      let (plain, points) = (SmallRun(), try Points(count: 43))
      let model = plain.model()
      return try Trainer(
        model, Adam(learningRate: 0.02), on: points, testing: points, observers: [Averager(model)], plain.options
      ).run()
    }
    let other = try withDevice(run.device) { try SmallRun().trainer().run() }
    #expect(found.results.test?.accuracy == expected.results.test?.accuracy)
    #expect(abs(found.testLoss! - expected.testLoss!) < 1e-5 && abs(found.testLoss! - other.testLoss!) > 1e-5)
  }

  /// A run that is stopped between two updates of the average and resumed ends with the same bits.
  @Test func averagesAreResumed() throws {
    let whole = try run.inDirectory { run, _ in try run.trainer().run() }
    try run.inDirectory { run, path in
      try run.trainer().stop(after: 10)
      let rest = try run.trainer()
      try rest.resume { Issue.record("\($0)") }
      #expect(try rest.run().weightsSHA256 == whole.weightsSHA256)
      // A trainer without a lookahead refuses the checkpoint, because it contains averages.
      var other = run
      other.options.lookahead = nil
      let plain = try other.trainer()
      let error = #expect(throws: TrainingError.self) { try plain.resume { _ in } }
      #expect(error?.description.contains("the state belongs to another optimizer") == true, "\(error!)")
    }
  }
}
