import ApusDevice

/// A user-defined operation: the source of a GPU kernel, a function for the CPU, and a custom gradient.
///
/// The work is divided into items, which run in any order and in parallel. There is one item for each element of the
/// first result unless `items` gives another number. The kernel source `text` computes one item `i`, in OpenCL C 1.2;
/// CUDA's compiler accepts the source too, if it uses only features that both languages have. The source refers to
/// arrays and sizes by the names that the initializer gets. `REAL` is the arithmetic type of the first floating-point
/// array, inputs first: `double` for `float64`, else `float`. `continue` ends an item. The arrays are contiguous.
/// Together the items must write every element of the results exactly once.
///
/// `LOAD(x, at)` reads element `at` of the array `x` as a number, and `STORE(y, at, value)` rounds a number to the type
/// of `y` and stores it. Arrays of 32- and 64-bit elements may be indexed directly; `x[i]` does not compile for
/// `float16` or `bfloat16`.
///
/// ```swift
/// let softCap = CustomOperation(
///   "softCap", inputs: ["x"], results: ["y"],
///   types: { [$0[0]] },
///   text: "y[i] = x[i] / (1 + fabs(x[i]) / 30);",
///   host: { items in
///     let (x, y) = (items.input(0, of: Float.self), items.result(0, of: Float.self))
///     for i in items.range { y[i] = x[i] / (1 + abs(x[i]) / 30) }
///   },
///   gradient: { gradients, _, results in [gradients[0]! * (1 - results[0].abs() / 30).squared()] })
/// let y = softCap([x])[0]
/// ```
/// An operation is trusted like any other code of the program: nothing prevents the function or the kernel from
/// accessing memory outside of its arrays. Test the function and the kernel with unusual sizes too, such as 1 and 37.
///
/// A custom operation becomes a step of a plan, also inside `loop`, but nothing is fused with it. Create an operation
/// once, not for each call: every instance is compiled separately.
public final class CustomOperation: Sendable {
  /// Computes the gradients of the inputs (`nil` for none) from `gradients` (the gradients of the results, `nil` for
  /// results that nothing depends on), `inputs` and `results`. The function builds tensor operations, so its results
  /// can be differentiated again.
  public typealias Gradient = @Sendable (_ gradients: [Tensor?], _ inputs: [Tensor], _ results: [Tensor]) -> [Tensor?]

  /// The name of the operation in errors and profiles.
  public var name: String { kernel.name }

  let kernel: CustomKernel
  let gradient: Gradient?
  private let types: @Sendable ([TensorType]) throws(ShapeError) -> [TensorType]
  private let elementTypes: Set<DType>
  private let sizes: [@Sendable ([Shape]) -> Int]
  private let items: (@Sendable ([Shape]) -> Int)?

  /// - Parameters:
  ///   - name: letters and digits.
  ///   - inputs, results: the names of the arrays in the kernel source.
  ///   - elementTypes: the floating-point types that inputs may have.
  ///   - types: computes the shapes and element types of the results from those of the inputs; throws if the inputs do
  ///     not fit.
  ///   - sizes: named integers for the kernel source, computed from the inputs' shapes.
  ///   - items: the number of items, from the inputs' shapes; at least 1 if a result has elements.
  ///   - text: kernel source for one item; required on OpenCL and CUDA devices.
  ///   - host: computes a range of items on the CPU; required on CPU devices.
  ///   - gradient: the gradient rule; `nil` for an operation without a gradient.
  public init(
    _ name: String, inputs: [String], results: [String], elementTypes: Set<DType> = [.float32],
    types: @escaping @Sendable (_ inputs: [TensorType]) throws(ShapeError) -> [TensorType],
    sizes: KeyValuePairs<String, @Sendable (_ inputs: [Shape]) -> Int> = [:],
    items: (@Sendable (_ inputs: [Shape]) -> Int)? = nil, text: String? = nil,
    host: (@Sendable (CustomItems) -> Void)? = nil, gradient: Gradient?
  ) {
    let names = inputs + results + sizes.map(\.key)
    if let bad = names.first(where: { !CustomOperation.isFree($0) }) ?? CustomOperation.repeated(names) {
      fatalError("CustomOperation \(name): \"\(bad)\" cannot be the name of an array or size, or occurs twice")
    }
    guard !inputs.isEmpty, !results.isEmpty else {
      fatalError("CustomOperation \(name): at least one input and one result are required")
    }
    kernel = CustomKernel(
      name: name, inputNames: inputs, resultNames: results, sizeNames: sizes.map(\.key), text: text, host: host)
    self.gradient = gradient
    self.types = types
    self.elementTypes = elementTypes
    self.sizes = sizes.map(\.value)
    self.items = items
  }

  /// Computes the results for `inputs`, in the shapes and types that the function `types` gives.
  ///
  /// - Precondition: there is one input for each name, on one device. Floating-point inputs have one of the
  ///   `elementTypes`, `types` accepts the inputs, and the operation has code for the device.
  /// - Throws (when a value is read): `DeviceError.buildFailed` with the operation's name and the compiler's log, if
  ///   the kernel source does not compile.
  public func callAsFunction(_ inputs: [Tensor]) -> [Tensor] {
    do throws(ShapeError) {
      let call = try CustomCall(self, inputs)
      let node = Node(
        op: gradient == nil ? .customWithoutGradient : .custom,
        inputs: OpInputs(list: inputs.map(\.node)), attributes: .custom(call),
        type: TensorType(Shape(), .float32), device: inputs[0].node.deviceReference)
      return call.results.types.indices.map { call.results.tensor($0, of: node) }
    } catch {
      error.report()
      return kernel.resultNames.map { _ in inputs.first ?? .zeros([]) }
    }
  }

  /// The results' types, the sizes and the number of items for `inputs`.
  fileprivate func plan(_ inputs: [Tensor]) throws(ShapeError) -> (types: [TensorType], sizes: [Int], count: Int) {
    guard inputs.count == kernel.inputNames.count else {
      throw ShapeError(name, "got \(inputs.count) inputs, expected \(kernel.inputNames.count)")
    }
    let devices = Set(inputs.map(\.device.name))
    if devices.count > 1 { throw ShapeError(name, "inputs are on \(devices.sorted().joined(separator: " and "))") }
    for (name, input) in zip(kernel.inputNames, inputs)
    where input.dtype.isFloatingPoint && !elementTypes.contains(input.dtype) {
      let known = elementTypes.map(\.description).sorted().joined(separator: ", ")
      throw ShapeError(self.name, "\(name) is \(input.dtype), but the operation supports \(known)")
    }
    try checkDevice(inputs[0].device)
    let shapes = inputs.map(\.shape)
    let types = try types(inputs.map { TensorType($0.shape, $0.dtype) })
    guard types.count == kernel.resultNames.count else {
      throw ShapeError(name, "got \(types.count) types for \(kernel.resultNames.count) results")
    }
    for type in types where !type.shape.isValid {
      throw ShapeError(name, "the result's shape \(type.shape.invalidReason ?? "")")
    }
    let count = items?(shapes) ?? types[0].shape.elementCount
    guard count > 0 || count == 0 && types.allSatisfy({ $0.shape.elementCount == 0 }) else {
      let results = types.map { "\($0.shape)" }.joined(separator: ", ")
      throw ShapeError(name, "\(count) items cannot write all elements of the results \(results) (items:)")
    }
    return (types, sizes.map { $0(shapes) }, count)
  }

  private func checkDevice(_ device: ComputeDevice) throws(ShapeError) {
    switch device.info.kind {
    case .cpu where kernel.host == nil:
      throw ShapeError(name, "device \(device.name) needs a host function, but the operation has none (host:)")
    case .opencl where kernel.text == nil, .cuda where kernel.text == nil:
      throw ShapeError(name, "device \(device.name) needs kernel source, but the operation has none (text:)")
    default: return
    }
  }

  /// Whether a name has the form of a variable name and is not one of the names that the generated part of the kernels
  /// declares. Keywords of C and macros of the prelude are not found here; the kernel does not compile with them.
  private static func isFree(_ name: String) -> Bool {
    guard name.first.map({ $0.isASCII && $0.isLetter }) == true,
      name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
    else { return false }
    let taken: Set = [
      "i", "item", "begin", "end", "at", "geometry", "group_id", "REAL", "LOAD", "STORE", "i64", "i8", "u8",
    ]
    let isNumbered = "pn".contains(name.first!) && name.count > 1 && name.dropFirst().allSatisfy(\.isNumber)
    return !taken.contains(name) && !isNumbered
  }

  private static func repeated(_ names: [String]) -> String? {
    names.indices.first { names[..<$0].contains(names[$0]) }.map { names[$0] }
  }
}

/// A call of a user-defined operation on inputs of known types.
final class CustomCall: Sendable {
  let operation: CustomOperation
  let results: ResultList
  let sizes: [Int]
  let count: Int
  /// The precision at the time of the call. The gradient rule runs in the same precision.
  private let precision: Precision

  init(_ operation: CustomOperation, _ inputs: [Tensor]) throws(ShapeError) {
    let plan = try operation.plan(inputs)
    self.operation = operation
    results = ResultList(plan.types)
    sizes = plan.sizes
    count = plan.count
    precision = PrecisionScope.current
  }

  private init(_ other: CustomCall) {
    operation = other.operation
    results = ResultList(other.results.types)
    sizes = other.sizes
    count = other.count
    precision = other.precision
  }

  /// The gradients of the inputs, `nil` if there is no gradient rule.
  func gradients(_ gradients: [Tensor?], _ inputs: [Tensor], _ results: [Tensor]) -> [Tensor?]? {
    operation.gradient.map { rule in PrecisionScope.run(precision) { rule(gradients, inputs, results) } }
  }

  /// A copy of the call for another node; a result list belongs to one node only.
  func renewed() -> CustomCall { CustomCall(self) }

  /// The 64-bit words that distinguish calls in a `PlanKey`, in addition to the types of inputs and results.
  var words: [UInt64] { [operation.kernel.number, UInt64(count)] + sizes.map { UInt64(bitPattern: Int64($0)) } }
}

extension Op {
  static let custom: Op = Op(
    name: "custom", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .rule { c in
      let call = c.attributes.custom
      let inputs = (0..<c.inputCount).map(c.input)
      let results = call.results.types.indices.map { c.output($0) }
      guard let found = call.gradients(c.gradients, inputs, results) else { return [] }
      return found.fitting(inputs, call.operation.name) ?? []
    }, lower: .custom)

  static let customWithoutGradient: Op = Op(
    name: "customWithoutGradient", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .notDifferentiable, lower: .custom)
}

extension Attributes {
  var custom: CustomCall {
    guard case .custom(let call) = self else { fatalError("expected a call attribute, found \(self)") }
    return call
  }
}

/// A range of items of a `CustomOperation`, with the memory that they access.
public typealias CustomItems = ApusDevice.CustomItems

extension CustomItems {
  /// All elements of an input, not only those that the items of `range` read.
  ///
  /// Indices are checked in debug builds only, as for every `UnsafeBufferPointer`, because a check would prevent loops
  /// from being vectorized. In release builds an index outside of `0 ..< count` reads memory of other values.
  /// - Precondition: the input has elements of that type.
  public func input<Element: TensorElement>(_ index: Int, of type: Element.Type) -> UnsafeBufferPointer<Element> {
    let array = inputs[index]
    check(array, index, type, "input")
    return UnsafeBufferPointer(start: array.pointer.assumingMemoryBound(to: type), count: array.count)
  }

  /// All elements of a result; the function must write the elements that belong to `items.range`.
  ///
  /// Indices are checked in debug builds only. In release builds a write outside of `0 ..< count` changes memory of
  /// other values, or ends the process.
  /// - Precondition: the result has elements of that type.
  public func result<Element: TensorElement>(
    _ index: Int, of type: Element.Type
  ) -> UnsafeMutableBufferPointer<Element> {
    let array = results[index]
    check(array, index, type, "result")
    return UnsafeMutableBufferPointer(start: array.pointer.assumingMemoryBound(to: type), count: array.count)
  }

  private func check<Element: TensorElement>(_ array: Array, _ index: Int, _ type: Element.Type, _ kind: String) {
    guard array.dtype == Element.dtype else {
      fatalError("\(name): \(kind) \(index) has \(array.dtype) elements, not \(Element.dtype)")
    }
  }
}
