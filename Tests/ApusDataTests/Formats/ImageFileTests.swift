import ApusSystem
import ApusTestSupport
import Testing

@testable import ApusData

extension Fixture {
  /// The bytes of one tensor of a case.
  func bytes(_ name: String, _ key: String) throws -> [UInt8] { try numbers(name, key).map { UInt8($0) } }
}

struct ImageFileTests {
  /// An image of smooth colors with random noise.
  static func scene(_ height: Int, _ width: Int, _ channels: Int, seed: UInt64 = 1) -> Image {
    let random = CounterRandom(seed: seed, stream: 0)
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<channels {
          let smooth = 2 * x + (c + 1) * y + 40 * c
          let wave = smooth % 510 < 255 ? smooth % 255 : 254 - smooth % 255
          pixels.append(UInt8(min(255, wave * 7 / 8 + random.integer(below: 32, at: pixels.count))))
        }
      }
    }
    return Image(height: height, width: width, channels: channels, pixels: pixels)
  }

  @Test func pixelsEqualPillows() throws {
    let fixture = try Fixture("images")
    #expect(fixture.cases.count == 24)
    for name in fixture.cases {
      let image = try Image(decoding: fixture.bytes(name, "file"), path: name)
      let expected = try fixture.bytes(name, "pixels")
      let size = try fixture.numbers(name, "size")
      try #require([image.height, image.width, image.channels].map(Double.init) == size, "\(name)")
      // Pillow keeps the upper 8 of 16 bits, which differs from the nearest level by at most 1.
      let bound = name.contains("16-bits") ? 1 : 0
      let worst = zip(image.pixels, expected).map { abs(Int($0) - Int($1)) }.max() ?? 0
      #expect(worst <= bound, "\(name): off by \(worst)")
    }
  }

  @Test func sixteenBitsAreRounded() throws {
    let fixture = try Fixture("images")
    // The nearest level of a 16-bit sample v is 255 v / 65535, rounded. The upper byte of v may be another level.
    let image = try Image(decoding: fixture.bytes("png-16-bits-1", "file"), path: "gray")
    let upper = try fixture.bytes("png-16-bits-1", "pixels")
    #expect(zip(image.pixels, upper).contains { $0 != $1 }, "all were cut off, none rounded")
  }

  @Test(arguments: [(1, 1, 1), (1, 1, 3), (7, 300, 1), (64, 5, 3)])
  func writtenImagesAreReadBack(height: Int, width: Int, channels: Int) throws {
    let image = ImageFileTests.scene(height, width, channels)
    #expect(try Image(decoding: image.pngData(), path: "memory") == image)
    let read = try Image(decoding: JPEG.encode(image, quality: 100, isSubsampled: false), path: "memory")
    #expect((read.height, read.width, read.channels) == (height, width, channels))
    let worst = zip(read.pixels, image.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
    #expect(worst <= 6, "off by \(worst)")
  }

  /// Noise cannot be compressed, so the file is larger than the pixels.
  @Test func noiseIsWrittenAndReadBack() throws {
    let random = CounterRandom(seed: 3, stream: 0)
    let noise = Image(
      height: 200, width: 200, channels: 3, pixels: (0..<120_000).map { UInt8(random.integer(below: 256, at: $0)) })
    #expect(try Image(decoding: noise.pngData(), path: "memory") == noise)
  }

  @Test func theContentDeterminesTheFormat() throws {
    let scratch = try ScratchDirectory()
    let image = ImageFileTests.scene(8, 9, 3)
    #expect(try Image(contentsOf: scratch.write(image.pngData(), to: "a.jpg")) == image)
    #expect(try Image(contentsOf: scratch.write(image.jpegData(), to: "b.png")).width == 9)
  }

  @Test func everyTruncationIsRefused() throws {
    let fixture = try Fixture("images")
    for name in ["png-rgb", "png-palette", "png-interlaced-4-bits", "jpeg-grey", "jpeg-420", "jpeg-progressive"] {
      let bytes = try fixture.bytes(name, "file")
      for count in 0..<bytes.count {
        #expect(throws: DataError.self, "\(name), \(count) of \(bytes.count) bytes") {
          try Image(decoding: Array(bytes[..<count]), path: name)
        }
      }
    }
  }

  @Test func errorsNameFileAndOffset() throws {
    let png = ImageFileTests.scene(8, 9, 3).pngData()
    let jpeg = ImageFileTests.scene(8, 9, 3).jpegData()
    var damaged = png
    damaged[png.count - 14] ^= 1
    let cases: [([UInt8], String)] = [
      (Array(png.dropLast(5)), "x: not a valid PNG file at byte \(png.count - 5): the file ends before"),
      (damaged, "the checksum of the chunk IDAT is wrong"),
      (Array(jpeg.dropLast(2)), "x: not a valid JPEG file at byte \(jpeg.count - 2): Premature end"),
      (Array("GIF89a".utf8), "x: cannot use this GIF file"), ([], "the file is empty"), ([1, 2], "with the bytes 1 2"),
    ]
    for (bytes, text) in cases {
      let error = #expect(throws: DataError.self) { try Image(decoding: bytes, path: "x") }
      #expect(error?.description.contains(text) == true, "\(error!)")
    }
    for length in 3..<jpeg.count {
      let error = #expect(throws: DataError.self) { try Image(decoding: Array(jpeg.prefix(length)), path: "x") }
      #expect(error?.description.hasPrefix("x: not a valid JPEG file at byte \(length): ") == true, "\(error!)")
    }
    // An end-of-image marker in the middle of the data is reported with the offset of its second byte.
    let data = jpeg.indices.first { jpeg[$0] == 0xff && jpeg[$0 + 1] == 0xda }! + 14
    #expect(jpeg.count > data + 40)
    for place in data..<jpeg.count - 4 {
      let cut = Array(jpeg[..<place]) + [0xff, 0xd9] + jpeg[(place + 2)...]
      let error = #expect(throws: DataError.self) { try Image(decoding: cut, path: "x") }
      #expect(error?.description.hasPrefix("x: not a valid JPEG file at byte \(place + 1): ") == true, "\(error!)")
    }
    let missing = #expect(throws: DataError.self) { try Image(contentsOf: "/nowhere/a.png") }
    #expect(missing?.description.hasPrefix("/nowhere/a.png: cannot open") == true)
  }

  /// The search for the damaged byte decodes a large image only a few times. So the error names a range of bytes, not
  /// the exact byte.
  @Test func theSearchForDamageIsBounded() throws {
    let image = Image(height: 6000, width: 6000, channels: 1, pixels: [UInt8](repeating: 7, count: 36_000_000))
    var bytes = image.jpegData()
    let place = bytes.count * 2 / 3
    bytes.replaceSubrange(place..<place + 2, with: [0xff, 0xd9])
    let start = ContinuousClock.now
    let error = #expect(throws: DataError.self) { try Image(decoding: bytes, path: "x") }
    #expect(ContinuousClock.now - start < .seconds(8))
    let text = error?.description ?? ""
    #expect(text.hasPrefix("x: not a valid JPEG file: "), "\(text)")
    let found = try #require(text.firstMatch(of: /between byte (\d+) and byte (\d+)/)).output
    #expect(Int(found.1)! <= place + 1 && Int(found.2)! >= place + 1, "\(place): \(text)")
    // 64 more scan markers: 65 scans of 36 million pixels exceed the limit of 2³⁰.
    let scan = [0xff, 0xda] as [UInt8]
    let many = bytes.prefix(place) + (0..<64).flatMap { _ in scan } + bytes.suffix(from: place)
    let refused = #expect(throws: DataError.self) { try Image(decoding: Array(many), path: "x") }
    #expect(
      refused?.description.contains("its 65 scans of 6000x6000 pixels are more than the limit of 1073741824") == true)
  }

  @Test func tooLargeImagesAreNotDecoded() throws {
    let fixture = try Fixture("images")
    for name in ["png-rgb", "jpeg-420"] {
      let error = #expect(throws: DataError.self) {
        try Image(decoding: fixture.bytes(name, "file"), path: "bomb", limits: ImageLimits(pixels: 100))
      }
      #expect(error?.description.contains("is more than 100 pixels") == true, "\(error!)")
    }
    // A header that declares 65535 × 65535 pixels, for which no memory is allocated.
    var header = try fixture.bytes("jpeg-420", "file")
    let frame = header.indices.first { header[$0] == 0xff && header[$0 + 1] == 0xc0 }!
    header.replaceSubrange(frame + 5..<frame + 9, with: [0xff, 0xff, 0xff, 0xff])
    #expect(throws: DataError.self) { try Image(decoding: header, path: "bomb") }
    let scratch = try ScratchDirectory()
    let path = try scratch.write([UInt8](repeating: 0, count: 1000), to: "large")
    let error = #expect(throws: DataError.self) { try Image(contentsOf: path, limits: ImageLimits(bytes: 999)) }
    #expect(error?.description.contains("more than the limit of 999") == true, "\(error!)")
  }

  @Test func noInputTraps() throws {
    let fixture = try Fixture("images")
    let files = try fixture.cases.map { try fixture.bytes($0, "file") }
    var accepted = 0
    for bytes in Mutations(of: files, count: 20_000)
    where (try? Image(decoding: bytes, path: "memory", limits: ImageLimits(pixels: 1 << 20))) != nil {
      accepted += 1
    }
    // Mutated tables and data of a JPEG file may still decode, to another image.
    #expect(accepted > 10 && accepted < 10_000, "\(accepted)")
  }
}
