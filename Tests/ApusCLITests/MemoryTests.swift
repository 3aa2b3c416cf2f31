import ApusTestSupport
import Foundation
import Testing

/// The memory that training needs, and the runs that are refused because of it.
@Suite struct MemoryTests {
  /// No machine has memory for a batch of ten million images. The command only plans its memory and allocates none.
  @Test(arguments: ["cpu", "opencl"]) func aSummaryRefusesABatchThatCannotFit(_ device: String) throws {
    let words = ["summary", "resnet18", "--device", device, "--json"]
    let run = try Invocation(words + ["--batch-size", "10000000"])
    #expect(run.status == 1, "\(run.errors)")
    let fitting = try #require(try run.member("fitting_batch_size", as: Int.self))
    #expect(fitting > 0 && fitting < 1_000_000)
    #expect(
      run.errors.contains("training at batch size 10000000 needs") && run.errors.contains("batch size \(fitting) fits"),
      "\(run.errors)")
    #expect(run.errors.contains("--batch-size \(fitting)"), "\(run.errors)")
    #expect(try run.member("fits", as: Bool.self) == false)
    // Other processes may have taken some memory meanwhile, so only half of the fitting batch size is required to fit.
    let half = try Invocation(words + ["--batch-size", "\(max(1, fitting / 2))"])
    #expect(half.status == 0, "\(half.errors)")
    #expect(try half.member("fits", as: Bool.self) == true)
  }

  @Test func aSummaryStatesTheMemoryOfTraining() throws {
    let text = try Invocation("summary", "lenet5", "--device", "cpu")
    #expect(
      text.output.contains(/training on cpu: \d+\.\d MiB at batch size 128: \d+\.\d KiB model, \d+\.\d KiB optimizer,/),
      "\(text.output)\(text.errors)")
    let (adam, sgd) = (
      try Invocation("summary", "mlp", "--device", "cpu", "--optimizer", "adam", "--batch-size", "16", "--json"),
      try Invocation("summary", "mlp", "--device", "cpu", "--optimizer", "sgd", "--batch-size", "16", "--json")
    )
    let parameters = try #require(try adam.member("parameters", as: Int.self))
    #expect(try adam.member("optimizer_bytes", as: Int.self) == 8 * parameters)
    #expect(try sgd.member("optimizer_bytes", as: Int.self) == 0 && sgd.member("batch_size") == 16)
    #expect(try Invocation("summary", "mlp", "--batch-size", "full").status == 64)
  }

  /// The run is refused before the command builds the model or computes image statistics. It leaves no files behind.
  @Test func aRunThatCannotFitIsRefused() throws {
    let scratch = try ScratchDirectory()
    let images = try TinyImages(trainCount: 3000, testCount: 10)
    let layers = String(repeating: "conv 512 3x3 pad 1, relu, ", count: 60) + "flatten, dense 10"
    let words = ["train", "--layers", layers, "--data", images.source, "--optimizer", "sgd", "--device", "cpu"]
    let start = ContinuousClock.now
    let run = try Invocation(words + ["--batch-size", "full", "--output", scratch.file("run")])
    #expect(run.status == 1, "\(run.errors)")
    #expect(run.errors.contains("needs") && run.errors.contains(", but "), "\(run.errors)")
    #expect(ContinuousClock.now - start < .seconds(60))
    #expect(!FileManager.default.fileExists(atPath: scratch.file("run")))
    let fits = try Invocation(
      "train", "mlp", "--data", images.source, "--steps", "1", "--output", scratch.file("small"))
    #expect(fits.status == 0 && fits.errors.contains(/training takes \d.* at batch size 128:/), "\(fits.errors)")
  }
}
