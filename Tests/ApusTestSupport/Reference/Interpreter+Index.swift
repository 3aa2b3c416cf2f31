import ApusDevice

extension Interpreter {
  func run(_ step: StridedCopy) {
    let result = arrays[step.result]
    if let fill = step.fill {
      for element in 0..<result.count { result[element] = step.dtype.rounded(step.dtype.lane.holding(fill)) }
    }
    for piece in step.pieces {
      let (source, target) = (Places(piece.source.layout), Places(piece.destination))
      for element in 0..<piece.destination.shape.elementCount {
        result[target[element]] = arrays[piece.source.value][source[element]]
      }
    }
  }

  func run(_ step: Gather) throws(DeviceError) {
    let (source, result) = (arrays[step.source], arrays[step.result])
    try check(step.indexList)
    forEachIndex(step.indices, step.outer, step.count, step.inner, extent: step.extent) { element, place in
      result[element] = source[place]
    }
  }

  func run(_ step: ScatterAdd) throws(DeviceError) {
    let (source, result) = (arrays[step.source], arrays[step.result])
    // Sums are rounded once, like all sums of the interpreter.
    var sums = Array(
      repeating: Combined(.sum, Program.Output(register: 0, dtype: step.dtype.lane.dtype)), count: result.count)
    try check(step.indexList)
    forEachIndex(step.indices, step.outer, step.count, step.inner, extent: step.extent) { element, place in
      sums[place].add(source[element], number: 0)
    }
    for element in 0..<result.count { result[element] = step.dtype.rounded(sums[element].result) }
  }

  func run(_ step: RowWrite) {
    let (rows, result, places) = (arrays[step.rows], arrays[step.result], Places(step.indices.layout))
    for element in 0..<step.count * step.inner {
      let index = Int(arrays[step.indices.value][places[element]].integer)
      guard (0..<step.extent).contains(index) else { continue }
      result[index * step.inner + element % step.inner] = rows[element]
    }
  }

  private func check(_ list: IndexList) throws(DeviceError) {
    guard let fault = list.firstFault({ Int(arrays[list.indices.value][$0].integer) }) else { return }
    throw .indexOutOfRange(
      device: device, operation: list.indexing.operation ?? names.joined(separator: " "), fault: fault)
  }

  /// Calls `body(element, place)` for each element of an array `[outer, count, inner]`. For each `element`, `indices`
  /// selects the element `place` of an array `[outer, extent, inner]`. `element` and `place` are row-major positions.
  private func forEachIndex(
    _ indices: Operand, _ outer: Int, _ count: Int, _ inner: Int, extent: Int, _ body: (Int, Int) -> Void
  ) {
    let places = Places(indices.layout)
    for element in 0..<outer * count * inner {
      let index = Int(arrays[indices.value][places[element]].integer)
      body(element, (element / inner / count * extent + index) * inner + element % inner)
    }
  }
}

/// Word `place` of a random stream, counted from 0, as the instruction `random` computes it.
func randomWord(_ place: Int, seed: Int64, counter: Int64) -> UInt32 {
  func low(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word) }
  func high(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
  let (block, seed, counter) = (UInt64(place / 4), UInt64(bitPattern: seed), UInt64(bitPattern: counter))
  let words = philox(SIMD4(low(block), high(block), low(counter), high(counter)), key: SIMD2(low(seed), high(seed)))
  return words[place % 4]
}

/// Philox4x32-10 (Salmon et al., 2011, section 3.3).
public func philox(_ counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
  var (c, k) = (counter, key)
  for _ in 0..<10 {
    let first = UInt64(c[0]) * 0xD251_1F53
    let second = UInt64(c[2]) * 0xCD9E_8D57
    c = SIMD4(
      UInt32(second >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: second),
      UInt32(first >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: first))
    k = k &+ SIMD2(0x9E37_79B9, 0xBB67_AE85)
  }
  return c
}
