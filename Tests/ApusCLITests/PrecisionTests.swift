import ApusTestSupport
import Foundation
import Testing

/// Runs in mixed precision and with TF32, and runs that diverge.
struct PrecisionTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  private func train(_ words: [String], as name: String = "run") throws -> Invocation {
    try Invocation(
      ["train", "--data", images.source, "--device", "cpu", "--json", "--output", scratch.file(name)] + words)
  }

  @Test func mixedRunsLearnAndResumeWithTheSameBits() throws {
    let words = ["lenet5", "--precision", "mixed", "--batch-size", "32"]
    let whole = try train(words + ["--steps", "40"], as: "whole")
    #expect(whole.status == 0, "\(whole.errors)")
    let plain = try train(["lenet5", "--batch-size", "32", "--steps", "40"], as: "plain")
    let notice = "cpu computes the products of --precision mixed as float32 products, which saves no time"
    #expect(whole.errors.contains(notice) && !plain.errors.contains(notice), "\(whole.errors)")
    let (found, expected) = try (whole.member("test_accuracy") as Double?, plain.member("test_accuracy") as Double?)
    #expect(try abs(#require(found) - #require(expected)) < 0.1)
    #expect(try train(words + ["--steps", "9"]).status == 0)
    let rest = try Invocation("train", "--resume", scratch.file("run"), "--steps", "40", "--json")
    #expect(try rest.member("weights_sha256") as String? == whole.member("weights_sha256"))
    #expect(try plain.member("weights_sha256") as String? != whole.member("weights_sha256"))
    let other16 = ["lenet5", "--precision", "mixed-bfloat16", "--batch-size", "32", "--steps", "40"]
    let narrow = try train(other16, as: "narrow")
    #expect(try abs(#require(narrow.member("test_accuracy") as Double?) - #require(expected)) < 0.1, "\(narrow.errors)")
    let other = try Invocation("train", "--resume", scratch.file("run"), "--precision", "float32", "--json")
    #expect(other.status == 65 && other.errors.contains("its precision is \"mixed\", not unset"), "\(other.errors)")
  }

  /// On devices without matrix units, runs with TF32 have the bits of runs in `float32`.
  @Test(arguments: ["tf32", "tf32x3"]) func tf32RunsHaveTheBitsOfFloat32OnCPUs(precision: String) throws {
    let words = ["lenet5", "--batch-size", "32", "--steps", "5"]
    let run = try train(words + ["--precision", precision])
    #expect(run.status == 0 && run.errors.contains("products of --precision \(precision) as float32"), "\(run.errors)")
    let plain = try train(words, as: "plain")
    #expect(try run.member("weights_sha256") as String? == plain.member("weights_sha256"))
  }

  /// Misspelt precisions are refused.
  @Test func unknownPrecisionsAreRefused() throws {
    let half = try train(["mlp", "--precision", "mixd"])
    #expect(half.status == 64 && half.errors.contains("did you mean mixed?"), "\(half.errors)")
  }

  /// A diverging run ends with a message. The checkpoint before the divergence is complete, and the run can resume from
  /// it.
  @Test func brokenRunsStopAndAreKept() throws {
    let words = [
      "mlp", "--optimizer", "sgd", "--learning-rate", "1e30", "--steps", "20", "--batch-size", "32", "--save-every",
      "0.000001",
    ]
    let plain = try train(words)
    #expect(plain.status == 1 && plain.output.isEmpty, "\(plain.output)")
    #expect(plain.errors.contains("at step 2; anomaly detection names the operation"), "\(plain.errors)")
    let checkpoints = try FileManager.default.contentsOfDirectory(atPath: scratch.file("run/checkpoints"))
    #expect(checkpoints.sorted() == ["step-000000000", "step-000000001"])
    let again = try Invocation("train", "--resume", scratch.file("run"), "--json")
    #expect(again.status == 1 && again.errors.contains("at step 2;"), "\(again.errors)")
    let short = try Invocation("train", "--resume", scratch.file("run"), "--steps", "1", "--json")
    #expect(short.status == 0, "\(short.errors)")
    let named = try train(words + ["--detect-anomaly"], as: "named")
    #expect(named.status == 1, "\(named.errors)")
    #expect(named.errors.contains("step 2: ") && named.errors.contains("matmul gives "), "\(named.errors)")
    #expect(named.errors.contains("(Linear); from float32 ["), "\(named.errors)")
  }
}
