import ApusSystem
import Testing

@Suite struct NumberTextTests {
  @Test func bytesHaveTheLargestUnitThatFits() {
    #expect([0, 1023, 1024, 1536, 1 << 30].map(\.byteText) == ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 GiB"])
    #expect((-2048).byteText == "-2.0 KiB" && Int.max.byteText == "8.0 EiB")
  }

  @Test func digitsAreInGroups() {
    #expect([0, 999, 1000, 61_706, -1_234_567].map(\.grouped) == ["0", "999", "1,000", "61,706", "-1,234,567"])
  }

  @Test func placesAreFixed() {
    #expect([0.87825, 2, -0.5, 0.996].map { $0.text(places: 2) } == ["0.88", "2.00", "-0.50", "1.00"])
    #expect(0.5.text(places: 0) == "1" && 1e20.text(places: 1) == "1e+20" && Double.nan.text(places: 3) == "nan")
  }

  @Test func fractionsAreInPercent() {
    #expect(0.87825.percent(places: 1) == "87.8 %" && 1.0.percent(places: 0, space: "\u{a0}") == "100\u{a0}%")
  }

  @Test func wholeNumbersAreIntegers() {
    #expect([3, 0.25, -7, 1e300, .infinity].map(\.shortText) == ["3", "0.25", "-7", "1e+300", "inf"])
  }
}
