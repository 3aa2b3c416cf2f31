import Apus

/// A convolution of rank 2: `x: [N, C, H, W]`, `w: [K, C / G, R, S]` (`K` output channels, kernels of `R × S`), padding
/// `P` on every side, stride `U` and dilation `D` along both axes, `G` groups.
public struct Conv: TypedWorkload {
  /// The forward pass, or the gradient with respect to the input or to the weights.
  public enum Pass: String, Sendable, CaseIterable { case forward, input, weight }

  private let sizes: [Character: Int]
  public var passes: [Pass]
  public var dtype = DType.float32

  public var name: String { Conv.letters.map { "\($0)\(sizes[$0]!)" }.joined() }

  private static let letters: [Character] = ["N", "C", "H", "W", "K", "R", "S", "P", "U", "D", "G"]
  private static let defaults: [Character: Int] = ["P": 0, "U": 1, "D": 1, "G": 1]

  /// - Parameter name: the letters of the sizes that `Conv` describes, each followed by its value. `P0`, `U1`, `D1` and
  ///   `G1` may be left out.
  public init(_ name: String, passes: [Pass] = Pass.allCases) throws(ProblemError) {
    let failure = ProblemError(
      description: "\"\(name)\" is not a convolution such as N32C64H32W32K64R3S3P1U1D1G1")
    var sizes: [Character: Int] = [:]
    var rest = name[...]
    while let letter = rest.popFirst() {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count)
      guard Conv.letters.contains(letter), sizes[letter] == nil, let number = Int(digits) else { throw failure }
      sizes[letter] = number
    }
    sizes.merge(Conv.defaults) { given, _ in given }
    guard Conv.letters.allSatisfy({ sizes[$0] != nil }) else { throw failure }
    (self.sizes, self.passes) = (sizes, passes)
    try check()
  }

  private subscript(letter: Character) -> Int { sizes[letter]! }

  private var outputHeight: Int { outputExtent("H", "R") }
  private var outputWidth: Int { outputExtent("W", "S") }

  private func outputExtent(_ input: Character, _ kernel: Character) -> Int {
    let span = self["D"] * (self[kernel] - 1) + 1
    let room = self[input] + 2 * self["P"] - span
    return room < 0 ? 0 : room / self["U"] + 1
  }

  private func check() throws(ProblemError) {
    // Each value is checked against its bounds first, so that the computations below do not overflow.
    guard Conv.letters.allSatisfy({ self[$0] >= ($0 == "P" ? 0 : 1) && self[$0] <= 1 << 24 }) else {
      throw ProblemError(description: "\(name): the padding must be 0…2²⁴ and all other sizes 1…2²⁴")
    }
    guard self["C"] % self["G"] == 0, self["K"] % self["G"] == 0 else {
      throw ProblemError(description: "\(name): the channels C and K must be multiples of the groups G")
    }
    guard outputHeight > 0, outputWidth > 0 else {
      throw ProblemError(description: "\(name): the kernel does not fit into the padded image")
    }
    guard isReasonable([self["N"], self["C"], self["H"], self["W"]]),
      isReasonable([self["K"], self["C"] / self["G"], self["R"], self["S"]]),
      isReasonable([self["N"], self["K"], outputHeight, outputWidth])
    else { throw ProblemError(description: "\(name): a tensor has more than 2⁴⁰ elements") }
    let outputs = self["N"] * self["K"] * outputHeight * outputWidth
    let (work, overflow) = outputs.multipliedReportingOverflow(by: self["C"] / self["G"] * self["R"] * self["S"])
    guard !overflow, work <= maximumWork else {
      throw ProblemError(description: "\(name): more than 2⁶⁰ multiplications")
    }
  }

  /// Layers of LeNet-5, ResNet, AlexNet and MobileNet.
  public static let standardNames = [
    "N128C1H28W28K6R5S5P2U1D1G1", "N128C6H14W14K16R5S5P0U1D1G1", "N32C64H32W32K64R3S3P1U1D1G1",
    "N32C128H16W16K128R3S3P1U1D1G1", "N32C256H8W8K256R3S3P1U1D1G1", "N32C512H4W4K512R3S3P1U1D1G1",
    "N32C64H32W32K128R3S3P1U2D1G1", "N32C64H32W32K128R1S1P0U2D1G1", "N8C64H56W56K64R3S3P1U1D1G1",
    "N8C256H56W56K64R1S1P0U1D1G1", "N8C3H224W224K64R7S7P3U2D1G1", "N16C3H224W224K64R11S11P2U4D1G1",
    "N8C128H28W28K128R3S3P1U1D1G128",
  ]

  public func run(on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void) throws {
    let output: Shape = [self["N"], self["K"], outputHeight, outputWidth]
    let tensors = try randomTensors(
      [
        [self["N"], self["C"], self["H"], self["W"]],
        [self["K"], self["C"] / self["G"], self["R"], self["S"]], output,
      ], on: device)
    let (x, w, gradient) = (tensors[0], tensors[1], tensors[2])
    for pass in passes {
      let timing = try Timing.measure(on: device, runs: runs) {
        let y = x.convolved(
          with: w, stride: [self["U"]], padding: [(self["P"], self["P"])], dilation: [self["D"]],
          groups: self["G"])
        // For a gradient, y itself is not evaluated, so that only the backward pass runs.
        switch pass {
        case .forward: try eval(y)
        case .input: try eval(gradients(of: y, withRespectTo: [x], seed: gradient)[0])
        case .weight: try eval(gradients(of: y, withRespectTo: [w], seed: gradient)[0])
        }
      }
      var line = measurement("conv", device: device, timing: timing)
      line.variant = ("pass", pass.rawValue)
      line.work = .operations(2 * output.elementCount * (self["C"] / self["G"]) * self["R"] * self["S"])
      try report(line)
    }
  }
}
