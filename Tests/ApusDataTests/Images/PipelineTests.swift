import Testing

@testable import ApusData

struct PipelineTests {
  private let image = ImageFileTests.scene(40, 50, 3)

  private func result(_ text: String, of image: Image, epoch: Int = 0, example: Int = 0) throws -> Image {
    var result = image
    var random = ImageRandom(seed: 1, epoch: epoch, example: example)
    try ImagePipeline(parsing: text).apply(to: &result, random: &random)
    return result
  }

  /// Pipeline texts with every option. `printed` is the text that the parsed pipeline prints; `nil` if it equals
  /// `text`.
  private static let texts: [(text: String, printed: String?)] = [
    ("", nil), ("flip", nil), ("flip 0.3", nil), ("flip-vertical", nil), ("flip 0.5", "flip"),
    ("flip alternate", nil),
    ("crop pad 4", nil), ("crop 224 pad 4 reflect", nil), ("crop 20x30 fill 7", nil), ("crop", nil),
    ("resize 224", nil), ("resize 20x30 box", nil), ("resize 224x224", "resize 224"),
    ("resize 8 antialias", "resize 8"),
    ("shorter 256 bicubic", nil), ("scales 224 256 288 bilinear", nil), ("pad 32 replicate", nil),
    ("center-crop 224", nil), ("resized-crop 224", nil), ("resized-crop 64 scale 0.5 1 ratio 1 1", nil),
    ("resized-crop 64 ratio 1 1 scale 0.5 1 box", "resized-crop 64 scale 0.5 1 ratio 1 1 box"),
    ("shift 0.1", nil), ("shift 0.1 reflect", nil), ("rotate 15", nil), ("rotate 15 fill 128", nil),
    ("affine rotate 10 move 0.1 scale 0.9 1.1 shear 5", nil), ("affine", nil), ("color 0.2", nil),
    ("color 0.2 hue 0.05", nil), ("color brightness 0.1 hue 0.1", nil), ("gray", nil), ("gray 1", nil),
    ("erase", nil), ("erase 0.25 scale 0.1 0.2 ratio 0.5 2 fill 9", nil), ("mixup", nil), ("mixup 0.4", nil),
    ("  flip ,crop  pad 4,color 0.2 , cutmix", "flip, crop pad 4, color 0.2, cutmix"),
  ]

  @Test func textsAreReadAndWritten() throws {
    for (text, printed) in PipelineTests.texts {
      let pipeline = try ImagePipeline(parsing: text)
      #expect(pipeline.description == printed ?? text)
      #expect(try ImagePipeline(parsing: pipeline.description) == pipeline)
      #expect(pipeline.isEmpty == text.isEmpty)
    }
    let kinds = Set(
      PipelineTests.texts.flatMap { $0.text.split(separator: ",") }.compactMap { $0.split(separator: " ").first })
    for type in ImagePipeline.transformTypes { #expect(kinds.contains(type.name[...]), "\(type.name) is not tested") }
    #expect(try ImagePipeline(parsing: "flip") != ImagePipeline(parsing: "flip 0.4"))
    #expect(try Set(["flip", "crop", "flip"].map { text throws in try ImagePipeline(parsing: text) }).count == 2)
  }

  @Test(arguments: [
    ("flop", "unknown transform \"flop\"; did you mean flip?"), ("flip, crp 4", "did you mean crop?"),
    ("crop 224 pda 4", "unknown word \"pda\"; did you mean pad?"), ("crop pad", "a number is missing at the end"),
    ("crop pad 4.5", "pad needs a whole number"), ("crop pad -1", "-1 is not in 0 ... 4096"),
    ("flip 2", "2 is not in 0 ... 1"), ("flip 0.5 0.5", "unexpected number 0.5"),
    ("flip 0.5 alternate", "unexpected number 0.5"), ("flip alternat", "did you mean alternate?"),
    ("resize", "a size is missing"), ("resize 0", "not a size such as"), ("resize 99999999999999999999", "not a size"),
    ("resize 3x4x5", "not a size"), ("resized-crop 8 scale 0.5", "a number is missing"),
    ("resized-crop 8 scale 1 0.5", "needs the smaller number first"), ("flip,,crop", "a transform is missing between"),
    ("flip,", "a transform is missing between"), ("color nan", "\"nan\" is not a number"),
    ("scales", "a whole number is missing"), ("scales 224 0", "0 is not in 1 ... 8192"),
    ("rotate", "a number is missing"), ("mixup 0", "0 is not in 0.001 ... 1000"),
    ("color hue 0.6", "is not in 0 ... 0.5"),
  ])
  func errorsNameTheWord(text: String, expected: String) {
    let error = #expect(throws: DataError.self) { try ImagePipeline(parsing: text) }
    #expect(error?.description.contains(expected) == true, "\(error!)")
  }

  @Test(arguments: [
    ("resize 16384", "resize 16384: 16384x16384 is more than the limit of 67108864 pixels"),
    ("pad 8192x8193", "is more than the limit of 67108864"),
    ("center-crop 16384x4097", "is more than the limit of 67108864"),
    ("shorter 8193", "8193 is not in 1 ... 8192"), ("scales 8 16384", "16384 is not in 1 ... 8192"),
    (String(repeating: "flip, ", count: 64) + "flip", "65 steps, more than the limit of 64"),
  ])
  func numbersBeyondALimitAreRefused(text: String, expected: String) {
    let error = #expect(throws: DataError.self) { try ImagePipeline(parsing: text) }
    #expect(error?.description.contains(expected) == true, "\(error!)")
  }

  /// The same epoch and example give the same result, and another epoch or example gives another result.
  @Test func resultsDependOnTheEpochAndTheExample() throws {
    let text = "resized-crop 24, flip, color 0.4 hue 0.1, affine rotate 20 shear 5, erase 1"
    let first = try result(text, of: image)
    #expect(try result(text, of: image) == first)
    #expect(try result(text, of: image, epoch: 1) != first)
    #expect(try result(text, of: image, example: 1) != first)
  }

  @Test func outputsHaveTheAnnouncedSizes() throws {
    for channels in [1, 3] {
      for (height, width) in [(40, 50), (50, 40), (7, 9), (1, 1), (1, 60), (300, 2)] {
        let image = ImageFileTests.scene(height, width, channels)
        for (text, _) in PipelineTests.texts {
          for example in 0..<5 {
            let found = try result(text, of: image, example: example)
            #expect(found.channels == channels)
            guard let size = try ImagePipeline(parsing: text).outputSize(image.size) else { continue }
            #expect(found.size == size, "\(text) of \(image.size)")
          }
        }
      }
    }
    #expect(
      try ImagePipeline(parsing: "shorter 256, crop 224, flip").outputSize() == ImageSize(height: 224, width: 224))
    #expect(try ImagePipeline(parsing: "shorter 256, flip").outputSize() == nil)
    #expect(try ImagePipeline(parsing: "scales 224 256").outputSize(ImageSize(height: 9, width: 9)) == nil)
    // The scaled size of a very narrow image is limited to 2²⁶ pixels.
    #expect(ResizeShorter.size(ImageSize(height: 1, width: 65_535), 224) == ImageSize(height: 224, width: 299_593))
  }

  @Test func flipsAndShiftsMovePixels() throws {
    let small = Image(height: 2, width: 3, channels: 1, pixels: [1, 2, 3, 4, 5, 6])
    #expect(try result("flip 1", of: small).pixels == [3, 2, 1, 6, 5, 4])
    #expect(try result("flip-vertical 1", of: small).pixels == [4, 5, 6, 1, 2, 3])
    #expect(try result("flip 0, flip-vertical 0, gray 0, erase 0", of: small) == small)
    #expect(try result("flip 1, flip 1, flip-vertical 1, flip-vertical 1", of: image) == image)
    var places: Set<[UInt8]> = []
    for example in 0..<200 { places.insert(try result("shift 0.4", of: small, example: example).pixels) }
    // Shifts of up to 1.2 columns and 0.8 rows are rounded to −1, 0 or 1 pixel along either axis: nine results.
    #expect(places.count == 9 && places.contains([0, 0, 0, 0, 1, 2]), "\(places)")
    #expect(try result("gray 1", of: image).pixels.count == image.pixels.count)
  }

  /// About half of the images are flipped in the first epoch, the others in the second, the first half again in the
  /// third, and so on.
  @Test func flipsAlternate() throws {
    let small = Image(height: 1, width: 2, channels: 1, pixels: [1, 2])
    var count = 0
    for example in 0..<400 {
      let flips = try (0..<4).map { epoch in
        try result("flip alternate", of: small, epoch: epoch, example: example).pixels == [2, 1]
      }
      #expect(flips == [flips[0], !flips[0], flips[0], !flips[0]])
      if flips[0] { count += 1 }
    }
    #expect((160...240).contains(count), "\(count)")
  }

  @Test func cropsAreEvenlySpread() throws {
    let numbered = Image(height: 4, width: 4, channels: 1, pixels: Array(0..<16))
    var counts = [Int](repeating: 0, count: 16)
    for example in 0..<9000 {
      counts[Int(try result("crop 2", of: numbered, example: example).pixels[0])] += 1
    }
    for (place, count) in counts.enumerated() {
      let isPossible = place % 4 < 3 && place / 4 < 3
      #expect(isPossible ? (900...1100).contains(count) : count == 0, "\(place): \(count)")
    }
  }

  /// If every sampled region fits into the image, its relative area and the logarithm of its aspect ratio are uniformly
  /// distributed, with means 0.3 and 0.
  @Test func resizedCropsHaveTheRightShares() {
    let crop = RandomResizedCrop(ImageSize(height: 8, width: 8), scale: 0.1...0.5, ratio: 0.75...1 / 0.75)
    var (area, top, shape) = (0.0, 0.0, 0.0)
    let count = 4000
    for example in 0..<count {
      var random = ImageRandom(seed: 5, epoch: 0, example: example)
      let part = crop.part(of: ImageSize(height: 1000, width: 1000), &random)
      area += Double(part.size.height * part.size.width) / 1e6 / Double(count)
      shape += Double(part.size.width - part.size.height) / Double(count)
      top += (Double(part.top) + Double(part.size.height) / 2) / 1000 / Double(count)
      #expect(part.top >= 0 && part.top + part.size.height <= 1000)
    }
    #expect(abs(area - 0.3) < 0.01 && abs(shape) < 10 && abs(top - 0.5) < 0.02, "\(area) \(shape) \(top)")
    // If none of the samples fits, the region is at the center.
    var random = ImageRandom(seed: 5, epoch: 0, example: 0)
    let part = RandomResizedCrop(ImageSize(height: 8, width: 8), scale: 0.9...1).part(
      of: ImageSize(height: 10, width: 1000), &random)
    #expect(part.size == ImageSize(height: 10, width: 13) && part.left == 493)
  }

  @Test func erasingLeavesTheRest() throws {
    let plain = Image(height: 50, width: 60, channels: 3, pixels: [UInt8](repeating: 9, count: 9000))
    var total = 0
    for example in 0..<300 {
      let erased = try result("erase 1 fill 200", of: plain, example: example)
      let count = erased.pixels.count { $0 == 200 }
      total += count
      #expect(count % 3 == 0 && count + erased.pixels.count { $0 == 9 } == 9000)
    }
    let share = Double(total) / 300 / 9000
    #expect(abs(share - 0.175) < 0.02, "\(share)")
    let noise = try result("erase 1 scale 0.3 0.33", of: plain)
    #expect(Set(noise.pixels).count > 200)
  }

  @Test func patchesAndPyramids() throws {
    let patches = image.patches(ImageSize(height: 16, width: 16), stride: 12)
    #expect(patches.count == 3 * 3 && patches[4] == image.cropped(top: 12, left: 12, ImageSize(height: 16, width: 16)))
    #expect(
      Image(height: 3, width: 3, channels: 1, pixels: Array(0..<9)).patches(ImageSize(height: 4, width: 2), stride: 1)
        .isEmpty)
    for filter in PyramidFilter.allCases {
      let levels = image.pyramid(levels: 100, filter: filter)
      #expect(levels.map(\.size.description) == ["40x50", "20x25", "10x13", "5x7", "3x4", "2", "1"])
      let plain = Image(height: 9, width: 5, channels: 3, pixels: [UInt8](repeating: 77, count: 135))
      #expect(plain.pyramid(levels: 4, filter: filter).allSatisfy { Set($0.pixels) == [77] })
    }
  }
}
