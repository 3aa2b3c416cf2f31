import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusReports

struct TickTests {
  @Test func marksAreRoundNumbers() {
    func labels(_ range: ClosedRange<Double>, _ count: Int, isInteger: Bool = false) -> [String] {
      Ticks.linear(range, count: count, isInteger: isInteger).ticks.map(\.label)
    }
    #expect(labels(0...1, 5) == ["0", "0.2", "0.4", "0.6", "0.8", "1.0"])
    #expect(labels(0.13...2.4, 5) == ["0.5", "1.0", "1.5", "2.0"])
    #expect(labels(1...3, 8, isInteger: true) == ["1", "2", "3"])
    #expect(labels(0...100_000, 5) == ["0", "20,000", "40,000", "60,000", "80,000", "100,000"])
    #expect(labels(0...3_000_000, 3) == ["0", "1M", "2M", "3M"])
    #expect(labels(0...0.0001, 2) == ["0", "0.00005", "0.00010"])
    #expect(labels(0...1e-6, 2) == ["0", "5×10⁻⁷", "10⁻⁶"])
    #expect(labels(0...0.001, 5) == ["0", "0.0002", "0.0004", "0.0006", "0.0008", "0.0010"])
    #expect(labels(-2...2, 4) == ["−2", "−1", "0", "1", "2"])
  }

  @Test func marksOfLogarithms() {
    func labels(_ range: ClosedRange<Double>, _ count: Int) -> [String] {
      Ticks.logarithmic(range, count: count).ticks.map(\.label)
    }
    #expect(labels(0.001...10, 6) == ["0.001", "0.01", "0.1", "1", "10"])
    #expect(labels(1e-30...1, 6).filter { !$0.isEmpty }.count <= 6)
    #expect(labels(0.3...4, 5) == ["0.5", "1", "2"])
  }

  /// For any range, tick marks increase, are inside of the range, and are few.
  @Test func anyRange() {
    var edges: [Double] = [
      0, 1, 1e-300, Double.leastNonzeroMagnitude, 1e99, 1e16, 1e16 + 2, 0.1, 0.1 + 1e-17, 123.456, 1e-5,
    ]
    edges += edges.map { -$0 }
    for low in edges {
      for high in edges where low < high {
        for count in [1, 2, 5, 20] {
          let linear = Ticks.linear(low...high, count: count).ticks
          #expect(!linear.isEmpty && linear.count <= 4 * count + 2, "\(low)...\(high): \(linear.count)")
          #expect(zip(linear, linear.dropFirst()).allSatisfy { $0.value < $1.value })
          let room = (high / 2 - low / 2) * 1e-6
          #expect(linear.allSatisfy { $0.value >= low - room && $0.value <= high + room }, "\(low)...\(high)")
          guard low > 0 else { continue }
          let marks = Ticks.logarithmic(low...high, count: count).ticks.filter { !$0.label.isEmpty }
          #expect(!marks.isEmpty && marks.count <= 2 * count + 7, "\(low)...\(high): \(marks)")
        }
      }
    }
  }

  /// A domain is never empty and contains all numbers that can be drawn.
  @Test func anyDomain() {
    let values: [[Double]] = [
      [], [.nan], [.infinity, 1], [0], [5, 5, 5], [-Double.leastNonzeroMagnitude, 0], [1e99, -1e99], [3, 3 + 1e-15],
      [1e300],
    ]
    for isLogarithmic in [false, true] {
      for list in values {
        let axis = Axis("x", isLogarithmic: isLogarithmic)
        let domain = axis.domain(of: list, padding: 0.05)
        #expect(domain.lowerBound < domain.upperBound && domain.lowerBound.isFinite && domain.upperBound.isFinite)
        #expect(list.filter(axis.holds).allSatisfy(domain.contains), "\(list)")
        let scale = Scale(axis, domain, from: 10, to: 110)
        for value in list {
          if let place = scale.position(of: value) { #expect((9.9...110.1).contains(place), "\(value) at \(place)") }
        }
      }
    }
    #expect(Axis("share", range: 0...1).domain(of: [0.3, 0.9], padding: 0.05) == 0...1)
    #expect(Axis("count", range: 0...0).domain(of: [3, 9], padding: 0).lowerBound == 0)
  }

  /// Thinned lines keep the first point, the last point and both extremes of every column of pixels.
  @Test func extremesSurvive() {
    let points = (0..<100_000).map { Pixel(x: Double($0) / 200, y: Samples.noise($0)) }
    let thinned = points.thinned()
    #expect(thinned.count <= 4 * 500 && thinned.first == points.first && thinned.last == points.last)
    #expect(zip(thinned, thinned.dropFirst()).allSatisfy { $0.x < $1.x })
    for column in 0..<500 {
      let all = points.filter { Int($0.x) == column }.map(\.y), kept = thinned.filter { Int($0.x) == column }.map(\.y)
      #expect(all.min() == kept.min() && all.max() == kept.max())
    }
    let short = Array(points.prefix(3))
    #expect(short.thinned() == short)
  }

  @Test func smoothing() {
    let smooth = Smoothing.exponential(0.5)([1, .nan, 3, 3])
    #expect(smooth[0] == 1 && smooth[1].isNaN)
    #expect(abs(smooth[2] - (0.25 * 1 + 0.5 * 3) / 0.75) < 1e-12)
    #expect(abs(smooth[3] - (0.125 * 1 + 0.25 * 3 + 0.5 * 3) / 0.875) < 1e-12)
    #expect(Smoothing.exponential(0)([4, 5]) == [4, 5])
  }

  @Test func histogramsCountEverything() {
    let values: [Double] = (0..<5000).map(Samples.noise) + [.nan, .infinity]
    let histogram = Histogram("x", x: Axis("x"), of: values, bins: 33)
    #expect(histogram.counts.count == 33 && histogram.counts.reduce(0, +) == 5000)
    #expect(Histogram("x", x: Axis("x"), of: [2, 2, 2]).counts.reduce(0, +) == 3)
    #expect(Histogram("x", x: Axis("x"), of: []).counts.reduce(0, +) == 0)
    let edges: [Double] = [.leastNonzeroMagnitude, 1e-300, 1e99, 1 + .ulpOfOne]
    for edge in edges {
      #expect(Histogram("x", x: Axis("x"), of: [-edge, 0, edge]).counts.reduce(0, +) == 3)
      #expect(Histogram("x", x: Axis("x"), of: [0, edge]).counts.reduce(0, +) == 2)
      #expect(Histogram("x", x: Axis("x"), of: [1, edge]).counts.reduce(0, +) == 2)
    }
  }
}
