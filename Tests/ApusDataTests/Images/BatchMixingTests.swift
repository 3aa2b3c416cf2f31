import Glibc
import Testing

@testable import ApusData

struct BatchMixingTests {
  /// Beta(α, α) has mean ½, variance 1 / (4 (2α + 1)), fourth central moment 3 / (16 (2α + 1) (2α + 3)), and eighth
  /// central moment 105 / (256 (2α + 1) (2α + 3) (2α + 5) (2α + 7)).
  @Test(arguments: [0.05, 0.2, 0.5, 1, 1.5, 4, 30])
  func sharesAreBetaDistributed(alpha: Double) {
    var random = ImageRandom(seed: 7, epoch: 0, batch: 0)
    let count = 100_000
    let numbers = (0..<count).map { _ in random.beta(alpha) }
    #expect(numbers.allSatisfy { (0...1).contains($0) })
    func moment(_ power: Double) -> Double { numbers.reduce(0) { $0 + pow($1 - 0.5, power) } / Double(count) }
    let second = 1 / (4 * (2 * alpha + 1))
    let fourth = 3 / (16 * (2 * alpha + 1) * (2 * alpha + 3))
    let eighth = fourth * 35 / (16 * (2 * alpha + 5) * (2 * alpha + 7))
    // The tolerances are four standard deviations of the sample moments.
    let root = Double(count).squareRoot()
    #expect(abs(moment(1)) < 4 * second.squareRoot() / root, "\(moment(1))")
    #expect(abs(moment(2) - second) < 4 * (fourth - second * second).squareRoot() / root, "\(moment(2)) \(second)")
    #expect(abs(moment(4) - fourth) < 4 * (eighth - fourth * fourth).squareRoot() / root, "\(moment(4)) \(fourth)")
  }

  @Test func aTinyAlphaGivesSharesNearZeroOrOne() {
    var random = ImageRandom(seed: 7, epoch: 0, batch: 0)
    let numbers = (0..<1000).map { _ in random.beta(0.001) }
    #expect(numbers.allSatisfy { (0...1).contains($0) })
    #expect(numbers.count { $0 < 0.01 } > 400 && numbers.count { $0 > 0.99 } > 400)
  }

  @Test func rectanglesComeFromPartners() {
    let size = ImageSize(height: 12, width: 10)
    var kinds: Set<Bool> = []
    for batch in 0..<200 {
      var random = ImageRandom(seed: 3, epoch: 1, batch: batch)
      let plan = MixPlan(BatchMixing(.cutmix, alpha: 1), count: 5, size, random: &random)
      #expect(plan.partners.sorted() == [0, 1, 2, 3, 4])
      // A pixel's value identifies its image and channel: 40 · image + channel.
      var pixels = (0..<5).flatMap { n in (0..<3).flatMap { c in [UInt8](repeating: UInt8(40 * n + c), count: 120) } }
      pixels.withUnsafeMutableBufferPointer { plan.exchange($0.baseAddress!, channels: 3, size) }
      for (index, value) in pixels.enumerated() {
        let (picture, channel, y, x) = (index / 360, index / 120 % 3, index / 10 % 12, index % 10)
        let isInside = plan.rows.contains(y) && plan.columns.contains(x)
        #expect(Int(value) == 40 * (isInside ? Int(plan.partners[picture]) : picture) + channel)
      }
      #expect(abs(plan.ownShare - (1 - Double(plan.rows.count * plan.columns.count) / 120)) < 1e-12)
      kinds.insert(plan.rows.isEmpty)
    }
    #expect(kinds == [true, false])
  }

  @Test func mixupLeavesPixelsAlone() {
    var random = ImageRandom(seed: 3, epoch: 1, batch: 0)
    let plan = MixPlan(BatchMixing(.mixup, alpha: 0.4), count: 8, ImageSize(height: 4, width: 4), random: &random)
    #expect(plan.rows.isEmpty && plan.columns.isEmpty && (0...1).contains(plan.ownShare))
    var pixels = (0..<128).map { UInt8($0) }
    let before = pixels
    pixels.withUnsafeMutableBufferPointer {
      plan.exchange($0.baseAddress!, channels: 1, ImageSize(height: 4, width: 4))
    }
    #expect(pixels == before)
  }
}
