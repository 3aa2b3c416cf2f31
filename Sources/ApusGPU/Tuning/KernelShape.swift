import ApusDevice

/// How a kernel cuts its work into tiles. Kernels of all shapes add in the same order and give the same bits, so that
/// which one is taken is a matter of time alone (but for the sign of a zero where a tile of a GPU is filled up with
/// zeros); the text is the shape's name in tables.
protocol KernelShape: Hashable, Sendable, CustomStringConvertible {}

/// The kernel that a lowering took for a step, and those that would do as well.
struct KernelChoice: Hashable, Sendable {
  /// The family, the types, and the classes of sizes.
  var problem: String
  /// The names of all shapes, the one that is taken without a measurement first: that of the least cost by the model.
  var candidates: [String]
}

extension PlanLowering {
  /// The shape of a kernel: the one that was found to be the fastest for sizes like these, else that of the least cost.
  /// - Parameters:
  ///   - problem: What the choice is known by, see ``KernelChoice``.
  ///   - usual: The shapes among which the model chooses: few, so that plans share kernels.
  ///   - others: Shapes that only a measurement takes.
  ///   - cost: An estimate of the time, in any unit.
  mutating func choose<Shape: KernelShape>(
    _ problem: @autoclosure () -> String, among usual: [Shape], or others: [Shape], cost: (Shape) -> Int
  ) -> Shape {
    let best = usual.min { cost($0) < cost($1) }!
    guard let choices else { return best }
    let problem = problem()
    let all = ([best] + usual + others).reduce(into: [Shape]()) { if !$0.contains($1) { $0.append($1) } }
    note(KernelChoice(problem: problem, candidates: all.map(\.description)))
    return choices[problem].flatMap { name in all.first { $0.description == name } } ?? best
  }

  /// Sizes of one class share what is measured: those up to the same power of two.
  static func sizeClass(_ size: Int) -> Int {
    size <= 1 ? 0 : Int.bitWidth - (size - 1).leadingZeroBitCount
  }
}
