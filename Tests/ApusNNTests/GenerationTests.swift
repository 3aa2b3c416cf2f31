import Apus
import ApusTestSupport
import Testing

/// Key–value caches: a sequence that is read in chunks gives the same results as when read whole, and plans are reused.
@Suite struct GenerationTests {
  private func sequence(_ length: Int, _ batch: Int, _ size: Int) -> Tensor {
    var key = RandomKey(seed: 7)
    return .normal([length, batch, size], key: &key)
  }

  private func expectEqual(_ found: Tensor, _ expected: Tensor, _ place: String) throws {
    let (a, b) = (try found.array(of: Double.self), try expected.array(of: Double.self))
    #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 }, "\(place)")
  }

  @Test(arguments: TestDevice.conformance) func piecesEqualTheWhole(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let encoder = withRandomKey(RandomKey(seed: 1)) {
        TransformerEncoder(2, norm: LayerNorm(8)) {
          TransformerEncoderLayer(
            8, heads: 4, hidden: 6, isNormFirst: true, keyValueHeads: 2, rotary: RotaryPositions(2, capacity: 16))
        }
      }
      let x = sequence(9, 2, 8)
      let whole = try eval(encoder(x, isCausal: true))
      var caches = encoder.makeCaches(batch: 2, capacity: 12)
      var start = 0
      for count in test.name.hasPrefix("opencl") ? [8, 1] : [4, 1, 1, 2, 1] {
        let piece = try eval(encoder(x[start..<start + count], caches: &caches))
        try expectEqual(piece, whole[start..<start + count], "\(test.name), \(count) from \(start)")
        start += count
      }
      #expect(caches.allSatisfy { $0.length == 9 })
    }
  }

  /// A decoder caches the keys and values of the memory (the encoder's output). Decoding one element at a time gives
  /// the results of decoding the whole sequence at once.
  @Test(arguments: TestDevice.conformance.filter { !$0.name.hasPrefix("opencl") }) func decodersRememberTheirMemory(
    _ test: TestDevice
  ) throws {
    try withDevice(test.device) { () throws in
      let decoder = withRandomKey(RandomKey(seed: 1)) {
        TransformerDecoder(2, norm: LayerNorm(4)) { TransformerDecoderLayer(4, heads: 2, hidden: 6) }
      }
      let positions = withRandomKey(RandomKey(seed: 2)) { LearnedPositions(4, capacity: 8) }
      let (x, memory) = (sequence(5, 2, 4), sequence(3, 2, 4))
      let keyMask = Tensor([true, true, true, true, false, false], shape: [2, 3])
      let whole = decoder(positions(x), memory, isCausal: true, memoryKeyMask: keyMask)
      var caches = decoder.makeCaches(batch: 2, capacity: 8)
      for place in 0..<5 {
        let element = positions(x[place..<place + 1], offset: caches[0].elements.end)
        let piece = try eval(decoder(element, memory, caches: &caches, memoryKeyMask: keyMask))
        try expectEqual(piece, whole[place..<place + 1], "\(test.name), element \(place)")
      }
    }
  }

  /// Padding before a short prompt is hidden from later elements.
  @Test func paddedPromptsEqualShortOnes() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let attention = withRandomKey(RandomKey(seed: 1)) { MultiheadAttention(4, heads: 2, isBatchFirst: true) }
      let x = sequence(1, 4, 4)
      var (short, padded) = (attention.makeCache(batch: 1, capacity: 6), attention.makeCache(batch: 1, capacity: 6))
      let expected = attention(x[.all, 1...], cache: &short)
      let keyMask = Tensor([false, true, true, true, true, true], shape: [1, 6])
      let found = attention(x, cache: &padded, keyMask: keyMask)
      try expectEqual(found[.all, 1...], expected, "padded")
    }
  }

  /// All elements use one plan, however long the sequence becomes.
  @Test func elementsShareAPlan() throws {
    let device = ComputeDevice(backend: ReferenceDevice())
    try withDevice(device) { () throws in
      let encoder = withRandomKey(RandomKey(seed: 1)) {
        TransformerEncoder(2) {
          TransformerEncoderLayer(4, heads: 2, hidden: 4, rotary: RotaryPositions(2, capacity: 64))
        }
      }
      try eval(encoder.parameters.map(\.value))
      var caches = encoder.makeCaches(batch: 1, capacity: 64)
      var element = try eval(encoder(sequence(5, 1, 4), caches: &caches)[4..<5])
      var counts: [Int] = []
      for _ in 0..<40 {
        element = try eval(encoder(element, caches: &caches))
        counts.append(device.preparedPlanCount)
      }
      #expect(counts[1] == counts[39], "\(counts)")
      print("attention: \(counts[39]) plans for a prompt and 40 elements")
    }
  }
}
