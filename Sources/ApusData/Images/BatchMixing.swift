/// A method that mixes each image of a batch with a partner from the batch. The classes of the two are mixed in the
/// same proportion.
public struct BatchMixing: Hashable, Sendable {
  /// How two images are mixed.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// All pixels are mixed: `λ · x + (1 − λ) · x[partner]` (Zhang et al., "mixup: beyond empirical risk minimization",
    /// 2017).
    case mixup
    /// A rectangle of the partner replaces the same rectangle of the image (Yun et al., "CutMix", 2019).
    case cutmix
  }

  public var kind: Kind
  /// The parameter of the distribution `Beta(alpha, alpha)` of λ: small values give λ near 0 or 1, large values λ near
  /// one half.
  public var alpha: Double

  /// - Precondition: `alpha` is positive.
  public init(_ kind: Kind, alpha: Double) { (self.kind, self.alpha) = (kind, alpha) }

  init(_ kind: Kind, _ words: inout TransformWords) throws(DataError) {
    self.init(kind, alpha: try words.number(in: 0.001...1000) ?? kind.defaultAlpha)
  }

  /// The syntax of the methods in a pipeline text.
  public static let usage = [
    (usage: "mixup [A]", summary: "mix pairs of images and their classes, with weights from Beta(A, A) (0.2)"),
    (usage: "cutmix [A]", summary: "paste a rectangle of one image into another, mix classes by area, Beta(A, A) (1)"),
  ]
}

extension BatchMixing.Kind {
  /// The default of `alpha`: the authors' value for ImageNet.
  fileprivate var defaultAlpha: Double { self == .mixup ? 0.2 : 1 }
}

extension BatchMixing: CustomStringConvertible {
  public var description: String { kind.rawValue + (alpha == kind.defaultAlpha ? "" : " \(alpha.short)") }
}

/// How the images of one batch are mixed.
///
/// The loss is `λ · loss(outputs, labels) + (1 − λ) · loss(outputs, labels[partners])`, where λ is `ownShare`. The
/// loader applies cutmix before it returns a batch; mixup is applied on the device, to standardized values.
public struct MixPlan: Hashable, Sendable {
  public var kind: BatchMixing.Kind
  /// For each image of the batch, the index of its partner.
  public var partners: [Int32]
  /// λ, the weight of an image's own class.
  public var ownShare: Double
  /// The rows of cutmix's rectangle; may be empty, and is empty for mixup.
  public var rows: Range<Int>
  /// The columns of cutmix's rectangle; may be empty, and is empty for mixup.
  public var columns: Range<Int>

  /// Samples a plan with one λ for the batch, as the authors of mixup and of CutMix do.
  ///
  /// For cutmix, the rectangle is `√(1 − λ)` times as high and wide as the image, has a random center, and is clipped
  /// at the edges of the image. Then λ is replaced by the fraction of the area outside the rectangle.
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

  /// Copies the partners' rectangles into the images, if the plan has a rectangle.
  /// - Parameter pixels: `[count, channels, height, width]`
  func exchange(_ pixels: UnsafeMutablePointer<UInt8>, channels: Int, _ size: ImageSize) {
    let (row, part) = (columns.count, rows.count * columns.count)
    guard part > 0 else { return }
    // The partner of an image is overwritten too, so all rectangles are read before any is overwritten.
    let each = channels * part
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: partners.count * each) { room in
      guard let kept = room.baseAddress else { return }
      func visit(_ body: (_ position: UnsafeMutablePointer<UInt8>, _ image: Int, _ offset: Int) -> Void) {
        for image in partners.indices {
          for channel in 0..<channels {
            for (number, y) in rows.enumerated() {
              let position = ((image * channels + channel) * size.height + y) * size.width + columns.lowerBound
              body(pixels + position, image, (channel * rows.count + number) * row)
            }
          }
        }
      }
      visit { (kept + $1 * each + $2).update(from: $0, count: row) }
      visit { $0.update(from: kept + Int(partners[$1]) * each + $2, count: row) }
    }
  }
}
