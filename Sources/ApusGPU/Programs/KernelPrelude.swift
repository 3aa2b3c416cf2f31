import Kernels

/// The source that precedes the kernels of every built program: the macros of a dialect (OpenCL C or CUDA), the
/// functions of `Kernels/prelude`, and, for each arithmetic type (lane), the operations of the `.def` files. For
/// floating-point types, it also has the formulas of recurrent cells and of attention weights.
enum KernelPrelude {
  static func text(for target: KernelTarget) -> String {
    var text = dialect(of: target)
    let common = [
      "indices", "bits", "math", "logarithm", "hyperbolic", "trigonometry", "normal", "rounding", "storage", "philox",
      "random", "rows",
    ]
    let lanes = target.width > 1 ? ["prelude/opencl_lanes.h", "prelude/winograd.h"] : ["prelude/one_lane.h"]
    for name in lanes + common.map({ "prelude/\($0).h" }) { text += file(name) }
    for lane in ["F32", "I32", "I64"] + (target.supportsFloat64 ? ["F64"] : []) {
      text += "#undef LANE\n#define LANE LANE_\(lane)\n"
      for name in ["prelude/lane.h", "elementwise.def", "reduce.def"] { text += file(name) }
      if lane.hasPrefix("F") { text += file("attention/weights.h") + file("recurrent/cells.h") }
    }
    return text
  }

  /// Returns the part of the prelude that depends on the language and the device, without arithmetic functions.
  static func dialect(of target: KernelTarget) -> String {
    let text = "#define WIDTH \(target.width)\n#define HAS_FLOAT64 \(target.supportsFloat64 ? 1 : 0)\n"
    guard let subgroup = target.subgroup else { return text + file(target.dialect.file) }
    return text + "#define SUBGROUP \(subgroup.size)\n#define \(subgroup.access.rawValue)\n"
      + file(target.dialect.file) + file("prelude/subgroup.h")
      + (target.hasMatrixUnits ? file("prelude/matrix.h") : "")
      + (target.hasWarpgroups ? file("prelude/hopper.h") : "")
  }

  /// Returns the contents of a file in `Kernels/`.
  static func file(_ name: String) -> String {
    guard let text = apus_kernel_text(name) else { fatalError("Kernels/ contains no file \(name)") }
    return String(cString: text)
  }
}
