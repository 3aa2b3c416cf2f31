import ApusSystem
import Testing

struct StatisticsTests {
  @Test func medianIsTheMiddleOfSortedNumbers() {
    #expect([3.0, 1, 2].median == 2)
    #expect([4.0, 1, 3, 2].median == 2.5)
    let large = Double.greatestFiniteMagnitude
    #expect([large, large].median == large)
  }

  @Test func meanAndDeviations() {
    let numbers = [1.0, 2, 6]
    #expect(numbers.mean == 3)
    #expect(numbers.squaredDeviations(from: 3) == 14)
    #expect(numbers.variance(from: 3) == 14.0 / 3)
  }

  @Test func theFirstOfEqualNumbersIsTheLargest() {
    #expect([1.0, 5, 5, 2].indexOfLargest == 1)
    #expect([1.0, 5, 7, 7][2...].indexOfLargest == 2)
    #expect([Double]().indexOfLargest == nil)
  }

  @Test func numeratorsOfSoftmaxAreAtMost1() {
    #expect(softmaxNumerators([1000, 1000]) == [1, 1])
    #expect(softmaxNumerators([2, 1], temperature: 0.5) == softmaxNumerators([4, 2]))
    #expect(softmaxNumerators([]).isEmpty)
  }

  @Test func partitionPointIsTheFirstThatIsNotBefore() {
    for count in 0...9 {
      for point in 0...count {
        #expect((0..<count).partitionPoint { $0 < point } == point)
        #expect((5..<5 + count).partitionPoint { $0 < 5 + point } == 5 + point)
      }
    }
  }

  @Test func saturatingArithmeticEndsAtTheLargestInteger() {
    #expect(6.saturatingProduct(7) == 42)
    #expect((Int.max / 2).saturatingProduct(3) == .max)
    #expect(Int.max.saturatingSum(1) == .max)
  }
}
