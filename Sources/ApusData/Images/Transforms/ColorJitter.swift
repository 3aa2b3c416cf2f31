/// Changes brightness, contrast, saturation and hue of every image by random amounts, in random order: torchvision's
/// `ColorJitter`.
///
/// Three of the changes multiply the distance of each pixel from a base by a random factor. The base is black for
/// brightness, the mean luma of the image for contrast, and the luma of the pixel for saturation. For an amount `x`,
/// the factor is uniform in `max(0, 1 − x) ... 1 + x`. For an amount `x` of the hue, the rotation is uniform in
/// `−x ... x` of a full turn. Every change rounds and clamps to 0 ... 255. Saturation and hue do not change a gray
/// image.
public struct ColorJitter: ImageTransform {
  public static let name = "color"
  public static let usage = "color X | color [brightness X] [contrast X] [saturation X] [hue X]"
  public static let summary =
    "scale brightness, contrast and saturation by 1 - X to 1 + X, rotate the hue by up to X of a turn (at most 0.5)"

  /// The largest distance of the brightness factor from 1.
  public var brightness: Double
  /// The largest distance of the contrast factor from 1.
  public var contrast: Double
  /// The largest distance of the saturation factor from 1.
  public var saturation: Double
  /// The largest hue rotation as a fraction of a full turn, at most 0.5.
  public var hue: Double

  /// - Precondition: no value is negative, and `hue` is at most 0.5.
  public init(brightness: Double = 0, contrast: Double = 0, saturation: Double = 0, hue: Double = 0) {
    (self.brightness, self.contrast, self.saturation, self.hue) = (brightness, contrast, saturation, hue)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    let all = try words.number(in: 0...10) ?? 0
    self.init(
      brightness: try words.number(after: "brightness", in: 0...10) ?? all,
      contrast: try words.number(after: "contrast", in: 0...10) ?? all,
      saturation: try words.number(after: "saturation", in: 0...10) ?? all,
      hue: try words.number(after: "hue", in: 0...0.5) ?? 0)
  }

  public var description: String {
    let parts = [("brightness", brightness), ("contrast", contrast), ("saturation", saturation), ("hue", hue)]
    if brightness == contrast, contrast == saturation, brightness > 0 {
      return "\(ColorJitter.name) \(brightness.short)" + (hue == 0 ? "" : " hue \(hue.short)")
    }
    return ColorJitter.name + parts.filter { $0.1 != 0 }.map { " \($0.0) \($0.1.short)" }.joined()
  }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let order = random.permutation(4)
    let factors = [brightness, contrast, saturation].map { random.uniform(in: max(0, 1 - $0)...1 + $0) }
    let turn = random.uniform(in: -hue...hue)
    for step in order {
      switch step {
      case 0 where brightness > 0: image.changeBrightness(by: factors[0])
      case 1 where contrast > 0: image.changeContrast(by: factors[1])
      case 2 where saturation > 0: image.changeSaturation(by: factors[2])
      case 3 where hue > 0: image.turnHues(by: turn)
      default: break
      }
    }
  }
}
