import ApusDevice

/// A kernel variant: how a kernel splits its work into tiles. The kernels of all shapes add in the same order, so that
/// the choice of a shape affects only time and, where a GPU tile is padded with zeros, the sign of a zero. The
/// description is the shape's name in tuning tables.
protocol KernelShape: Hashable, Sendable, CustomStringConvertible {}

/// A choice that a lowering made among several kernel shapes.
struct KernelChoice: Hashable, Sendable {
  /// The key of the choice: the kernel family, the types, and the size classes.
  var problem: String
  /// The names of all shapes. The first one has the lowest estimated cost among the `defaults` of `choose`; it is used
  /// if no tuning table has an entry for the problem.
  var candidates: [String]
}

extension PlanLowering {
  /// Chooses the shape of a kernel: the fastest shape according to the measurement for `problem` or, if there is no
  /// measurement, the default shape with the lowest cost.
  /// - Parameters:
  ///   - problem: the key of the choice, see ``KernelChoice``.
  ///   - defaults: the shapes that the cost model chooses from. There are few, so that plans share kernels.
  ///   - others: shapes that are used only if a measurement selects them.
  ///   - cost: an estimate of the time, in any unit.
  mutating func choose<Shape: KernelShape>(
    _ problem: @autoclosure () -> String, among defaults: [Shape], or others: [Shape], cost: (Shape) -> Int
  ) -> Shape {
    let best = defaults.min { cost($0) < cost($1) }!
    guard let choices else { return best }
    let problem = problem()
    let all = ([best] + defaults + others).reduce(into: [Shape]()) { if !$0.contains($1) { $0.append($1) } }
    note(KernelChoice(problem: problem, candidates: all.map(\.description)))
    return choices[problem].flatMap { name in all.first { $0.description == name } } ?? best
  }

  /// Returns the class of a size: its binary logarithm, rounded up. Sizes of one class share measurements.
  static func sizeClass(_ size: Int) -> Int {
    size <= 1 ? 0 : Int.bitWidth - (size - 1).leadingZeroBitCount
  }
}
