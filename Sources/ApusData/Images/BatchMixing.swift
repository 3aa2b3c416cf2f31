/// A way to mix the pictures of a batch in pairs, each with a share of the other's class.
public struct BatchMixing: Hashable, Sendable {
  /// What is mixed.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// All pixels, `λ · x + (1 − λ) · x[partner]` (Zhang et al., "mixup: beyond empirical risk minimization", 2017).
    case mixup
    /// A rectangle of the partner is put into the picture (Yun et al., "CutMix", 2019).
    case cutmix
  }

  public var kind: Kind
  /// Shares are drawn from `Beta(alpha, alpha)`: near 0 or 1 for small numbers, near a half for large ones.
  public var alpha: Double

  /// - Precondition: `alpha` is positive.
  public init(_ kind: Kind, alpha: Double) { (self.kind, self.alpha) = (kind, alpha) }

  init(_ kind: Kind, _ words: inout TransformWords) throws(DataError) {
    self.init(kind, alpha: try words.number(in: 0.001...1000) ?? kind.usualAlpha)
  }

  /// How the ways are written in a text.
  public static let usage = [
    (usage: "mixup [A]", summary: "mix pairs of pictures and their classes; shares from Beta(A, A) (0.2)"),
    (usage: "cutmix [A]", summary: "put a rectangle of one picture into another, classes by area; Beta(A, A) (1)"),
  ]
}

extension BatchMixing.Kind {
  /// What the authors use for ImageNet.
  fileprivate var usualAlpha: Double { self == .mixup ? 0.2 : 1 }
}

extension BatchMixing: CustomStringConvertible {
  public var description: String { kind.rawValue + (alpha == kind.usualAlpha ? "" : " \(alpha.short)") }
}

/// How the pictures of one batch are mixed.
///
/// The loss is `λ · loss(outputs, labels) + (1 − λ) · loss(outputs, labels[partners])`. What cutmix does to pixels has
/// been done when a loader hands out a batch; what mixup does is left for the device, on standardized numbers.
public struct MixPlan: Hashable, Sendable {
  public var kind: BatchMixing.Kind
  /// The other picture of each, by its place in the batch.
  public var partners: [Int32]
  /// λ, the share of a picture's own class.
  public var ownShare: Double
  /// With cutmix the part that comes from the partner; it may be empty.
  public var rows: Range<Int>
  /// The columns of that part.
  public var columns: Range<Int>

  /// Draws a plan: one share for the batch, as both papers' authors do.
  ///
  /// Of cutmix the rectangle has `√(1 − λ)` of both extents and its middle anywhere, and is cut off at the edges; λ is
  /// then the share that is left.
  init(_ mixing: BatchMixing, count: Int, _ size: ImageSize, random: inout ImageRandom) {
    kind = mixing.kind
    partners = random.permutation(count)
    ownShare = random.beta(mixing.alpha)
    (rows, columns) = (0..<0, 0..<0)
    guard kind == .cutmix else { return }
    let half = 0.5 * (1 - ownShare).squareRoot()
    func part(_ extent: Int) -> Range<Int> {
      let (middle, reach) = (random.integer(below: extent), Int(half * Double(extent)))
      return max(0, middle - reach)..<min(extent, middle + reach)
    }
    (rows, columns) = (part(size.height), part(size.width))
    ownShare = 1 - Double(rows.count * columns.count) / Double(size.height * size.width)
  }

  /// Puts the rectangles in, where there are any.
  /// - Parameter pixels: `[count, channels, height, width]`
  func exchange(_ pixels: UnsafeMutablePointer<UInt8>, channels: Int, _ size: ImageSize) {
    let (row, part) = (columns.count, rows.count * columns.count)
    guard part > 0 else { return }
    // Every rectangle is read before one is written over: partners go in rings.
    let each = channels * part
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: partners.count * each) { room in
      guard let kept = room.baseAddress else { return }
      func visit(_ body: (_ place: UnsafeMutablePointer<UInt8>, _ picture: Int, _ offset: Int) -> Void) {
        for picture in partners.indices {
          for channel in 0..<channels {
            for (number, y) in rows.enumerated() {
              let place = ((picture * channels + channel) * size.height + y) * size.width + columns.lowerBound
              body(pixels + place, picture, (channel * rows.count + number) * row)
            }
          }
        }
      }
      visit { (kept + $1 * each + $2).update(from: $0, count: row) }
      visit { $0.update(from: kept + Int(partners[$1]) * each + $2, count: row) }
    }
  }
}
