import ApusSystem
import Foundation

/// Inputs of tests.
public enum Samples {
  /// A number in `0 ..< 1` that depends only on the index.
  public static func noise(_ index: Int) -> Double {
    SplitMix64.mixed(UInt64(index) &* SplitMix64.gamma).randomUnit
  }

  /// A PNG file of 5 × 5 gray pixels.
  public static let checkerboard = [UInt8](
    Data(
      base64Encoded:
        "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAAAAACoBHk5AAAAF0lEQVR42mPQ+J/yfwHDf7f/Tf8ZMNgA/E4RCQJNN3"
        + "kAAAAASUVORK5CYII=")
      ?? Data())
}
